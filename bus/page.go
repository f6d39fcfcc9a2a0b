package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// pageWait bounds one page: what is asked for is stored already, so this is for a server
// in trouble.
const pageWait = 4 * time.Second

// ReadPage reads up to n messages that f matches from place from on (1 is the oldest),
// and says whether more were stored when it was called. It is for a reader who takes
// what is stored at his own pace and must not be sent more than that; nothing of him
// stays at the server in between. A message that cannot be decoded is passed over.
func ReadPage[T any](ctx context.Context, b *Bus, f Filter[T], from uint64, n int) (page []Delivery[T], more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageWait)
	defer cancel()
	cons, err := b.js.CreateConsumer(ctx, f.stream, jetstream.ConsumerConfig{
		FilterSubjects: f.patterns,
		DeliverPolicy:  jetstream.DeliverByStartSequencePolicy, OptStartSeq: max(from, 1),
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
		InactiveThreshold: 10 * time.Second,
	})
	if err != nil {
		return nil, false, AsError(err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		// It would go by itself soon; an error changes nothing.
		_ = b.js.DeleteConsumer(ctx, f.stream, cons.CachedInfo().Name)
	}()
	pending := cons.CachedInfo().NumPending
	if pending == 0 {
		return nil, false, nil
	}
	fetch, stop := context.WithCancel(ctx)
	defer stop()
	batch, err := cons.Fetch(int(min(pending, uint64(n))), jetstream.FetchContext(fetch))
	if err != nil {
		return nil, false, AsError(err)
	}
	return readBatch[T](ctx, b, batch, stop)
}

// readBatch takes a batch in until it is complete, or nothing more is stored: some that
// were counted may have left the stream meanwhile.
func readBatch[T any](ctx context.Context, b *Bus, batch jetstream.MessageBatch, stop func()) (page []Delivery[T], more bool, err error) {
	taken, whole := uint64(0), true
	for m := range batch.Messages() {
		meta, err := m.Metadata()
		if err != nil || meta.Sequence.Consumer != taken+1 {
			whole = false // one was lost on the way; what comes behind it is for the next page
		}
		if !whole {
			continue
		}
		taken++
		more = meta.NumPending > 0
		d, err := decodeDelivery[T](m)
		if err != nil {
			b.log.Error("a stored message cannot be read; it is passed over", "subject", m.Subject(), "seq", d.Seq, "err", err)
		} else {
			page = append(page, d)
		}
		if !more {
			stop()
		}
	}
	if taken == 0 && ctx.Err() != nil {
		return nil, false, AsError(ctx.Err())
	}
	if err := batch.Error(); err != nil && taken == 0 {
		return nil, false, AsError(err)
	}
	return page, more || !whole, nil
}
