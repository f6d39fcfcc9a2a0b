package upstream

import (
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

func (w *world) rolled(want string) {
	w.t.Helper()
	w.until("the outcome: "+want, func() bool {
		last, err := bus.Last(w.t.Context(), w.b, bus.AllCommands())
		return err == nil && last.Value.Verb == "rolling-restart" && strings.Contains(last.Value.Outcome, want)
	})
}

// TestARollingRestartResumesEachShard: no session is begun, and no event is missed.
func TestARollingRestartResumesEachShard(t *testing.T) {
	w := newWorld(t, 6, sandbox.GatewaySettings{})
	cfg := w.config()
	cfg.Shards = 3
	u := w.start(cfg)
	w.live(u)
	end := w.write(1, 300, 100)
	if _, err := u.RollingRestart(bus.VerbRequest{Actor: "ann", Reason: "a new certificate"}); err != nil {
		t.Fatal(err)
	}
	w.rolled("done: 3 shards")
	end()
	w.exactlyEach(300, 3)
	if c := w.d.GatewayCounts(); c.Identifies != 3 || c.Resumes != 3 {
		t.Errorf("%+v", c)
	}
}

// TestARollingRestartEndsWithAShardThatDoesNotComeBack: the others are left alone.
func TestARollingRestartEndsWithAShardThatDoesNotComeBack(t *testing.T) {
	w := newWorld(t, 2, sandbox.GatewaySettings{})
	cfg := w.config()
	cfg.Shards, cfg.ResumeWithin = 2, 2*time.Second
	u := w.start(cfg)
	w.live(u)
	w.d.SetGatewayFaults(sandbox.GatewayFaults{RefuseUpgrade: true})
	if _, err := u.RollingRestart(bus.VerbRequest{Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	if _, err := u.RollingRestart(bus.VerbRequest{}); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("a second one: %v", err)
	}
	w.rolled("failed: shard 0 did not come back within 2s")
	if st := u.Status(); st.Held[1].State != stateLive {
		t.Errorf("the other shard: %+v", st.Held[1])
	}
	w.d.SetGatewayFaults(sandbox.GatewayFaults{})
	w.live(u)
}
