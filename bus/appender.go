package bus

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Appender stores the messages of many goroutines in one stream with few syncs to
// disk: while one group is being stored the next one gathers, and a group that is
// stored sooner as one atomic batch goes so. Under light load each message goes alone
// and at once. Messages of one goroutine keep their order, since Append returns when
// its message is stored.
type Appender[T any] struct {
	b     *Bus
	queue chan *appending
	cost  appendCost // belongs to Run
}

// appending is one message on its way, and where its outcome goes.
type appending struct {
	msg  *nats.Msg
	done chan appended
}

type appended struct {
	seq uint64
	err error
}

// maxGroup bounds an atomic batch; the server's own limit is 1000 messages.
const maxGroup = 256

// NewAppender makes an appender; it works while Run runs. At most backlog callers
// wait in line; further ones block in Append.
func NewAppender[T any](b *Bus, backlog int) *Appender[T] {
	return &Appender[T]{b: b, queue: make(chan *appending, backlog), cost: newAppendCost()}
}

// Append stores v and returns its place in the stream, as Publish does. The id makes
// a repetition within the stream's window harmless and must be unique.
func (a *Appender[T]) Append(ctx context.Context, s Subject[T], id string, v T) (seq uint64, err error) {
	m, err := encode(s, v, []PubOption{WithID(id)})
	if err != nil {
		return 0, err
	}
	p := &appending{msg: m, done: make(chan appended, 1)}
	select {
	case a.queue <- p:
	case <-ctx.Done():
		return 0, Errorf(CodeUnavailable, "backlog", "an event was not stored: %w", ctx.Err())
	}
	select {
	case r := <-p.done:
		return r.seq, r.err
	case <-ctx.Done():
		return 0, Errorf(CodeUnavailable, "unconfirmed", "an event may or may not have been stored: %w", ctx.Err())
	}
}

// Run stores what is appended until ctx ends, then what still waits in line.
func (a *Appender[T]) Run(ctx context.Context) error {
	for {
		select {
		case p := <-a.queue:
			a.store(context.WithoutCancel(ctx), a.gather(p))
		case <-ctx.Done():
			a.drain(context.WithoutCancel(ctx))
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
	for len(group) < maxGroup {
		select {
		case p := <-a.queue:
			group = append(group, p)
		default:
			return group
		}
	}
	return group
}

func (a *Appender[T]) store(ctx context.Context, group []*appending) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	begin := time.Now()
	if a.cost.batchIsCheaper(len(group)) && a.storeBatch(ctx, group) == nil {
		a.cost.sawBatch(time.Since(begin))
		return
	}
	// Few, or the batch was refused (a repeated id refuses it whole): one by one, in
	// order, which says for each message whether it is stored.
	begin = time.Now()
	defer func() { a.cost.sawSingles(len(group), time.Since(begin)) }()
	acks := make([]jetstream.PubAckFuture, len(group))
	for i, p := range group {
		ack, err := a.b.js.PublishMsgAsync(p.msg)
		if err != nil {
			p.done <- appended{err: AsError(err)}
			continue
		}
		acks[i] = ack
	}
	for i, p := range group {
		if acks[i] != nil {
			p.done <- awaitAck(ctx, acks[i])
		}
	}
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

// The headers of atomic batch publishing, from NATS ADR-50; the client library has
// no call for it.
const (
	headerBatchID     = "Nats-Batch-Id"
	headerBatchSeq    = "Nats-Batch-Sequence"
	headerBatchCommit = "Nats-Batch-Commit"
)

// batchAck is the server's answer to the message that commits a batch.
type batchAck struct {
	jetstream.PubAck
	Error *jetstream.APIError `json:"error"`
	Count int                 `json:"count"`
}

// storeBatch stores the group all or nothing and tells every member, or returns an
// error and tells none.
func (a *Appender[T]) storeBatch(ctx context.Context, group []*appending) error {
	id := nuid.Next()
	last := len(group) - 1
	var reply *nats.Msg
	for i, p := range group {
		m := batchPart(p.msg, id, i+1, i == last)
		if i == last {
			var err error
			if reply, err = a.b.nc.RequestMsgWithContext(ctx, m); err != nil {
				return err
			}
		} else if err := a.b.nc.PublishMsg(m); err != nil {
			return err
		}
	}
	var ack batchAck
	if err := json.Unmarshal(reply.Data, &ack); err != nil {
		return err
	}
	if ack.Error != nil {
		return ack.Error
	}
	if ack.Count != len(group) {
		return errors.New("the server committed another number of messages than were sent")
	}
	first := ack.Sequence - uint64(last)
	for i, p := range group {
		p.done <- appended{seq: first + uint64(i)}
	}
	return nil
}

func batchPart(m *nats.Msg, id string, n int, commit bool) *nats.Msg {
	h := nats.Header{headerBatchID: {id}, headerBatchSeq: {strconv.Itoa(n)}}
	for k, v := range m.Header {
		h[k] = v
	}
	if commit {
		h[headerBatchCommit] = []string{"1"}
	}
	return &nats.Msg{Subject: m.Subject, Header: h, Data: m.Data}
}
