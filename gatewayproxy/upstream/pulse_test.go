package upstream

import (
	"context"
	"testing"
	"time"

	"splashtail/internal/sandbox"
)

// TestAHeartbeatIsGivenTimeForItsAnswer: one that Discord or a proof asked for just before
// the next is due is not taken for one that nobody answers.
func TestAHeartbeatIsGivenTimeForItsAnswer(t *testing.T) {
	const interval = 40 * time.Second
	now := time.Now()
	for _, c := range []struct {
		name      string
		sent      time.Duration // before now; 0: none is open
		lastFrame time.Duration
		dead      bool
		cause     cause
	}{
		{"nothing is open", 0, time.Second, false, 0},
		{"asked for a moment ago", 10 * time.Millisecond, time.Second, false, 0},
		{"open since the last pulse, and nothing came", interval - time.Millisecond, interval, true, causeSilent},
		{"open since the last pulse, and events come", interval - time.Millisecond, time.Second, true, causeZombie},
		{"nothing came for two intervals", 0, 2 * interval, true, causeSilent},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &link{interval: interval, lastFrame: now.Add(-c.lastFrame)}
			if c.sent > 0 {
				l.beatSent = now.Add(-c.sent)
			}
			if cause, dead := l.dead(now); dead != c.dead || cause != c.cause {
				t.Errorf("dead %v, cause %v", dead, cause)
			}
		})
	}
}

// TestAProofComesBehindWhatIsStored: and none is given while the stream takes nothing.
func TestAProofComesBehindWhatIsStored(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{})
	u := w.start(w.config())
	w.live(u)
	u.mu.Lock()
	s := u.held[0]
	u.mu.Unlock()
	if err := s.prove(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range cap(u.slots) {
		u.slots <- struct{}{}
	}
	w.write(1, 1, 0)()
	ctx, cancel := context.WithCancel(t.Context())
	proven := make(chan error, 1)
	go func() { proven <- s.prove(ctx) }()
	w.until("the event was read", func() bool { return s.events.Load() == 3 })
	cancel()
	if err := <-proven; err == nil {
		t.Error("what is not stored was proven to be")
	}
	for range cap(u.slots) {
		<-u.slots
	}
	if err := s.prove(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := w.bursts(); len(got) != 1 {
		t.Errorf("%d events are stored behind the proof", len(got))
	}
}
