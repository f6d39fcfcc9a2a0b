package bus

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// PublishAfter stores v only if the newest message under the subject is the one at place last (0: there is none yet),
// and returns its place. CodeConflict with reason changed means that somebody else has stored one since: then nothing
// was. After CodeUnavailable it may be stored or not.
func PublishAfter[T any](ctx context.Context, b *Bus, s Subject[T], v T, last uint64) (seq uint64, err error) {
	m, err := encode(s, v, nil)
	if err != nil {
		return 0, err
	}
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	m.Header[jetstream.ExpectedLastSubjSeqHeader] = []string{strconv.FormatUint(last, 10)}
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, m)
	if err != nil {
		return 0, AsError(err)
	}
	return ack.Sequence, nil
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
