package discord

import "time"

// Discord bans an address for about an hour that got 10,000 answers 401, 403 or 429 in
// ten minutes, and a ban stops everything. These are our own steps before that.
const (
	invalidLimit  = 10_000
	invalidPeriod = 10 * time.Minute
	invalidSlots  = 60
	invalidSlot   = invalidPeriod / invalidSlots
)

// alarm is how near the ban is.
type alarm int

const (
	alarmNone   alarm = iota
	alarmHalf         // from 50 %: what was forbidden lately is not asked again
	alarmHigh         // from 80 %: only interactions and urgent requests go
	alarmClosed       // from 95 %: nothing goes
)

// invalidCount counts such answers over the last ten minutes, in slots of ten seconds.
// It is rounded up: the oldest slot counts whole.
type invalidCount struct {
	limit int // zero: invalidLimit
	slots [invalidSlots + 1]int
	at    int64 // number of the newest slot since the Unix epoch
	sum   int
}

// turn drops the slots that are too old.
func (c *invalidCount) turn(now time.Time) {
	at := now.UnixNano() / int64(invalidSlot)
	steps := min(at-c.at, int64(len(c.slots)))
	for i := int64(1); i <= steps; i++ {
		slot := &c.slots[(c.at+i)%int64(len(c.slots))]
		c.sum -= *slot
		*slot = 0
	}
	if steps >= int64(len(c.slots)) {
		c.slots, c.sum = [invalidSlots + 1]int{}, 0
	}
	c.at = max(c.at, at)
}

// add counts one answer.
func (c *invalidCount) add(now time.Time) {
	c.turn(now)
	c.slots[c.at%int64(len(c.slots))]++
	c.sum++
}

// alarm tells how near the ban is.
func (c *invalidCount) alarm(now time.Time) alarm {
	c.turn(now)
	limit := c.limit
	if limit == 0 {
		limit = invalidLimit
	}
	switch {
	case c.sum*100 >= limit*95:
		return alarmClosed
	case c.sum*100 >= limit*80:
		return alarmHigh
	case c.sum*100 >= limit*50:
		return alarmHalf
	}
	return alarmNone
}

// relief tells when the oldest counted answers are forgotten, which is the earliest
// time at which an alarm can end.
func (c *invalidCount) relief(now time.Time) time.Time {
	for i := int64(1); i <= int64(len(c.slots)); i++ {
		if n := (c.at + i) % int64(len(c.slots)); c.slots[n] > 0 {
			return time.Unix(0, (c.at+i)*int64(invalidSlot))
		}
	}
	return now
}
