package upstream

import (
	"log/slog"
	"slices"
	"testing"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/sandbox"
)

// TestSharesAddUp: whatever number of processes there is, together they may hold all
// shards and none is left without one to wait for.
func TestSharesAddUp(t *testing.T) {
	for shards := 1; shards <= 40; shards++ {
		h := newShare(shards, slog.New(slog.DiscardHandler))
		for live := 1; live <= 12; live++ {
			h.set(live)
			if h.fair()*live < shards || h.fair() < 1 || (h.fair()-1)*live >= shards {
				t.Errorf("%d shards, %d processes: %d each", shards, live, h.fair())
			}
		}
	}
}

// TestProcessesShareTheShards: a second process gets half of the shards without one
// IDENTIFY and without a loss, and when it ends the first has all again.
func TestProcessesShareTheShards(t *testing.T) {
	w := newWorld(t, 8, sandbox.GatewaySettings{Shards: 4})
	a := w.start(w.config())
	w.live(a)
	cfg := w.config()
	cfg.Instance = "other"
	b := w.start(cfg)
	w.until("each holds two", func() bool { return liveShards(a) == 2 && liveShards(b) == 2 })
	w.burst(1, 200)
	w.exactly(200)
	b.stop()
	w.until("the first has all again", func() bool { return liveShards(a) == 4 })
	w.burst(201, 200)
	w.exactly(400)
	c := w.d.GatewayCounts()
	if c.Identifies != 4 || c.Resumes != 4 {
		t.Errorf("%+v", c)
	}
}

// TestOrders: an operator reaches the holder of a shard, whoever it is, and it is noted.
func TestOrders(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	do := func(verb string) error {
		_, err := bus.Do(t.Context(), w.b, bus.ShardCall(1, 0), bus.ShardOrder{Verb: verb, Actor: "ann", Reason: "test"})
		return err
	}
	if err := do("restart"); err != nil {
		t.Fatal(err)
	}
	w.until("a RESUME", func() bool { return w.d.Resumes() == 1 && liveShards(u) == 1 })
	if err := do("identify"); err != nil {
		t.Fatal(err)
	}
	w.until("a new session", func() bool { return w.d.Identifies() == 2 && liveShards(u) == 1 })
	if err := do("dance"); !bus.IsCode(err, bus.CodeInvalid) {
		t.Errorf("%v", err)
	}
	if _, err := bus.Do(t.Context(), w.b, bus.ShardCall(1, 7), bus.ShardOrder{Verb: "restart"}); !bus.IsCode(err, bus.CodeUnavailable) || bus.AsError(err).Reason != bus.ReasonNoResponder {
		t.Errorf("a shard that nobody holds: %v", err)
	}
	last, err := bus.Last(t.Context(), w.b, bus.AllCommands())
	if err != nil || last.Value.Verb != "shard-identify" || last.Value.Actor != "ann" || last.Value.Outcome != "done" {
		t.Errorf("%+v %v", last.Value, err)
	}
}

// TestBotsCommandsGoToDiscord: through the holder of the shard, within its budget.
func TestBotsCommandsGoToDiscord(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	send := func(op int, d string) error {
		_, err := bus.Do(t.Context(), w.b, bus.GatewaySendCall(1, 0), bus.GatewaySend{V: 1, Op: op, Data: []byte(d)})
		return err
	}
	if err := send(gateway.OpRequestGuildMembers, `{"guild_id":"`+w.guilds[0].String()+`","query":"","limit":0,"nonce":"abc"}`); err != nil {
		t.Fatal(err)
	}
	w.until("the members come as an event", func() bool {
		return slices.ContainsFunc(w.stored(), func(m bus.Delivery[bus.Dispatch]) bool { return m.Value.Event == "GUILD_MEMBERS_CHUNK" })
	})
	if err := send(gateway.OpIdentify, `{}`); !bus.IsCode(err, bus.CodeInvalid) {
		t.Errorf("op 2: %v", err)
	}
	if err := send(gateway.OpPresenceUpdate, `{"x":"`+string(make([]byte, 0))+`"`); err == nil {
		t.Error("what is no JSON was sent")
	}
	var err error
	for range sendMost + 1 {
		if err = send(gateway.OpRequestSoundboard, `{"guild_ids":[]}`); err != nil {
			break
		}
	}
	if !bus.IsCode(err, bus.CodeLimited) || bus.AsError(err).RetryAfter <= 0 {
		t.Errorf("past the budget: %v", err)
	}
	if err := u.Check(t.Context()); err != nil {
		t.Errorf("heartbeats have no room: %v", err)
	}
}
