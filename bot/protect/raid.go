package protect

import (
	"slices"
	"time"
)

// Bounds of a raid, in joins per minute.
const (
	raidTimes   = 10 // times what is usual in the guild …
	raidAtLeast = 5  // … and never fewer
	calmTimes   = 2  // a raid is over near what is usual …
	calmAtMost  = 2  // … or at so few, whatever is usual
)

// calmFor is how long it must stay calm before a raid is over: with invites off nobody
// can join, so that the first quiet minute says nothing.
const calmFor = 5 * time.Minute

// Bounds of what joins keep.
const (
	baseline  = 24 * 60 // minutes
	maxRecent = 5000    // joins within a minute; more are a raid all the same
	maxKnown  = 8192    // ids, against counting one join twice
)

// joins follows how fast a guild grows: pure computation on the times of joins, the same
// whenever they arrive. What is usual is the mean of the trailing 24 hours, without the
// last minute and without raids.
type joins struct {
	now     time.Time // the latest that is known
	recent  []time.Time
	minutes [baseline]uint16 // joins per minute before the last one, see at
	sum     int
	known   map[uint64]struct{}
	line    []uint64 // known as a ring
	next    int

	floor float64 // joins per minute that are no raid in a guild of this size
	raid  *raid   // nil: there is none
}

// raid is one that goes on.
type raid struct {
	began time.Time
	usual float64 // joins per minute, when it began
	count int     // joins so far
	busy  time.Time
}

func newJoins() *joins { return &joins{known: map[uint64]struct{}{}} }

// add takes a join and says whether a raid began with it.
func (j *joins) add(id uint64, at time.Time) (began bool) {
	if !j.isNew(id) {
		return false
	}
	j.move(at)
	if j.now.Sub(at) >= time.Minute {
		j.settle(at) // it came late
		return false
	}
	i, _ := slices.BinarySearchFunc(j.recent, at, time.Time.Compare)
	j.recent = slices.Insert(j.recent, i, at)
	if len(j.recent) > maxRecent {
		j.recent = slices.Delete(j.recent, 0, 1)
	}
	rate, usual := float64(len(j.recent)), j.usual()
	if j.raid == nil {
		if rate < max(raidTimes*usual, raidAtLeast, j.floor) {
			return false
		}
		j.raid = &raid{began: at, usual: usual, count: len(j.recent), busy: at}
		return true
	}
	j.raid.count++
	if rate > max(calmTimes*j.raid.usual, calmAtMost) {
		j.raid.busy = at
	}
	return false
}

// isNew remembers an id and says whether it was new.
func (j *joins) isNew(id uint64) bool {
	if _, known := j.known[id]; known {
		return false
	}
	j.known[id] = struct{}{}
	if len(j.line) < maxKnown {
		j.line = append(j.line, id)
		return true
	}
	delete(j.known, j.line[j.next])
	j.line[j.next] = id
	j.next = (j.next + 1) % maxKnown
	return true
}

// over says whether the raid has ended at an instant, and ends it.
func (j *joins) over(now time.Time) (raid, bool) {
	if j.raid == nil || now.Before(j.raid.busy.Add(time.Minute+calmFor)) {
		return raid{}, false
	}
	ended := *j.raid
	j.raid = nil
	j.recent = j.recent[:0] // they were the raid's
	return ended, true
}

// pardon takes a raid back: so many joins per minute are nothing for a guild of its size.
// Without it, a large guild that the bot does not know for a day yet would always be one.
func (j *joins) pardon(floor float64) { j.floor, j.raid = floor, nil }

// move lets time pass: joins leave the last minute, minutes leave the last day, and a raid
// that nobody followed ends.
func (j *joins) move(at time.Time) {
	if !at.After(j.now) {
		return
	}
	j.over(at)
	from, to := minute(j.now), minute(at)
	for m := max(from+1, to-baseline+1); m <= to; m++ {
		slot := j.at(m)
		j.sum -= int(*slot)
		*slot = 0
	}
	j.now = at
	n := 0
	for n < len(j.recent) && at.Sub(j.recent[n]) >= time.Minute {
		if j.raid == nil {
			j.settle(j.recent[n])
		}
		n++
	}
	j.recent = slices.Delete(j.recent, 0, n)
}

// settle counts a join as usual.
func (j *joins) settle(at time.Time) {
	m := minute(at)
	if now := minute(j.now); m > now || m <= now-baseline {
		return
	}
	if slot := j.at(m); *slot < ^uint16(0) {
		*slot++
		j.sum++
	}
}

// usual is the mean of joins per minute.
func (j *joins) usual() float64 { return float64(j.sum) / baseline }

func minute(at time.Time) int64 { return at.Unix() / 60 }

func (j *joins) at(minute int64) *uint16 { return &j.minutes[(minute%baseline+baseline)%baseline] }
