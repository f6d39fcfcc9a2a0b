package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// WorkQueue is one reader of a work queue: several processes share its messages.
type WorkQueue[T any] struct {
	b    *Bus
	f    Filter[T]
	name string
	cons jetstream.Consumer
}

// OpenWorkQueue joins the reader of that name. A message that a process took and did not keep, finish or give back
// comes again after ackWait; the wait counts from the last Keep.
func OpenWorkQueue[T any](ctx context.Context, b *Bus, name string, f Filter[T], ackWait time.Duration) (*WorkQueue[T], error) {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	cons, err := b.js.CreateOrUpdateConsumer(ctx, f.stream, jetstream.ConsumerConfig{
		Durable: name, FilterSubjects: f.patterns,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: ackWait, MaxDeliver: -1, MaxAckPending: 10_000,
	})
	if err != nil {
		return nil, AsError(err)
	}
	return &WorkQueue[T]{b: b, f: f, name: name, cons: cons}, nil
}

// Take gives up to n messages that are there now, without waiting for any. A message that cannot be read is parked.
func (q *WorkQueue[T]) Take(ctx context.Context, n int) ([]*Taken[T], error) {
	batch, err := q.cons.FetchNoWait(n)
	if err != nil {
		return nil, q.lost(err)
	}
	var all []*Taken[T]
	for m := range batch.Messages() {
		d, err := decodeDelivery[T](m)
		if err != nil {
			if q.b.park(ctx, q.f.stream, q.name, parkedOf(m.Subject(), d.Seq, d.Tries, m.Data(), AsError(err))) {
				_ = m.TermWithReason("bad_payload") // parked; should it come again, it is parked again
			}
			continue
		}
		all = append(all, &Taken[T]{Delivery: d, m: m})
	}
	if err := batch.Error(); err != nil && len(all) == 0 {
		return nil, q.lost(err)
	}
	return all, nil
}

func (q *WorkQueue[T]) lost(err error) error {
	if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDoesNotExist) || errors.Is(err, jetstream.ErrNoHeartbeat) {
		return Errorf(CodeNotFound, "consumer_deleted", "the consumer %s of %s is gone", q.name, q.f.stream)
	}
	return AsError(err)
}

// Taken is a message of a work queue in our hands. Its subject stays taken until Done or Drop.
type Taken[T any] struct {
	Delivery[T]
	m jetstream.Msg
}

// Keep says that we still have it.
func (t *Taken[T]) Keep() error { return asError(t.m.InProgress()) }

// Done removes it, and waits until the server has.
func (t *Taken[T]) Done(ctx context.Context) error {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	return asError(t.m.DoubleAck(ctx))
}

// GiveBack lets somebody have it after a delay; its subject stays taken.
func (t *Taken[T]) GiveBack(delay time.Duration) error { return asError(t.m.NakWithDelay(delay)) }

// asError is AsError for a place where nil must stay nil as an error.
func asError(err error) error {
	if err == nil {
		return nil
	}
	return AsError(err)
}

// deleteAt removes one message of the stream behind f. One that is gone already is no error.
func deleteAt[T any](ctx context.Context, b *Bus, f Filter[T], seq uint64) error {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, f.stream)
	if err != nil {
		return AsError(err)
	}
	if err := s.DeleteMsg(ctx, seq); err != nil && !IsCode(err, CodeNotFound) && !errors.Is(err, jetstream.ErrMsgDeleteUnsuccessful) {
		return AsError(err)
	}
	return nil
}

// Purge removes every stored message that f matches.
func Purge[T any](ctx context.Context, b *Bus, f Filter[T]) error {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, f.stream)
	if err != nil {
		return AsError(err)
	}
	for _, p := range f.patterns {
		if err := s.Purge(ctx, jetstream.WithPurgeSubject(p)); err != nil {
			return AsError(err)
		}
	}
	return nil
}
