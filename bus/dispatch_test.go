package bus_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

func TestDispatchSubjectsHaveAnInverse(t *testing.T) {
	for _, d := range []bus.Dispatch{{Event: "READY"}, {Shard: 12, Guild: 812345678901234567, Event: "GUILD_MEMBER_ADD"}} {
		s, err := bus.DispatchSubject(d)
		if err != nil {
			t.Fatal(err)
		}
		got, err := bus.ParseDispatchSubject(s.String())
		if err != nil || got.Shard != d.Shard || got.Guild != d.Guild || got.Event != d.Event {
			t.Errorf("%s: %+v %v", s, got, err)
		}
	}
	for _, bad := range []bus.Dispatch{{Shard: -1, Event: "X"}, {Event: ""}, {Event: "A.B"}, {Event: ">"}} {
		if s, err := bus.DispatchSubject(bad); err == nil {
			t.Errorf("%+v became %s", bad, s)
		}
	}
	for _, bad := range []string{"dispatch.0.0", "dispatch.x.0.A", "dispatch.00.0.A", "dispatch.0.-1.A", "capture.0.0.A", "dispatch.0.01.A"} {
		if d, err := bus.ParseDispatchSubject(bad); err == nil {
			t.Errorf("%s became %+v", bad, d)
		}
	}
}

// TestDispatchesTravelRaw: what Discord sent comes out byte for byte, once although it
// was sent twice, and only where a filter asks for it.
func TestDispatchesTravelRaw(t *testing.T) {
	b := bustest.New(t)
	raw := json.RawMessage(`{"b":1,"a":"<&>","unknown":9007199254740993}`)
	sent := []bus.Dispatch{
		{Guild: 7, Event: "CHANNEL_CREATE", Session: "s", Seq: 1, Data: raw},
		{Guild: 7, Event: "CHANNEL_CREATE", Session: "s", Seq: 1, Data: raw},
		{Shard: 1, Guild: 8, Event: "TYPING_START", Session: "t", Seq: 1, Data: json.RawMessage(`{}`)},
		{Guild: 7, Event: "CHANNEL_DELETE", Session: "s", Seq: 2, Data: raw},
	}
	for _, d := range sent {
		s, err := bus.DispatchSubject(d)
		if err != nil {
			t.Fatal(err)
		}
		w, err := bus.BeginPublish(b, s, d, bus.WithID(d.ID()))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		filter bus.Filter[bus.Dispatch]
		want   []bus.Dispatch
	}{
		"all":         {bus.AllDispatches(), []bus.Dispatch{sent[0], sent[2], sent[3]}},
		"shard":       {bus.DispatchesOfShard(1), sent[2:3]},
		"some events": {bus.DispatchesNamed("CHANNEL_DELETE", "TYPING_START"), sent[2:]},
		"guild":       {bus.DispatchesOfGuild(7, "CHANNEL_CREATE"), sent[:1]},
	} {
		got := follow(t, b, c.filter, len(c.want))
		for i, d := range got {
			if w := c.want[i]; d.Shard != w.Shard || d.Guild != w.Guild || d.Event != w.Event || d.Session != w.Session || d.Seq != w.Seq || string(d.Data) != string(w.Data) {
				t.Errorf("%s: %+v, want %+v", name, d, w)
			}
		}
	}
}

func follow(t *testing.T, b *bus.Bus, f bus.Filter[bus.Dispatch], n int) (got []bus.Dispatch) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	enough := errors.New("enough")
	err := bus.Follow(ctx, b, bus.Follower{}, f, 1, func(_ context.Context, ds []bus.Delivery[bus.Dispatch]) error {
		for _, d := range ds {
			got = append(got, d.Value)
		}
		if len(got) >= n {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || len(got) != n {
		t.Fatalf("%d of %d events, %v", len(got), n, err)
	}
	return got
}

func TestARecordWithALifeOfItsOwnEnds(t *testing.T) {
	b := bustest.New(t)
	r, err := bus.OpenRecords(t.Context(), b, bus.DownstreamSessions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.PutFor(t.Context(), "x", bus.DownstreamSession{V: 1, Shard: 3}, time.Second); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	gone := errors.New("gone")
	err = r.Watch(ctx, "x", func(e bus.Entry[bus.DownstreamSession], live bool) error {
		switch {
		case !live && e.Deleted:
			return gone
		case !live && e.Value.Shard != 3:
			t.Errorf("%+v", e)
		}
		return nil
	})
	if !errors.Is(err, gone) {
		t.Errorf("the record is still there: %v", err)
	}
}
