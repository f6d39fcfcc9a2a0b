package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"splashtail/internal/gateway"
)

func TestGatewayFaults(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c := w.begin()
	if n := w.Reconnect(Sessions{ID: c.id}); n != 1 {
		t.Errorf("op 7 for %d sessions", n)
	}
	if m := c.read(); m.O != gateway.OpReconnect {
		t.Errorf("op %d", m.O)
	}
	c = w.again(c) // while the old connection is open
	w.InvalidateSessions(Sessions{App: w.all.ID}, true)
	if m := c.read(); m.O != gateway.OpInvalidSession || string(m.D) != "true" {
		t.Errorf("op %d %s", m.O, m.D)
	}
	w.say(1)
	c.resume(w.all, c.id, c.seq) // on the same connection
	if m := c.read(); m.name() != "MESSAGE_CREATE" {
		t.Errorf("came %s", m.name())
	}
	c.event("RESUMED")
	w.InvalidateSessions(Sessions{Shards: []int{0}}, false)
	if m := c.read(); m.O != gateway.OpInvalidSession || string(m.D) != "false" {
		t.Errorf("op %d %s", m.O, m.D)
	}
	c.resume(w.all, c.id, c.seq)
	if m := c.read(); m.O != gateway.OpInvalidSession {
		t.Errorf("a dead session was answered with op %d", m.O)
	}
	c.seq = 0
	c.ready(identity(w.all, IntentGuilds|IntentGuildMessages))
	c.event("GUILD_CREATE")

}

// TestScriptedCloses checks which codes leave a session to be resumed.
func TestScriptedCloses(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c := w.begin()
	w.AskHeartbeat(Sessions{})
	if m := c.read(); m.O != gateway.OpHeartbeat {
		t.Errorf("op %d", m.O)
	}
	for _, tc := range []struct {
		code int
		ends bool
	}{{gateway.CloseUnknown, false}, {gateway.CloseRateLimited, false}, {gateway.CloseSessionTimedOut, true}, {gateway.CloseInvalidShard, true}} {
		w.CloseSessions(Sessions{ID: c.id}, tc.code)
		if code := c.closed(); code != tc.code {
			t.Errorf("closed with %d, want %d", code, tc.code)
		}
		if alive := slices.ContainsFunc(w.Sessions(), func(s GatewaySession) bool { return s.ID == c.id }); alive == tc.ends {
			t.Errorf("after %d the session lives: %v", tc.code, alive)
		}
		if tc.ends {
			c = w.begin()
		} else {
			c = w.again(c)
		}
	}
	if n := w.Reconnect(Sessions{Shards: []int{1}}) + w.Reconnect(Sessions{App: w.bot.ID}) + w.Reconnect(Sessions{ID: "x"}); n != 0 {
		t.Errorf("filters let %d sessions through", n)
	}
	if closes := w.GatewayCounts().Closes; closes[gateway.CloseSessionTimedOut] != 1 || closes[gateway.CloseInvalidShard] != 1 || closes[gateway.CloseRateLimited] != 1 {
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
	c.send(gateway.OpHeartbeat, c.seq)
	w.await("the heartbeat", func() bool { return w.GatewayCounts().Unheard == 1 })
	w.say(1)
	greeted := w.dialQuiet("/?v=10") // no HELLO
	w.await("the connection", func() bool { return w.GatewayCounts().Connections == 2 })
	w.SetGatewayFaults(GatewayFaults{})
	if m := c.read(); m.name() != "MESSAGE_CREATE" { // not the ACK
		t.Errorf("after the silence came op %d %s", m.O, m.name())
	}
	greeted.send(gateway.OpHeartbeat, nil)
	if m := greeted.read(); m.O != gateway.OpHeartbeatACK { // the HELLO is lost
		t.Errorf("a connection made in the silence got op %d", m.O)
	}
	if n := w.SilenceSessions(Sessions{ID: c.id}); n != 1 {
		t.Errorf("%d sessions were silenced", n)
	}
	w.say(2)
	c.send(gateway.OpHeartbeat, c.seq)
	w.await("the heartbeat", func() bool { return w.GatewayCounts().Unheard == 2 })
	other := w.dial("/?v=10")
	other.resume(w.all, c.id, c.seq)
	if m := other.read(); m.name() != "MESSAGE_CREATE" {
		t.Errorf("a new connection of a silent session got op %d %s", m.O, m.name())
	}
	if code := c.closed(); code != gateway.CloseUnknown {
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
	c.send(gateway.OpHeartbeat, nil)
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
	if code := c.closed(); code != gateway.CloseSessionTimedOut {
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
	if m := c.read(); m.O != gateway.OpInvalidSession {
		t.Errorf("a session that is behind its log was answered with op %d", m.O)
	}
}

func TestRevokedTokenEndsSessions(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c := w.dial("/?v=10")
	c.ready(identity(w.all, 0))
	w.ok(w.Revoke(w.all.ID, true))
	if code := c.closed(); code != gateway.CloseAuthenticationFailed {
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
	c.expect(gateway.OpHello)
	c.ready(identity(app, 0))
	cancel()
	if code := c.closed(); code != gateway.CloseGoingAway {
		t.Errorf("closed with %d", code)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if d.open(&gatewayConn{wake: make(chan struct{}, 1)}, "10") {
		t.Error("a connection was taken after the end")
	}
}
