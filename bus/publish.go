package bus

import (
	"context"
	"strconv"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

type pubOptions struct{ id string }

// PubOption changes how one message is published.
type PubOption func(*pubOptions)

// WithID gives the message an id: within the stream's window a second message with
// it is taken as stored and not stored again, so that a repeated publish is safe.
func WithID(id string) PubOption { return func(o *pubOptions) { o.id = id } }

// Publish stores v and returns its place in the stream. A nil error means that it
// is as durable as the stream promises. Errors: CodeInvalid when v cannot be encoded
// or is too large, CodeUnavailable when the server did not confirm; it may then be
// stored or not, and publishing again with the same id is safe.
func Publish[T any](ctx context.Context, b *Bus, s Subject[T], v T, opts ...PubOption) (seq uint64, err error) {
	m, err := encode(s, v, opts)
	if err != nil {
		return 0, err
	}
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	ack, err := b.js.PublishMsg(ctx, m)
	if err != nil {
		return 0, AsError(err)
	}
	return ack.Sequence, nil
}

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

// PublishLater stores v without waiting. For reports that nobody's correctness
// depends on; a failure is logged. It does not block: when too many wait, the
// report is refused with CodeLimited.
func PublishLater[T any](b *Bus, s Subject[T], v T, opts ...PubOption) error {
	m, err := encode(s, v, opts)
	if err != nil {
		return err
	}
	if b.js.PublishAsyncPending() >= maxLater {
		return Errorf(CodeLimited, "backlog", "a report was not published: too many wait already")
	}
	if _, err := b.js.PublishMsgAsync(m); err != nil {
		return AsError(err)
	}
	return nil
}

// BeginPublish stores v as Publish does without waiting, so that many messages travel at
// once. Those of one goroutine arrive in order. When some 4000 are under way it waits
// for room, and after a while gives up with CodeUnavailable.
func BeginPublish[T any](b *Bus, s Subject[T], v T, opts ...PubOption) (*Write, error) {
	m, err := encode(s, v, opts)
	if err != nil {
		return nil, err
	}
	ack, err := b.js.PublishMsgAsync(m)
	if err != nil {
		return nil, AsError(err)
	}
	return &Write{ack}, nil
}

// maxLater keeps PublishLater below the window where the library would block.
const maxLater = 3072

func encode[T any](s Subject[T], v T, opts []PubOption) (*nats.Msg, error) {
	data, h, err := encodePayload(v)
	if err != nil {
		return nil, Errorf(CodeInvalid, "bad_payload", "a message for %s cannot be encoded: %w", s.name, err)
	}
	var o pubOptions
	for _, opt := range opts {
		opt(&o)
	}
	m := &nats.Msg{Subject: s.name, Data: data, Header: h}
	if o.id != "" {
		if m.Header == nil {
			m.Header = nats.Header{}
		}
		m.Header[jetstream.MsgIDHeader] = []string{o.id}
	}
	return m, nil
}
