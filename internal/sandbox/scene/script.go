package scene

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"splashtail/internal/sandbox"
)

// beat is one moment of a round: what the capture client sees, and whether voices change with it.
type beat struct {
	poll  Poll
	phase Phase // after it
	tells string
	// settles says that the phase changed: everybody's voice has to follow the rules.
	settles bool
	delay   time.Duration // AutoMuteUs' wait, unscaled
}

// round makes the script of one round: lobby, tasks with two deaths, a discussion that exiles one, tasks with another death,
// the end. Who is who changes from round to round.
func round(players []castPlayer, n int) []beat {
	w := &writer{players: players, dead: map[int]bool{}, turn: n - 1, phase: Menu}
	if n > 1 {
		w.phase = Ended
	}
	w.lobby(n)
	w.state(Tasks, Poll{}, "the round begins")
	w.die(1)
	w.die(2)
	w.state(Discussion, Poll{}, "a body is found")
	w.state(Tasks, Poll{Exiled: []PlayerEvent{w.kill(3, Exiled)}}, w.name(3)+" is voted out")
	w.die(0)
	w.state(Ended, Poll{}, "the round is over")
	return w.beats
}

// writer keeps what is true while the script is written.
type writer struct {
	players []castPlayer
	dead    map[int]bool
	turn    int // whose round it is: roles move on by one seat
	phase   Phase
	beats   []beat
}

func (w *writer) seat(i int) int { return (i + w.turn) % len(w.players) }

func (w *writer) name(i int) string { return w.players[w.seat(i)].name }

func (w *writer) event(seat int, a Action) PlayerEvent {
	p := w.players[seat]
	return PlayerEvent{Action: a, Name: p.name, IsDead: w.dead[seat], Color: p.color}
}

func (w *writer) kill(i int, a Action) PlayerEvent {
	w.dead[w.seat(i)] = true
	return w.event(w.seat(i), a)
}

// lobby is where a round starts. From the second round on it brings the result of the one before.
func (w *writer) lobby(n int) {
	p := Poll{Lobby: &LobbyEvent{LobbyCode: "SKELDX", Region: 2}}
	action, tells := Joined, "the lobby opens"
	if n > 1 {
		action, tells = ForceUpdated, "back in the lobby"
		over := &GameOverEvent{GameOverReason: 3}
		impostor := (4 + n - 2) % len(w.players) // the fifth seat of the round before never dies
		for i, pl := range w.players {
			over.PlayerInfos = append(over.PlayerInfos, PlayerInfo{Name: pl.name, IsImpostor: i == impostor})
		}
		p.GameOver = over
	}
	for i := range w.players {
		p.Players = append(p.Players, w.event(i, action))
	}
	w.state(Lobby, p, tells)
}

func (w *writer) state(to Phase, p Poll, tells string) {
	p.State = &to
	w.beats = append(w.beats, beat{poll: p, phase: to, tells: tells, settles: true, delay: defaultDelay(w.phase, to)})
	w.phase = to
}

func (w *writer) die(i int) {
	e := w.kill(i, Died)
	w.beats = append(w.beats, beat{poll: Poll{Players: []PlayerEvent{e}}, phase: w.phase, tells: e.Name + " dies"})
}

func (s *Scene) playRound(ctx context.Context, n int) error {
	before := s.cfg.Discord.Counts()
	sum := summary{start: time.Now()}
	dead := map[string]bool{}
	for _, b := range round(s.cast.players, n) {
		if err := s.playBeat(ctx, b, dead, &sum); err != nil {
			return err
		}
		if err := hold(ctx, s.cfg.Pace.Hold); err != nil {
			return err
		}
		// A late mute of an older wish would show up here.
		if who := s.wrong(b.phase, sum.heard); who != "" {
			return fmt.Errorf("after %s was over, %s", b.phase, who)
		}
	}
	after := s.cfg.Discord.Counts()
	s.tell.say(Step{Kind: StepSummary, Text: sum.tell(n, after, before), Latency: sum.worst, Members: len(s.cast.players)})
	return nil
}

// playBeat sends what happens and waits until every voice is right.
func (s *Scene) playBeat(ctx context.Context, b beat, dead map[string]bool, sum *summary) error {
	s.tell.say(Step{Kind: StepStory, Phase: b.phase, Text: b.tells})
	seq := s.cfg.Discord.LastVoiceChange()
	sent, err := s.capture.Send(ctx, b.poll)
	if err != nil {
		return err
	}
	for _, e := range append(append([]PlayerEvent{}, b.poll.Exiled...), b.poll.Players...) {
		dead[e.Name] = e.IsDead
	}
	if !b.settles {
		return nil
	}
	if b.phase == Ended || b.phase == Lobby {
		clear(dead)
	}
	sum.heard = map[string]bool{}
	for name, is := range dead {
		sum.heard[name] = is
	}
	wait := time.Duration(float64(b.delay) * s.cfg.Pace.Delay)
	limit, cancel := context.WithTimeout(ctx, wait+s.cfg.Pace.Settle)
	defer cancel()
	if err := s.cfg.Discord.Await(limit, func() bool { return s.wrong(b.phase, sum.heard) == "" }); err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%v after %s was sent, %s", wait+s.cfg.Pace.Settle, b.phase, s.wrong(b.phase, sum.heard))
	}
	step := Step{Kind: StepVoice, Phase: b.phase, Delay: wait}
	for _, c := range s.cfg.Discord.VoiceChanges(seq, 0) {
		if c.After.Guild == s.cast.guild {
			step.Members++
			step.Latency = c.At.Sub(sent)
		}
	}
	sum.count(step)
	s.tell.say(step)
	return nil
}

// wrong names a player whose voice is not what the rules say; empty when all is well.
func (s *Scene) wrong(p Phase, dead map[string]bool) string {
	states := map[sandbox.ID]sandbox.VoiceState{}
	for _, v := range s.cfg.Discord.VoiceStates(s.cast.guild) {
		states[v.User] = v
	}
	for _, pl := range s.cast.players {
		v, in := states[pl.user]
		want := defaultRules(p, !dead[pl.name])
		switch {
		case !in:
			return pl.name + " is not in voice"
		case v.Mute != want.mute || v.Deaf != want.deaf:
			return fmt.Sprintf("%s (dead: %v) has mute %v and deaf %v instead of %v and %v", pl.name, dead[pl.name], v.Mute, v.Deaf, want.mute, want.deaf)
		}
	}
	return ""
}

// hideURL takes the address out of an HTTP error: it has the connect code in it.
func hideURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
