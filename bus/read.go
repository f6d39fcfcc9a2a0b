package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Reading what is stored, once; follow.go waits for what comes after it.

// Last gives the newest stored message that f matches; CodeNotFound when there is none, and
// CodeInvalid, with its place and no value, when it cannot be read. f has one pattern.
func Last[T any](ctx context.Context, b *Bus, f Filter[T]) (Delivery[T], error) {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, f.stream)
	if err != nil {
		return Delivery[T]{}, AsError(err)
	}
	if len(f.patterns) != 1 {
		return Delivery[T]{}, Errorf(CodeInvalid, "bad_filter", "the newest message is asked for with one pattern, not %d", len(f.patterns))
	}
	m, err := s.GetLastMsgForSubject(ctx, f.patterns[0])
	if err != nil {
		return Delivery[T]{}, AsError(err)
	}
	return readStored[T](m)
}

func readStored[T any](m *jetstream.RawStreamMsg) (Delivery[T], error) {
	d := Delivery[T]{Subject: m.Subject, Seq: m.Sequence, Time: m.Time}
	if err := decodePayload(m.Subject, m.Header, m.Data, &d.Value); err != nil {
		return d, Errorf(CodeInvalid, "bad_payload", "the payload of a message on %s cannot be read: %w", m.Subject, err)
	}
	return d, nil
}

// Latest calls h with the newest message of every subject that f matches, in stream
// order, and returns when it has seen all that were stored when it was called.
func Latest[T any](ctx context.Context, b *Bus, f Filter[T], h func(Delivery[T]) error) error {
	ctx, cancel := bound(ctx, 30*time.Second)
	defer cancel()
	cons, err := b.js.CreateConsumer(ctx, f.stream, jetstream.ConsumerConfig{
		FilterSubjects: f.patterns, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: time.Minute,
	})
	if err != nil {
		return AsError(err)
	}
	defer func() {
		_ = b.js.DeleteConsumer(context.WithoutCancel(ctx), f.stream, cons.CachedInfo().Name)
	}()
	left := cons.CachedInfo().NumPending
	for left > 0 {
		batch, err := cons.Fetch(int(min(left, 512)), jetstream.FetchMaxWait(2*time.Second))
		if err != nil {
			return AsError(err)
		}
		got := uint64(0)
		for m := range batch.Messages() {
			got++
			d, err := decodeDelivery[T](m)
			if err != nil {
				continue
			}
			if err := h(d); err != nil {
				return err
			}
		}
		if err := errors.Join(batch.Error(), ctx.Err()); err != nil {
			return AsError(err)
		}
		if got == 0 {
			return nil // the rest went meanwhile, by age or because a newer one came
		}
		left -= min(got, left)
	}
	return nil
}

// ReadAll gives every stored message that f matches to h, in order.
func ReadAll[T any](ctx context.Context, b *Bus, f Filter[T], from uint64, h func(Delivery[T]) error) error {
	for {
		page, more, err := ReadPage(ctx, b, f, from, 512)
		if err != nil {
			return err
		}
		for _, d := range page {
			if err := h(d); err != nil {
				return err
			}
			from = d.Seq + 1
		}
		if !more || len(page) == 0 {
			return nil
		}
	}
}
