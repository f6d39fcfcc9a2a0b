package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// gatewayWorld is a Discord with a bot in a guild where many messages are written.
type gatewayWorld struct {
	t       testing.TB
	d       *sandbox.Discord
	burst   sandbox.Burst
	discord settings
}

func newGatewayWorld(t testing.TB) *gatewayWorld {
	t.Helper()
	w := &gatewayWorld{t: t}
	var s settings
	w.d, _, s = startDiscord(t, sandbox.Config{})
	app := must(w.d.AddApplication(sandbox.ApplicationSpec{Name: "bot", MembersIntent: true, MessageContentIntent: true}))(t)
	w.burst.Author = must(w.d.AddUser("ann"))(t)
	w.burst.Guild = must(w.d.AddGuild("guild", w.burst.Author))(t)
	noError(t, w.d.AddMember(w.burst.Guild, app.ID))
	w.burst.Channel = must(w.d.AddChannel(w.burst.Guild, "general", 0))(t)
	w.discord = s.with(settings{"DISCORD_BOT_TOKEN": app.Token})
	return w
}

// write begins a burst; the channel has its outcome.
func (w *gatewayWorld) write(count, rate int) <-chan error {
	done := make(chan error, 1)
	b := w.burst
	b.Count, b.Rate = count, rate
	go func() { done <- w.d.Burst(w.t.Context(), b) }()
	return done
}

// awaitResumes waits until the gateway has resumed a session so often.
func (w *gatewayWorld) awaitResumes(n int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.d.Await(ctx, func() bool { return w.d.Resumes() >= n }); err != nil {
		w.t.Fatalf("%d RESUMEs, want %d: %v", w.d.Resumes(), n, err)
	}
}

// awaitTaken waits until the bot's session has read so many dispatches.
func (w *gatewayWorld) awaitTaken(n uint64) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	if err := w.d.Await(ctx, func() bool {
		s := w.d.Sessions()
		return len(s) == 1 && s[0].Taken >= n
	}); err != nil {
		w.t.Fatalf("dispatch %d was not taken: %+v: %v", n, w.d.Sessions(), err)
	}
}

// exactly reads all of the stream, up to the last message of a burst, and checks that it has every message once and in
// order, and the session's sequence numbers too. A RESUMED has a number and is not repeated after the next RESUME, so one
// that was on its way when the process was killed may be missing.
func (w *gatewayWorld) exactly(url string, count int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	b := must(bus.Open(ctx, bus.Config{URL: url}, slog.New(slog.DiscardHandler)))(w.t)
	defer func() { noError(w.t, b.Close(context.WithoutCancel(ctx))) }()
	enough := errors.New("that is all")
	got, seq, gaps := 0, int64(0), 0
	err := bus.Follow(ctx, b, bus.Follower{}, bus.AllDispatches(), 1, func(_ context.Context, some []bus.Delivery[bus.Dispatch]) error {
		for _, m := range some {
			switch m.Value.Seq - seq {
			case 1:
			case 2:
				gaps++
			default:
				w.t.Errorf("sequence %d (%s) follows %d", m.Value.Seq, m.Value.Event, seq)
			}
			seq = m.Value.Seq
			if m.Value.Event != "MESSAGE_CREATE" {
				continue
			}
			var text struct{ Content string }
			noError(w.t, json.Unmarshal(m.Value.Data, &text))
			if got++; text.Content != fmt.Sprintf("burst %d", got) {
				return fmt.Errorf("%q stands in place %d", text.Content, got)
			}
			if got == count {
				return enough
			}
		}
		return nil
	})
	if !errors.Is(err, enough) {
		w.t.Fatalf("%d of %d messages are stored: %v", got, count, err)
	}
	if gaps > w.d.Resumes() {
		w.t.Errorf("%d numbers are missing, more than there were RESUMEs", gaps)
	}
}

// TestGatewayIsKilledDuringABurst kills the process that holds the gateway and the bus in it, again and again: its session
// is resumed each time, and the stream has every event of Discord once and in order.
func TestGatewayIsKilledDuringABurst(t *testing.T) {
	t.Parallel()
	const cycles, count = 6, 10_000
	w := newGatewayWorld(t)
	s := onFreePorts(t).with(w.discord)
	p := start(t, "gatewayproxy", s)
	w.awaitTaken(2) // READY and the guild
	done := w.write(count, 2500)
	for cycle := range cycles {
		w.awaitTaken(uint64(cycle*count/cycles) + rand.Uint64N(count/cycles/2) + 10)
		p.kill()
		p = start(t, "gatewayproxy", s)
		w.awaitResumes(cycle + 1)
	}
	noError(t, <-done)
	w.exactly(s.nats(), count)
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("%d IDENTIFYs, want 1", n)
	}
	p.keepsQuietAbout(s["DISCORD_BOT_TOKEN"])
	p.stop()
}

// TestGatewayStandbyTakesOver kills the process that holds the gateway while another waits on the same bus: that one
// resumes the session within seconds.
func TestGatewayStandbyTakesOver(t *testing.T) {
	t.Parallel()
	const count = 10_000
	w := newGatewayWorld(t)
	s := onFreePorts(t).with(w.discord)
	hub := start(t, "nats", s)
	s = s.with(settings{"NATS_URL": s.nats()})
	one := func() *program {
		return start(t, "gatewayproxy", s.with(settings{"OPS_ADDR": freeAddr(t), "GATEWAYPROXY_ADDR": freeAddr(t)}))
	}
	holder := one()
	w.awaitTaken(2)
	standby := one()
	done := w.write(count, 2500)
	for cycle := range 3 {
		w.awaitTaken(uint64(cycle*count/3) + rand.Uint64N(count/6) + 10)
		holder.kill()
		dead := time.Now()
		w.awaitResumes(cycle + 1)
		t.Logf("the standby had the session after %v", time.Since(dead).Round(time.Millisecond))
		holder, standby = standby, one()
	}
	noError(t, <-done)
	w.exactly(s["NATS_URL"], count)
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("%d IDENTIFYs, want 1", n)
	}
	standby.stop()
	holder.stop()
	hub.stop()
}
