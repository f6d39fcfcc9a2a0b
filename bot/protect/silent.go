package protect

import "time"

// Bounds of destruction that no audit-log entry explains.
const (
	silentCount  = 3                // so many channels and roles …
	silentWithin = time.Minute      // … within this time are told
	silentGrace  = 10 * time.Second // an entry may come so much later than what it explains
	silentAgain  = 10 * time.Minute // people are told of the same at most so often
	maxSilent    = 1000             // targets that are kept
)

// silent follows what disappears and what the audit log says about it, on the clock of
// whoever calls: entries and deletions are matched as they arrive, in either order.
type silent struct {
	gone      map[string]time.Time // without an entry so far
	explained map[string]time.Time // entries that came before what they explain
	lost      []time.Time          // when things went that nothing explained in time
	told      time.Time
}

func newSilent() *silent {
	return &silent{gone: map[string]time.Time{}, explained: map[string]time.Time{}}
}

// vanished takes a deletion.
func (s *silent) vanished(target string, now time.Time) {
	if _, ok := s.explained[target]; ok {
		delete(s.explained, target)
		return
	}
	if _, known := s.gone[target]; !known && len(s.gone) < maxSilent {
		s.gone[target] = now
	}
}

// explain takes an audit-log entry about a deletion.
func (s *silent) explain(target string, now time.Time) {
	if _, ok := s.gone[target]; ok {
		delete(s.gone, target)
		return
	}
	if len(s.explained) >= maxSilent {
		clear(s.explained) // they are for seconds
	}
	s.explained[target] = now
}

// due says how many things disappeared without a word within a minute, when that is worth
// telling; 0 otherwise.
func (s *silent) due(now time.Time) int {
	for target, at := range s.explained {
		if now.Sub(at) > silentGrace {
			delete(s.explained, target)
		}
	}
	for target, at := range s.gone {
		if now.Sub(at) >= silentGrace {
			delete(s.gone, target)
			s.lost = append(s.lost, at)
		}
	}
	kept := s.lost[:0]
	for _, at := range s.lost {
		if now.Sub(at) < silentWithin+silentGrace {
			kept = append(kept, at)
		}
	}
	s.lost = kept
	if len(s.lost) < silentCount || !s.told.IsZero() && now.Sub(s.told) < silentAgain {
		return 0
	}
	n := len(s.lost)
	s.lost, s.told = nil, now
	return n
}
