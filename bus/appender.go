package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Appender stores the values of many goroutines in one stream with few syncs to disk:
// while some are being stored the next ones gather. A few go as messages of their own;
// more than that share one message, which costs one sync for all of them. Values of one
// goroutine keep their order, since Append returns when its value is stored.
type Appender[T any] struct {
	b     *Bus
	share Sharing[T]
	queue chan *appending
}

// appending is one value on its way, and where its outcome goes.
type appending struct {
	msg    *nats.Msg // as it goes alone
	shares bool
	done   chan appended
}

type appended struct {
	seq uint64
	err error
}

const (
	// maxAlone is how many values that wait together still go one by one, each under its
	// own subject, where people look for it.
	maxAlone = 4
	// maxGather bounds what is stored at a time.
	maxGather = 1024
)

// NewAppender makes an appender; it works while Run runs. At most backlog callers
// wait in line; further ones block in Append.
func NewAppender[T any](b *Bus, backlog int, share Sharing[T]) *Appender[T] {
	return &Appender[T]{b: b, share: share, queue: make(chan *appending, backlog)}
}

// Append stores v and returns the place of its message in the stream, however long that
// takes while the server is away. The id must be unique; a value that may not share a
// message is known by it again, as with Publish. Errors: CodeInvalid when v cannot be
// stored, another code when the server refused it, so that it is not stored and may be
// appended again; CodeUnavailable with reason unconfirmed when ctx or Run ended first,
// and then it may be stored or not.
func (a *Appender[T]) Append(ctx context.Context, s Subject[T], id string, v T) (seq uint64, err error) {
	m, err := encode(s, v, []PubOption{WithID(id)})
	if err != nil {
		return 0, err
	}
	p := &appending{msg: m, shares: a.share.may(v), done: make(chan appended, 1)}
	select {
	case a.queue <- p:
	case <-ctx.Done():
		return 0, Errorf(CodeUnavailable, "backlog", "an event was not stored: %w", ctx.Err())
	}
	select {
	case r := <-p.done:
		return r.seq, r.err
	case <-ctx.Done():
		return 0, unconfirmed(ctx.Err())
	}
}

func unconfirmed(err error) error {
	return Errorf(CodeUnavailable, "unconfirmed", "an event may or may not have been stored: %w", err)
}

// Run stores what is appended until ctx ends, then what still waits in line, for
// callTimeout at most.
func (a *Appender[T]) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(callTimeout, stop) })()
	for {
		select {
		case p := <-a.queue:
			a.store(work, a.gather(p))
		case <-ctx.Done():
			a.drain(work)
			return nil
		}
	}
}

func (a *Appender[T]) drain(ctx context.Context) {
	for {
		select {
		case p := <-a.queue:
			a.store(ctx, a.gather(p))
		default:
			return
		}
	}
}

// gather takes what waits in line already; it never waits for more.
func (a *Appender[T]) gather(first *appending) []*appending {
	group := []*appending{first}
	for len(group) < maxGather {
		select {
		case p := <-a.queue:
			group = append(group, p)
		default:
			return group
		}
	}
	return group
}

// letter is a message with everybody whose value is in it.
type letter struct {
	msg     *nats.Msg
	members []*appending
}

func (l letter) tell(r appended) {
	for _, p := range l.members {
		p.done <- r
	}
}

// letters puts a group into messages.
func (a *Appender[T]) letters(group []*appending) []letter {
	sharing := 0
	for _, p := range group {
		if p.shares {
			sharing++
		}
	}
	var out []letter
	var together []*appending
	for _, p := range group {
		if p.shares && sharing > maxAlone {
			together = append(together, p)
		} else {
			out = append(out, letter{p.msg, []*appending{p}})
		}
	}
	for len(together) > 0 {
		n := fitting(together)
		members := together[:n]
		together = together[n:]
		msg := shareMessage(a.share.subject.name, members)
		msg.Header[jetstream.MsgIDHeader] = []string{"shared-" + nuid.Next()}
		out = append(out, letter{msg, members})
	}
	return out
}

// store sends a group until the server has said of each message whether it is stored. A
// message without an answer is sent again with the same id, so that it is stored once.
func (a *Appender[T]) store(ctx context.Context, group []*appending) {
	open := a.letters(group)
	for try := uint64(0); ; try++ {
		var err error
		if open, err = a.send(ctx, open); len(open) == 0 {
			return
		}
		if ctx.Err() != nil {
			for _, l := range open {
				l.tell(appended{err: unconfirmed(ctx.Err())})
			}
			return
		}
		a.b.log.Warn("events are not stored yet; trying again", "count", len(open), "err", err)
		sleep(ctx, min(backoff(try), 2*time.Second))
	}
}

// send tries each message once, tells who was answered, and returns the rest with the
// reason of one of them.
func (a *Appender[T]) send(ctx context.Context, all []letter) (open []letter, why error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	acks := make([]jetstream.PubAckFuture, len(all))
	errs := make([]error, len(all))
	for i, l := range all {
		acks[i], errs[i] = a.b.js.PublishMsgAsync(l.msg)
	}
	for i, l := range all {
		r := appended{err: AsError(errs[i])}
		if errs[i] == nil {
			r = awaitAck(ctx, acks[i])
		}
		if r.err != nil && !refused(r.err) {
			open, why = append(open, l), r.err
			continue
		}
		l.tell(r)
	}
	return open, why
}

// refused says whether the message is certainly not stored: the server said so, or it
// was never sent.
func refused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) || !IsCode(err, CodeUnavailable)
}

func awaitAck(ctx context.Context, f jetstream.PubAckFuture) appended {
	select {
	case ack := <-f.Ok():
		return appended{seq: ack.Sequence}
	case err := <-f.Err():
		return appended{err: AsError(err)}
	case <-ctx.Done():
		return appended{err: AsError(ctx.Err())}
	}
}
