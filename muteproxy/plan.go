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
// AutoMuteUs' own requests; a capture client takes the least urgent wish that would
// else go to the primary token, since its round trip is the longest.
func plan(wants []*want, slots []slot) []pick {
	slices.SortFunc(wants, compareUrgency)
	slots = slices.Clone(slots)
	var picks []pick
	rest := assign(wants, slots, laneWorker, &picks)
	rest = assignCapture(rest, slots, &picks)
	assign(rest, slots, laneOfficial, &picks)
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

// assignCapture gives each free capture client one wish of its game: the least urgent
// of those that the primary token could serve now, or the next one after them.
func assignCapture(wants []*want, slots []slot, picks *[]pick) (rest []*want) {
	primary := 0
	for _, s := range slots {
		if s.kind == laneOfficial {
			primary += s.free
		}
	}
	rest = slices.Clone(wants)
	for _, s := range slots {
		if s.kind != laneCapture || s.free == 0 {
			continue
		}
		for i := min(primary, len(rest)-1); i >= 0; i-- {
			if !s.serves(rest[i]) {
				continue
			}
			*picks = append(*picks, pick{rest[i], s.id})
			rest = slices.Delete(rest, i, i+1)
			break
		}
	}
	return rest
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
