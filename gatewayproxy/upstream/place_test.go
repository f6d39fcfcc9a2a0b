package upstream

import (
	"encoding/json"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// TestAStoredPlaceIsHeldAgainstTheStream: after a crash the stream may have less than it
// acknowledged, and a session is resumed from what there really is.
func TestAStoredPlaceIsHeldAgainstTheStream(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		name    string
		stored  *bus.UpstreamSession
		session string // of the last event in the stream; empty: the stream has none
		seq     int64
		want    int64 // to resume from; -1: not at all
	}{
		{"nothing was stored", nil, "", 0, -1},
		{"all is there", &bus.UpstreamSession{Session: "s", Seq: 90, At: now}, "s", 100, 90},
		{"the end of the stream was lost", &bus.UpstreamSession{Session: "s", Seq: 90, At: now}, "s", 40, 40},
		{"READY was lost", &bus.UpstreamSession{Session: "s", Seq: 2, At: now}, "old", 700, -1},
		{"everything is too old for the stream", &bus.UpstreamSession{Session: "s", Seq: 90, At: now}, "", 0, 90},
		{"too long ago", &bus.UpstreamSession{Session: "s", Seq: 90, At: now.Add(-4 * time.Minute)}, "s", 90, -1},
	} {
		b := bustest.New(t)
		u := &Upstream{b: b, shards: 1, gate: &gate{}}
		if err := u.openRecords(t.Context()); err != nil {
			t.Fatal(err)
		}
		if c.stored != nil {
			if _, err := u.sessions.Put(t.Context(), bus.UpstreamKey(1, 0), *c.stored); err != nil {
				t.Fatal(err)
			}
		}
		if c.session != "" {
			d := bus.Dispatch{Event: "A", Session: c.session, Seq: c.seq, Data: json.RawMessage(`{}`)}
			s, err := bus.DispatchSubject(d)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := bus.Publish(t.Context(), b, s, d); err != nil {
				t.Fatal(err)
			}
		}
		p := newPlace(u, 1, 0)
		got, err := p.load(t.Context(), b, 0, now)
		if err != nil {
			t.Fatal(err)
		}
		if (got != nil) != (c.want >= 0) || got != nil && (got.id != c.stored.Session || p.seq() != c.want) {
			t.Errorf("%s: %+v from %d, want %d", c.name, got, p.seq(), c.want)
		}
	}
}

// TestAFormerHolderIsNoticed: a place that somebody else has moved to another session is
// not written over.
func TestAFormerHolderIsNoticed(t *testing.T) {
	b := bustest.New(t)
	u := &Upstream{b: b, shards: 1, gate: &gate{}}
	if err := u.openRecords(t.Context()); err != nil {
		t.Fatal(err)
	}
	begin := func(id string) *place {
		p := newPlace(u, 1, 0)
		if _, err := p.load(t.Context(), b, 0, time.Now()); err != nil {
			t.Fatal(err)
		}
		p.advance(underway{seq: 1, session: &session{id: id}, ready: json.RawMessage(`{}`), at: time.Now()}, 1)
		return p
	}
	former := begin("a")
	if err := former.save(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := begin("b").save(t.Context()); err != nil {
		t.Fatal(err)
	}
	former.advance(underway{seq: 2, at: time.Now()}, 2)
	if err := former.save(t.Context()); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("%v", err)
	}
	if r, err := u.sessions.Get(t.Context(), bus.UpstreamKey(1, 0)); err != nil || r.Value.Session != "b" {
		t.Errorf("%+v %v", r, err)
	}
}

// TestAnEventThatIsTooLargeHoldsNothingUp: it is dropped, with a line in the log, instead
// of being asked for again for ever.
func TestAnEventThatIsTooLargeHoldsNothingUp(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	plan := bus.Topology()
	for i := range plan.Streams {
		for _, takes := range plan.Streams[i].Takes {
			if takes == bus.AllDispatches().String() {
				plan.Streams[i].MaxMsg = 1500 // READY passes, the guild does not
			}
		}
	}
	cfg := bustest.Config(t)
	cfg.Plan = &plan
	w.b = bustest.Open(t, cfg)
	u := w.start(w.config())
	w.live(u)
	w.burst(1, 100)
	w.exactly(100)
	for _, m := range w.stored() {
		if m.Value.Event == "GUILD_CREATE" {
			t.Error("the guild was small enough: the test shows nothing")
		}
	}
	if c := w.d.GatewayCounts(); c.Connections != 1 {
		t.Errorf("%+v", c)
	}
}

// TestAStreamThatRefusesIsWaitedFor: while the bus stores nothing no event is passed
// over, and when it does again each is there once.
func TestAStreamThatRefusesIsWaitedFor(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	w.burst(1, 100)
	w.until("a live place", func() bool { return u.Status().Held[0].Seq > 100 })
	u.mu.Lock()
	s := u.held[0]
	u.mu.Unlock()
	// What an acknowledgement that says no sets off.
	s.pub.(*publisher).broken <- bus.Errorf(bus.CodeUnavailable, "storage_full", "the disk is full")
	w.burst(101, 100)
	w.until("a RESUME", func() bool { return w.d.Resumes() == 1 })
	w.exactly(200)
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("%d IDENTIFYs", n)
	}
}
