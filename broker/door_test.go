package broker

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"splashtail/bus"
)

// ask sends a request to the port for capture clients.
func (r *rig) ask(br *Broker, method, path, body string, header ...string) (*http.Response, string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, "http://"+br.Addr()+path, strings.NewReader(body))
	r.ok(err)
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	r.ok(err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	r.ok(err)
	return resp, string(data)
}

func TestPathsOfTheDoor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "DDDD0001")
	ctx := t.Context()
	now := float64(time.Now().Unix())
	r.ok(r.rdb.Set(ctx, keyVersion, "8.4.0", 0).Err())
	r.ok(r.rdb.Set(ctx, keyCommit, "abc<>", 0).Err())
	r.ok(r.rdb.SAdd(ctx, keyGuilds, 1, 2, 3).Err())
	r.ok(r.rdb.ZAdd(ctx, keyGames, redis.Z{Score: now, Member: "a"}, redis.Z{Score: now - 800, Member: "b"}, redis.Z{Score: now - 1000, Member: "old"}).Err())
	r.ok(r.rdb.Set(ctx, keyTotalUsers, 12, 0).Err())
	r.ok(r.rdb.Set(ctx, roomCodeKey(code), "ABCDEF", 0).Err())
	r.link(br, code)
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{"GET", "/", 200, `{"activeConnections":1,"activeGames":2,"commit":"abc\u003c\u003e","totalGames":-1,"totalGuilds":3,"totalUsers":12,"version":"8.4.0"}`},
		{"GET", "/lobbycode/DDDD0001", 200, `{"result":"ABCDEF"}`},
		{"GET", "/lobbycode/DDDD0002", 404, ""},
		{"GET", "/lobbycode/DDDD00.*", 404, ""},
		{"GET", "/lobbycode/short", 400, `{"result":"error"}`},
		{"GET", "/healthz", 200, "ok"},
		{"GET", "/ready", 200, "Ready"},
		{"GET", "/nothing", 404, "404 page not found\n"},
		{"GET", "/socket.io/extra", 404, "404 page not found\n"},
		{"GET", "/socket.io/?EIO=3&transport=websocket", 400, noUpgrade},
	} {
		if resp, body := r.ask(br, c.method, c.path, ""); resp.StatusCode != c.status || body != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.path, resp.StatusCode, body, c.status, c.body)
		}
	}
	resp, _ := r.ask(br, "GET", "/", "")
	if h := resp.Header; h.Get("Access-Control-Allow-Origin") != "*" || h.Get("Access-Control-Allow-Methods") != "GET, OPTIONS" || h.Get("Content-Type") != "application/json" {
		t.Errorf("headers of /: %v", h)
	}
	r.server.Kill()
	for path, want := range map[string]int{"/lobbycode/DDDD0001": 503, "/": 200, "/healthz": 200} {
		if resp, body := r.ask(br, "GET", path, ""); resp.StatusCode != want {
			t.Errorf("%s without Redis: %d %q", path, resp.StatusCode, body)
		}
	}
}

func TestAPollingClientPlays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "DDDD0003")
	_, open := r.ask(br, "GET", "/socket.io/?EIO=3&transport=polling", "")
	_, rest, _ := strings.Cut(open, `"sid":"`)
	sid, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("OPEN is %q", open)
	}
	at := "/socket.io/?EIO=3&transport=polling&sid=" + sid
	body := text3(`42["connectCode","`+code.String()+`"]`, `42["state","1"]`, `42["state","2"]`)
	if resp, answer := r.ask(br, "POST", at, body, "Content-Type", "text/plain;charset=UTF-8"); resp.StatusCode != 200 || answer != "ok" {
		t.Fatalf("%d %q", resp.StatusCode, answer)
	}
	r.wantList(code, linked, phase(1), phase(2))
	r.ask(br, "POST", at, text3("41")) // how that is answered nobody reads: the client has gone
	r.wantList(code, linked, phase(1), phase(2), unlinked)
}

// TestLimitsPerAddress has clients of several addresses behind a proxy that is trusted.
func TestLimitsPerAddress(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Limits = Limits{ConnectionsPerAddress: 2, NewCodes: 0.001, NewCodesBurst: 2, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	br, _ := r.start()
	from := func(addr string) *player { return r.connect(br, "X-Forwarded-For", addr) }
	p := from("203.0.113.1")
	p.says("connectCode", `"EEEE0001"`)
	p.says("connectCode", `"EEEE0002"`)
	p.offers("connectCode", `"EEEE0003"`) // one too many: nothing happens, and it stays open
	p.says("connectCode", `"EEEE0001"`)   // one that it used before
	p.says("state", `"1"`)
	r.wantList(gameCode(t, "EEEE0001"), linked, linked, phase(1))
	if left := r.list(gameCode(t, "EEEE0003")); len(left) != 0 {
		t.Errorf("the third code has %v", left)
	}
	r.ok(r.rdb.Set(t.Context(), roomCodeKey(gameCode(t, "EEEE0004")), "ABCDEF", 0).Err())
	for addr, want := range map[string]int{"203.0.113.1": 404, "203.0.113.2": 200} {
		if resp, _ := r.ask(br, "GET", "/lobbycode/EEEE0004", "", "X-Forwarded-For", addr); resp.StatusCode != want {
			t.Errorf("%s asks for a room and gets %d, want %d", addr, resp.StatusCode, want)
		}
	}
	from("203.0.113.1")
	resp, _ := r.ask(br, "GET", "/socket.io/?EIO=3&transport=polling", "", "X-Forwarded-For", "9.9.9.9, 203.0.113.1")
	if resp.StatusCode < 400 {
		t.Errorf("a third connection of one address is answered with %d", resp.StatusCode)
	}
	from("203.0.113.3").says("connectCode", `"EEEE0003"`)
}

func TestGatekeeper(t *testing.T) {
	now := time.Unix(0, 0)
	g := newGatekeeper(Limits{Connections: 3, ConnectionsPerAddress: 2, NewCodes: 60, NewCodesBurst: 2})
	g.now = func() time.Time { return now }
	for i, want := range []bool{true, true, false} {
		if got := g.admit("198.51.100.1"); got != want {
			t.Errorf("connection %d of an address: %t", i+1, got)
		}
	}
	if !g.admit("127.0.0.1") || g.admit("198.51.100.2") || g.connections() != 3 {
		t.Error("the bound of all together does not hold")
	}
	g.leave("198.51.100.1")
	if !g.admit("198.51.100.2") {
		t.Error("a place that became free is not given")
	}
	codes := make([]bus.ConnectCode, 2*maxGuestCodes)
	for i := range codes {
		codes[i] = gameCode(t, fmt.Sprintf("%08d", i))
	}
	const addr = "198.51.100.3"
	for i, want := range []bool{true, true, false, false} {
		if got := g.tryCode(addr, codes[i]); got != want {
			t.Errorf("code %d: %t", i, got)
		}
	}
	if !g.tryCode(addr, codes[0]) {
		t.Error("a code that was used before is counted")
	}
	now = now.Add(time.Second)
	if !g.tryCode(addr, bus.ConnectCode{}) || g.tryCode(addr, bus.ConnectCode{}) {
		t.Error("malformed codes are not counted")
	}
	for _, c := range codes {
		now = now.Add(time.Second)
		g.tryCode(addr, c)
	}
	if n := len(g.guests[addr].codes); n != maxGuestCodes {
		t.Errorf("%d codes are remembered", n)
	}
	for range 100 {
		if !g.tryCode("::1", codes[0]) || !g.tryCode("127.0.0.1", bus.ConnectCode{}) {
			t.Fatal("loopback is counted")
		}
	}
}

func TestGatekeeperForgetsWhoIsNotHere(t *testing.T) {
	g := newGatekeeper(Limits{Connections: 10, ConnectionsPerAddress: 2, NewCodes: 1, NewCodesBurst: 1})
	if !g.admit("198.51.100.1") {
		t.Fatal("refused")
	}
	for i := range maxGuests + 10 {
		g.tryCode(fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), bus.ConnectCode{})
	}
	if len(g.guests) > maxGuests || g.guests["198.51.100.1"] == nil {
		t.Errorf("%d addresses are remembered", len(g.guests))
	}
}

func TestConfigFaultsAreToldAllAtOnce(t *testing.T) {
	_, err := New(Config{Addr: "nowhere", PingInterval: time.Minute, PingTimeout: time.Second, Grace: -1, Limits: Limits{NewCodes: -1}}, nil, nil)
	for _, part := range []string{"capture clients", "Redis", "PingTimeout", "Grace", "limit"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
}
