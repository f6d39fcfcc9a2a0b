package upstream

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// write has a burst in every guild at once; the function it gives waits for their end.
func (w *world) write(first, n, rate int) (end func()) {
	w.t.Helper()
	var all sync.WaitGroup
	for i := range w.guilds {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
			defer cancel()
			if err := w.d.Burst(ctx, sandbox.Burst{Guild: w.guilds[i], Channel: w.channels[i], Author: w.owner, Count: n, First: first, Rate: rate}); err != nil {
				w.t.Errorf("the burst of guild %d: %v", i, err)
			}
		})
	}
	return all.Wait
}

// exactlyEach says that the stream has the messages 1 to n of every guild once, in order,
// and each behind the last turn by the shard that the guild has in so many.
func (w *world) exactlyEach(n, shards int) {
	w.t.Helper()
	w.exactlyOf(slices.Repeat([]int{n}, len(w.guilds)), shards)
}

// exactlyOf is exactlyEach with a number for every guild.
func (w *world) exactlyOf(written []int, shards int) {
	w.t.Helper()
	w.until("the last message of every guild is stored", func() bool {
		for i, g := range w.guilds {
			last, err := bus.Last(w.t.Context(), w.b, bus.DispatchesOfGuild(bus.GuildID(g), "MESSAGE_CREATE"))
			if err != nil || !strings.Contains(string(last.Value.Data), fmt.Sprintf(`"burst %d"`, written[i])) {
				return false
			}
			if k := int(uint64(g) >> 22 % uint64(shards)); last.Value.Shard != k {
				w.t.Fatalf("guild %s came by shard %d of %d, not %d", g, last.Value.Shard, shards, k)
			}
		}
		return true
	})
	read := map[bus.GuildID]int{}
	for _, m := range w.stored() {
		if m.Value.Event != "MESSAGE_CREATE" {
			continue
		}
		read[m.Value.Guild]++
		if got := number(w.t, m.Value.Data); got != read[m.Value.Guild] {
			w.tellAround(m.Value.Guild)
			w.t.Fatalf("guild %s has message %d where %d should be", m.Value.Guild, got, read[m.Value.Guild])
		}
	}
	for i, g := range w.guilds {
		if read[bus.GuildID(g)] != written[i] {
			w.t.Errorf("guild %s has %d messages, want %d", g, read[bus.GuildID(g)], written[i])
		}
	}
}

// tellAround logs where the messages of a guild do not follow each other.
func (w *world) tellAround(g bus.GuildID) {
	last := 0
	for _, m := range w.stored() {
		if m.Value.Event != "MESSAGE_CREATE" || m.Value.Guild != g {
			continue
		}
		if n := number(w.t, m.Value.Data); n != last+1 {
			w.t.Logf("message %d behind %d: place %d, shard %d, session %s, seq %d", n, last, m.Seq, m.Value.Shard, m.Value.Session, m.Value.Seq)
		}
		last = number(w.t, m.Value.Data)
	}
}

func (w *world) reshard(u *running, to int) {
	w.t.Helper()
	if _, err := u.Reshard(w.t.Context(), to, bus.VerbRequest{Actor: "ann", Reason: "more guilds"}); err != nil {
		w.t.Fatal(err)
	}
}

// commanded waits for the outcome of the newest command.
func (w *world) commanded(want string) {
	w.t.Helper()
	w.until("the outcome: "+want, func() bool {
		last, err := bus.Last(w.t.Context(), w.b, bus.AllCommands())
		return err == nil && strings.Contains(last.Value.Outcome, want) && last.Value.Verb == "reshard"
	})
}

// nothingIsCountedOfScouts says that a change leaves no series of its own behind.
func (w *world) nothingIsCountedOfScouts(reg prometheus.Gatherer) {
	w.t.Helper()
	all, err := reg.Gather()
	if err != nil || len(all) == 0 {
		w.t.Fatalf("%d metrics: %v", len(all), err)
	}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if strings.HasPrefix(l.GetValue(), "next-") {
					w.t.Errorf("%s still has %s=%s", f.GetName(), l.GetName(), l.GetValue())
				}
			}
		}
	}
}

// TestTheNumberOfShardsChangesWhileEventsFlow: no guild is served by two shards or by
// none, whichever way the number goes.
func TestTheNumberOfShardsChangesWhileEventsFlow(t *testing.T) {
	w := newWorld(t, 20, sandbox.GatewaySettings{})
	cfg := w.config()
	reg := prometheus.NewRegistry()
	cfg.Metrics = reg
	u := w.start(cfg)
	w.live(u)
	f := w.newFlow()
	end := f.begin()
	w.reshard(u, 4)
	w.commanded("done: from 1 to 4 shards")
	end()
	w.exactlyOf(f.written, 4)
	w.nothingIsCountedOfScouts(reg)
	end = f.begin()
	w.reshard(u, 2)
	w.commanded("done: from 4 to 2 shards")
	end()
	w.exactlyOf(f.written, 2)
	if n := w.d.Identifies(); n != 1+4+2 {
		t.Errorf("%d IDENTIFYs", n)
	}
	w.until("two shards are live", func() bool { return u.Shards() == 2 })
	w.live(u)
	u.stop()
	u = w.start(w.config()) // a restart keeps the number
	w.live(u)
	if n := u.Shards(); n != 2 {
		t.Errorf("after a restart there are %d shards", n)
	}
	if n := w.d.Identifies(); n != 1+4+2 {
		t.Errorf("%d IDENTIFYs after the restart", n)
	}
}

// outcome is how the newest change went; empty while none has ended.
func (w *world) outcome() string {
	last, err := bus.Last(w.t.Context(), w.b, bus.AllCommands())
	if err != nil || last.Value.Verb != "reshard" {
		return ""
	}
	return last.Value.Outcome
}

// proving waits until a change waits for the proof of the old sessions, or is past that.
func (w *world) proving(u *running) {
	w.t.Helper()
	w.until("the old sessions are asked for their proof", func() bool {
		return strings.Contains(u.Status().Change, "the old ones prove") || w.outcome() != ""
	})
}

// TestWhatAnOldSessionHasNotReadIsNotLost: it is held back while the new ones are shown all
// guilds, which nothing follows. What it has on its socket then comes from nobody else.
func TestWhatAnOldSessionHasNotReadIsNotLost(t *testing.T) {
	w := newWorld(t, 3, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	for range cap(u.slots) { // the stream takes nothing any more
		u.slots <- struct{}{}
	}
	w.write(1, 300, 0)() // more than is read ahead
	w.reshard(u, 4)
	w.proving(u)
	for range cap(u.slots) {
		<-u.slots
	}
	w.commanded("done: from 1 to 4 shards")
	w.write(301, 10, 0)()
	w.exactlyEach(310, 4)
}

// TestAnOldConnectionThatIsDeadIsResumedBeforeItIsLeft: it cannot prove anything, and what
// was sent into it comes with the RESUME.
func TestAnOldConnectionThatIsDeadIsResumedBeforeItIsLeft(t *testing.T) {
	w := newWorld(t, 3, sandbox.GatewaySettings{HeartbeatInterval: 3 * time.Second})
	u := w.start(w.config())
	w.live(u)
	w.d.SilenceSessions(sandbox.Sessions{})
	w.write(1, 50, 0)()
	w.reshard(u, 2)
	w.commanded("done: from 1 to 2 shards")
	w.write(51, 10, 0)()
	w.exactlyEach(60, 2)
}

// TestWithoutAProofTheNumberStays: and nothing of what flows is lost.
func TestWithoutAProofTheNumberStays(t *testing.T) {
	w := newWorld(t, 3, sandbox.GatewaySettings{})
	cfg := w.config()
	cfg.ProveWithin = time.Second
	u := w.start(cfg)
	w.live(u)
	f := w.newFlow()
	end := f.begin()
	w.d.SetGatewayFaults(sandbox.GatewayFaults{DropAcks: true})
	w.reshard(u, 2)
	w.commanded("failed: there are still 1 shards: the old shard 0 did not prove within 1s")
	end()
	w.exactlyOf(f.written, 1)
	if c := w.d.GatewayCounts(); c.Identifies != 1+2 || c.Resumes != 0 {
		t.Errorf("%+v", c)
	}
}

// TestAShardThatDiscordRefusesCanBeReplaced: 4011 asks for more shards. What may be missing
// is said.
func TestAShardThatDiscordRefusesCanBeReplaced(t *testing.T) {
	w := newWorld(t, 3, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	w.write(1, 50, 0)()
	w.exactlyEach(50, 1)
	w.d.CloseSessions(sandbox.Sessions{}, 4011)
	w.until("the shard is stopped", func() bool {
		st := u.Status()
		return len(st.Held) == 1 && st.Held[0].State == stateStopped
	})
	w.reshard(u, 2)
	w.commanded("done: from 1 to 2 shards; Discord had refused the old shards 0,")
	w.write(51, 50, 0)()
	w.exactlyEach(100, 2)
}

// TestAChangeThatTheBudgetForbidsIsRefused: before anything is begun.
func TestAChangeThatTheBudgetForbidsIsRefused(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{IdentifyLimit: 5})
	u := w.start(w.config())
	w.live(u)
	_, err := u.Reshard(t.Context(), 4, bus.VerbRequest{})
	if !bus.IsCode(err, bus.CodeLimited) || !strings.Contains(err.Error(), "4 of 5 new sessions are left") {
		t.Errorf("%v", err)
	}
	for _, to := range []int{0, 1, maxShards + 1} {
		if _, err := u.Reshard(t.Context(), to, bus.VerbRequest{}); !bus.IsCode(err, bus.CodeInvalid) {
			t.Errorf("to %d shards: %v", to, err)
		}
	}
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("%d IDENTIFYs", n)
	}
}

// TestAChangeThatIsCutOffIsTakenBack: the process dies while no shard is held, so that
// nobody is there to go on.
func TestAChangeThatIsCutOffIsTakenBack(t *testing.T) {
	w := newWorld(t, 2, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	end := w.write(1, 100, 0)
	end()
	w.exactlyEach(100, 1)
	u.stop()
	plans, err := bus.OpenRecords(t.Context(), w.b, bus.ShardPlans())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := plans.Put(t.Context(), bus.ShardPlanKey, bus.ShardPlan{V: 1, Shards: 1, Next: 3, At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	w.write(101, 100, 0)()
	u = w.start(w.config())
	w.live(u)
	w.commanded("taken back")
	w.exactlyEach(200, 1)
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("%d IDENTIFYs", n)
	}
}
