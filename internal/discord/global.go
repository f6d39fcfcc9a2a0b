package discord

import "time"

// globalBudget is the limit of one token over all routes: so many requests in any
// second. Discord's second opens with a request that arrives at a time we do not know,
// somewhere between its sending and its answer. So a request holds its place from when
// it is sent until a second after its answer: then no two requests that could fall
// into one second of Discord's exceed the limit together.
type globalBudget struct {
	limit   int
	places  []*place
	full    int       // how many places there may be before those that are over are dropped
	blocked time.Time // after a global 429
	pressed time.Time // when somebody was last in a hurry
}

// place is one request's share of the budget.
type place struct{ until time.Time }

const (
	globalPeriod = time.Second
	// lateArrival is how long a request may take to arrive; after that it holds no
	// place any more even if no answer came, so that a silent Discord does not stop
	// everything for minutes.
	lateArrival = 3 * time.Second
)

// hurry is how long after an urgent request room is kept free for the next ones: a game or an attack has many.
const hurry = time.Minute

// share is the part of the budget in percent that a class may fill, so that a backup at full speed leaves room at once for
// a ban. While nobody is in a hurry it leaves a little only: what is more urgent goes first in any case, and waits for one
// place at most.
func (g *globalBudget) share(c Class, now time.Time) int {
	switch {
	case c == ClassBackup && now.Sub(g.pressed) < hurry:
		return 70
	case c == ClassBackup:
		return 96
	case c == ClassMessage:
		return 90
	}
	return 100
}

// free says whether a request of a class may go now.
func (g *globalBudget) free(c Class, now time.Time) bool {
	if now.Before(g.blocked) {
		return false
	}
	if len(g.places) < g.most(c, now) {
		return true // whether some of these are over already does not matter
	}
	g.drop(now)
	return len(g.places) < g.most(c, now)
}

func (g *globalBudget) most(c Class, now time.Time) int {
	return max(1, g.limit*g.share(c, now)/100)
}

// next is when free becomes true for a class, if nothing is sent before.
func (g *globalBudget) next(c Class, now time.Time) time.Time {
	if now.Before(g.blocked) {
		return g.blocked
	}
	g.drop(now)
	over := len(g.places) - g.most(c, now) + 1
	if over <= 0 {
		return now
	}
	// The over-th place to be given back decides; there are few places.
	var at time.Time
	for range over {
		var least time.Time
		for _, p := range g.places {
			if p.until.After(at) && (least.IsZero() || p.until.Before(least)) {
				least = p.until
			}
		}
		if least.IsZero() {
			break // equal times were passed over together
		}
		at = least
	}
	return at
}

// take gives a request of a class its place.
func (g *globalBudget) take(c Class, now time.Time) *place {
	if c <= ClassUrgent {
		g.pressed = now
	}
	if len(g.places) >= g.full {
		g.drop(now)
		g.full = 2*len(g.places) + 64
	}
	p := &place{until: now.Add(lateArrival)}
	g.places = append(g.places, p)
	return p
}

// answered shortens a place to a second from now.
func (g *globalBudget) answered(p *place, now time.Time) {
	if end := now.Add(globalPeriod + slack); p != nil && end.Before(p.until) {
		p.until = end
	}
}

// block keeps everything back after a global 429.
func (g *globalBudget) block(until time.Time) {
	if until.After(g.blocked) {
		g.blocked = until
	}
}

func (g *globalBudget) drop(now time.Time) {
	kept := g.places[:0]
	for _, p := range g.places {
		if now.Before(p.until) {
			kept = append(kept, p)
		}
	}
	clear(g.places[len(kept):])
	g.places = kept
}
