package bus_test

import (
	"encoding/json"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

func TestShardSubjectsHaveAnInverse(t *testing.T) {
	for _, c := range bus.ShardChanges {
		got, shard, err := bus.ParseShardSubject(bus.ShardSubject(c, 12).String())
		if err != nil || got != c || shard != 12 {
			t.Errorf("%s: %s %d %v", c, got, shard, err)
		}
	}
	for _, bad := range []string{"event.shard.resumed", "event.shard.resumed.x", "event.shard.resumed.01", "event.shard.gone.1", "event.mute.resumed.1", "event.shard.resumed.-1"} {
		if c, shard, err := bus.ParseShardSubject(bad); err == nil {
			t.Errorf("%s became %s %d", bad, c, shard)
		}
	}
}

func TestShardEventKeepsItsWireForm(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 30, 15, 0, time.UTC)
	for _, c := range []struct {
		v    any
		want string
	}{
		{bus.ShardEvent{V: 1, Shard: 1, Shards: 2, Change: bus.ShardStopped, Instance: "i", Code: 4004, Reason: "r", At: at},
			`{"v":1,"shard":1,"shards":2,"change":"stopped","instance":"i","code":4004,"reason":"r","at":"2026-11-24T12:30:15Z"}`},
		{bus.ShardEvent{V: 1, Shards: 1, Change: bus.ShardWaiting, Instance: "i", Until: at, At: at},
			`{"v":1,"shard":0,"shards":1,"change":"waiting","instance":"i","until":"2026-11-24T12:30:15Z","at":"2026-11-24T12:30:15Z"}`},
		{bus.ShardOrder{Verb: "restart", Actor: "ann", Reason: "r"}, `{"verb":"restart","actor":"ann","reason":"r"}`},
	} {
		got, err := json.Marshal(c.v)
		if err != nil || string(got) != c.want {
			t.Errorf("%s, want %s (%v)", got, c.want, err)
		}
	}
}

// TestLastIsTheNewest: of what a filter with wildcards matches, not of the whole stream.
func TestLastIsTheNewest(t *testing.T) {
	b := bustest.New(t)
	if _, err := bus.Last(t.Context(), b, bus.DispatchesOfShard(1)); !bus.IsCode(err, bus.CodeNotFound) {
		t.Fatalf("of nothing: %v", err)
	}
	for i, d := range []bus.Dispatch{{Shard: 1, Guild: 7, Event: "A", Seq: 1}, {Shard: 1, Guild: 8, Event: "B", Seq: 2}, {Shard: 2, Event: "C", Seq: 9}} {
		d.Session, d.Data = "s", json.RawMessage(`{}`)
		s, err := bus.DispatchSubject(d)
		if err != nil {
			t.Fatal(err)
		}
		if seq, err := bus.Publish(t.Context(), b, s, d, bus.WithID(d.ID())); err != nil || seq != uint64(i+1) {
			t.Fatal(seq, err)
		}
	}
	got, err := bus.Last(t.Context(), b, bus.DispatchesOfShard(1))
	if err != nil || got.Seq != 2 || got.Value.Event != "B" || got.Value.Session != "s" || got.Value.Seq != 2 {
		t.Errorf("%+v %v", got, err)
	}
}
