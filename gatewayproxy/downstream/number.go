package downstream

import "splashtail/bus"

// maxParts bounds how many sessions with Discord a bot's session may span and still be
// resumed from within each.
const maxParts = 8

// numbering gives the events of a session their numbers, the s of their frames; see
// bus.DownstreamSession for what they mean.
type numbering struct {
	single bool
	base   uint64
	burst  uint64
	parts  []bus.DownstreamPart
	turn   bus.DownstreamTurn // behind which places count, whatever was before
	high   uint64             // the highest number that was given, or that the bot has
	fresh  bool               // something of it, or of the session's order, is not stored
}

// of gives an event's number. Events of a session come in order; the first one of a new
// session with Discord begins a part, behind everything the bot has.
func (n *numbering) of(e *event) uint64 {
	if n.turn.Place > 0 && e.place > n.turn.Place {
		return n.note(e.place - n.turn.Place + n.turn.Number)
	}
	if !n.single {
		if e.place <= n.base {
			return 0
		}
		return n.note(e.place - n.base + n.burst)
	}
	for i := len(n.parts) - 1; i >= 0; i-- {
		if p := n.parts[i]; p.Session == e.session {
			if e.seq < p.From {
				return 0 // older than the part: the bot's snapshot has it
			}
			return n.note(p.Base + uint64(e.seq-p.From))
		}
	}
	p := bus.DownstreamPart{Session: e.session, From: e.seq, Base: max(n.high, n.burst) + 1}
	n.parts, n.fresh = append(n.parts, p), true
	if len(n.parts) > maxParts {
		n.parts = n.parts[1:]
	}
	return n.note(p.Base)
}

func (n *numbering) note(number uint64) uint64 {
	n.high = max(n.high, number)
	return number
}

// top is the number of everything that was scanned so far; it never falls.
func (n *numbering) top() uint64 { return max(n.high, n.burst) }

// known gives the number of an event of a part that has begun.
func (n *numbering) known(session string, seq int64) (uint64, bool) {
	for _, p := range n.parts {
		if p.Session == session && seq >= p.From {
			return p.Base + uint64(seq-p.From), true
		}
	}
	return 0, false
}
