package broker

import (
	"context"
	"fmt"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// cursor is a place in one life of the stream.
type cursor struct {
	epoch string
	seq   uint64
}

func (c cursor) String() string { return fmt.Sprintf("%s:%d", c.epoch, c.seq) }

// begin finds the place to read from, waiting for Redis and the bus as long as needed.
func (e *edge) begin(ctx context.Context) (from uint64, err error) {
	gap := 50 * time.Millisecond
	for {
		from, err = e.place(ctx)
		if err == nil {
			e.m.redisUp.Set(1)
			return from, nil
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		e.m.redisUp.Set(0)
		e.log.Warn("events cannot be written to Redis yet; they wait", "err", err)
		pause.For(ctx, gap)
		gap = min(2*gap, 2*time.Second)
	}
}

func (e *edge) place(ctx context.Context) (uint64, error) {
	c, ok, err := e.redis.cursor(ctx)
	if err != nil {
		return 0, err
	}
	info, err := bus.InfoOf(ctx, e.b, bus.AllCapture())
	if err != nil {
		return 0, err
	}
	var mirror bus.Position
	if !ok {
		if mirror, err = e.mirrored(ctx); err != nil {
			return 0, err
		}
	}
	start, why := startAfter(c, ok, cursor{mirror.Epoch, mirror.Seq}, info)
	if why != "" {
		if err := e.redis.setCursor(ctx, cursor{info.Epoch, start}); err != nil {
			return 0, err
		}
		e.log.Info("the place in Redis was set", "cause", why, "seq", start)
	}
	e.mu.Lock()
	e.epoch = info.Epoch
	e.mu.Unlock()
	e.reached(start)
	return start + 1, nil
}

// startAfter decides after which event to go on, and why the cursor in Redis must be
// set for that; an empty cause leaves it.
func startAfter(redis cursor, ok bool, mirror cursor, info bus.StreamInfo) (seq uint64, why string) {
	switch {
	case ok && redis.epoch == info.Epoch && redis.seq <= info.Last:
		return redis.seq, ""
	case ok && redis.epoch == info.Epoch:
		return info.Last, "the stream has lost its newest events"
	case ok:
		return 0, "the stream was made anew"
	case mirror.epoch == info.Epoch && mirror.seq <= info.Last:
		return mirror.seq, "Redis has no place; the copy on the bus is used"
	}
	return 0, "Redis has no place"
}

func (e *edge) mirrored(ctx context.Context) (bus.Position, error) {
	p, err := e.positions.Get(ctx, positionKey)
	if bus.IsCode(err, bus.CodeNotFound) {
		return bus.Position{}, nil
	}
	return p.Value, err
}
