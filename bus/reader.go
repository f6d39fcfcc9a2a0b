package bus

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// reader is one Consume call.
type reader[T any] struct {
	b      *Bus
	d      Durable
	stream string
	key    func(Delivery[T]) string
	handle func(context.Context, Delivery[T]) error

	free    chan struct{} // a slot per message that was taken and is not done
	run     chan struct{} // a slot per handler that runs
	running sync.WaitGroup

	mu       sync.Mutex
	chains   map[string][]jetstream.Msg // per key, the head is being handled
	returned []jetstream.Msg            // taken and not handled when we were stopped
}

// pullWait is how long one pull stays open. A stop waits for its end instead of
// cutting it: the server would go on sending to a pull that was cut on our side only.
const pullWait = time.Second

// pull fetches as many messages as there are free slots. Fetch, not the library's
// Consume: that one stalls for 30 s when a small pull is handled faster than sent.
func (r *reader[T]) pull(ctx context.Context, cons jetstream.Consumer) error {
	for ctx.Err() == nil {
		n := r.takeSlots(ctx)
		if n == 0 {
			break
		}
		batch, err := cons.Fetch(n, jetstream.FetchMaxWait(pullWait))
		if err != nil {
			r.giveSlots(n)
			if stop := r.pause(ctx, err); stop != nil {
				return stop
			}
			continue
		}
		got := 0
		for m := range batch.Messages() {
			got++
			r.add(ctx, m)
		}
		r.giveSlots(n - got)
		if err := batch.Error(); err != nil && ctx.Err() == nil {
			if stop := r.pause(ctx, err); stop != nil {
				return stop
			}
		}
	}
	return nil
}

// pause waits a moment after a failed pull; a consumer that somebody deleted ends
// the call.
func (r *reader[T]) pause(ctx context.Context, err error) error {
	if errors.Is(err, jetstream.ErrConsumerDeleted) || errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrConsumerDoesNotExist) {
		return Errorf(CodeNotFound, "consumer_deleted", "the consumer %s of %s was deleted while it was read", r.d.Name, r.stream)
	}
	r.b.log.Debug("a pull failed; trying again", "stream", r.stream, "durable", r.d.Name, "err", err)
	sleep(ctx, 250*time.Millisecond)
	return nil
}

// takeSlots waits for one free slot and takes what else is free.
func (r *reader[T]) takeSlots(ctx context.Context) int {
	select {
	case r.free <- struct{}{}:
	case <-ctx.Done():
		return 0
	}
	for n := 1; ; n++ {
		select {
		case r.free <- struct{}{}:
		default:
			return n
		}
	}
}

func (r *reader[T]) giveSlots(n int) {
	for range n {
		<-r.free
	}
}

// add puts a message at the end of its key's chain and starts the chain if it was
// empty.
func (r *reader[T]) add(ctx context.Context, m jetstream.Msg) {
	d, err := decodeDelivery[T](m)
	if err != nil {
		r.park(ctx, m, Delivery[T]{Subject: m.Subject()}, AsError(err))
		r.giveSlots(1)
		return
	}
	k := r.key(d)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.chains[k] = append(r.chains[k], m)
	if len(r.chains[k]) == 1 {
		r.running.Go(func() { r.chain(ctx, k) })
	}
}

// chain handles the messages of one key until none is left.
func (r *reader[T]) chain(ctx context.Context, k string) {
	for {
		r.mu.Lock()
		m := r.chains[k][0]
		r.mu.Unlock()

		r.one(ctx, m)
		r.giveSlots(1)

		r.mu.Lock()
		r.chains[k] = r.chains[k][1:]
		if len(r.chains[k]) == 0 {
			delete(r.chains, k)
			r.mu.Unlock()
			return
		}
		r.mu.Unlock()
	}
}

// one handles one message until it is done, parked, or ctx ends.
func (r *reader[T]) one(ctx context.Context, m jetstream.Msg) {
	d, err := decodeDelivery[T](m)
	if err != nil {
		r.park(ctx, m, d, AsError(err))
		return
	}
	for {
		v, wait, err := verdict(ctx, r.attempt(ctx, d), d.Tries, r.d)
		switch v {
		case ack:
			r.settle(m.Ack())
			return
		case giveBack:
			r.mu.Lock()
			r.returned = append(r.returned, m)
			r.mu.Unlock()
			return
		case park:
			r.park(ctx, m, d, err)
			return
		case again:
			d.Tries++
			sleep(ctx, wait)
		}
	}
}

// giveBackAll hands what was not handled to the next reader at once, oldest first,
// after the last pull has ended: what is given back while a pull is open would be
// sent to that pull, where nobody reads it.
func (r *reader[T]) giveBackAll() {
	if len(r.returned) == 0 {
		return
	}
	slices.SortFunc(r.returned, func(a, b jetstream.Msg) int { return cmp.Compare(streamSeq(a), streamSeq(b)) })
	for _, m := range r.returned {
		r.settle(m.Nak())
	}
}

func streamSeq(m jetstream.Msg) uint64 {
	meta, err := m.Metadata()
	if err != nil {
		return 0
	}
	return meta.Sequence.Stream
}

// attempt runs the handler; a panic is an internal error of this message, not the
// end of the process.
func (r *reader[T]) attempt(ctx context.Context, d Delivery[T]) (err error) {
	if ctx.Err() != nil {
		return ctx.Err() // the select below would choose at random
	}
	select {
	case r.run <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.run }()
	defer func() {
		if p := recover(); p != nil {
			err = Errorf(CodeInternal, "panic", "the handler of %s panicked: %v", r.d.Name, p)
			r.b.log.Error("a handler panicked", "subject", d.Subject, "err", err)
		}
	}()
	return r.handle(ctx, d)
}

// maxParked bounds what PARKED keeps of a payload; it grows by a third on its way.
const maxParked = 4 * mib

// park keeps the message in PARKED and then removes it from its stream's reader. If
// it cannot be kept it is not removed: it comes again.
func (r *reader[T]) park(ctx context.Context, m jetstream.Msg, d Delivery[T], e *Error) {
	if !r.b.park(ctx, r.stream, r.d.Name, parkedOf(m.Subject(), d.Seq, d.Tries, m.Data(), e)) {
		r.settle(m.NakWithDelay(r.d.Backoff(d.Tries)))
		return
	}
	r.settle(m.TermWithReason(e.Reason))
}

func parkedOf(subject string, seq, tries uint64, data []byte, e *Error) Parked {
	return Parked{V: 1, Subject: subject, Sequence: seq, Tries: tries + 1, Code: e.Code, Reason: e.Reason, Message: e.Error(),
		At: time.Now().UTC(), Data: data[:min(len(data), maxParked)]}
}

// park keeps a message of a stream that a reader cannot take; false when that failed.
func (b *Bus) park(ctx context.Context, stream, name string, p Parked) bool {
	p.Stream, p.Durable = stream, name
	id := stream + "." + name + "." + p.Subject + "." + p.At.Format(time.RFC3339Nano)
	if _, err := Publish(context.WithoutCancel(ctx), b, ParkedSubject(stream, name), p, WithID(id)); err != nil {
		b.log.Error("a message could not be parked; it will come again", "subject", p.Subject, "err", err)
		return false
	}
	b.log.Warn("a message was parked", "subject", p.Subject, "seq", p.Sequence, "reason", p.Reason, "err", p.Message)
	return true
}

func (r *reader[T]) settle(err error) {
	if err != nil {
		r.b.log.Debug("a message's outcome did not reach the server; it will come again", "err", err)
	}
}

// beat tells the server that the messages that wait here are still in hand.
func (r *reader[T]) beat(ctx context.Context) {
	tick := time.NewTicker(r.d.AckWait / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r.mu.Lock()
		var held []jetstream.Msg
		for _, chain := range r.chains {
			held = append(held, chain...)
		}
		r.mu.Unlock()
		for _, m := range held {
			r.settle(m.InProgress())
		}
	}
}
