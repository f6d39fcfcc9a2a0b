package bus

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"
)

// RemoveFinished deletes the messages of a work queue whose work finished reports as
// done, and says how many. After a kill -9 the server can bring back messages that
// were acknowledged: nobody gets them again, but each blocks its subject for ever.
// The reading position does not tell them apart; the record of the work does. To be
// called before the queue is worked, when Bus.UncleanStart says so.
func RemoveFinished[T any](ctx context.Context, b *Bus, f Filter[T], finished func(context.Context, Delivery[T]) (bool, error)) (removed int, err error) {
	stream, err := b.js.Stream(ctx, f.stream)
	if err != nil {
		return 0, AsError(err)
	}
	info := stream.CachedInfo()
	if info.Config.Retention != jetstream.WorkQueuePolicy {
		return 0, Errorf(CodeInvalid, "no_work_queue", "%s is no work queue", f.stream)
	}
	for _, pattern := range f.patterns {
		n, err := removeFinished(ctx, b, stream, pattern, info.State, finished)
		removed += n
		if err != nil {
			return removed, fmt.Errorf("after %d messages: %w", removed, err)
		}
	}
	return removed, nil
}

func removeFinished[T any](ctx context.Context, b *Bus, stream jetstream.Stream, pattern string, state jetstream.StreamState, finished func(context.Context, Delivery[T]) (bool, error)) (removed int, err error) {
	for seq := state.FirstSeq; seq <= state.LastSeq && seq > 0; seq++ {
		// A work queue has one consumer per subject, so its messages are read by their
		// place, the next that exists.
		m, err := stream.GetMsg(ctx, seq, jetstream.WithGetMsgSubject(pattern))
		if IsCode(err, CodeNotFound) {
			break
		}
		if err != nil {
			return removed, AsError(err)
		}
		seq = m.Sequence
		d := Delivery[T]{Subject: m.Subject, Seq: m.Sequence, Time: m.Time}
		if err := decodePayload(m.Subject, m.Header, m.Data, &d.Value); err != nil {
			b.log.Warn("a message in a work queue cannot be read; left to its reader", "subject", m.Subject, "seq", m.Sequence, "err", err)
			continue
		}
		done, err := finished(ctx, d)
		if err != nil {
			return removed, err
		}
		if !done {
			continue
		}
		if err := stream.DeleteMsg(ctx, m.Sequence); err != nil {
			return removed, AsError(err)
		}
		removed++
	}
	return removed, nil
}
