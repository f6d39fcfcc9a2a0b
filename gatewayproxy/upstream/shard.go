package upstream

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"splashtail/bus"
)

// sink is where a shard's events go.
type sink interface {
	// publish takes the next event. An error ends the connection, and Discord sends the
	// event again.
	publish(ctx context.Context, d bus.Dispatch, s *session, at time.Time) error
	// settle waits until the fate of everything that was taken is known.
	settle(ctx context.Context) error
	// confirm has done told whether everything that was taken is stored.
	confirm(ctx context.Context, done chan<- error) error
	// failed has a value when an event that was taken was lost after all.
	failed() <-chan error
	run(ctx context.Context)
}

// shard is one shard while this process has the right to it: its session over all the
// connections that carry it.
type shard struct {
	u      *Upstream
	count  int // how many there are
	number int
	label  string
	log    *slog.Logger

	mem      memory
	received int64 // sequence of the newest event that came
	place    *place
	pub      sink
	quiet    bool      // nobody is told of it: it does not serve yet
	orders   chan bool // a new connection; true: that resumes
	sends    chan passing
	proofs   chan proof
	wires    sync.WaitGroup // connections that are being closed
	events   atomic.Uint64
	released chan struct{} // closed: an operator wants another process to have it
	once     sync.Once

	beginning sync.Mutex // held from an IDENTIFY until its READY, or the connection's end

	mu    sync.Mutex
	state ShardStatus
}

func newShard(u *Upstream, count, number int) *shard {
	s := &shard{u: u, count: count, number: number, label: strconv.Itoa(number), orders: make(chan bool), sends: make(chan passing),
		proofs: make(chan proof), released: make(chan struct{})}
	s.log = u.log.With("shard", number)
	s.place = newPlace(u, count, number)
	s.state = ShardStatus{Shard: number, State: stateWaiting, Since: time.Now().UTC(), Held: time.Now().UTC()}
	return s
}

// run holds the session until ctx ends, Discord refuses it for good, or another process
// has taken over. What is on its way to the stream at the end is waited for, and the
// place stored, so that the next holder resumes without a repetition.
func (s *shard) run(ctx context.Context) error {
	found, err := s.place.load(ctx, s.u.b, s.number, time.Now())
	if err != nil {
		return err
	}
	s.mem.session, s.received = found, s.place.seq()
	pub := newPublisher(s.u, s.place, s.number, s.log)
	if pub.skip, err = s.place.skipped(ctx, s.u.b); err != nil {
		return err
	}
	pub.skips = s.place.session()
	s.pub = pub
	// The pipeline to the stream outlives ctx until it is empty.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	parts.Go(func() { s.pub.run(work) })
	parts.Go(func() {
		if err := s.place.run(work, s.log); err != nil {
			s.log.Warn("another process has written the place of the session; the shard is left to it", "err", err)
			cancel()
		}
	})
	s.sessions(ctx)
	last, stop := context.WithTimeout(work, stopTimeout)
	defer stop()
	err = s.pub.settle(last)
	if err == nil {
		err = s.place.save(last)
	}
	if err != nil {
		s.log.Warn("the place of the session was not stored; the next holder resumes from a little earlier", "err", err)
	}
	stopWork()
	parts.Wait()
	s.wires.Wait()
	s.u.m.live.WithLabelValues(s.label).Set(0)
	return nil
}

// stopTimeout bounds what an end waits for.
const stopTimeout = 8 * time.Second

// sessions opens one connection after the other.
func (s *shard) sessions(ctx context.Context) {
	for ctx.Err() == nil {
		e := s.connect(ctx)
		s.u.m.ends.WithLabelValues(e.cause.String()).Inc()
		s.u.m.live.WithLabelValues(s.label).Set(0)
		if e.cause == causeStop {
			return
		}
		if err := s.pub.settle(ctx); err != nil {
			return
		}
		s.rewind()
		var next step
		s.mem, next = s.mem.judge(e, time.Now())
		s.report(e, next)
		if next.stop != "" {
			s.stay(ctx)
			continue
		}
		s.idle(ctx, next.min+time.Duration(rand.Float64()*float64(next.max-next.min)))
	}
}

// rewind goes back to what is stored: that is from where Discord is asked to send again.
func (s *shard) rewind() {
	s.received = s.place.seq()
	if s.mem.session != nil && s.place.session() != s.mem.session.id {
		s.mem.session = nil // its READY was not stored, and it is not sent again
	}
}

// report tells people how a connection ended and what follows.
func (s *shard) report(e end, next step) {
	ev := bus.ShardEvent{Change: bus.ShardDisconnected, Code: e.code, Reason: e.cause.String()}
	attrs := []any{"cause", e.cause.String(), "code", e.code, "resume", s.mem.session != nil, "seq", s.place.seq()}
	if e.err != nil {
		attrs = append(attrs, "err", e.err)
	}
	switch {
	case next.stop != "":
		ev.Change, ev.Reason = bus.ShardStopped, next.stop
		s.show(stateStopped, next.stop)
		s.log.Error("the shard is stopped and stays so until somebody acts: "+next.stop, attrs...)
	case e.cause == causeBudget:
		ev.Change, ev.Reason, ev.Until = bus.ShardWaiting, e.err.Error(), e.until.UTC()
		if s.show(stateBudget, e.err.Error()) { // said once, not at every look
			s.log.Error("no new session is begun", attrs...)
		}
	default:
		why := e.cause.String()
		if e.err != nil {
			why += ": " + e.err.Error()
		}
		s.show(stateBetween, why)
		level := slog.LevelWarn
		if e.cause == causeReconnect || e.cause == causeOrder {
			level = slog.LevelInfo
		}
		s.log.Log(context.Background(), level, "the connection with Discord ended", attrs...)
	}
	s.tell(ev)
}

func (s *shard) isLive(how bus.ShardChange) {
	s.show(stateLive, "")
	s.u.m.live.WithLabelValues(s.label).Set(1)
	s.log.Info("receiving events", "how", string(how), "seq", s.received)
	s.tell(bus.ShardEvent{Change: how})
}

// tell puts a change on the bus, for people, and for muteproxy, which trusts the voice
// states of a shard only while it is told that the shard is connected.
func (s *shard) tell(ev bus.ShardEvent) {
	if s.quiet {
		return
	}
	ev.V, ev.Shard, ev.Shards, ev.Instance, ev.At = 1, s.number, s.count, s.u.cfg.Instance, time.Now().UTC()
	if err := bus.PublishLater(s.u.b, bus.ShardSubject(ev.Change, s.number), ev); err != nil {
		s.log.Debug("a change of the shard was not reported", "err", err)
	}
}

// idle waits between two connections. Bots' frames are refused meanwhile; an operator's
// order ends the wait.
func (s *shard) idle(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	s.until(ctx, t.C)
}

// stay waits for an operator.
func (s *shard) stay(ctx context.Context) { s.until(ctx, nil) }

func (s *shard) until(ctx context.Context, done <-chan time.Time) {
	for {
		select {
		case <-done:
			return
		case keep := <-s.orders:
			s.mem.failures = 0
			if !keep {
				s.mem.session = nil
			}
			return
		case o := <-s.sends:
			o.done <- bus.Errorf(bus.CodeUnavailable, "not_live", "the frame was not sent: %w", errNotLive)
		case <-ctx.Done():
			return
		}
	}
}

// address is where the next connection goes.
func (s *shard) address(ctx context.Context) (string, error) {
	if s.mem.session != nil && s.mem.session.url != "" {
		return s.mem.session.url, nil
	}
	w, err := s.u.greeting(ctx)
	return w.url, err
}
