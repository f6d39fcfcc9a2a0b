package upstream

import (
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// TestEveryLossIsHealed breaks the connection in every way that Discord knows, each in
// the middle of a burst, and wants every event once and in order.
func TestEveryLossIsHealed(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(d *sandbox.Discord)
	}{
		{"op 7", func(d *sandbox.Discord) { d.Reconnect(sandbox.Sessions{}) }},
		{"op 9 true", func(d *sandbox.Discord) { d.InvalidateSessions(sandbox.Sessions{}, true) }},
		{"close 4000", func(d *sandbox.Discord) { d.CloseSessions(sandbox.Sessions{}, 4000) }},
		{"close 4008", func(d *sandbox.Discord) { d.CloseSessions(sandbox.Sessions{}, 4008) }},
		{"close 1000", func(d *sandbox.Discord) { d.CloseSessions(sandbox.Sessions{}, 1000) }},
		{"TCP is lost", func(d *sandbox.Discord) { d.CutSessions(sandbox.Sessions{}) }},
		{"silence", func(d *sandbox.Discord) { d.SilenceSessions(sandbox.Sessions{}) }},
		{"a demand for a heartbeat breaks nothing", func(d *sandbox.Discord) { d.AskHeartbeat(sandbox.Sessions{}); d.Reconnect(sandbox.Sessions{}) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, sandbox.GatewaySettings{HeartbeatInterval: 3 * time.Second}) // only silence waits for it; a busy machine must not miss it
			u := w.start(w.config())
			w.live(u)
			w.burst(1, 300)
			c.spoil(w.d)
			w.burst(301, 300)
			w.until("a RESUME", func() bool { return w.d.Resumes() == 1 })
			w.exactly(600)
			if n := w.d.Identifies(); n != 1 {
				t.Errorf("%d IDENTIFYs", n)
			}
		})
	}
}

// TestHeartbeatsThatAreNotAcknowledged: the connection is taken for dead although events
// come.
func TestHeartbeatsThatAreNotAcknowledged(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{HeartbeatInterval: 500 * time.Millisecond})
	u := w.start(w.config())
	w.live(u)
	w.d.SetGatewayFaults(sandbox.GatewayFaults{DropAcks: true})
	w.until("a RESUME", func() bool { return w.d.Resumes() > 0 })
	w.d.SetGatewayFaults(sandbox.GatewayFaults{})
	w.live(u)
	w.burst(1, 10)
	w.exactly(10)
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("%d IDENTIFYs", n)
	}
}

func TestASessionThatIsGoneIsReplaced(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(d *sandbox.Discord)
	}{
		{"op 9 false", func(d *sandbox.Discord) { d.InvalidateSessions(sandbox.Sessions{}, false) }},
		{"4007", func(d *sandbox.Discord) { d.CloseSessions(sandbox.Sessions{}, 4007) }},
		{"4009", func(d *sandbox.Discord) { d.CloseSessions(sandbox.Sessions{}, 4009) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, 1, sandbox.GatewaySettings{})
			u := w.start(w.config())
			w.live(u)
			before := u.Status().Held[0].Session
			c.spoil(w.d)
			w.until("a second IDENTIFY", func() bool { return w.d.Identifies() == 2 })
			w.until("its place is stored", func() bool { s := u.Status().Held[0]; return s.State == stateLive && s.Session != before })
			w.burst(1, 10)
			w.exactly(10)
		})
	}
}

// TestARefusalStopsAndSaysSo: no connection follows, readiness fails with what to do,
// and an operator can have it tried again.
func TestARefusalStopsAndSaysSo(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	cfg := w.config()
	cfg.Intents = 1 << 8 // presences, which the application may not have
	u := w.start(cfg)
	w.until("the shard is stopped", func() bool {
		st := u.Status()
		return len(st.Held) == 1 && st.Held[0].State == stateStopped
	})
	err := u.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "4014") || !strings.Contains(err.Error(), "developer portal") {
		t.Errorf("readiness says %v", err)
	}
	if n := w.d.GatewayCounts().Connections; n != 1 {
		t.Errorf("%d connections", n)
	}
	var seen []bus.ShardEvent
	w.until("the event", func() bool {
		last, err := bus.Last(t.Context(), w.b, bus.AllShardEvents())
		seen = append(seen[:0], last.Value)
		return err == nil
	})
	if e := seen[0]; e.Change != bus.ShardStopped || e.Code != 4014 || e.Shards != 1 {
		t.Errorf("%+v", e)
	}
	if _, err := bus.Do(t.Context(), w.b, bus.ShardCall(1, 0), bus.ShardOrder{Verb: "restart", Actor: "ann", Reason: "allowed now"}); err != nil {
		t.Fatal(err)
	}
	w.until("another try", func() bool { return w.d.GatewayCounts().Connections == 2 })
}

// TestAResumeHostThatIsDownIsForgotten: the session is resumed at the first address.
func TestAResumeHostThatIsDownIsForgotten(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	w.d.SetGatewayFaults(sandbox.GatewayFaults{ResumeHostDown: true})
	w.d.CutSessions(sandbox.Sessions{})
	w.burst(1, 50)
	w.until("a RESUME elsewhere", func() bool { return w.d.Resumes() == 1 })
	w.exactly(50)
	c := w.d.GatewayCounts()
	if c.Identifies != 1 || c.Refused != resumeTries {
		t.Errorf("%+v", c)
	}
	if s := w.d.Sessions(); len(s) != 1 || s[0].Path == "/gateway/resume" {
		t.Errorf("%+v", s)
	}
}

// TestAGatewayThatIsAwayIsWaitedFor: nothing is lost when it comes back.
func TestAGatewayThatIsAwayIsWaitedFor(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	w.d.SetGatewayFaults(sandbox.GatewayFaults{RefuseUpgrade: true})
	w.d.CutSessions(sandbox.Sessions{})
	w.burst(1, 50)
	w.until("some tries", func() bool { return w.d.GatewayCounts().Refused >= 4 })
	w.d.SetGatewayFaults(sandbox.GatewayFaults{})
	w.exactly(50)
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("%d IDENTIFYs", n)
	}
}

// TestATokenThatIsRefusedIsTold: by readiness, at once, and it is tried again.
func TestATokenThatIsRefusedIsTold(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	if err := w.d.Revoke(w.app.ID, true); err != nil {
		t.Fatal(err)
	}
	u := w.start(w.config())
	w.until("readiness tells", func() bool {
		err := u.Check(t.Context())
		return err != nil && strings.Contains(err.Error(), "401")
	})
	if c := w.d.GatewayCounts(); c.Connections != 0 {
		t.Errorf("%+v", c)
	}
}
