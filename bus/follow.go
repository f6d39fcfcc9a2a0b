package bus

import (
	"context"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// StreamInfo is where a stream stands.
type StreamInfo struct {
	// Epoch tells one life of the stream from the next: sequences start at 1 again
	// when a stream is made anew, and a kept place means nothing then.
	Epoch string
	First uint64 // oldest message still there; Last+1 when empty
	Last  uint64 // newest message ever stored
}

// InfoOf tells where the stream behind a filter stands.
func InfoOf[T any](ctx context.Context, b *Bus, f Filter[T]) (StreamInfo, error) {
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	s, err := b.js.Stream(ctx, f.stream)
	if err != nil {
		return StreamInfo{}, AsError(err)
	}
	i := s.CachedInfo()
	return StreamInfo{
		Epoch: strconv.FormatInt(i.Created.UnixMicro(), 36),
		First: i.State.FirstSeq, Last: i.State.LastSeq,
	}, nil
}

// Follower reads a stream in strict order for one reader that keeps its own place,
// as a reader does whose effects and place move together elsewhere. The server keeps
// no position for it.
type Follower struct {
	// Batch is how many values one call of the handler gets; 0 means 256. The values of
	// a message that holds several come together, so it can be as many more as that has.
	Batch int
	// Unreadable is told of a message that cannot be decoded; it is skipped.
	Unreadable func(subject string, seq uint64, err error)
}

// Follow calls h with the messages that f matches from place from on (1 is the
// oldest), in order, as they come, until ctx ends or h returns an error, which it
// returns. Values that share a message have one Seq. Messages that the stream already
// let go are passed over: h sees a gap in Seq. A lost connection to the server is waited out.
func Follow[T any](ctx context.Context, b *Bus, fw Follower, f Filter[T], from uint64, h func(context.Context, []Delivery[T]) error) error {
	if fw.Batch == 0 {
		fw.Batch = 256
	}
	next := max(from, 1)
	for ctx.Err() == nil {
		cons, err := b.js.CreateConsumer(ctx, f.stream, jetstream.ConsumerConfig{
			FilterSubjects: f.patterns,
			DeliverPolicy:  jetstream.DeliverByStartSequencePolicy, OptStartSeq: next,
			AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true, Replicas: 1,
			InactiveThreshold: time.Minute,
		})
		if err != nil {
			b.log.Debug("a stream cannot be followed yet; trying again", "stream", f.stream, "err", err)
			sleep(ctx, 250*time.Millisecond)
			continue
		}
		if next, err = followConsumer(ctx, b, cons, fw, next, h); err != nil {
			return err
		}
	}
	return nil
}

// followBeat is how often the server shows that it still knows of a reader that waits. Twice that after a restart of the
// server, which has forgotten the reader, it is read on; with the library's own 5 s, a restart cost up to 10.
const followBeat = 500 * time.Millisecond

// followConsumer reads until the consumer is lost and returns the place to go on
// from; an error is the handler's.
func followConsumer[T any](ctx context.Context, b *Bus, cons jetstream.Consumer, fw Follower, next uint64, h func(context.Context, []Delivery[T]) error) (uint64, error) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		// It would go by itself a minute later; an error changes nothing.
		_ = b.js.DeleteConsumer(ctx, cons.CachedInfo().Stream, cons.CachedInfo().Name)
	}()
	r := &following[T]{fw: fw, next: next, h: h}
	for ctx.Err() == nil {
		batch, err := cons.Fetch(maxFetch, jetstream.FetchContext(ctx), jetstream.FetchHeartbeat(followBeat))
		if err != nil {
			return r.next, nil
		}
		for group := range groups(batch.Messages(), fw.Batch) {
			if whole, err := r.take(ctx, group); err != nil || !whole {
				return r.next, err // one was lost on the way, perhaps: read on from there again
			}
		}
		if batch.Error() != nil {
			return r.next, nil
		}
	}
	return r.next, nil
}

// maxFetch bounds what is under way to a reader that is slow, in messages.
const maxFetch = 256

// following is a reader's way through one consumer.
type following[T any] struct {
	fw        Follower
	h         func(context.Context, []Delivery[T]) error
	next      uint64 // place of the next message
	delivered uint64 // the consumer's own count, to notice a lost message
}

// take hands the values of some messages over, those of one message always together;
// whole is false when a message is missing before one of them.
func (r *following[T]) take(ctx context.Context, group []jetstream.Msg) (whole bool, err error) {
	var out []Delivery[T]
	for _, m := range group {
		meta, err := m.Metadata()
		if err != nil || meta.Sequence.Consumer != r.delivered+1 {
			return false, r.handOver(ctx, out)
		}
		r.delivered++
		out = append(out, r.values(m, meta)...)
		r.next = meta.Sequence.Stream + 1
		if len(out) >= r.fw.Batch {
			if err := r.handOver(ctx, out); err != nil {
				return false, err
			}
			out = nil
		}
	}
	return true, r.handOver(ctx, out)
}

// values gives what is in a message.
func (r *following[T]) values(m jetstream.Msg, meta *jetstream.MsgMetadata) []Delivery[T] {
	d := Delivery[T]{Subject: m.Subject(), Seq: meta.Sequence.Stream, Time: meta.Timestamp}
	vs := make([]T, 1)
	var err error
	if isShared(m.Headers()) {
		vs, err = decodeShared[T](m.Data())
	} else {
		err = decodePayload(d.Subject, m.Headers(), m.Data(), &vs[0])
	}
	if err != nil {
		if r.fw.Unreadable != nil {
			r.fw.Unreadable(d.Subject, d.Seq, err)
		}
		return nil
	}
	out := make([]Delivery[T], len(vs))
	for i, v := range vs {
		out[i] = d
		out[i].Value = v
	}
	return out
}

func (r *following[T]) handOver(ctx context.Context, out []Delivery[T]) error {
	if len(out) == 0 {
		return nil
	}
	return r.h(ctx, out)
}

// groups yields what is in the channel already, up to n at a time, and waits only
// for the first of each group.
func groups[M any](in <-chan M, n int) func(yield func([]M) bool) {
	return func(yield func([]M) bool) {
		for first := range in {
			group := []M{first}
		more:
			for len(group) < n {
				select {
				case m, ok := <-in:
					if !ok {
						break more
					}
					group = append(group, m)
				default:
					break more
				}
			}
			if !yield(group) {
				return
			}
		}
	}
}
