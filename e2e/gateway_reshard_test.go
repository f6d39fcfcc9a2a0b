package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// manyGuilds is a Discord with a bot in many guilds, each of which has a message now and then.
type manyGuilds struct {
	t        *testing.T
	d        *sandbox.Discord
	app      sandbox.Application
	owner    sandbox.ID
	guilds   []sandbox.ID
	channels []sandbox.ID
	written  []int // per guild
	s        settings
}

// reshardWorld is one with a bus that lives on.
type reshardWorld struct {
	*manyGuilds
	b     *bus.Bus
	plans *bus.Records[bus.ShardPlan]
}

func newManyGuilds(t *testing.T, guilds int) *manyGuilds {
	t.Helper()
	d, _, discord := startDiscord(t, sandbox.Config{Gateway: sandbox.GatewaySettings{MaxConcurrency: 16}})
	w := &manyGuilds{t: t, d: d, written: make([]int, guilds)}
	w.app = must(d.AddApplication(sandbox.ApplicationSpec{Name: "bot", MembersIntent: true, MessageContentIntent: true}))(t)
	w.owner = must(d.AddUser("ann"))(t)
	for i := range guilds {
		g := must(d.AddGuild(fmt.Sprint("guild ", i), w.owner))(t)
		noError(t, d.AddMember(g, w.app.ID))
		w.guilds, w.channels = append(w.guilds, g), append(w.channels, must(d.AddChannel(g, "general", 0))(t))
	}
	w.s = onFreePorts(t).with(discord).with(settings{"DISCORD_BOT_TOKEN": w.app.Token})
	return w
}

func newReshardWorld(t *testing.T, guilds int) *reshardWorld {
	t.Helper()
	w := &reshardWorld{manyGuilds: newManyGuilds(t, guilds)}
	start(t, "nats", w.s)
	w.s = w.s.with(settings{"NATS_URL": w.s.nats(), "OPS_ADDR": freeAddr(t)})
	w.b = must(bus.Open(t.Context(), bus.Config{URL: w.s["NATS_URL"]}, slog.New(slog.DiscardHandler)))(t)
	t.Cleanup(func() { noError(t, w.b.Close(context.WithoutCancel(t.Context()))) })
	w.plans = must(bus.OpenRecords(t.Context(), w.b, bus.ShardPlans()))(t)
	return w
}

// write has messages in every guild until the function it gives is called.
func (w *manyGuilds) write(rate int) (end func()) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var writing sync.WaitGroup
	for i := range w.guilds {
		writing.Go(func() {
			for ctx.Err() == nil {
				b := sandbox.Burst{Guild: w.guilds[i], Channel: w.channels[i], Author: w.owner, Count: rate, First: w.written[i] + 1, Rate: rate}
				if err := w.d.Burst(context.WithoutCancel(ctx), b); err != nil {
					w.t.Errorf("the messages of guild %d: %v", i, err)
					return
				}
				w.written[i] += rate
			}
		})
	}
	return func() { cancel(); writing.Wait() }
}

// until looks again and again whether something is so.
func (w *reshardWorld) until(what string, ok func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Fatalf("never: %s; the plan is %+v, the sessions are %+v", what, w.plan(), w.d.Sessions())
		}
	}
}

func (w *reshardWorld) plan() bus.ShardPlan {
	p, err := w.plans.Get(context.WithoutCancel(w.t.Context()), bus.ShardPlanKey)
	if bus.IsCode(err, bus.CodeNotFound) {
		return bus.ShardPlan{Shards: 1}
	}
	noError(w.t, err)
	return p.Value
}

// connected counts the sessions of so many shards that have a connection.
func (w *reshardWorld) connected(shards int) (n int) {
	for _, s := range w.d.Sessions() {
		if s.Shards == shards && s.Connected {
			n++
		}
	}
	return n
}

// ask begins a change as soon as nothing of an earlier one is in its way.
func (w *reshardWorld) ask(to int) {
	w.t.Helper()
	w.until(fmt.Sprintf("a change to %d shards begins", to), func() bool {
		_, err := bus.Do(w.t.Context(), w.b, bus.VerbCall("gatewayproxy", "reshard"), bus.VerbRequest{Actor: "ann", Reason: "more guilds", Target: fmt.Sprint(to)})
		if err != nil && !bus.IsCode(err, bus.CodeConflict) && !bus.IsCode(err, bus.CodeUnavailable) {
			w.t.Fatalf("a change to %d shards was refused: %v", to, err)
		}
		return err == nil
	})
}

// turns counts how often the stream says that the number of shards changed.
func (w *reshardWorld) turns() uint64 {
	last, err := bus.Last(w.t.Context(), w.b, bus.DispatchesNamed(bus.EventShardsChanged))
	if bus.IsCode(err, bus.CodeNotFound) {
		return 0
	}
	noError(w.t, err)
	return last.Seq
}

// exactly reads all of the stream and checks that every guild has each of its messages once and in order, each by the shard
// that the guild has in the number of shards of that moment, of which there were so many at first.
func (w *manyGuilds) exactly(b *bus.Bus, count int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	missing, of := 0, map[bus.GuildID]int{}
	for i, g := range w.guilds {
		of[bus.GuildID(g)] = i
		missing += w.written[i]
	}
	total, got := missing, make([]int, len(w.guilds))
	enough := errors.New("that is all")
	err := bus.Follow(ctx, b, bus.Follower{}, bus.AllDispatches(), 1, func(_ context.Context, some []bus.Delivery[bus.Dispatch]) error {
		for _, m := range some {
			v := m.Value
			if v.Event == bus.EventShardsChanged {
				var d bus.ShardsChanged
				noError(w.t, json.Unmarshal(v.Data, &d))
				count = d.To
			}
			if v.Guild == 0 {
				continue
			}
			if k := int(uint64(v.Guild) >> 22 % uint64(count)); k != v.Shard {
				return fmt.Errorf("%s of guild %s at place %d came by shard %d, and there are %d", v.Event, v.Guild, m.Seq, v.Shard, count)
			}
			if v.Event != "MESSAGE_CREATE" {
				continue
			}
			var text struct{ Content string }
			noError(w.t, json.Unmarshal(v.Data, &text))
			i := of[v.Guild]
			if got[i]++; text.Content != fmt.Sprintf("burst %d", got[i]) {
				return fmt.Errorf("guild %d has %q in place %d, at %d by %s", i, text.Content, got[i], m.Seq, v.ID())
			}
			if missing--; missing == 0 {
				return enough
			}
		}
		return nil
	})
	if !errors.Is(err, enough) {
		w.t.Fatalf("%d of %d messages are not stored: %v; per guild there are %v of %v", missing, total, err, got, w.written)
	}
	w.t.Logf("%d messages of %d guilds, each once and in order", total, len(w.guilds))
}

// TestGatewayIsKilledWhileTheNumberOfShardsChanges kills the process that makes the change at every stage of it, before and
// behind the write that decides: afterwards either the old number serves or the new one, and every event is stored once.
func TestGatewayIsKilledWhileTheNumberOfShardsChanges(t *testing.T) {
	t.Parallel()
	w := newReshardWorld(t, 20)
	p := start(t, "gatewayproxy", w.s)
	w.until("the shard is there", func() bool { return w.connected(1) == 1 })
	end := w.write(10)
	committed := 0
	for cycle, stage := range []string{"new sessions begin", "the old ones are left", "decided", "entered", "any", "the old ones are left", "decided"} {
		from := w.plan().Shards
		to := 5 - from // 1 or 4
		turned := w.turns()
		w.ask(to)
		switch stage {
		case "new sessions begin":
			n := 1 + rand.N(max(1, to-1)) // and not the last one, so that nothing can be decided yet
			w.until("new sessions begin", func() bool { return w.connected(to) >= n })
		case "the old ones are left":
			w.until("the plan says that the old shards are left", func() bool { p := w.plan(); return p.Next != 0 || p.Shards == to })
		case "decided":
			w.until("the plan has the new number", func() bool { return w.plan().Shards == to })
		case "entered":
			w.until("the stream tells of the new number", func() bool { return w.turns() > turned })
		case "any":
			moment(5 * time.Second)
		}
		if stage != "new sessions begin" {
			moment(50 * time.Millisecond)
		}
		p.kill()
		at := w.plan()
		p = start(t, "gatewayproxy", w.s)
		w.until("one of the numbers serves", func() bool {
			now := w.plan()
			return now.Next == 0 && w.connected(now.Shards) == now.Shards && w.connected(5-now.Shards) == 0
		})
		now := w.plan().Shards
		if now != at.Shards {
			t.Errorf("%d shards were decided, %d serve", at.Shards, now)
		}
		if now == to {
			committed++
		}
		t.Logf("cycle %d, %s: from %d to %d, %d was about to take over; now there are %d", cycle, stage, from, to, at.Next, now)
	}
	if committed == 0 || committed == 7 {
		t.Errorf("%d of 7 changes were decided before the kill", committed)
	}
	w.ask(5 - w.plan().Shards)
	w.until("a change without a kill", func() bool {
		last, err := bus.Last(t.Context(), w.b, bus.AllCommands())
		return err == nil && strings.HasPrefix(last.Value.Outcome, "done: from")
	})
	end()
	w.exactly(w.b, 1)
	p.keepsQuietAbout(w.app.Token)
	p.stop()
}

// moment waits for a part of a time that nobody knows, as kills come.
func moment(within time.Duration) { <-time.After(rand.N(within)) }
