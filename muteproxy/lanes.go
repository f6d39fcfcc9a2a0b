package muteproxy

import (
	"time"

	"splashtail/bus"
)

// lane gives a lane by its id. Lanes of tokens are never removed, and one of a capture
// client not while it works, so the lane of a call exists.
func (g *guild) lane(id int) *lane {
	for _, l := range g.lanes {
		if l.id == id {
			return l
		}
	}
	return nil
}

func (g *guild) addLane(l *lane) {
	l.id = g.nextLane
	g.nextLane++
	g.lanes = append(g.lanes, l)
}

// refreshLanes makes the lanes follow the tokens that are known and the games that
// have open wishes.
func (g *guild) refreshLanes(now time.Time) {
	all := g.w.m.tokens
	if g.tokens != all.changes() {
		var workers []*token
		workers, g.tokens = all.list()
		cold := g.w.m.cfg.coldStart()
		for _, t := range workerOrder(g.id, workers) {
			if !g.hasToken(t) {
				g.addLane(&lane{kind: laneWorker, token: t, window: t.window(cold)})
			}
		}
		if !g.hasToken(all.primary) {
			g.addLane(&lane{kind: laneOfficial, token: all.primary, window: all.primary.window(cold)})
		}
	}
	g.refreshCaptureLanes(now)
}

func (g *guild) hasToken(t *token) bool {
	for _, l := range g.lanes {
		if l.token == t {
			return true
		}
	}
	return false
}

func (g *guild) refreshCaptureLanes(now time.Time) {
	codes := map[string]bool{}
	for _, m := range g.members {
		if m.open() {
			codes[m.entry.Value.Wish.Code] = true
		}
	}
	kept := g.lanes[:0]
	for _, l := range g.lanes {
		if l.kind != laneCapture || codes[l.code] || l.busy || now.Before(l.out) || now.Before(l.next) {
			kept = append(kept, l)
			delete(codes, l.code)
		}
	}
	g.lanes = kept
	for code := range codes {
		// Old bots may send any text here; only a real connect code has a client.
		if call, err := bus.ParseConnectCode(code); err == nil {
			g.addLane(&lane{kind: laneCapture, code: code, call: call})
		}
	}
}

// slots shows the lanes to the plan with what they take now.
func (g *guild) slots(now time.Time) []slot {
	rank := g.ranks(now)
	slots := make([]slot, 0, len(g.lanes))
	for _, l := range g.lanes {
		s := slot{id: l.id, kind: l.kind, code: l.code, free: l.free(now)}
		if l.kind == laneWorker {
			r, ranked := rank[l.token]
			if !ranked {
				r = maxTokens
			}
			s.rank = r
		}
		slots = append(slots, s)
	}
	return slots
}

// ranks puts the workers into the guild's own order. One that rests or is no good has no
// rank, so that the next one takes its place in the tier.
func (g *guild) ranks(now time.Time) map[*token]int {
	var workers []*token
	for _, l := range g.lanes {
		if l.kind == laneWorker && !now.Before(l.out) && !l.token.gone() {
			workers = append(workers, l.token)
		}
	}
	rank := map[*token]int{}
	for i, t := range workerOrder(g.id, workers) {
		rank[t] = i
	}
	return rank
}
