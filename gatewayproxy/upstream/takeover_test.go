package upstream

import (
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// deciding is a change from one shard to two of a process that holds none, with a new
// session on record, and the plan that says that it is about to take over.
func deciding(t *testing.T) (c *change, plan bus.ShardPlan, revision uint64) {
	t.Helper()
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u, err := New(w.config(), w.b, bustest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := u.openRecords(t.Context()); err != nil {
		t.Fatal(err)
	}
	c = u.newChange(1, 2)
	if _, err := u.sessions.Put(t.Context(), bus.UpstreamKey(2, 1), bus.UpstreamSession{V: 1, Session: "new", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if revision, plan, err = c.announce(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c, plan, revision
}

// is says what the plan has to be, and whether the new session is still on record.
func (c *change) is(t *testing.T, shards, next, turns int, session bool) {
	t.Helper()
	found, err := c.u.plans.Get(t.Context(), bus.ShardPlanKey)
	if err != nil || found.Value.Shards != shards || found.Value.Next != next || len(found.Value.Turns) != turns {
		t.Errorf("the plan is %+v: %v", found.Value, err)
	}
	_, err = c.u.sessions.Get(t.Context(), bus.UpstreamKey(2, 1))
	if err == nil != session || err != nil && !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("the new session: %v", err)
	}
}

// TestAChangeThatIsNotDecidedIsTakenBack: to the number that there was.
func TestAChangeThatIsNotDecidedIsTakenBack(t *testing.T) {
	c, plan, revision := deciding(t)
	if err := c.decide(t.Context(), plan, revision-1); err == nil {
		t.Error("a plan that somebody has changed since was written")
	}
	c.is(t, 1, 2, 0, true)
	c.takeBack(t.Context(), plan, revision)
	c.is(t, 1, 0, 0, false)
}

// TestADecisionCountsAlthoughItsAnswerIsLost: everybody goes on with the new sessions, and
// nothing is taken back.
func TestADecisionCountsAlthoughItsAnswerIsLost(t *testing.T) {
	c, plan, revision := deciding(t)
	for range 2 { // the second write is refused, as the first one is there
		if err := c.decide(t.Context(), plan, revision); err != nil {
			t.Fatal(err)
		}
	}
	c.is(t, 2, 0, 1, true)
	c.takeBack(t.Context(), plan, revision)
	c.is(t, 2, 0, 1, true)
}
