package muteproxy

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"splashtail/bus"
)

// table is a small case for the plan: what is wished and what is free.
type table struct {
	wants []*want
	slots []slot
}

func randomTable(r *rand.Rand) table {
	var tb table
	tier := r.IntN(7) - 1
	codes := []string{"AAAAAAAA", "BBBBBBBB", ""}[:1+r.IntN(3)]
	add := func(s slot) {
		s.id = len(tb.slots)
		tb.slots = append(tb.slots, s)
	}
	for i := range r.IntN(3) {
		add(slot{kind: laneWorker, free: r.IntN(3), rank: i})
	}
	for _, c := range codes {
		if c != "" && r.IntN(2) == 0 {
			add(slot{kind: laneCapture, free: r.IntN(2), code: c})
		}
	}
	if r.IntN(4) > 0 {
		add(slot{kind: laneOfficial, free: r.IntN(3)})
	}
	for i := range r.IntN(6) {
		w := &want{user: bus.UserID(i + 1), code: codes[r.IntN(len(codes))], tier: tier, rev: uint64(r.IntN(3)), tried: map[int]bool{}}
		w.state.Mute = r.IntN(2) == 0
		for _, s := range tb.slots {
			if s.kind == laneCapture && r.IntN(3) == 0 {
				w.tried[s.id] = true
			}
		}
		tb.wants = append(tb.wants, w)
	}
	return tb
}

// worth is what an assignment is judged by: first which wishes it serves, by urgency,
// then how few of them cost the primary token.
type worth struct {
	served   string // a digit per wish, the most urgent first
	official int
}

func (v worth) better(o worth) bool {
	return v.served > o.served || v.served == o.served && v.official < o.official
}

// best tries every assignment there is.
func (tb table) best() worth {
	wants := slices.Clone(tb.wants)
	slices.SortFunc(wants, compareUrgency)
	free := make([]int, len(tb.slots))
	for i, s := range tb.slots {
		free[i] = s.free
	}
	var best worth
	var try func(i int, v worth)
	try = func(i int, v worth) {
		if i == len(wants) {
			if v.better(best) || best.served == "" {
				best = v
			}
			return
		}
		try(i+1, worth{v.served + "0", v.official})
		for at, s := range tb.slots {
			if free[at] > 0 && s.serves(wants[i]) {
				free[at]--
				try(i+1, worth{v.served + "1", v.official + b2i(s.kind == laneOfficial)})
				free[at]++
			}
		}
	}
	try(0, worth{})
	return best
}

func TestPlanIsTheBestThereIs(t *testing.T) {
	for seed := range uint64(20_000) {
		planHolds(t, seed)
	}
}

// FuzzPlan is the same for as long as one likes.
func FuzzPlan(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(planHolds)
}

func planHolds(t *testing.T, seed uint64) {
	tb := randomTable(rand.New(rand.NewPCG(seed, 2)))
	best := tb.best()
	before := slices.Clone(tb.slots)
	picks := plan(tb.wants, tb.slots)
	if !slices.Equal(before, tb.slots) {
		t.Errorf("seed %d: the plan changed the lanes it was shown", seed)
	}
	lane := map[*want]int{}
	used := map[int]int{}
	var got worth
	for i, p := range picks {
		s := tb.slots[p.lane]
		if _, twice := lane[p.want]; twice || !s.serves(p.want) {
			t.Errorf("seed %d: pick %d is given to a lane that may not take it, or was given already", seed, i)
		}
		if i > 0 && compareUrgency(picks[i-1].want, p.want) > 0 {
			t.Errorf("seed %d: pick %d is more urgent than the one before it", seed, i)
		}
		lane[p.want] = p.lane
		used[p.lane]++
		got.official += b2i(s.kind == laneOfficial)
	}
	for _, s := range tb.slots {
		if used[s.id] > s.free {
			t.Errorf("seed %d: lane %d takes %d and has room for %d", seed, s.id, used[s.id], s.free)
		}
	}
	for _, w := range tb.wants { // the plan has put them into order
		_, ok := lane[w]
		got.served += fmt.Sprint(b2i(ok))
	}
	if got != best {
		t.Errorf("seed %d: %+v, and %+v is possible\n%+v", seed, got, best, tb.slots)
	}
}

func TestTheMostUrgentWish(t *testing.T) {
	unmute := &want{user: 9, rev: 8}
	older := &want{user: 7, rev: 1, state: bus.VoiceState{Mute: true}}
	newer := &want{user: 1, rev: 2, state: bus.VoiceState{Deaf: true}}
	wants := []*want{newer, older, unmute}
	slices.SortFunc(wants, compareUrgency)
	if wants[0] != unmute || wants[1] != older || wants[2] != newer {
		t.Errorf("%+v %+v %+v", *wants[0], *wants[1], *wants[2])
	}
}

func TestTierWorkers(t *testing.T) {
	for tier, workers := range map[int]int{-1: 0, 0: 0, 1: 0, 2: 1, 3: 3, 4: 10, 5: 100, 6: 0, 1 << 40: 0} {
		if got := tierWorkers(tier); got != workers {
			t.Errorf("tier %d: %d workers, want %d", tier, got, workers)
		}
	}
}

func TestEarliest(t *testing.T) {
	var never time.Time
	a, b := time.Unix(1, 0), time.Unix(2, 0)
	for _, c := range [][3]time.Time{{never, never, never}, {a, never, a}, {never, a, a}, {a, b, a}, {b, a, a}} {
		if got := earliest(c[0], c[1]); !got.Equal(c[2]) {
			t.Errorf("earliest of %v and %v is %v", c[0], c[1], got)
		}
	}
}
