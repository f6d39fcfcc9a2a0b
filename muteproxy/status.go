package muteproxy

import (
	"context"
	"time"
)

// status is what the component answers on ctl.muteproxy.status.
type status struct {
	Addr    string                 `json:"addr"`
	Workers int                    `json:"workers"`
	Members int                    `json:"members"` // with a record
	Owed    int                    `json:"owed"`    // unmutes that wait for their member
	Guilds  map[string]guildStatus `json:"guilds"`  // that are being worked for
}

type guildStatus struct {
	Open     int          `json:"open"`
	InFlight int          `json:"in_flight"`
	Lanes    []laneStatus `json:"lanes"`
}

type laneStatus struct {
	Kind   string    `json:"kind"`
	Token  string    `json:"token,omitempty"` // first 8 digits of its SHA-256
	Free   int       `json:"free"`
	Limit  int       `json:"limit,omitempty"` // per window, once Discord told
	Out    time.Time `json:"out_until,omitzero"`
	Reason string    `json:"reason,omitempty"`
}

// maxStatusGuilds bounds a status answer.
const maxStatusGuilds = 100

func (m *Muteproxy) status(context.Context) (ready bool, details any) {
	s := status{Addr: m.Addr(), Workers: m.tokens.count() - 1, Guilds: map[string]guildStatus{}}
	select {
	case <-m.ready:
		ready = true
	default:
	}
	m.mu.Lock()
	w := m.wishes
	m.mu.Unlock()
	if w == nil {
		return ready, s
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Members, s.Owed = len(w.known), len(w.owed)
	for id, g := range w.guilds {
		if seen := g.seen.Load(); seen != nil && len(s.Guilds) < maxStatusGuilds {
			s.Guilds[id.String()] = *seen
		}
	}
	return ready, s
}

// publishStatus lets a status request see the guild without asking its goroutine.
func (g *guild) publishStatus(now time.Time) {
	s := guildStatus{InFlight: g.inFlight}
	for _, m := range g.members {
		if m.open() {
			s.Open++
		}
	}
	for _, l := range g.lanes {
		ls := laneStatus{Kind: l.kind.String(), Free: l.free(now), Reason: l.reason}
		if l.token != nil {
			ls.Token, ls.Limit = l.token.name(), l.window.Limit()
		}
		if now.Before(l.out) {
			ls.Out = l.out
		}
		s.Lanes = append(s.Lanes, ls)
	}
	g.seen.Store(&s)
}
