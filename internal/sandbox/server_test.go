package sandbox

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRunServesUntilItsContextEnds(t *testing.T) {
	w := newWorld(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	select {
	case <-w.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	if !strings.HasPrefix(w.URL(), "http://127.0.0.1:") || !strings.HasSuffix(w.URL(), "/api/v10") || !strings.Contains(w.URL(), w.Addr()) {
		t.Errorf("URL %q, address %q", w.URL(), w.Addr())
	}
	client := &http.Client{}
	defer client.CloseIdleConnections()
	if status, body, err := w.get(client, w.URL()+"/users/@me"); err != nil || status != 200 {
		t.Errorf("%d %s %v", status, body, err)
	}
	// One answer is still under way and one request is held for ever: the first is given, the second is let go.
	w.SetLatency(50*time.Millisecond, 0)
	w.ok(w.AddFault(Fault{Kind: FaultTimeout, Route: RouteGuild}))
	type outcome struct {
		status int
		err    error
	}
	slow, held := make(chan outcome, 1), make(chan outcome, 1)
	go func() { s, _, err := w.get(client, w.URL()+w.memberPath(w.ana)); slow <- outcome{s, err} }()
	go func() { s, _, err := w.get(client, w.URL()+"/guilds/"+w.guild.String()); held <- outcome{s, err} }()
	w.ok(w.AwaitRequests(t.Context(), 3, nil))
	cancel()
	if o := <-slow; o.status != 200 || o.err != nil {
		t.Errorf("answer under way: %+v", o)
	}
	if o := <-held; o.err == nil {
		t.Errorf("held request: %+v", o)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := w.Run(t.Context()); err == nil {
		t.Error("a second Run")
	}
}

func TestRunRefusesOtherAddresses(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:80", "example.com:80", "nonsense"} {
		if err := New(Config{Addr: addr}).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "sandbox:") {
			t.Errorf("%s: %v", addr, err)
		}
	}
	for _, addr := range []string{"localhost:1", "127.0.0.1:1", "127.8.0.1:1", "[::1]:1"} {
		if err := loopback(addr); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

// control sends one call to the control surface of a running server.
func control(t *testing.T, client *http.Client, method, url, body string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, strings.TrimSpace(string(b))
}

func TestControl(t *testing.T) {
	w := newWorld(t, Config{})
	base, client := w.serve()
	root := strings.TrimSuffix(base, "/api/v10") + "/sandbox"
	guild := "/guilds/" + w.guild.String()
	for _, step := range []struct {
		method, path, body string
		status             int
		want               string // part of the body
	}{
		{"PUT", guild + "/voice/" + w.cat.String(), `{"channel_id":"` + w.voice.String() + `","deaf":true}`, 204, ""},
		{"GET", "/voice?after=2", ``, 200, `"deaf":true`},
		{"DELETE", guild + "/voice/" + w.cat.String(), ``, 204, ""},
		{"PUT", guild + "/voice/" + w.cat.String(), `{"mute":true}`, 400, `not in voice`},
		{"PUT", guild + "/voice/x", `{}`, 400, `snowflake`},
		{"PUT", guild + "/members/" + w.stranger.String(), `{"roles":["` + w.plain.String() + `"]}`, 204, ""},
		{"DELETE", guild + "/members/" + w.stranger.String(), ``, 204, ""},
		{"DELETE", guild + "/members/" + w.stranger.String(), ``, 400, `no member`},
		{"PUT", guild + "/roles/" + w.botRole.String(), `{"permissions":"8"}`, 204, ""},
		{"PUT", "/applications/" + w.other.ID.String(), `{"revoked":true}`, 204, ""},
		{"PUT", "/latency", `{"latency_ms":1,"jitter_ms":1}`, 204, ""},
		{"PUT", "/latency", `{"latenzy_ms":1}`, 400, `latenzy_ms`},
		{"PUT", "/limits", `{"member_patch":{"requests":3,"window_ms":1000},"global":20}`, 204, ""},
		{"POST", "/faults", `{"kind":"slow","count":2,"delay_ms":5,"route":"` + RouteSelf + `"}`, 204, ""},
		{"POST", "/faults", `{"kind":"gremlin"}`, 400, `gremlin`},
		{"GET", "/faults", ``, 200, `"delay_ms":5`},
		{"DELETE", "/faults", ``, 204, ""},
		{"GET", "/faults", ``, 200, `[]`},
		{"GET", "/state", ``, 200, `"token":"` + TokenHash(w.bot.Token) + `"`},
		{"GET", "/counts", ``, 200, `"requests":0`},
		{"GET", "/requests?after=0&limit=5", ``, 200, `[]`},
		{"GET", "/requests?after=x", ``, 400, `invalid syntax`},
		{"GET", "/voice?after=999&wait_ms=1", ``, 200, `[]`},
		{"GET", guild + "/audit", ``, 200, `[]`},
		{"GET", "/nothing", ``, 404, ``},
		{"PATCH", "/latency", `{}`, 405, ``},
	} {
		if status, body := control(t, client, step.method, root+step.path, step.body); status != step.status || !strings.Contains(body, step.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", step.method, step.path, status, body, step.status, step.want)
		}
	}
	if l := w.Limits(); l.MemberPatch != (Limit{3, time.Second}) || l.Global != 20 || l.MemberGet != DefaultLimits().MemberGet {
		t.Errorf("limits %+v", l)
	}
	if status, body := control(t, client, "GET", root+"/state", ""); status != 200 || strings.Contains(body, w.bot.Token) {
		t.Errorf("the state shows a token: %s", body)
	}
}

func TestControlIsForThisMachine(t *testing.T) {
	w := newWorld(t, Config{})
	for _, tc := range []struct {
		name, remote, host, origin string
		ok                         bool
	}{
		{"local", "127.0.0.1:999", "127.0.0.1:80", "", true},
		{"local v6", "[::1]:999", "localhost:80", "", true},
		{"own page", "127.0.0.1:999", "localhost:80", "http://localhost:80", true},
		{"other machine", "192.0.2.1:999", "127.0.0.1:80", "", false},
		{"rebound name", "127.0.0.1:999", "evil.example:80", "", false},
		{"other page", "127.0.0.1:999", "127.0.0.1:80", "https://evil.example", false},
		{"sandboxed page", "127.0.0.1:999", "127.0.0.1:80", "null", false},
	} {
		r, _ := http.NewRequest("GET", "http://"+tc.host+"/sandbox/state", nil)
		r.RemoteAddr = tc.remote
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		if got := localOnly(r); got != tc.ok {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
	if got := w.do(request{method: "GET", path: "/../../sandbox/state"}); got.Status == 200 {
		t.Error("the control surface answered through the API")
	}
}
