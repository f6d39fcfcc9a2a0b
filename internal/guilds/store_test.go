package guilds_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/guilds"
)

const patience = 30 * time.Second

// runUntilEnd runs something until the test has ended or stop is called.
func runUntilEnd(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

func newStore(t *testing.T, b *bus.Bus) (s *guilds.Store, stop func()) {
	t.Helper()
	s = guilds.New(guilds.Config{Instance: "test", WriteEvery: 20 * time.Millisecond}, b, bustest.Log(t))
	return s, runUntilEnd(t, s.Run)
}

func publish(t *testing.T, b *bus.Bus, d bus.Dispatch) uint64 {
	t.Helper()
	s, err := bus.DispatchSubject(d)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := bus.Publish(t.Context(), b, s, d, bus.WithID(d.ID()))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// keepReady stores what READY said, as the holder of the shard does.
func keepReady(t *testing.T, b *bus.Bus, at uint64, d string) {
	t.Helper()
	readies, err := bus.OpenRecords(t.Context(), b, bus.ShardReadies())
	if err != nil {
		t.Fatal(err)
	}
	info, err := bus.InfoOf(t.Context(), b, bus.AllDispatches())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readies.Put(t.Context(), bus.UpstreamKey(1, 0), bus.ShardReady{V: 1, Epoch: info.Epoch, Stream: at, Data: json.RawMessage(d), At: time.Now()}); err != nil {
		t.Fatal(err)
	}
}

// TestASnapshotBelongsToItsPlace: what a snapshot shows is exactly what came up to the
// place that it names, while events come.
func TestASnapshotBelongsToItsPlace(t *testing.T) {
	b := bustest.New(t)
	publish(t, b, bus.Dispatch{Event: "READY", Session: "s", Seq: 1, Data: json.RawMessage(`{"user":{"id":"99"},"guilds":[{"id":"7","unavailable":true}],"shard":[0,1]}`)})
	base := publish(t, b, bus.Dispatch{Guild: 7, Event: "GUILD_CREATE", Session: "s", Seq: 2, Data: json.RawMessage(`{"id":"7","name":"0"}`)})
	store, _ := newStore(t, b)
	if err := store.Await(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			publish(t, b, bus.Dispatch{Guild: 7, Event: "GUILD_UPDATE", Session: "s", Seq: int64(3 + i), Data: fmt.Appendf(nil, `{"id":"7","name":"%d"}`, i+1)})
		}
	}()
	seen := 0
	for last := uint64(0); last < base+500; {
		all, place := store.Snapshot(0)
		var g struct{ Name string }
		if err := json.Unmarshal(all[0].JSON, &g); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint(place - base); g.Name != want {
			t.Fatalf("at %d the guild is %s, want %s", place, g.Name, want)
		}
		if place > last {
			seen++
		}
		last = place
	}
	<-done
	t.Logf("%d places were seen", seen)
}

// TestGuildsSurviveARestart: what is stored and what the stream has make the same guilds,
// also when the stream's oldest part is gone.
func TestGuildsSurviveARestart(t *testing.T) {
	b := bustest.New(t)
	ready := `{"user":{"id":"99"},"guilds":[{"id":"7"},{"id":"8"},{"id":"9"}],"shard":[0,1]}`
	at := publish(t, b, bus.Dispatch{Event: "READY", Session: "s", Seq: 1, Data: json.RawMessage(ready)})
	keepReady(t, b, at, ready)
	publish(t, b, bus.Dispatch{Guild: 7, Event: "GUILD_CREATE", Session: "s", Seq: 2, Data: json.RawMessage(`{"id":"7","name":"seven"}`)})
	publish(t, b, bus.Dispatch{Guild: 8, Event: "GUILD_CREATE", Session: "s", Seq: 3, Data: json.RawMessage(`{"id":"8","name":"eight"}`)})
	publish(t, b, bus.Dispatch{Guild: 9, Event: "GUILD_DELETE", Session: "s", Seq: 4, Data: json.RawMessage(`{"id":"9","unavailable":true}`)})
	store, stop := newStore(t, b)
	if err := store.Await(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	records, err := bus.OpenRecords(t.Context(), b, bus.GuildSnapshots())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the guilds are stored", func() bool {
		all, err := records.All(t.Context(), ">")
		return err == nil && len(all) == 3
	})
	stop()
	publish(t, b, bus.Dispatch{Guild: 7, Event: "GUILD_UPDATE", Session: "s", Seq: 5, Data: json.RawMessage(`{"id":"7","name":"SEVEN"}`)})
	publish(t, b, bus.Dispatch{Guild: 8, Event: "GUILD_DELETE", Session: "s", Seq: 6, Data: json.RawMessage(`{"id":"8"}`)})
	if r, err := records.Get(t.Context(), "7"); err != nil || r.Value.Stream != 4 || len(r.Value.Data) == 0 {
		t.Fatalf("%+v %v", r, err)
	}
	again, stop := newStore(t, b)
	<-again.Ready()
	all, place := again.Snapshot(0)
	if place != 6 || len(all) != 2 || all[0].ID != 7 || string(all[0].JSON) != `{"id":"7","name":"SEVEN","unavailable":false,"members":[]}` || all[1].ID != 9 || !all[1].Unavailable {
		t.Errorf("at %d: %+v", place, all)
	}
	if d, known := again.READY(0); !known || string(d) != ready {
		t.Errorf("READY %s", d)
	}
	until(t, "what is gone is gone from the bus", func() bool {
		_, err := records.Get(t.Context(), "8")
		return bus.IsCode(err, bus.CodeNotFound)
	})
	stop()
}

// TestANewSessionDropsWhatItDoesNotName: guilds that were left while nobody looked.
func TestANewSessionDropsWhatItDoesNotName(t *testing.T) {
	b := bustest.New(t)
	id := func(n uint64) string { return fmt.Sprint(n << 22) }
	session := func(name string, shard int, guilds string) {
		publish(t, b, bus.Dispatch{Shard: shard, Event: "READY", Session: name, Seq: 1, Data: fmt.Appendf(nil, `{"user":{"id":"99"},"guilds":[%s],"shard":[%d,2]}`, guilds, shard)})
	}
	create := func(n uint64, shard int, session string, seq int64) {
		publish(t, b, bus.Dispatch{Shard: shard, Guild: bus.GuildID(n << 22), Event: "GUILD_CREATE", Session: session, Seq: seq, Data: fmt.Appendf(nil, `{"id":"%s"}`, id(n))})
	}
	session("a", 0, `{"id":"`+id(2)+`"},{"id":"`+id(4)+`"}`)
	session("b", 1, `{"id":"`+id(3)+`"}`)
	create(2, 0, "a", 2)
	create(4, 0, "a", 3)
	create(3, 1, "b", 2)
	session("c", 0, `{"id":"`+id(4)+`"},{"id":"`+id(6)+`"}`)
	store, _ := newStore(t, b)
	<-store.Ready()
	zero, _ := store.Snapshot(0)
	one, _ := store.Snapshot(1)
	if len(zero) != 2 || zero[0].ID != 4<<22 || len(zero[0].JSON) == 0 || zero[0].Unavailable || zero[1].ID != 6<<22 || !zero[1].Unavailable || len(one) != 1 {
		t.Errorf("%+v %+v", zero, one)
	}
}
