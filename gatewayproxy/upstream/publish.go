package upstream

import (
	"context"
	"encoding/json"
	"log/slog"
	"time"

	"splashtail/bus"
)

const (
	// underWay bounds what one process has sent to the stream and not confirmed; the
	// bus takes some 4000 at a time.
	underWay = 2048
	// ackTimeout is how long the stream may take for one event.
	ackTimeout = 20 * time.Second
)

// publisher stores the dispatches of one shard and keeps the place up to which all of
// them are stored. One goroutine publishes; the acknowledgements are taken in its order.
type publisher struct {
	b      *bus.Bus
	log    *slog.Logger
	m      *meters
	place  *place
	shard  int
	slots  chan struct{} // of the process
	queue  chan underway
	broken chan error     // has a value when the stream refused one; see settle
	skip   map[int64]bool // by sequence in the session skips: what others have stored already
	skips  string
}

// underway is an event on its way, or one of two questions.
type underway struct {
	write   *bus.Write // nil: there was nothing to store
	seq     int64
	session *session // of READY: what begins with it
	ready   json.RawMessage
	at      time.Time     // when its frame came
	settled chan struct{} // of a question: closed when everything before is settled
	stored  chan<- error  // of another one: whether everything before is stored
}

func newPublisher(u *Upstream, p *place, shard int, log *slog.Logger) *publisher {
	return &publisher{b: u.b, log: log, m: u.m, place: p, shard: shard, slots: u.slots,
		queue: make(chan underway, underWay), broken: make(chan error, 1)}
}

// publish sends a dispatch to the stream. It waits while too many are under way. An
// event that can never be stored is dropped; every other error ends the connection, and
// Discord sends the event again.
func (p *publisher) publish(ctx context.Context, d bus.Dispatch, s *session, at time.Time) error {
	u := underway{seq: d.Seq, at: at}
	if d.Event == eventReady {
		u.session, u.ready = s, d.Data
	}
	if d.Session == p.skips && p.skip[d.Seq] {
		return p.push(ctx, u)
	}
	subject, err := bus.DispatchSubject(d)
	if err != nil {
		return p.drop(ctx, u, d, err)
	}
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	u.write, err = bus.BeginPublish(p.b, subject, d, bus.WithID(d.ID()))
	if err != nil {
		<-p.slots
		if bus.IsCode(err, bus.CodeInvalid) {
			return p.drop(ctx, u, d, err)
		}
		return err
	}
	return p.push(ctx, u)
}

func (p *publisher) failed() <-chan error { return p.broken }

func (p *publisher) push(ctx context.Context, u underway) error {
	select {
	case p.queue <- u:
		return nil
	case <-ctx.Done():
		if u.write != nil {
			<-p.slots
		}
		return ctx.Err()
	}
}

func (p *publisher) drop(ctx context.Context, u underway, d bus.Dispatch, err error) error {
	p.log.Error("an event cannot be stored and is dropped", "event", d.Event, "guild", d.Guild.String(), "bytes", len(d.Data), "err", err)
	p.m.dropped.WithLabelValues("unstorable").Inc()
	return p.push(ctx, u)
}

// settle waits until everything that was published is confirmed or refused, and then
// the place says how far the stream has all of it.
func (p *publisher) settle(ctx context.Context) error {
	done := make(chan struct{})
	if err := p.push(ctx, underway{settled: done}); err != nil {
		return err
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// confirm has done told, which has room for it, whether everything is stored that was
// published. Unlike settle it may be asked while events come. Its error is ctx's.
func (p *publisher) confirm(ctx context.Context, done chan<- error) error {
	return p.push(ctx, underway{stored: done})
}

// run takes the acknowledgements in order until ctx ends. After a refusal the place
// stays before that event whatever comes behind it, until the next question.
func (p *publisher) run(ctx context.Context) {
	halted := false
	for {
		var u underway
		select {
		case u = <-p.queue:
		case <-ctx.Done():
			p.abandon()
			return
		}
		if u.settled != nil {
			halted = false
			select {
			case <-p.broken:
			default:
			}
			close(u.settled)
			continue
		}
		if u.stored != nil {
			var err error
			if halted {
				err = notProven("the stream did not take an event, and Discord is asked for it again")
			}
			u.stored <- err
			continue
		}
		stored, err := p.await(ctx, u)
		if bus.IsCode(err, bus.CodeInvalid) {
			// It would be refused each time that Discord sends it again.
			p.log.Error("an event cannot be stored and is dropped", "seq", u.seq, "err", err)
			p.m.dropped.WithLabelValues("unstorable").Inc()
			err = nil
		}
		switch {
		case err != nil && !halted:
			halted = true
			p.broken <- err
		case err == nil && !halted:
			p.place.advance(u, stored)
		}
	}
}

// abandon gives back the slots, which the other shards of the process need, of what nobody
// will hear any more whether it was stored.
func (p *publisher) abandon() {
	for {
		select {
		case u := <-p.queue:
			if u.write != nil {
				<-p.slots
			}
		default:
			return
		}
	}
}

// await gives the place in the stream of one event; 0 when there was nothing to store.
func (p *publisher) await(ctx context.Context, u underway) (uint64, error) {
	if u.write == nil {
		return 0, nil
	}
	defer func() { <-p.slots }()
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	stored, err := u.write.Wait(ctx)
	if err != nil {
		return 0, err
	}
	p.m.latency.Observe(time.Since(u.at).Seconds())
	return stored, nil
}
