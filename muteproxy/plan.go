package muteproxy

import (
	"cmp"
	"slices"
	"time"

	"splashtail/bus"
)

// want is one wish that may be sent now.
type want struct {
	user  bus.UserID
	state bus.VoiceState
	code  string
	tier  int
	rev   uint64       // of the wish's record; it grows with each request and, inside one, from user to user
	tried map[int]bool // lanes that refused this very wish, by lane id
}

// compareUrgency puts the most urgent wish first: an unmute before a mute, since a
// player who cannot speak in a meeting is what people notice; then the older request,
// then the place in the request, in which AutoMuteUs says who must change first.
func compareUrgency(a, b *want) int {
	if f := b2i(b.state.Free()) - b2i(a.state.Free()); f != 0 {
		return f
	}
	return cmp.Or(cmp.Compare(a.rev, b.rev), cmp.Compare(a.user, b.user))
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// slot is a lane as the plan sees it at one moment.
type slot struct {
	id   int // of the lane
	kind laneKind
	free int    // how many calls it takes now
	code string // capture: the game whose client it is
	rank int    // worker: its place in the guild's order of workers
}

// serves says whether the lane may take the wish. tier is how many workers count.
func (s slot) serves(w *want) bool {
	if w.tried[s.id] {
		return false
	}
	switch s.kind {
	case laneWorker:
		return s.rank < tierWorkers(w.tier)
	case laneCapture:
		return s.code == w.code
	default:
		return true
	}
}

// pick is one decision: this wish over this lane, now.
type pick struct {
	want *want
	lane int
}

// plan gives the free places of all lanes to the most urgent wishes. All requests
// cost the same, so serving the most urgent first over whatever is free is the
// optimum. Workers come first, since the primary token's budget is shared with
// AutoMuteUs' own requests; capture clients take the least urgent wishes of those that
// workers have no place for, since their round trip is the longest. The picks come the
// most urgent first.
func plan(wants []*want, slots []slot) []pick {
	slices.SortFunc(wants, compareUrgency)
	slots = slices.Clone(slots)
	var picks []pick
	rest := assignCapture(wants, slots, &picks)
	rest = assign(rest, slots, laneWorker, &picks)
	assign(rest, slots, laneOfficial, &picks)
	slices.SortFunc(picks, func(a, b pick) int { return compareUrgency(a.want, b.want) })
	return picks
}

// assign gives the lanes of one kind to the wishes in turn, each time the lane with
// the most room, and returns the wishes that got none.
func assign(wants []*want, slots []slot, kind laneKind, picks *[]pick) (rest []*want) {
	for _, w := range wants {
		best := -1
		for i, s := range slots {
			if s.kind == kind && s.free > 0 && s.serves(w) && (best < 0 || s.free > slots[best].free) {
				best = i
			}
		}
		if best < 0 {
			rest = append(rest, w)
			continue
		}
		slots[best].free--
		*picks = append(*picks, pick{w, slots[best].id})
	}
	return rest
}

// assignCapture gives capture clients, each of which serves one game only, a wish of
// those that can be served now and that workers have no place for.
func assignCapture(wants []*want, slots []slot, picks *[]pick) (rest []*want) {
	if len(wants) == 0 {
		return nil
	}
	// A guild has one tier; while it changes, the lower one counts here.
	least := slices.MinFunc(wants, func(a, b *want) int { return cmp.Compare(tierWorkers(a.tier), tierWorkers(b.tier)) })
	workers, primary := 0, 0
	for _, s := range slots {
		switch {
		case s.kind == laneWorker && s.rank < tierWorkers(least.tier):
			workers += s.free
		case s.kind == laneOfficial:
			primary += s.free
		}
	}
	served := servable(wants, slots, workers+primary)
	picked := map[*want]bool{}
	for _, w := range slices.Backward(served) {
		if len(served)-len(picked) <= workers {
			break
		}
		if at := freeCapture(w, slots); at >= 0 {
			slots[at].free--
			picked[w] = true
			*picks = append(*picks, pick{w, slots[at].id})
		}
	}
	return slices.DeleteFunc(slices.Clone(wants), func(w *want) bool { return picked[w] })
}

// servable lists, the most urgent first, the wishes that can be served now by tokens
// with that many places and the capture clients. A wish that a capture client could take
// costs no place while that client has none yet; which of its wishes it takes is open.
func servable(wants []*want, slots []slot, places int) (served []*want) {
	slots = slices.Clone(slots)
	for _, w := range wants {
		if at := freeCapture(w, slots); at >= 0 {
			slots[at].free--
		} else if places > 0 {
			places--
		} else {
			continue
		}
		served = append(served, w)
	}
	return served
}

// freeCapture gives the place of a free capture client that may take the wish, or -1.
func freeCapture(w *want, slots []slot) int {
	return slices.IndexFunc(slots, func(s slot) bool { return s.kind == laneCapture && s.free > 0 && s.serves(w) })
}

// tierWorkers is how many worker tokens a guild of a premium tier may use, as every
// galactus has it: free and bronze none, silver 1, gold 3, platinum 10, self-hosted
// 100; a number that is no tier counts as free.
func tierWorkers(tier int) int {
	table := [...]int{0, 0, 1, 3, 10, 100}
	if tier < 0 || tier >= len(table) {
		return 0
	}
	return table[tier]
}

// earliest is the earlier of two times, where the zero time means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
