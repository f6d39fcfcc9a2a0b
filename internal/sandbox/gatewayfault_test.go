package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// TestCompression reads the same session in every encoding.
func TestCompression(t *testing.T) {
	const n = 300
	w := newGatewayWorld(t, patient())
	for _, tc := range []struct {
		what, path string
		compress   any // of IDENTIFY
	}{
		{"text", "/?v=10&encoding=json", false},
		{"a word", "/?v=10&encoding=json", "zlib-stream"},
		{"payload", "/?v=9&encoding=json", true},
		{"zlib", "/?v=10&encoding=json&compress=zlib-stream", nil},
		{"zlib wins over payload", "/?compress=zlib-stream&encoding=json&v=10", true},
		{"zstd", "/?v=10&encoding=json&compress=zstd-stream", nil},
	} {
		t.Run(tc.what, func(t *testing.T) {
			c := w.dial(tc.path)
			c.t = t
			d := identity(w.all, IntentGuilds|IntentGuildMessages|IntentMessageContent)
			if tc.compress != nil {
				d["compress"] = tc.compress
			}
			c.ready(d)
			if g := c.read(); g.name() != "GUILD_CREATE" {
				t.Fatalf("came %s", g.name())
			}
			w.ok(w.Burst(context.Background(), Burst{Guild: w.guild, Channel: w.text, Author: w.ana, Count: n}))
			for i := range n {
				if m := c.read(); content(t, m) != fmt.Sprintf("burst %d", i+1) {
					t.Fatalf("message %d: %s", i+1, m.D)
				}
			}
		})
	}
}

// TestPayloadCompression looks at the kind of frames: large ones are binary, small ones text, also after a RESUME.
func TestPayloadCompression(t *testing.T) {
	w := newGatewayWorld(t, patient())
	kinds := func(c *gatewayClient, first int) {
		t.Helper()
		for i := range 2 {
			typ, b, err := c.ws.Read(c.ctx)
			if err != nil {
				t.Fatal(err)
			}
			text, err := b, error(nil)
			if typ == websocket.MessageBinary {
				text, err = c.text(b)
			}
			if err != nil || (typ == websocket.MessageBinary) != (len(text) >= compressFrom) || (typ == websocket.MessageBinary) != (i >= first) {
				t.Errorf("frame %d of %d bytes is of type %v: %v", i, len(text), typ, err)
			}
		}
	}
	c := w.dial("/?v=10")
	d := identity(w.all, IntentGuilds)
	d["compress"] = true
	c.send(opIdentify, d)
	id := ""
	kinds(c, 1) // READY is small here
	id = w.Sessions()[0].ID
	w.CutSessions(Sessions{})
	c = w.dial("/?v=10")
	c.resume(w.all, id, 1)
	typ, _, err := c.ws.Read(c.ctx)
	if err != nil || typ != websocket.MessageBinary {
		t.Errorf("after a RESUME the guild came as %v: %v", typ, err)
	}
}

func TestGatewayFaults(t *testing.T) {
	w := newGatewayWorld(t, patient())
	start := func() *gatewayClient {
		c := w.dial("/?v=10")
		c.ready(identity(w.all, IntentGuilds|IntentGuildMessages))
		c.event("GUILD_CREATE")
		return c
	}
	resumed := func(c *gatewayClient) *gatewayClient {
		t.Helper()
		n := w.dial("/gateway/resume?v=10")
		n.id = c.id
		n.resume(w.all, c.id, c.seq)
		n.event("RESUMED")
		return n
	}
	c := start()
	if n := w.Reconnect(Sessions{ID: c.id}); n != 1 {
		t.Errorf("op 7 for %d sessions", n)
	}
	if m := c.read(); m.O != opReconnect {
		t.Errorf("op %d", m.O)
	}
	c = resumed(c) // while the old connection is open
	w.InvalidateSessions(Sessions{App: w.all.ID}, true)
	if m := c.read(); m.O != opInvalidSession || string(m.D) != "true" {
		t.Errorf("op %d %s", m.O, m.D)
	}
	w.say(1)
	c.resume(w.all, c.id, c.seq) // on the same connection
	if m := c.read(); m.name() != "MESSAGE_CREATE" {
		t.Errorf("came %s", m.name())
	}
	c.event("RESUMED")
	w.InvalidateSessions(Sessions{Shards: []int{0}}, false)
	if m := c.read(); m.O != opInvalidSession || string(m.D) != "false" {
		t.Errorf("op %d %s", m.O, m.D)
	}
	c.resume(w.all, c.id, c.seq)
	if m := c.read(); m.O != opInvalidSession {
		t.Errorf("a dead session was answered with op %d", m.O)
	}
	c.seq = 0
	c.ready(identity(w.all, IntentGuilds|IntentGuildMessages))
	c.event("GUILD_CREATE")

	w.AskHeartbeat(Sessions{})
	if m := c.read(); m.O != opHeartbeat {
		t.Errorf("op %d", m.O)
	}
	for _, tc := range []struct {
		code int
		ends bool
	}{{closeUnknown, false}, {closeRate, false}, {closeTimeout, true}, {closeShard, true}} {
		w.CloseSessions(Sessions{ID: c.id}, tc.code)
		if code := c.closed(); code != tc.code {
			t.Errorf("closed with %d, want %d", code, tc.code)
		}
		if alive := slices.ContainsFunc(w.Sessions(), func(s GatewaySession) bool { return s.ID == c.id }); alive == tc.ends {
			t.Errorf("after %d the session lives: %v", tc.code, alive)
		}
		if tc.ends {
			c = start()
		} else {
			c = resumed(c)
		}
	}
	if n := w.Reconnect(Sessions{Shards: []int{1}}) + w.Reconnect(Sessions{App: w.bot.ID}) + w.Reconnect(Sessions{ID: "x"}); n != 0 {
		t.Errorf("filters let %d sessions through", n)
	}
	if closes := w.GatewayCounts().Closes; closes[closeTimeout] != 1 || closes[closeShard] != 1 || closes[closeRate] != 1 {
		t.Errorf("closes %v", closes)
	}
}

// TestSilence checks a host that accepts everything and says nothing.
func TestSilence(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c := w.dial("/?v=10")
	c.ready(identity(w.all, IntentGuilds|IntentGuildMessages))
	c.event("GUILD_CREATE")
	w.SetGatewayFaults(GatewayFaults{Silent: true})
	c.send(opHeartbeat, c.seq)
	w.await("the heartbeat", func() bool { return w.GatewayCounts().Unheard == 1 })
	w.say(1)
	greeted := w.dialQuiet("/?v=10") // no HELLO
	w.await("the connection", func() bool { return w.GatewayCounts().Connections == 2 })
	w.SetGatewayFaults(GatewayFaults{})
	if m := c.read(); m.name() != "MESSAGE_CREATE" { // not the ACK
		t.Errorf("after the silence came op %d %s", m.O, m.name())
	}
	greeted.send(opHeartbeat, nil)
	if m := greeted.read(); m.O != opAck { // the HELLO is lost
		t.Errorf("a connection made in the silence got op %d", m.O)
	}
	if n := w.SilenceSessions(Sessions{ID: c.id}); n != 1 {
		t.Errorf("%d sessions were silenced", n)
	}
	w.say(2)
	c.send(opHeartbeat, c.seq)
	w.await("the heartbeat", func() bool { return w.GatewayCounts().Unheard == 2 })
	other := w.dial("/?v=10")
	other.resume(w.all, c.id, c.seq)
	if m := other.read(); m.name() != "MESSAGE_CREATE" {
		t.Errorf("a new connection of a silent session got op %d %s", m.O, m.name())
	}
	if code := c.closed(); code != closeUnknown {
		t.Errorf("the old connection was closed with %d", code)
	}
}

func TestBrokenHosts(t *testing.T) {
	w := newGatewayWorld(t, patient())
	status := func(path string) int {
		t.Helper()
		ws, resp, _, cancel, err := dialGateway(w.url + path)
		defer cancel()
		if err == nil {
			ws.CloseNow()
			return http.StatusSwitchingProtocols
		}
		if resp == nil {
			t.Fatal(err)
		}
		return resp.StatusCode
	}
	w.SetGatewayFaults(GatewayFaults{ResumeHostDown: true})
	for path, want := range map[string]int{"/gateway/resume?v=10": 503, "/gateway/resume/?v=10": 503, "/gateway?v=10": 101, "/?v=10": 101} {
		if got := status(path); got != want {
			t.Errorf("%s while the resume host is down: %d", path, got)
		}
	}
	w.SetGatewayFaults(GatewayFaults{RefuseUpgrade: true})
	if got := status("/?v=10"); got != 503 {
		t.Errorf("refused upgrade: %d", got)
	}
	w.SetGatewayFaults(GatewayFaults{NoHello: true, DropAcks: true})
	c := w.dialQuiet("/?v=10")
	c.send(opHeartbeat, nil)
	if r := c.ready(identity(w.all, 0)); r.SessionID == "" { // neither HELLO nor ACK before it
		t.Error("no session")
	}
	w.SetGatewayFaults(GatewayFaults{})
	s := patient()
	s.ResumeURL = "wss://elsewhere.invalid"
	w.SetGateway(s)
	if r := w.dial("/?v=10").ready(identity(w.all, 0)); r.ResumeURL != s.ResumeURL {
		t.Errorf("resume at %q", r.ResumeURL)
	}
	if n := w.GatewayCounts().Refused; n != 3 {
		t.Errorf("%d refused", n)
	}
}

func TestHeartbeatTimeout(t *testing.T) {
	s := patient()
	s.HeartbeatInterval = 50 * time.Millisecond
	w := newGatewayWorld(t, s)
	c := w.dial("/?v=10")
	c.ready(identity(w.all, 0))
	if code := c.closed(); code != closeTimeout {
		t.Errorf("without heartbeats: closed with %d", code)
	}
	if len(w.Sessions()) != 0 {
		t.Error("the session lives")
	}
}

// TestLatencyAndGap checks lower bounds only: a loaded machine may take longer.
func TestLatencyAndGap(t *testing.T) {
	s := patient()
	s.Latency = 40 * time.Millisecond
	w := newGatewayWorld(t, s)
	c := w.dial("/?v=10")
	c.ready(identity(w.all, IntentGuilds|IntentGuildMessages))
	c.event("GUILD_CREATE")
	start := time.Now()
	w.say(1)
	c.event("MESSAGE_CREATE")
	if took := time.Since(start); took < s.Latency {
		t.Errorf("a message with a latency of %v took %v", s.Latency, took)
	}
	s.Latency, s.Gap = 0, 5*time.Millisecond
	w.SetGateway(s)
	start = time.Now()
	w.ok(w.Burst(context.Background(), Burst{Guild: w.guild, Channel: w.text, Author: w.ana, Count: 11}))
	for range 11 {
		c.event("MESSAGE_CREATE")
	}
	if took := time.Since(start); took < 10*s.Gap {
		t.Errorf("11 messages with a gap of %v took %v", s.Gap, took)
	}
}

// TestSlowClient checks that a client which does not read loses its session and keeps nobody waiting.
func TestSlowClient(t *testing.T) {
	s := patient()
	s.SessionLog = 512
	w := newGatewayWorld(t, s)
	slow, quick := w.dial("/?v=10"), w.dial("/?v=10")
	for _, c := range []*gatewayClient{slow, quick} {
		c.ready(identity(w.all, IntentGuilds|IntentGuildMessages|IntentMessageContent))
		c.event("GUILD_CREATE")
	}
	w.SilenceSessions(Sessions{ID: slow.id}) // its log fills as it does behind a full socket
	done := make(chan error, 1)
	go func() {
		for i := range 20 {
			b := Burst{Guild: w.guild, Channel: w.text, Author: w.ana, Count: 100, First: 100*i + 1}
			if err := w.Burst(context.Background(), b); err != nil {
				done <- err
				return
			}
			// The quick client is given time to read, so that only the slow one falls behind.
			w.await("the quick client", func() bool {
				for _, s := range w.Sessions() {
					if s.ID == quick.id && s.Taken < s.Seq {
						return false
					}
				}
				return true
			})
		}
		done <- nil
	}()
	for i := range 2000 {
		if m := quick.read(); content(t, m) != fmt.Sprintf("burst %d", i+1) {
			t.Fatalf("message %d: %s", i+1, m.D)
		}
	}
	w.ok(<-done)
	c := w.dial("/?v=10")
	c.resume(w.all, slow.id, slow.seq)
	if m := c.read(); m.O != opInvalidSession {
		t.Errorf("a session that is behind its log was answered with op %d", m.O)
	}
}

func TestRevokedTokenEndsSessions(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c := w.dial("/?v=10")
	c.ready(identity(w.all, 0))
	w.ok(w.Revoke(w.all.ID, true))
	if code := c.closed(); code != closeToken {
		t.Errorf("closed with %d", code)
	}
}

// TestRunEndsTheGateway checks that connections get 1001 and that Run waits for them.
func TestRunEndsTheGateway(t *testing.T) {
	d := New(Config{})
	app := must(d.AddApplication(ApplicationSpec{Name: "bot"}))(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	<-d.Ready()
	ws, _, cctx, stop, err := dialGateway("ws://" + d.Addr() + "?v=10")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	c := &gatewayClient{t: t, ws: ws, ctx: cctx}
	c.expect(opHello)
	c.ready(identity(app, 0))
	cancel()
	if code := c.closed(); code != closeGoingAway {
		t.Errorf("closed with %d", code)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if d.open(&gatewayConn{wake: make(chan struct{}, 1)}, "10") {
		t.Error("a connection was taken after the end")
	}
}

// TestGatewayControl drives everything as another process would.
func TestGatewayControl(t *testing.T) {
	w := newGatewayWorld(t, patient())
	base := "http" + strings.TrimPrefix(w.url, "ws") + "/sandbox"
	call := func(method, path, body string, into any) int {
		t.Helper()
		req := must(http.NewRequest(method, base+path, strings.NewReader(body)))(t)
		resp := must(http.DefaultClient.Do(req))(t)
		defer resp.Body.Close()
		if into != nil {
			w.ok(json.NewDecoder(resp.Body).Decode(into))
		}
		return resp.StatusCode
	}
	c := w.dial("/?v=10")
	c.ready(identity(w.all, allIntents))
	c.event("GUILD_CREATE")
	var v gatewayView
	if code := call("GET", "/gateway", "", &v); code != 200 || v.Counts.Identifies != 1 || len(v.Sessions) != 1 || v.Sessions[0].ID != c.id ||
		v.Sessions[0].Received[opIdentify] != 1 || v.Settings.IdentifyEveryMS >= 0 || v.Settings.KeepSessionMS != 180_000 {
		t.Errorf("%d %+v", code, v)
	}
	var n struct{ Sessions int }
	if code := call("POST", "/gateway/reconnect", `{"session":"`+c.id+`"}`, &n); code != 200 || n.Sessions != 1 {
		t.Errorf("reconnect: %d %+v", code, n)
	}
	c.expect(opReconnect)
	burst := fmt.Sprintf(`{"guild_id":"%s","channel_id":"%s","author_id":"%s","count":3,"rate":1000,"window":10}`, w.guild, w.text, w.ana)
	if code := call("POST", "/burst", burst, nil); code != 204 {
		t.Errorf("burst: %d", code)
	}
	for range 3 {
		c.event("MESSAGE_CREATE")
	}
	if code := call("PUT", "/users/"+w.cat.String()+"/presence", `{"status":"idle"}`, nil); code != 204 {
		t.Errorf("presence: %d", code)
	}
	c.event("PRESENCE_UPDATE")
	for _, up := range []string{"true", "false"} {
		if code := call("PUT", "/guilds/"+w.guild.String()+"/outage", `{"unavailable":`+up+`}`, nil); code != 204 {
			t.Errorf("outage: %d", code)
		}
	}
	c.event("GUILD_DELETE")
	c.event("GUILD_CREATE")
	for action, body := range map[string]string{"nothing": "{}", "close": `{"code":5}`, "cut": `{"typo":1}`} {
		var e struct{ Error string }
		if code := call("POST", "/gateway/"+action, body, &e); code != 400 || e.Error == "" {
			t.Errorf("%s %s: %d %q", action, body, code, e.Error)
		}
	}
	if code := call("PUT", "/gateway/settings", `{"identify_every_ms":-1,"shards":7}`, nil); code != 204 || w.GatewaySettings().Shards != 7 {
		t.Errorf("settings: %d %+v", code, w.GatewaySettings())
	}
	if code := call("PUT", "/gateway/faults", `{"drop_acks":true}`, nil); code != 204 || !w.GatewayFaults().DropAcks {
		t.Errorf("faults: %d %+v", code, w.GatewayFaults())
	}
	call("POST", "/gateway/close", `{"code":4000}`, nil)
	if code := c.closed(); code != closeUnknown {
		t.Errorf("closed with %d", code)
	}
	var records []GatewayRecord
	if code := call("GET", "/gateway/records", "", &records); code != 200 || len(records) != 2 || records[0].Kind != GatewayIdentified ||
		records[1].Kind != GatewayClosed || records[1].Code != closeUnknown {
		t.Errorf("records: %d %+v", code, records)
	}
}
