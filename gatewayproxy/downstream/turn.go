package downstream

import (
	"context"
	"encoding/json"

	"splashtail/bus"
	"splashtail/internal/guilds"
)

// A turn is where our number of shards with Discord changed, as a place in the stream.
// Bots keep the shards that they count themselves, and their sessions: behind the place
// only the rules differ by which an event belongs to a bot's shard, and has its number.

// turn is one such place.
type turn struct {
	place    uint64
	from, to int
	sessions map[string]bool // the new ones, whose READY is still to come
	quiet    []uint64        // places of those READYs
	through  uint64          // of the last of them; 0: some are still to come
}

// maxTurns bounds how many are remembered; the stream is not older than an hour.
const maxTurns = 16

// turnsBefore gives the turns that are in the stream already.
func turnsBefore(ctx context.Context, b *bus.Bus, info bus.StreamInfo) ([]turn, error) {
	plans, err := bus.OpenRecords(ctx, b, bus.ShardPlans())
	if err != nil {
		return nil, err
	}
	plan, err := plans.Get(ctx, bus.ShardPlanKey)
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []turn
	for _, t := range plan.Value.Turns {
		if t.Epoch != info.Epoch || t.Place == 0 || t.Place > info.Last {
			continue
		}
		known := turn{place: t.Place, from: t.From, to: t.To, through: t.Through}
		for p := t.Place + 1; p <= t.Through; p++ {
			known.quiet = append(known.quiet, p)
		}
		all = append(all, known)
	}
	return all, nil
}

// turnAt notes a turn, and sorts the guilds that bots know of anew. The lock is held.
func (t *tail) turnAt(e *event) {
	var d bus.ShardsChanged
	if json.Unmarshal(e.d, &d) != nil || d.To < 1 {
		return
	}
	n := turn{place: e.place, from: d.From, to: d.To, sessions: map[string]bool{}}
	for _, s := range d.Sessions {
		n.sessions[s] = true
	}
	if len(t.turns) > 0 && t.turns[len(t.turns)-1].to == d.To {
		n.from = d.To // the same once more: a process died between the turn and its record
	}
	t.turns = append(t.turns, n)
	t.turns = t.turns[max(0, len(t.turns)-maxTurns):]
	all := t.known
	t.known = map[int]map[bus.GuildID]bool{}
	for shard := range all {
		for id := range all[shard] {
			k := guilds.ShardOf(id, d.To)
			if t.known[k] == nil {
				t.known[k] = map[bus.GuildID]bool{}
			}
			t.known[k][id] = true
		}
	}
}

// greets says whether an event is the READY of a session that took over. The lock is held.
func (t *tail) greets(e *event) bool {
	if e.name != "READY" || len(t.turns) == 0 {
		return false
	}
	last := &t.turns[len(t.turns)-1]
	if !last.sessions[e.session] {
		return false
	}
	delete(last.sessions, e.session)
	last.quiet = append(last.quiet, e.place)
	if len(last.sessions) == 0 {
		last.through = e.place
	}
	return true
}

// quiet says whether a place has such a READY.
func (t *tail) quiet(place uint64) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, n := range t.turns {
		for _, p := range n.quiet {
			if p == place {
				return true
			}
		}
	}
	return false
}

// turnsBetween gives the turns behind one place and before another.
func (t *tail) turnsBetween(after, before uint64) []turn {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var some []turn
	for _, n := range t.turns {
		if n.place > after && n.place < before {
			some = append(some, n)
		}
	}
	return some
}

// countAt is how many shards the events at a place come from; otherwise when no turn is
// known.
func (t *tail) countAt(place uint64, otherwise int) int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if len(t.turns) == 0 {
		return otherwise
	}
	count := t.turns[0].from
	for _, n := range t.turns {
		if n.place <= place {
			count = n.to
		}
	}
	return count
}

// turning says whether a place is in the middle of a turn: what the shards have is known
// behind the READYs of the new sessions.
func (t *tail) turning(place uint64) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	for _, n := range t.turns {
		if place >= n.place && (n.through == 0 || place < n.through) {
			return true
		}
	}
	return false
}

// await returns when the stream was seen up to a place, or ctx's error.
func (t *tail) await(ctx context.Context, place uint64) error {
	for {
		t.mu.RLock()
		seen, news := t.scanned >= place, t.news
		t.mu.RUnlock()
		if seen {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// shards is how many shards we have behind the newest event that was seen.
func (s *Server) shards(ctx context.Context) (int, error) {
	if n := s.tail.countAt(^uint64(0), int(s.counted.Load())); n > 0 {
		return n, nil
	}
	n, err := s.cfg.Shards(ctx)
	if err == nil {
		s.counted.CompareAndSwap(0, int64(n))
	}
	return n, err
}

// cross takes a turn in.
func (sess *session) cross(t turn) {
	sess.crossed, sess.view.turned, sess.view.upstream = t.place, true, t.to
	if sess.num.single && sess.num.turn.Place == 0 {
		sess.num.turn, sess.num.fresh = bus.DownstreamTurn{Place: t.place, Number: sess.num.top()}, true
	}
}
