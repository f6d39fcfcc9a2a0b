package scene

import (
	"encoding/json"
	"fmt"
	"strconv"

	"splashtail/internal/sandbox"
)

// Link says which member of the guild a player in the game is.
type Link struct {
	Name string
	User sandbox.ID
}

// game is what AutoMuteUs believes: pure, without I/O.
type game struct {
	phase   Phase
	players map[string]*player
	order   []string // of the links, the order in which members are asked for
	linked  bool
}

type player struct {
	user  sandbox.ID
	alive bool
	gone  bool
	asked voice // what was asked for last; only differences are sent
}

func newGame(links []Link) *game {
	g := &game{phase: Menu, players: map[string]*player{}}
	for _, l := range links {
		g.players[l.Name] = &player{user: l.User, alive: true}
		g.order = append(g.order, l.Name)
	}
	return g
}

// job is an element of the list in Redis. The payload is a string whatever the type is; a real AutoMuteUs dies on any other.
type job struct {
	Type    int    `json:"type"`
	Payload string `json:"payload"`
}

// The types of jobs.
const (
	jobConnection = 0
	jobLobby      = 1
	jobState      = 2
	jobPlayer     = 3
	jobGameOver   = 4
)

// parseJob reads an element as strictly as AutoMuteUs does.
func parseJob(raw string) (job, error) {
	var j struct {
		Type    *int    `json:"type"`
		Payload *string `json:"payload"`
	}
	if err := json.Unmarshal([]byte(raw), &j); err != nil {
		return job{}, fmt.Errorf("a job in Redis is not what AutoMuteUs can read: %w", err)
	}
	if j.Type == nil || j.Payload == nil {
		return job{}, fmt.Errorf("a job in Redis lacks type or payload: %.80q", raw)
	}
	return job{*j.Type, *j.Payload}, nil
}

// transition is a change of phase that may change voices.
type transition struct{ from, to Phase }

// take learns from a job. It gives a transition when the phase changed, and says when a player left who has to be freed.
func (g *game) take(j job) (t *transition, free bool, err error) {
	switch j.Type {
	case jobConnection:
		g.linked = j.Payload == "true"
	case jobState:
		n, err := strconv.Atoi(j.Payload)
		if err != nil {
			return nil, false, fmt.Errorf("a state is not a number: %w", err)
		}
		return g.enter(Phase(n)), false, nil
	case jobPlayer:
		free, err = g.player(j.Payload)
		return nil, free, err
	case jobLobby, jobGameOver:
	default:
		return nil, false, fmt.Errorf("a job of unknown type %d", j.Type)
	}
	return nil, false, nil
}

func (g *game) enter(p Phase) *transition {
	if p == g.phase {
		return nil
	}
	t := &transition{g.phase, p}
	g.phase = p
	if likeLobby(p) == Lobby || p == Menu {
		for _, m := range g.players {
			m.alive = true
		}
	}
	return t
}

func (g *game) player(payload string) (free bool, err error) {
	var e PlayerEvent
	if err := json.Unmarshal([]byte(payload), &e); err != nil {
		return false, fmt.Errorf("a player event is not an object: %w", err)
	}
	p := g.players[e.Name]
	if p == nil {
		return false, nil // not linked
	}
	switch e.Action {
	case Died, Exiled:
		p.alive = false
	case Left, Disconnected:
		p.gone = true
		return true, nil
	default:
		p.alive, p.gone = !e.IsDead, e.Disconnected
	}
	return false, nil
}

// wish is one member's wished voice state.
type wish struct {
	User sandbox.ID
	voice
}

// wishes gives what to ask for now: one list per call, the group that goes first in its own. It remembers them as asked for,
// before they are: a call that fails is not repeated, like in the real bot.
func (g *game) wishes(t transition) [][]wish {
	var now, later []wish
	for _, name := range g.order {
		p := g.players[name]
		v := voice{}
		if !p.gone {
			v = defaultRules(g.phase, p.alive)
		}
		if v == p.asked {
			continue
		}
		p.asked = v
		if first(t.from, t.to, p.alive) {
			now = append(now, wish{p.user, v})
		} else {
			later = append(later, wish{p.user, v})
		}
	}
	var calls [][]wish
	for _, group := range [][]wish{now, later} {
		if len(group) > 0 {
			calls = append(calls, group)
		}
	}
	return calls
}

// release gives the wishes that free everybody.
func (g *game) release() []wish {
	var all []wish
	for _, name := range g.order {
		if p := g.players[name]; p.asked != (voice{}) {
			p.asked = voice{}
			all = append(all, wish{p.user, voice{}})
		}
	}
	return all
}
