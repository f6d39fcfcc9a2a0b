package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
)

// counted gives the sum of the broker's counter over one label's value.
func counted(t testing.TB, reg *prometheus.Registry, name, value string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() != "splashtail_broker_"+name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == value {
					sum += m.GetCounter().GetValue()
				}
			}
		}
	}
	return sum
}

// phases are the elements of that many state events.
func phases(from, to int) (all []string) {
	for i := from; i <= to; i++ {
		all = append(all, phase(i))
	}
	return all
}

func (p *player) plays(from, to int) {
	p.t.Helper()
	for i := from; i <= to; i++ {
		p.says("state", fmt.Sprintf("%q", fmt.Sprint(i)))
	}
}

func TestEventsWaitWhileRedisIsAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, stop := r.start()
	code := gameCode(t, "BBBB0001")
	p := r.link(br, code)
	p.plays(1, 10)
	r.server.Kill()
	p.plays(11, 60) // taken, since the bus has them
	late := gameCode(t, "BBBB0002")
	q := r.link(br, late) // a game may begin meanwhile
	q.plays(1, 3)
	r.server.Again()
	r.wantList(code, append([]string{linked}, phases(1, 60)...)...)
	r.wantList(late, append([]string{linked}, phases(1, 3)...)...)
	// Its questions are heard again, although it asked the new connection nothing yet.
	eventually(t, "AutoMuteUs is heard again", func() bool {
		n, err := r.rdb.Publish(t.Context(), ackChannel(late), "true").Result()
		return err == nil && n == 1
	})
	stop()
}

func TestARedisThatWasWipedIsNotFilledWithThePast(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "BBBB0003")
	p := r.link(br, code)
	p.plays(1, 10)
	r.settled()
	// The copy of the place on the bus follows within a second or so.
	info, err := bus.InfoOf(t.Context(), r.bus, bus.AllCapture())
	r.ok(err)
	positions, err := bus.OpenRecords(t.Context(), r.bus, bus.Positions())
	r.ok(err)
	eventually(t, "the place is copied", func() bool {
		e, err := positions.Get(t.Context(), positionKey)
		return err == nil && e.Value.Seq == info.Last
	})
	r.server.Kill()
	p.plays(11, 12)
	r.server.Wipe()
	p.plays(13, 14)
	r.wantList(code, phases(11, 14)...)
}

// TestWhatRedisForgotIsWrittenAgain takes the newest writes away together with the
// cursor, as a Redis does that comes back from an older snapshot.
func TestWhatRedisForgotIsWrittenAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	code := gameCode(t, "BBBB0004")
	p := r.link(br, code)
	p.plays(1, 5)
	r.settled()
	snapshot, err := r.rdb.Get(t.Context(), cursorKey).Result()
	r.ok(err)
	p.plays(6, 9)
	r.settled()
	tx := r.rdb.TxPipeline()
	tx.Set(t.Context(), cursorKey, snapshot, 0)
	tx.LTrim(t.Context(), "automuteus:jobs:"+code.String(), 0, 5)
	_, err = tx.Exec(t.Context())
	r.ok(err)
	p.plays(10, 10)
	r.wantList(code, append([]string{linked}, phases(1, 10)...)...)
}

func TestACursorThatWasRemovedRepeatsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, stop := r.start()
	code := gameCode(t, "BBBB0005")
	p := r.link(br, code)
	p.plays(1, 5)
	r.settled()
	r.ok(r.rdb.Del(t.Context(), cursorKey).Err())
	p.plays(6, 7)
	r.wantList(code, append([]string{linked}, phases(1, 7)...)...)
	r.ok(r.rdb.Set(t.Context(), cursorKey, "somebody else's", 0).Err())
	p.plays(8, 8)
	r.wantList(code, append([]string{linked}, phases(1, 8)...)...)
	r.settled()
	stop()
	r.ok(r.rdb.Del(t.Context(), cursorKey).Err()) // and the next process finds the copy
	br, _ = r.start()
	q := r.link(br, gameCode(t, "BBBB0006"))
	q.plays(1, 1)
	r.wantList(gameCode(t, "BBBB0006"), linked, phase(1))
	r.wantList(code, append(append([]string{linked}, phases(1, 8)...), unlinked)...)
}

// TestTheEdgeMovesOnWithoutRepeating stops the broker that writes in the middle of
// traffic that comes through the other one.
func TestTheEdgeMovesOnWithoutRepeating(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.cfg.Instance = "a"
	_, stopA := r.start()
	r.cfg.Instance = "b"
	brB, _ := r.start()
	code := gameCode(t, "BBBB0007")
	p := r.link(brB, code)
	stopped := make(chan struct{})
	p.plays(1, 50)
	go func() { defer close(stopped); stopA() }()
	p.plays(51, 150)
	<-stopped
	p.plays(151, 160)
	r.wantList(code, append([]string{linked}, phases(1, 160)...)...)
}

func TestKeysOfAnotherTypeStopNobodyElse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reg := prometheus.NewRegistry()
	r.cfg.Metrics = reg
	bad, good := gameCode(t, "BBBB0008"), gameCode(t, "BBBB0009")
	for _, key := range []string{"automuteus:jobs:" + bad.String(), "automuteus:capture:muteready:" + bad.String()} {
		r.ok(r.rdb.HSet(t.Context(), key, "a", "b").Err())
	}
	br, _ := r.start()
	p, q := r.link(br, bad), r.link(br, good)
	p.plays(1, 3)
	q.plays(1, 3)
	r.wantList(good, append([]string{linked}, phases(1, 3)...)...)
	r.settled()
	if n := counted(t, reg, "edge_events_total", "wrong_type"); n != 4 {
		t.Errorf("%v events were in the way of a key, want the link and three states", n)
	}
	if kind, err := r.rdb.Type(t.Context(), "automuteus:jobs:"+bad.String()).Result(); kind != "hash" {
		t.Errorf("somebody's key became a %s, %v", kind, err)
	}
	r.ok(r.rdb.Del(t.Context(), "automuteus:jobs:"+bad.String()).Err())
	p.plays(4, 4)
	r.wantList(bad, phase(4))
}

func TestAnUnreadableEventIsPassedOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reg := prometheus.NewRegistry()
	r.cfg.Metrics = reg
	br, stop := r.start()
	code := gameCode(t, "BBBB000A")
	p := r.link(br, code)
	p.plays(1, 2)
	nc, err := nats.Connect(r.bus.URL())
	r.ok(err)
	defer nc.Close()
	garbage := func(text string) {
		_, err := nc.Request(bus.CaptureSubject(code, bus.CaptureState).String(), []byte(text), patience)
		r.ok(err)
	}
	garbage("no event")
	p.plays(3, 3)
	garbage("{}x")
	r.wantList(code, append([]string{linked}, phases(1, 3)...)...)
	info, err := bus.InfoOf(t.Context(), r.bus, bus.AllCapture())
	r.ok(err)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := br.edge.flush(ctx, info.Last); err != nil {
		t.Errorf("the edge waits for an event that it cannot read: %v", err)
	}
	if n := counted(t, reg, "edge_events_total", "expired"); n != 0 {
		t.Errorf("%v events count as lost", n)
	}
	if n := counted(t, reg, "edge_events_total", "unreadable"); n != 2 {
		t.Errorf("%v events count as unreadable, want 2", n)
	}
	stop()
}

// scripted gives what the edge does to Redis without a stream behind it.
func scripted(t *testing.T) (*rig, *redisEdge) {
	r := newRig(t)
	return r, newRedisEdge(r.rdb)
}

func elements(code string, from, to int) (group []step) {
	for i := from; i <= to; i++ {
		group = append(group, step{seq: uint64(i), do: "play", code: code, element: phase(i)})
	}
	return group
}

func TestAGroupThatComesAgainIsPassedOver(t *testing.T) {
	t.Parallel()
	r, e := scripted(t)
	const code = "BBBB000B"
	push := func(epoch string, prev uint64, group []step, want pushed) {
		t.Helper()
		if got, err := e.push(t.Context(), epoch, prev, group); err != nil || got != want {
			t.Errorf("after %d: %+v, want %+v, %v", prev, got, want, err)
		}
	}
	push("e", 0, elements(code, 1, 5), pushed{at: 5, written: 5})
	push("e", 0, elements(code, 1, 5), pushed{at: 5})             // the answer was lost
	push("e", 0, elements(code, 1, 8), pushed{at: 8, written: 3}) // read again from the start
	push("e", 5, elements(code, 6, 7), pushed{at: 8})             // a former holder wakes up late
	push("e", 9, elements(code, 10, 11), pushed{at: 8})           // Redis has lost 9
	push("f", 0, elements(code, 1, 2), pushed{at: 2, written: 2}) // another life of the stream
	r.wantList(gameCode(t, code), append(phases(1, 8), phases(1, 2)...)...)
	if c, ok, err := e.cursor(t.Context()); c != (cursor{"f", 2}) || !ok || err != nil {
		t.Errorf("the cursor is %v, %t, %v", c, ok, err)
	}
}

func TestAListThatNobodyPopsIsBounded(t *testing.T) {
	t.Parallel()
	r, e := scripted(t)
	const code = "BBBB000C"
	var prev uint64
	for first := 1; first <= maxListLen; first += 5000 {
		_, err := e.push(t.Context(), "e", prev, elements(code, first, first+4999))
		r.ok(err)
		prev = uint64(first + 4999)
	}
	got, err := e.push(t.Context(), "e", prev, elements(code, maxListLen+1, maxListLen+3))
	if err != nil || got.lost != 3 || got.written != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	all := r.list(gameCode(t, code))
	if len(all) != maxListLen || all[0] != phase(4) || all[len(all)-1] != phase(maxListLen+3) {
		t.Errorf("%d elements from %s to %s", len(all), all[0], all[len(all)-1])
	}
}

func TestARedisThatRefusesWritesTakesNothing(t *testing.T) {
	t.Parallel()
	r, e := scripted(t)
	const code = "BBBB000D"
	_, err := e.push(t.Context(), "e", 0, elements(code, 1, 2))
	r.ok(err)
	r.ok(r.rdb.ConfigSet(t.Context(), "maxmemory", "1").Err())
	if got, err := e.push(t.Context(), "e", 2, elements(code, 3, 4)); err == nil {
		t.Errorf("without memory: %+v", got)
	}
	r.ok(r.rdb.ConfigSet(t.Context(), "maxmemory", "0").Err())
	r.wantList(gameCode(t, code), phases(1, 2)...)
	if got, err := e.push(t.Context(), "e", 2, elements(code, 3, 4)); err != nil || got.written != 2 {
		t.Errorf("%+v, %v", got, err)
	}
	r.wantList(gameCode(t, code), phases(1, 4)...)
}

func TestStartAfter(t *testing.T) {
	info := bus.StreamInfo{Epoch: "e", First: 3, Last: 10}
	for _, c := range []struct {
		name   string
		redis  cursor
		ok     bool
		mirror cursor
		seq    uint64
		set    bool
	}{
		{"in step", cursor{"e", 7}, true, cursor{}, 7, false},
		{"up to date", cursor{"e", 10}, true, cursor{"e", 2}, 10, false},
		{"ahead of the stream", cursor{"e", 11}, true, cursor{}, 10, true},
		{"another life of the stream", cursor{"d", 7}, true, cursor{"e", 5}, 0, true},
		{"no cursor and a copy", cursor{}, false, cursor{"e", 5}, 5, true},
		{"no cursor and an old copy", cursor{}, false, cursor{"d", 5}, 0, true},
		{"no cursor and a copy ahead", cursor{}, false, cursor{"e", 11}, 0, true},
		{"nothing at all", cursor{}, false, cursor{}, 0, true},
	} {
		if seq, why := startAfter(c.redis, c.ok, c.mirror, info); seq != c.seq || (why != "") != c.set {
			t.Errorf("%s: %d %q", c.name, seq, why)
		}
	}
}

func TestWhatAnEventDoesInRedis(t *testing.T) {
	code := gameCode(t, "BBBB000E")
	for _, c := range []struct {
		event   bus.CaptureEvent
		do      string
		element string
	}{
		{bus.CaptureEvent{Kind: bus.CaptureConnection, Payload: "true", Cause: causeConnected}, "reset", linked},
		{bus.CaptureEvent{Kind: bus.CaptureConnection, Payload: "true", Cause: causeTakeover}, "reset", linked},
		{bus.CaptureEvent{Kind: bus.CaptureConnection, Payload: "true", Cause: causeAsked}, "", linked},
		{bus.CaptureEvent{Kind: bus.CaptureConnection, Payload: "false", Cause: causeLeft}, "reset", unlinked},
		{bus.CaptureEvent{Kind: bus.CaptureLobby, Payload: "{}", Room: "ABCDEF"}, "room:ABCDEF", `{"type":1,"payload":"{}"}`},
		{bus.CaptureEvent{Kind: bus.CaptureState, Payload: "2"}, "play", phase(2)},
		{bus.CaptureEvent{Kind: bus.CapturePlayer, Payload: "<&>\u2028"}, "play", `{"type":3,"payload":"<&>\u2028"}`},
		{bus.CaptureEvent{Kind: bus.CaptureGameOver, Payload: "{}"}, "", `{"type":4,"payload":"{}"}`},
		{bus.CaptureEvent{Kind: bus.CaptureReady, Payload: "true"}, "ready", ""},
		{bus.CaptureEvent{Kind: bus.CaptureReady, Payload: "false"}, "unready", ""},
	} {
		c.event.Code = code
		got := stepOf(bus.Delivery[bus.CaptureEvent]{Seq: 9, Value: c.event})
		if got != (step{seq: 9, do: c.do, code: code.String(), element: c.element}) {
			t.Errorf("%+v: %+v", c.event, got)
		}
	}
}

// TestManyGamesKeepTheirOrder has several clients send at once.
func TestManyGamesKeepTheirOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	br, _ := r.start()
	codes := []string{"BBBB0010", "BBBB0011", "BBBB0012", "BBBB0013"}
	for _, text := range codes {
		p := r.link(br, gameCode(t, text))
		var frames []string
		for i := 1; i <= 200; i++ {
			frames = append(frames, fmt.Sprintf(`42["state","%d"]`, i))
		}
		p.send(frames...)
	}
	for _, text := range codes {
		r.wantList(gameCode(t, text), append([]string{linked}, phases(1, 200)...)...)
	}
	if extra := slices.DeleteFunc(r.keys(), func(k string) bool {
		return k == cursorKey || strings.HasPrefix(k, "automuteus:jobs:BBBB001")
	}); len(extra) > 0 {
		t.Errorf("Redis has more keys: %v", extra)
	}
}

func (r *rig) keys() []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	keys, err := r.rdb.Keys(ctx, "*").Result()
	r.ok(err)
	return keys
}
