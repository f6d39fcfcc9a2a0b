package broker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// edge carries stored events to Redis: one process at a time, in the order of the
// stream, each event exactly once. How far it is stands in Redis and moves in the same
// atomic step as the effects, so that a crash anywhere repeats nothing and loses
// nothing, and a former holder of the lease that wakes up late changes nothing.
//
// While Redis is away, events wait in CAPTURE, within its age and size; what the stream
// had to let go is noticed as a gap, counted and logged.
type edge struct {
	b         *bus.Bus
	log       *slog.Logger
	m         *meters
	instance  string
	redis     *redisEdge
	positions *bus.Records[bus.Position]

	at   atomic.Uint64 // the last sequence that Redis has
	held atomic.Bool

	mu     sync.Mutex
	epoch  string
	moved  chan struct{}   // closed and replaced when at or upTo moves
	upTo   uint64          // at, and past events that cannot be read
	passed map[uint64]bool // events beyond upTo that cannot be read

	pushed func(cursor) // for tests: called after each group
}

// pushed is what a group did.
type pushed struct {
	at                    uint64
	written, failed, lost int
}

const (
	edgeLease = 3 * time.Second
	// edgeGroup is how many events one script writes: about two milliseconds of Redis.
	edgeGroup = 512
	// positionKey is the copy of the cursor on the bus, for a Redis that was wiped.
	positionKey = "capture-edge"
)

// errRewind ends a read of the stream because Redis is at another place.
var errRewind = errors.New("the place in Redis is another than thought")

func newEdge(b *bus.Bus, log *slog.Logger, m *meters, instance string, r *redisEdge) *edge {
	return &edge{b: b, log: log, m: m, instance: instance, redis: r, moved: make(chan struct{}), passed: map[uint64]bool{}}
}

// run writes whenever this process holds the lease, until ctx ends.
func (e *edge) run(ctx context.Context) {
	for ctx.Err() == nil {
		l, err := bus.AwaitLease(ctx, e.b, bus.CaptureEdgeLease(), edgeLease, e.instance)
		if err != nil {
			continue // ctx has ended
		}
		held, stop := l.Context(ctx)
		e.held.Store(true)
		e.hold(held)
		e.held.Store(false)
		stop()
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		if err := l.Release(release); err != nil {
			e.log.Debug("the lease of the edge was not released; it expires", "err", err)
		}
		cancel()
	}
}

// hold writes until ctx ends.
func (e *edge) hold(ctx context.Context) {
	var mirror sync.WaitGroup
	defer mirror.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	mirror.Go(func() { e.mirror(ctx) })
	for ctx.Err() == nil {
		from, err := e.begin(ctx)
		if err != nil {
			continue // ctx has ended
		}
		f := bus.Follower{Batch: edgeGroup, Unreadable: func(_ string, seq uint64, err error) {
			e.m.edgeEvents.WithLabelValues("unreadable").Inc()
			e.log.Error("a stored event cannot be read; it is passed over", "seq", seq, "err", err)
			e.pass(seq)
		}}
		err = bus.Follow(ctx, e.b, f, bus.AllCapture(), from, e.write)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errRewind) {
			e.log.Warn("reading stored events was interrupted; beginning again", "err", err)
			pause.For(ctx, 250*time.Millisecond)
		}
	}
}

// write puts a group into Redis, again until Redis confirms it.
func (e *edge) write(ctx context.Context, events []bus.Delivery[bus.CaptureEvent]) error {
	prev := e.at.Load()
	e.noteGap(e.caughtUp(), events[0].Seq)
	group := make([]step, len(events))
	for i, d := range events {
		if i > 0 {
			e.noteGap(events[i-1].Seq, d.Seq)
		}
		group[i] = stepOf(d)
	}
	gap, waiting := 20*time.Millisecond, false
	for {
		p, err := e.redis.push(ctx, e.epochNow(), prev, group)
		if err == nil {
			if waiting {
				e.log.Info("Redis is back; waiting events are written")
			}
			e.m.redisUp.Set(1)
			return e.settle(p, prev, group)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		e.m.redisUp.Set(0)
		if !waiting {
			e.log.Warn("Redis does not take events; they wait on the bus", "err", err)
			waiting = true
		}
		pause.For(ctx, gap)
		gap = min(2*gap, time.Second)
	}
}

func (e *edge) epochNow() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.epoch
}

func (e *edge) settle(p pushed, prev uint64, group []step) error {
	if p.at < prev {
		e.log.Warn("Redis has lost its newest writes; they are written again", "seq", p.at)
		return errRewind
	}
	e.m.edgeBatch.Observe(float64(len(group)))
	e.m.edgeEvents.WithLabelValues("written").Add(float64(p.written))
	e.m.edgeEvents.WithLabelValues("known").Add(float64(len(group) - p.written))
	if p.failed > 0 {
		e.m.edgeEvents.WithLabelValues("wrong_type").Add(float64(p.failed))
		e.log.Error("keys of another type stand in the way in Redis; some events were not written there", "count", p.failed)
	}
	if p.lost > 0 {
		e.m.edgeEvents.WithLabelValues("trimmed").Add(float64(p.lost))
	}
	at := group[len(group)-1].seq
	e.reached(at)
	if e.pushed != nil {
		e.pushed(cursor{e.epochNow(), at})
	}
	return nil
}

// mirror copies the place to the bus and measures the lag, every second and at the end.
func (e *edge) mirror(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var copied uint64
	for done := false; !done; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			done = true
		}
		call, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		if at := e.at.Load(); at != copied && e.epochNow() != "" {
			if _, err := e.positions.Put(call, positionKey, bus.Position{V: 1, Epoch: e.epochNow(), Seq: at, At: time.Now().UTC()}); err == nil {
				copied = at
			}
		}
		if info, err := bus.InfoOf(call, e.b, bus.AllCapture()); err == nil && info.Epoch == e.epochNow() {
			e.m.edgeLag.Set(float64(info.Last) - float64(e.caughtUp()))
		}
		cancel()
	}
}
