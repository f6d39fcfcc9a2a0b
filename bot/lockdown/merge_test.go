package lockdown

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"splashtail/bus"
)

// target is one role or overwrite under test, with what is true of it: how each bit would
// be if there had never been a lock.
type target struct {
	now, truth state
	shut       state
	record     []byte // the hold as it was last written
	locks      map[string]int64
	edited     map[string]int64 // by lock, the bits that somebody changed since then
	mixed      bool             // somebody wrote to an overwrite that was not there before the locks
}

func (x *target) hold() *bus.Hold {
	h := &bus.Hold{}
	if err := json.Unmarshal(x.record, h); err != nil {
		panic(err)
	}
	return h
}

func (x *target) write(h *bus.Hold) {
	var err error
	if x.record, err = json.Marshal(h); err != nil {
		panic(err)
	}
}

// close works as the keeper does: the record first, then Discord. It may die before,
// between or after, and is done again then.
func (x *target) close(r *rand.Rand, lock string, bits int64) {
	x.locks[lock] = bits
	for {
		h := x.hold()
		next := closeTo(h, lock, bits, x.now, x.shut)
		x.write(h)
		if r.IntN(4) == 0 {
			if r.IntN(2) == 0 {
				x.edit(r)
			}
			continue // dead before the call
		}
		x.now = next
		if r.IntN(4) != 0 {
			return
		}
	}
}

// open works as the keeper does: Discord first, then the record.
func (x *target) open(r *rand.Rand, lock string) {
	for {
		h := x.hold()
		if r.IntN(4) == 0 {
			continue // dead before the call
		}
		x.now = openTo(h, lock, x.now, x.shut)
		if r.IntN(4) == 0 {
			continue // dead before the record
		}
		x.write(h)
		break
	}
	delete(x.locks, lock)
	delete(x.edited, lock)
}

const testBits = int64(0b111111)

// edit is somebody's change of one bit. Once a bit was changed under a lock, nobody sets
// it to exactly what a lock would: that could not be told from the lock.
func (x *target) edit(r *rand.Rand) {
	if !x.now.exists && r.IntN(2) == 0 {
		return
	}
	bit := int64(1) << r.IntN(6)
	v := []state{{true, 0, 0}, {true, bit, 0}, {true, 0, bit}}[r.IntN(3)]
	if v.differs(bit, x.shut) == 0 && len(x.locks) > 0 {
		return
	}
	if x.now.differs(bit, v) == 0 {
		return
	}
	if !x.truth.exists {
		x.mixed = true
	}
	x.now = x.now.set(bit, v)
	x.truth = x.truth.set(bit, v)
	x.now.exists, x.truth.exists = true, true
	for name := range x.locks {
		x.edited[name] |= bit
	}
}

// TestMerge: whatever is locked, lifted and edited in whatever order, with crashes at any
// point, in the end every bit is as if there had been no lock, and while locks are in
// force what nobody edited is shut.
func TestMerge(t *testing.T) {
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 7))
		x := newTarget(r)
		start := x.now
		var story []string
		for range 4 + r.IntN(30) {
			switch n := r.IntN(6); {
			case n < 2 && len(x.locks) < 4:
				name := fmt.Sprint("l", r.IntN(5))
				bits := r.Int64() & testBits
				story = append(story, fmt.Sprintf("close %s %06b", name, bits))
				x.edited[name] &^= bits
				x.close(r, name, bits|x.locks[name])
			case n < 4 && len(x.locks) > 0:
				all := slices.Sorted(maps.Keys(x.locks))
				name := all[r.IntN(len(all))]
				story = append(story, "open "+name)
				x.open(r, name)
			default:
				x.edit(r)
				story = append(story, fmt.Sprintf("edit to %+v", x.now))
			}
			x.checkShut(t, seed, story)
		}
		rest := slices.Collect(maps.Keys(x.locks))
		r.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		for _, name := range rest {
			x.open(r, name)
		}
		if x.now.differs(^0, x.truth) != 0 || !x.mixed && x.now.exists != x.truth.exists {
			t.Fatalf("seed %d: from %+v: is %+v, want %+v\n%v", seed, start, x.now, x.truth, story)
		}
		if h := x.hold(); len(h.By) != 0 {
			t.Fatalf("seed %d: %+v is still held", seed, h)
		}
	}
}

func newTarget(r *rand.Rand) *target {
	x := &target{record: []byte("{}"), locks: map[string]int64{}, edited: map[string]int64{}}
	x.shut = shut("1", []bus.LockTarget{{ID: "1"}, {Channel: "2", ID: "1"}, {Channel: "2", ID: "3"}, {Channel: "2", ID: "4", Member: true}}[r.IntN(4)])
	if r.IntN(3) > 0 {
		x.now = state{true, r.Int64() & testBits, 0}
		x.now.deny = r.Int64() & testBits &^ x.now.allow
	}
	x.truth = x.now
	return x
}

// checkShut holds every bit that a lock wanted and nobody edited against what a lock makes
// of it. An overwrite that is not there grants nothing and counts as shut where shut means
// just that.
func (x *target) checkShut(t *testing.T, seed uint64, story []string) {
	t.Helper()
	for name, bits := range x.locks {
		if d := x.now.differs(bits&^x.edited[name], x.shut); d != 0 {
			t.Fatalf("seed %d: %s does not hold %06b of %+v\n%v", seed, name, d, x.now, story)
		}
	}
}

// TestDiffers: bit by bit, of all pairs of what a permission can be.
func TestDiffers(t *testing.T) {
	kinds := []state{{true, 0, 0}, {true, 4, 0}, {true, 0, 4}}
	for i, a := range kinds {
		for j, b := range kinds {
			if got := a.differs(4, b) != 0; got != (i != j) {
				t.Errorf("%+v and %+v differ: %t", a, b, got)
			}
		}
	}
}

// TestRemovedIsAChange: an overwrite or what is in it that somebody removed does not come
// back with a lift, and one that we made and somebody added to stays.
func TestRemovedIsAChange(t *testing.T) {
	everyone := shut("1", bus.LockTarget{Channel: "2", ID: "1"})
	other := shut("1", bus.LockTarget{Channel: "2", ID: "3"})
	for name, c := range map[string]struct {
		before state
		shut   state
		change func(state) state
		want   state
	}{
		"nobody touched what we made": {state{}, everyone, func(s state) state { return s }, state{}},
		"what we made was removed":    {state{}, everyone, func(state) state { return state{} }, state{}},
		"what we made was added to":   {state{}, everyone, func(s state) state { s.allow |= 8; return s }, state{true, 8, 0}},
		"what was there was removed":  {state{true, 3, 0}, other, func(state) state { return state{} }, state{}},
		"an empty one stays":          {state{true, 0, 0}, everyone, func(s state) state { return s }, state{true, 0, 0}},
	} {
		h := &bus.Hold{}
		now := closeTo(h, "a", 3, c.before, c.shut)
		if got := openTo(h, "a", c.change(now), c.shut); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
