package bus

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// How a place is kept.
const (
	savePlaceEvery = 250 * time.Millisecond // and so how much comes again after kill -9
	maxUnderWay    = 4096                   // messages from the oldest that is not done to the newest that was taken
)

// FollowKept is Consume for a reader who is alone, as the holder of a lease is: his place
// is kept in POSITIONS under d.Name instead of by a consumer with acknowledgements. When
// he dies, the next one goes on at once from the first message that was not done, in the
// order of the stream; with acknowledgements, what he had in hand would come later than
// newer messages. What lies behind that message is handed over again, up to a fraction of
// a second of it. It is not for streams whose messages hold several values.
//
// Messages with one key are handled one after the other, different keys side by side, and
// h's error decides as it does for Consume. AckWait means nothing here. It returns with
// ctx, when what runs has ended. Errors: CodeConflict when somebody else moved the place,
// and whatever keeps the stream or the place from being read.
func FollowKept[T any](ctx context.Context, b *Bus, d Durable, f Filter[T], key func(Delivery[T]) string, h func(context.Context, Delivery[T]) error) error {
	d = d.withDefaults()
	places, err := OpenRecords(ctx, b, Positions())
	if err != nil {
		return err
	}
	k := &keptPlace[T]{b: b, d: d, f: f, key: key, places: places,
		one:  &reader[T]{b: b, d: d, handle: h, run: make(chan struct{}, d.Workers)},
		free: make(chan struct{}, d.Waiting), room: make(chan struct{}, maxUnderWay), chains: map[string][]Delivery[T]{}}
	from, err := k.begin(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	saved := make(chan error, 1)
	go func() {
		err := k.save(ctx)
		cancel() // nobody can read on whose place is not kept
		saved <- err
	}()
	fw := Follower{Unreadable: func(subject string, seq uint64, err error) {
		b.log.Error("a stored message cannot be read; it is passed over", "subject", subject, "seq", seq, "err", err)
	}}
	err = Follow(ctx, b, fw, f, from, k.take)
	cancel()
	k.running.Wait()
	if err2 := <-saved; err == nil {
		err = err2
	}
	last, stop := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	defer stop()
	if err == nil {
		err = k.saveOnce(last)
	}
	return err
}

// keptPlace is one FollowKept call.
type keptPlace[T any] struct {
	b      *Bus
	d      Durable
	f      Filter[T]
	key    func(Delivery[T]) string
	one    *reader[T] // for its attempts
	places *Records[Position]
	free   chan struct{} // a slot per message that was taken and is not done
	room   chan struct{} // a slot per message in line

	running  sync.WaitGroup
	epoch    string
	revision uint64 // of our place; 0: there is none
	stored   uint64 // sequence in it

	mu      sync.Mutex
	chains  map[string][]Delivery[T] // per key, the head is being handled
	line    []*underWay              // in the order of the stream; the first is not done
	through underWay                 // everything to here is done
}

// underWay is a message between being taken and being behind the place.
type underWay struct {
	seq  uint64
	at   time.Time
	done bool
}

// begin finds where to read on.
func (k *keptPlace[T]) begin(ctx context.Context) (from uint64, err error) {
	info, err := InfoOf(ctx, k.b, k.f)
	if err != nil {
		return 0, err
	}
	k.epoch = info.Epoch
	e, err := k.places.Get(ctx, k.d.Name)
	switch {
	case IsCode(err, CodeNotFound):
		return 1, nil
	case err != nil:
		return 0, err
	}
	k.revision = e.Revision
	if e.Value.Epoch != info.Epoch {
		return 1, nil
	}
	same, err := k.isAt(ctx, e.Value, info)
	if err != nil {
		return 0, err
	}
	if !same {
		// The stream lost its end, and its sequences are those of new messages now, which are younger.
		return k.since(ctx, e.Value.At)
	}
	k.stored = e.Value.Seq
	return e.Value.Seq + 1, nil
}

// isAt says whether the message of a place is the one that was there; one that has left
// the stream was.
func (k *keptPlace[T]) isAt(ctx context.Context, p Position, info StreamInfo) (bool, error) {
	if p.Seq > info.Last {
		return false, nil
	}
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	s, err := k.b.js.Stream(ctx, k.f.stream)
	if err != nil {
		return false, AsError(err)
	}
	m, err := s.GetMsg(ctx, p.Seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil
	}
	if err != nil {
		return false, AsError(err)
	}
	return m.Time.Equal(p.At), nil
}

// since finds the first message that was stored at an instant or later.
func (k *keptPlace[T]) since(ctx context.Context, at time.Time) (uint64, error) {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	cons, err := k.b.js.CreateConsumer(ctx, k.f.stream, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartTimePolicy, OptStartTime: &at,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1, InactiveThreshold: 10 * time.Second,
	})
	if err != nil {
		return 0, AsError(err)
	}
	i := cons.CachedInfo()
	_ = k.b.js.DeleteConsumer(ctx, i.Stream, i.Name) // it would go by itself
	return i.Delivered.Stream + 1, nil
}

// take puts messages at the ends of their keys' chains, and waits while too many are there.
func (k *keptPlace[T]) take(ctx context.Context, batch []Delivery[T]) error {
	for _, d := range batch {
		for _, slots := range []chan struct{}{k.free, k.room} {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
		}
		name, w := k.key(d), &underWay{seq: d.Seq, at: d.Time}
		k.mu.Lock()
		k.line = append(k.line, w)
		k.chains[name] = append(k.chains[name], d)
		if len(k.chains[name]) == 1 {
			k.running.Go(func() { k.chain(ctx, name) })
		}
		k.mu.Unlock()
	}
	return nil
}

// chain handles the messages of one key until none is left, or ctx ends.
func (k *keptPlace[T]) chain(ctx context.Context, name string) {
	for {
		k.mu.Lock()
		if len(k.chains[name]) == 0 {
			delete(k.chains, name)
			k.mu.Unlock()
			return
		}
		d := k.chains[name][0]
		k.mu.Unlock()
		if !k.handle(ctx, d) {
			return // whoever reads next gets it, and all that is behind it
		}
		<-k.free
		k.mu.Lock()
		k.chains[name] = k.chains[name][1:]
		k.pass(d.Seq)
		k.mu.Unlock()
	}
}

// handle tries one message until it is done or parked; false when ctx ended before.
func (k *keptPlace[T]) handle(ctx context.Context, d Delivery[T]) bool {
	for {
		v, wait, err := verdict(ctx, k.one.attempt(ctx, d), d.Tries, k.d)
		switch v {
		case ack:
			return true
		case giveBack:
			return false
		case park:
			data, _, _ := encodePayload(d.Value) // it was decoded from one
			if k.b.park(ctx, k.f.stream, k.d.Name, parkedOf(d.Subject, d.Seq, d.Tries, data, err)) {
				return true
			}
			wait = k.d.Backoff(d.Tries)
		}
		d.Tries++
		sleep(ctx, wait)
	}
}

// pass notes that a message is done and moves the place over all that are. The lock is held.
func (k *keptPlace[T]) pass(seq uint64) {
	for _, w := range k.line {
		if w.seq == seq && !w.done {
			w.done = true
			break
		}
	}
	for len(k.line) > 0 && k.line[0].done {
		k.through, k.line = *k.line[0], k.line[1:]
		<-k.room
	}
}

// save writes the place down again and again until ctx ends.
func (k *keptPlace[T]) save(ctx context.Context) error {
	tick := time.NewTicker(savePlaceEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := k.saveOnce(context.WithoutCancel(ctx))
		if IsCode(err, CodeConflict) {
			return Errorf(CodeConflict, "place_moved", "the place of %s was moved by another reader; this one reads no further", k.d.Name)
		}
		if err != nil {
			k.b.log.Warn("the place of a reader could not be kept; trying again", "reader", k.d.Name, "err", err)
		}
	}
}

func (k *keptPlace[T]) saveOnce(ctx context.Context) error {
	k.mu.Lock()
	now := k.through
	k.mu.Unlock()
	if now.seq == 0 || now.seq == k.stored {
		return nil
	}
	p := Position{V: 1, Epoch: k.epoch, Seq: now.seq, At: now.at}
	var err error
	if k.revision == 0 {
		k.revision, err = k.places.Create(ctx, k.d.Name, p)
	} else {
		var rev uint64
		if rev, err = k.places.Update(ctx, k.d.Name, p, k.revision); err == nil {
			k.revision = rev
		}
	}
	if err == nil {
		k.stored = now.seq
	}
	return err
}
