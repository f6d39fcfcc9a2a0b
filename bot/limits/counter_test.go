package limits

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"splashtail/bus"
)

// start is a moment whose snowflakes are easy to make.
var start = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// act makes an action of an actor, ms after start; n tells those of one moment apart.
func act(kind bus.ActionKind, actor bus.UserID, ms int, n uint64) bus.Action {
	at := start.Add(time.Duration(ms) * time.Millisecond)
	id := uint64(at.UnixMilli()-1_420_070_400_000)<<22 | n
	return bus.Action{V: 1, ID: id, Guild: 1, Actor: actor, Kind: kind, Target: fmt.Sprint(n), At: at}
}

func limit(count int, window bus.Seconds) bus.LimitRule {
	return bus.LimitRule{V: 1, ID: "l", Name: "l", Kind: bus.ActionChannelRemove, Count: count, Window: window, Respond: bus.RespondStripRoles}
}

func counterWith(rules ...bus.LimitRule) *Counter {
	c := NewCounter()
	for _, r := range rules {
		c.Set(r)
	}
	return c
}

func TestTheNthActionHitsOnce(t *testing.T) {
	c := counterWith(limit(3, 10))
	for i, want := range []int{0, 0, 1, 0, 0} {
		if hits := c.Add(act(bus.ActionChannelRemove, 7, i*1000, uint64(i))); len(hits) != want {
			t.Errorf("action %d: %d hits, want %d", i+1, len(hits), want)
		}
	}
}

func TestSeveralActorsDoNotAddUp(t *testing.T) {
	c := counterWith(limit(3, 10))
	for i := range 30 {
		if hits := c.Add(act(bus.ActionChannelRemove, bus.UserID(i+1), i, uint64(i))); len(hits) != 0 {
			t.Errorf("actor %d was hit: %+v", i+1, hits)
		}
	}
}

func TestAWindowHasExactEdges(t *testing.T) {
	for _, c := range []struct {
		gap  int
		want int
	}{{5000, 1}, {5001, 0}} {
		k := counterWith(limit(3, 10))
		hits := 0
		for i := range 3 {
			hits += len(k.Add(act(bus.ActionChannelRemove, 7, i*c.gap, uint64(i))))
		}
		if hits != c.want {
			t.Errorf("three actions %d ms apart: %d hits, want %d", c.gap, hits, c.want)
		}
	}
}

func TestTheSameEntryCountsOnce(t *testing.T) {
	c := counterWith(limit(2, 10))
	a := act(bus.ActionChannelRemove, 7, 0, 1)
	for range 5 {
		if hits := c.Add(a); len(hits) != 0 {
			t.Fatalf("a repeated delivery was counted: %+v", hits)
		}
	}
}

func TestALateActionStillCompletesItsWindow(t *testing.T) {
	c := counterWith(limit(3, 10))
	for i, ms := range []int{0, 4000} {
		c.Add(act(bus.ActionChannelRemove, 7, ms, uint64(i)))
	}
	if hits := c.Add(act(bus.ActionChannelRemove, 7, 2000, 9)); len(hits) != 1 || len(hits[0].Causes) != 3 || !slices.IsSorted(hits[0].Causes) {
		t.Errorf("%+v", hits)
	}
}

func TestOneClickOnRolesCountsOnceForEachKind(t *testing.T) {
	given, updated := limit(2, 60), limit(2, 60)
	given.ID, given.Kind = "given", bus.ActionRoleGiven
	updated.ID, updated.Kind = "updated", bus.ActionMemberRolesUpdated
	c := counterWith(given, updated)
	target := func(a bus.Action, id string) bus.Action { a.Target = id; return a }
	hits := 0
	for i, ms := range []int{0, 100, 200} { // the same member, within both rates
		for _, k := range []bus.ActionKind{bus.ActionMemberRolesUpdated, bus.ActionRoleGiven} {
			hits += len(c.Add(target(act(k, 7, ms, uint64(i)), "55")))
		}
	}
	if hits != 0 {
		t.Errorf("one member's roles were counted several times: %d hits", hits)
	}
	for _, k := range []bus.ActionKind{bus.ActionMemberRolesUpdated, bus.ActionRoleGiven} {
		if h := c.Add(target(act(k, 7, 300, 8), "66")); len(h) != 1 {
			t.Errorf("%s on a second member: %+v", k, h)
		}
	}
}

// naive is the definition, without any bound: of the actions that no hit has used up,
// N within W with this one among them, unless the last hit is less than W ago.
type naive struct {
	limit   bus.LimitRule
	left    map[bus.UserID][]bus.Action
	cooling map[bus.UserID]time.Time
}

func (n *naive) add(a bus.Action) bool {
	list := append(n.left[a.Actor], a)
	slices.SortFunc(list, func(x, y bus.Action) int {
		if c := x.At.Compare(y.At); c != 0 {
			return c
		}
		return int(min(max(int64(x.ID)-int64(y.ID), -1), 1))
	})
	n.left[a.Actor] = list
	if a.At.Before(n.cooling[a.Actor]) {
		return false
	}
	for i := 0; i+n.limit.Count <= len(list); i++ {
		part := list[i : i+n.limit.Count]
		in := slices.ContainsFunc(part, func(x bus.Action) bool { return x.ID == a.ID })
		if in && part[len(part)-1].At.Sub(part[0].At) <= n.limit.Window.Duration() {
			n.left[a.Actor] = slices.Delete(list, i, i+n.limit.Count)
			n.cooling[a.Actor] = a.At.Add(n.limit.Window.Duration())
			return true
		}
	}
	return false
}

func TestCountersAgreeWithTheDefinition(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		rule := limit(1+rng.IntN(6), bus.Seconds(1+rng.IntN(20)))
		c, n := counterWith(rule), &naive{rule, map[bus.UserID][]bus.Action{}, map[bus.UserID]time.Time{}}
		now := 0
		for i := range 300 {
			now += rng.IntN(4000)
			late := 0
			if rng.IntN(4) == 0 {
				late = rng.IntN(1500) // the stream brings it a moment after a newer one
			}
			a := act(bus.ActionChannelRemove, bus.UserID(1+rng.IntN(3)), max(now-late, 0), uint64(i))
			got, want := len(c.Add(a)) == 1, n.add(a)
			if got != want {
				t.Fatalf("seed %d, action %d of %+v: hit %t, want %t", seed, i, rule, got, want)
			}
		}
	}
}

func TestACounterIsBounded(t *testing.T) {
	c := counterWith(limit(5, 60))
	for i := range 3 * maxTracks {
		c.Add(act(bus.ActionChannelRemove, bus.UserID(i+1), i, uint64(i)))
	}
	if len(c.tracks) > maxTracks || len(c.seen.at) > maxSeen {
		t.Errorf("%d tracks, %d ids are kept", len(c.tracks), len(c.seen.at))
	}
}

func TestProfilesCanBeKept(t *testing.T) {
	for _, s := range []Size{{}, {5, 3, 2}, {99, 40, 20}, {450, 60, 30}, {999, 100, 60}, {50_000, 500, 250}} {
		ids := map[string]bool{}
		for _, r := range Profile(s) {
			if err := r.Check(); err != nil || ids[r.ID] {
				t.Errorf("%+v: %+v: %v", s, r, err)
			}
			ids[r.ID] = true
		}
	}
}
