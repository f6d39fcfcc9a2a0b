// Package scene plays rounds of Among Us against the sandbox: a capture client sends what happens in the game, a stand-in
// for AutoMuteUs asks for mutes, and the scene checks that every player's voice is what the rules say.
//
// What comes in: the addresses of a broker, a mute proxy and a Redis, and a sandbox with the bots that mute. What goes out:
// traffic as the real programs send it, a Step for everything worth telling, and an error when somebody ends up muted who
// should not be, or the other way round. It is the demonstration of `make run` and an end-to-end check at once.
//
// Read first: this file for the course of a scene, script.go for what happens in a round. Capture (capture.go, packet.go) is
// the client beside the game, AutoMuteUs (automuteus.go, game.go) is the bot; both speak only the wire and can be used apart.
package scene

import (
	"context"
	"errors"
	"fmt"
	"time"

	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// Config says where to play, with whom and how fast.
type Config struct {
	Discord *sandbox.Discord // running
	// Bots are the applications that the mute proxy uses, the primary first. The scene puts them into its guild with the
	// permission to mute and deafen.
	Bots []sandbox.Application

	BrokerURL   string // http://host:port of the broker
	GalactusURL string // http://host:port of the mute proxy
	RedisAddr   string // host:port
	RedisUser   string
	RedisPass   secret.Value

	// ConnectCode binds the capture client to the game; empty means DefaultConnectCode.
	ConnectCode string
	// Players is how many play, 5 to 15; zero means 10.
	Players int
	// CaptureBot gives the capture client a bot of its own that takes over some of the mutes.
	CaptureBot bool
	// Rounds is how many rounds are played; zero means until the context ends.
	Rounds int
	Pace   Pace
	// Narrate is told every step, one at a time; nil means nobody listens. It must not block for long.
	Narrate func(Step)
}

// DefaultConnectCode is the connect code of a scene that names none. AutoMuteUs makes 8 upper-case hexadecimal digits.
const DefaultConnectCode = "5CE7E001"

// Pace says how fast the scene goes.
type Pace struct {
	// Hold is how long a phase lasts after the voices are right.
	Hold time.Duration
	// Delay scales the time that AutoMuteUs waits before it changes voices, 7 s when tasks begin; 1 is as in real life.
	Delay float64
	// Settle is how long, after that wait, all voices may take until they are right; then the scene fails. Zero means 20 s.
	Settle time.Duration
	// Poll is the time from a connect of the capture client to its resending of the game; zero means 250 ms as in real life.
	Poll time.Duration
}

// Shown is the pace for somebody who watches: a round takes about half a minute, the first mute comes within five seconds.
func Shown() Pace { return Pace{Hold: 3 * time.Second, Delay: 0.1} }

// Fast is the pace for tests: nobody waits for anything but the voices.
func Fast() Pace { return Pace{Poll: time.Millisecond} }

// Scene is one guild with its players. Use New.
type Scene struct {
	cfg     Config
	cast    cast
	tell    *narrator
	capture *Capture
	amu     *AutoMuteUs
}

// New checks the configuration and puts a guild with players and bots into the sandbox. It connects to nothing.
func New(cfg Config) (*Scene, error) {
	if cfg.ConnectCode == "" {
		cfg.ConnectCode = DefaultConnectCode
	}
	if cfg.Players == 0 {
		cfg.Players = 10
	}
	if cfg.Pace.Settle == 0 {
		cfg.Pace.Settle = 20 * time.Second
	}
	var faults []error
	need := func(ok bool, what string) {
		if !ok {
			faults = append(faults, errors.New("scene: "+what+"; nothing was started"))
		}
	}
	need(cfg.Discord != nil, "a scene needs a sandbox")
	need(len(cfg.Bots) > 0, "a scene needs the bots that mute")
	need(len(cfg.ConnectCode) == 8, "a connect code has 8 characters")
	need(cfg.Players >= 5 && cfg.Players <= len(crew), fmt.Sprintf("5 to %d can play", len(crew)))
	need(cfg.BrokerURL != "" && cfg.GalactusURL != "" && cfg.RedisAddr != "", "a scene needs the addresses of broker, mute proxy and Redis")
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	s := &Scene{cfg: cfg, tell: &narrator{to: cfg.Narrate}}
	if err := s.assemble(); err != nil {
		return nil, err
	}
	return s, nil
}

// assemble makes cast, capture client and bot.
func (s *Scene) assemble() error {
	var err error
	if s.cast, err = newCast(s.cfg); err != nil {
		return err
	}
	s.capture, err = NewCapture(CaptureConfig{
		BrokerURL: s.cfg.BrokerURL, Code: s.cfg.ConnectCode, Poll: s.cfg.Pace.Poll, Bot: s.cast.captureBot,
		Sent: func(event, arg string) { s.tell.say(Step{Kind: StepCapture, Text: tellEvent(event, arg)}) },
		Task: func(ok bool, took time.Duration) {
			s.tell.say(Step{Kind: StepTask, Text: tellTask(ok), Latency: took})
		},
	})
	if err != nil {
		return err
	}
	s.amu, err = NewAutoMuteUs(AutoMuteUsConfig{
		RedisAddr: s.cfg.RedisAddr, RedisUser: s.cfg.RedisUser, RedisPass: s.cfg.RedisPass,
		GalactusURL: s.cfg.GalactusURL, Guild: s.cast.guild, Code: s.cfg.ConnectCode,
		Links: s.cast.links(), Delay: s.cfg.Pace.Delay,
		Modified: func(m Modified) {
			s.tell.say(Step{Kind: StepModify, Text: m.String(), Members: m.Users, Latency: m.Took})
		},
	})
	return err
}

// Guild is the guild that the scene plays in.
func (s *Scene) Guild() sandbox.ID { return s.cast.guild }

// Channel is the voice channel in it.
func (s *Scene) Channel() sandbox.ID { return s.cast.channel }

// Players lists the members who play.
func (s *Scene) Players() []sandbox.ID {
	ids := make([]sandbox.ID, 0, len(s.cast.players))
	for _, p := range s.cast.players {
		ids = append(ids, p.user)
	}
	return ids
}

// Run plays until the rounds are over or ctx ends, which are both nil. At the end AutoMuteUs frees everybody and the capture
// client says goodbye. An error says which expectation failed or which of the two lost its connection for good.
func (s *Scene) Run(ctx context.Context) error {
	parts, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := make(chan struct{}, 2)
	start := func(name string, run func(context.Context) error) {
		go func() {
			defer func() { ended <- struct{}{} }()
			if err := run(parts); err != nil {
				cancel(fmt.Errorf("scene: %s: %w", name, err))
			}
		}()
	}
	start("AutoMuteUs", s.amu.Run)
	err := waitFor(parts, s.amu.Ready())
	if err == nil {
		start("capture client", s.capture.Run)
		err = s.play(parts)
	} else {
		ended <- struct{}{}
	}
	// A part that failed is the reason of what failed after it.
	if cause := context.Cause(parts); cause != nil && ctx.Err() == nil {
		err = cause
	}
	cancel(nil)
	<-ended
	<-ended
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Scene) play(ctx context.Context) error {
	if err := waitFor(ctx, s.amu.Linked()); err != nil {
		return err
	}
	s.tell.say(Step{Kind: StepLink, Text: "the capture client is linked to the game"})
	for round := 1; s.cfg.Rounds == 0 || round <= s.cfg.Rounds; round++ {
		s.tell.setRound(round)
		if err := s.playRound(ctx, round); err != nil {
			return err
		}
	}
	return nil
}

func waitFor(ctx context.Context, happened <-chan struct{}) error {
	select {
	case <-happened:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// hold waits without a sleep; zero does not wait.
func hold(ctx context.Context, how time.Duration) error {
	if how <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(how)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
