package upstream

import (
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// TestAPlanThatIsTakenBackIsTheOldOne: and new sessions are forgotten only when it is; if the
// plan has them after all, because the answer to that write was lost, they go on.
func TestAPlanThatIsTakenBackIsTheOldOne(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	ctx := t.Context()
	c := u.newChange(1, 2)
	key := bus.UpstreamKey(2, 1)
	begins := func() {
		t.Helper()
		if _, err := u.sessions.Put(ctx, key, bus.UpstreamSession{V: 1, Session: "new", At: time.Now()}); err != nil {
			t.Fatal(err)
		}
	}
	begins()
	lease, err := bus.Acquire(ctx, w.b, bus.ReshardLease(), shardLease, "test") // as a change has, so that nobody else takes it back
	if err != nil {
		t.Fatal(err)
	}
	defer giveUp(ctx, lease)
	revision, plan, err := c.announce(ctx)
	if err != nil {
		t.Fatal(err)
	}
	c.takeBack(ctx, plan, revision)
	if found, err := u.plans.Get(ctx, bus.ShardPlanKey); err != nil || found.Value.Shards != 1 || found.Value.Next != 0 || len(found.Value.Turns) != 0 {
		t.Errorf("the plan is %+v: %v", found.Value, err)
	}
	if _, err := u.sessions.Get(ctx, key); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("the new session is still there: %v", err)
	}

	begins()
	c.takeBack(ctx, plan, revision) // which has changed since
	if _, err := u.sessions.Get(ctx, key); err != nil {
		t.Errorf("the new session is forgotten although the plan was not taken back: %v", err)
	}
	if c.decided(ctx) {
		t.Error("the old number is taken for the new one")
	}
}
