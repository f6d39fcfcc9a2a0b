package bus

import (
	"context"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Delivery is one stored message as a handler sees it.
type Delivery[T any] struct {
	Subject string
	Seq     uint64 // place in the stream
	Time    time.Time
	Tries   uint64 // how often it was handed to a handler before, here or elsewhere
	Value   T
}

// Durable is a reading position that outlives its reader.
type Durable struct {
	Name    string        // no dots or spaces
	Workers int           // handlers at a time; 0 means 1
	AckWait time.Duration // after a crash of the reader, how long until another gets its messages; 0 means 30 s
	Waiting int           // messages taken from the server and not yet handled; 0 means 256
	Tries   uint64        // how often a message is tried before it is parked; 0 means 5
	Backoff func(try uint64) time.Duration
}

func (d Durable) withDefaults() Durable {
	d.Workers = max(d.Workers, 1)
	if d.AckWait == 0 {
		d.AckWait = 30 * time.Second
	}
	if d.Waiting == 0 {
		d.Waiting = 256
	}
	if d.Tries == 0 {
		d.Tries = 5
	}
	if d.Backoff == nil {
		d.Backoff = backoff
	}
	return d
}

// backoff is 250 ms doubling up to 30 s.
func backoff(try uint64) time.Duration {
	return min(250*time.Millisecond<<min(try, 7), 30*time.Second)
}

// Consume hands every message that f matches to h, at least once, until ctx ends.
// Messages with one key are handled one after the other in stream order, and while
// one of them is tried again the later ones wait; different keys go side by side.
// The order holds within this call: readers in several processes share the messages
// of a durable, so work that needs order across processes takes a lease first.
//
// h's error decides what happens to the message, see verdict. A message that cannot
// be decoded or that h can never take is parked in PARKED with the reason.
func Consume[T any](ctx context.Context, b *Bus, d Durable, f Filter[T], key func(Delivery[T]) string, h func(context.Context, Delivery[T]) error) error {
	d = d.withDefaults()
	cons, err := b.js.CreateOrUpdateConsumer(ctx, f.stream, jetstream.ConsumerConfig{
		Durable: d.Name, FilterSubjects: f.patterns,
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: d.AckWait, MaxDeliver: -1,
		MaxAckPending: d.Waiting * 4, // several instances share it
	})
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return AsError(err)
	}
	r := &reader[T]{b: b, d: d, stream: f.stream, key: key, handle: h,
		free: make(chan struct{}, d.Waiting), run: make(chan struct{}, d.Workers), chains: map[string][]jetstream.Msg{}}
	var beat sync.WaitGroup
	beatCtx, stopBeat := context.WithCancel(context.WithoutCancel(ctx))
	beat.Go(func() { r.beat(beatCtx) })
	err = r.pull(ctx, cons)
	r.running.Wait()
	r.giveBackAll()
	stopBeat()
	beat.Wait()
	return err
}

type verdictKind int

const (
	ack      verdictKind = iota // done
	giveBack                    // we stop; somebody else takes it at once
	again                       // try again here, so that the key's order holds
	park                        // can never be taken
)

// verdict is the only place that judges a handler's error.
func verdict(ctx context.Context, err error, tries uint64, d Durable) (verdictKind, time.Duration, *Error) {
	if err == nil {
		return ack, 0, nil
	}
	if ctx.Err() != nil {
		return giveBack, 0, nil
	}
	e := AsError(err)
	switch e.Code {
	case CodeLimited, CodeUnavailable:
		// Not the message's fault: it waits as long as it takes.
		return again, max(e.RetryAfter, d.Backoff(min(tries, d.Tries))), e
	case CodeInternal, CodeConflict:
		if tries+1 < d.Tries {
			return again, d.Backoff(tries), e
		}
	}
	return park, 0, e
}

func decodeDelivery[T any](m jetstream.Msg) (Delivery[T], error) {
	d := Delivery[T]{Subject: m.Subject()}
	meta, err := m.Metadata()
	if err != nil {
		return d, Errorf(CodeInvalid, "bad_message", "a message has no place in a stream: %w", err)
	}
	d.Seq, d.Time, d.Tries = meta.Sequence.Stream, meta.Timestamp, meta.NumDelivered-1
	if err := decodePayload(m.Subject(), m.Headers(), m.Data(), &d.Value); err != nil {
		return d, Errorf(CodeInvalid, "bad_payload", "the payload of a message on %s cannot be read: %w", m.Subject(), err)
	}
	return d, nil
}

// sleep waits d or until ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
