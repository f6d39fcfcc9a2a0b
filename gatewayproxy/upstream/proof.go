package upstream

import (
	"context"
	"time"

	"splashtail/bus"
)

// This file proves that a session has stored everything that Discord sent it until now.
// Discord answers in order on one connection: what it sent before it acknowledged a
// heartbeat stands before that acknowledgement. When that was read, and the stream has
// confirmed the events before it, nothing of before the heartbeat is missing. A connection
// that ends first proves nothing. Its session is resumed, the events come again, and the
// next connection can be asked.

// proveTry bounds one try: what stands before the acknowledgement has to be read and stored.
const proveTry = 30 * time.Second

// proof is one question for a proof.
type proof struct {
	beat int        // the heartbeat of the connection that is acknowledged then
	done chan error // has room for one; nil: proven
}

// prove returns when everything is stored that Discord sent before the call. It waits for
// a connection that is live. Errors are CodeUnavailable: nothing is proven, and a later
// call may succeed.
func (s *shard) prove(ctx context.Context) error {
	p := proof{done: make(chan error, 1)}
	select {
	case s.proofs <- p:
	case <-ctx.Done():
		st := s.status()
		return notProven("the shard is %s %s", st.State, st.Why)
	}
	select {
	case err := <-p.done:
		return err
	case <-ctx.Done():
		return notProven("Discord did not acknowledge a heartbeat, or there is more to read and to store before that than there was time for")
	}
}

func notProven(format string, args ...any) error {
	return bus.Errorf(bus.CodeUnavailable, "unproven", format, args...)
}

// answerProof serves bus.ShardProofCall.
func (s *shard) answerProof(ctx context.Context, _ struct{}) (bus.ShardProof, error) {
	if st := s.status(); st.State == stateStopped {
		return bus.ShardProof{V: 1, Stopped: st.Why}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, proveTry)
	defer cancel()
	if err := s.prove(ctx); err != nil {
		return bus.ShardProof{}, err
	}
	return bus.ShardProof{V: 1}, nil
}

// asked has the questions for this connection; none before it is live.
func (l *link) asked() <-chan proof {
	if l.liveSince.IsZero() {
		return nil // a heartbeat in the middle of a RESUME, see pulse
	}
	return l.s.proofs
}

// prove sends the heartbeat whose acknowledgement is the proof.
func (l *link) prove(ctx context.Context, p proof) (end, bool) {
	if d := l.sent.free(time.Now()); d > 0 {
		p.done <- notProven("this shard has sent as many frames in a minute as Discord takes; ask again in %s", d.Round(time.Second))
		return end{}, false
	}
	e, over := l.heartbeat(ctx)
	p.beat = l.beats
	l.proofs = append(l.proofs, p)
	return e, over
}

// proven goes on with the questions that an acknowledgement has come for: the sink answers
// them when it has stored what came before.
func (l *link) proven(ctx context.Context) {
	for len(l.proofs) > 0 && l.proofs[0].beat <= l.answers {
		done := l.proofs[0].done
		l.proofs = l.proofs[1:]
		if err := l.s.pub.confirm(ctx, done); err != nil {
			done <- notProven("the shard is given up: %w", err)
		}
	}
}

// unproven answers the questions that the end of the connection leaves open.
func (l *link) unproven() {
	for _, p := range l.proofs {
		p.done <- notProven("the connection with Discord ended; the session is resumed")
	}
	l.proofs = nil
}
