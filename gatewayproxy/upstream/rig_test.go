package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// patience bounds every wait; the machine may be busy.
const patience = 30 * time.Second

// world is a Discord with one bot in some guilds, and a bus.
type world struct {
	t        *testing.T
	d        *sandbox.Discord
	app      sandbox.Application
	guilds   []sandbox.ID
	channels []sandbox.ID
	owner    sandbox.ID
	b        *bus.Bus
}

func newWorld(t *testing.T, guilds int, g sandbox.GatewaySettings) *world {
	t.Helper()
	if g.IdentifyEvery == 0 {
		g.IdentifyEvery = -1
	}
	w := &world{t: t, d: sandbox.New(sandbox.Config{}), b: bustest.New(t)}
	w.d.SetGateway(g)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- w.d.Run(ctx) }()
	<-w.d.Ready()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the sandbox: %v", err)
		}
	})
	var err error
	must := func(id sandbox.ID, err error) sandbox.ID {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if w.app, err = w.d.AddApplication(sandbox.ApplicationSpec{Name: "bot", MembersIntent: true, MessageContentIntent: true}); err != nil {
		t.Fatal(err)
	}
	w.owner = must(w.d.AddUser("owner"))
	for i := range guilds {
		g := must(w.d.AddGuild(fmt.Sprintf("guild %d", i), w.owner))
		if err := w.d.AddMember(g, w.app.ID); err != nil {
			t.Fatal(err)
		}
		w.guilds = append(w.guilds, g)
		w.channels = append(w.channels, must(w.d.AddChannel(g, "general", 0)))
	}
	return w
}

// config is that of an upstream that waits for nothing it need not.
func (w *world) config() Config {
	client, err := discord.NewClient(w.d.URL())
	if err != nil {
		w.t.Fatal(err)
	}
	return Config{Token: secret.New(w.app.Token), Client: client, IdentifyGap: 10 * time.Millisecond, Instance: "test"}
}

// running is an upstream that runs until stop.
type running struct {
	*Upstream
	stop func()
}

func (w *world) start(cfg Config) *running {
	w.t.Helper()
	u, err := New(cfg, w.b, bustest.Log(w.t))
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- u.Run(ctx) }()
	r := &running{Upstream: u, stop: sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				w.t.Errorf("upstream ended with %v", err)
			}
		case <-time.After(patience):
			w.t.Error("upstream does not end")
		}
	})}
	w.t.Cleanup(r.stop)
	return r
}

// until waits for a condition of ours, looked at again and again.
func (w *world) until(what string, cond func() bool) {
	w.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			w.t.Fatalf("never: %s", what)
		}
	}
}

// live waits until every shard of u receives events.
func (w *world) live(u *running) {
	w.t.Helper()
	select {
	case <-u.Planned():
	case <-time.After(patience):
		w.t.Fatalf("no plan: %+v", u.Status())
	}
	w.until("every shard is live", func() bool {
		st := u.Status()
		live := 0
		for _, s := range st.Held {
			if s.State == stateLive {
				live++
			}
		}
		return live == st.Shards
	})
}

func (w *world) burst(first, n int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.d.Burst(ctx, sandbox.Burst{Guild: w.guilds[0], Channel: w.channels[0], Author: w.owner, Count: n, First: first}); err != nil {
		w.t.Fatal(err)
	}
}

// stored reads all of DISPATCH.
func (w *world) stored() []bus.Delivery[bus.Dispatch] {
	w.t.Helper()
	last, err := bus.Last(w.t.Context(), w.b, bus.AllDispatches())
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil
	}
	if err != nil {
		w.t.Fatal(err)
	}
	var all []bus.Delivery[bus.Dispatch]
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	err = bus.Follow(ctx, w.b, bus.Follower{}, bus.AllDispatches(), 1, func(_ context.Context, some []bus.Delivery[bus.Dispatch]) error {
		all = append(all, some...)
		if all[len(all)-1].Seq >= last.Seq {
			return context.Canceled
		}
		return nil
	})
	if err != context.Canceled {
		w.t.Fatalf("reading the stream: %v", err)
	}
	return all
}

// bursts gives the numbers of the burst's messages in the order of the stream.
func (w *world) bursts() []int {
	w.t.Helper()
	var ns []int
	for _, m := range w.stored() {
		if m.Value.Event == "MESSAGE_CREATE" {
			ns = append(ns, number(w.t, m.Value.Data))
		}
	}
	return ns
}

func number(t *testing.T, d json.RawMessage) int {
	t.Helper()
	n, err := burstNumber(d)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func burstNumber(d json.RawMessage) (n int, err error) {
	var m struct{ Content string }
	if err := json.Unmarshal(d, &m); err != nil {
		return 0, err
	}
	if _, err := fmt.Sscanf(m.Content, "burst %d", &n); err != nil {
		return 0, fmt.Errorf("%q: %w", m.Content, err)
	}
	return n, nil
}

// exactly says that the stream has each message of a burst of n once, in order.
func (w *world) exactly(n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("message %d is stored", n), func() bool {
		last, err := bus.Last(w.t.Context(), w.b, bus.DispatchesNamed("MESSAGE_CREATE"))
		return err == nil && strings.Contains(string(last.Value.Data), fmt.Sprintf(`"burst %d"`, n))
	})
	got := w.bursts()
	if len(got) != n {
		w.t.Errorf("%d messages are stored, want %d", len(got), n)
	}
	for i, v := range got {
		if v != i+1 {
			w.t.Fatalf("message %d stands in place %d", v, i+1)
		}
	}
}
