package upstream

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

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
	read := map[bus.GuildID]int{}
	w.until(fmt.Sprintf("message %d of every guild is stored", n), func() bool {
		clear(read)
		for _, g := range w.guilds {
			last, err := bus.Last(w.t.Context(), w.b, bus.DispatchesOfGuild(bus.GuildID(g), "MESSAGE_CREATE"))
			if err != nil || !strings.Contains(string(last.Value.Data), fmt.Sprintf(`"burst %d"`, n)) {
				return false
			}
			if k := int(uint64(g) >> 22 % uint64(shards)); last.Value.Shard != k {
				w.t.Fatalf("guild %s came by shard %d of %d, not %d", g, last.Value.Shard, shards, k)
			}
		}
		return true
	})
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
	for _, g := range w.guilds {
		if read[bus.GuildID(g)] != n {
			w.t.Errorf("guild %s has %d messages, want %d", g, read[bus.GuildID(g)], n)
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

// TestTheNumberOfShardsChangesWhileEventsFlow: no guild is served by two shards or by
// none, whichever way the number goes.
func TestTheNumberOfShardsChangesWhileEventsFlow(t *testing.T) {
	w := newWorld(t, 20, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	end := w.write(1, 600, 25)
	w.reshard(u, 4)
	w.commanded("done: from 1 to 4 shards")
	end()
	w.exactlyEach(600, 4)
	end = w.write(601, 600, 25)
	w.reshard(u, 2)
	w.commanded("done: from 4 to 2 shards")
	end()
	w.exactlyEach(1200, 2)
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
