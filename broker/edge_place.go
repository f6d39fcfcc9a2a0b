package broker

import (
	"context"
	"maps"
)

// noteGap counts events that the stream let go before Redis had them.
func (e *edge) noteGap(before, next uint64) {
	if next <= before+1 {
		return
	}
	lost := next - before - 1
	e.mu.Lock()
	for seq := range e.passed {
		if seq > before && seq < next {
			lost--
		}
	}
	e.mu.Unlock()
	if lost > 0 {
		e.m.edgeEvents.WithLabelValues("expired").Add(float64(lost))
		e.log.Error("events waited for Redis longer than the stream keeps them; the oldest are lost", "count", lost, "seq", next)
	}
}

// reached tells how far Redis is.
func (e *edge) reached(seq uint64) {
	e.at.Store(seq)
	e.mu.Lock()
	defer e.mu.Unlock()
	e.upTo = seq
	maps.DeleteFunc(e.passed, func(s uint64, _ bool) bool { return s <= seq })
	e.moveOn()
}

// maxPassed bounds what is remembered about events that cannot be read; past it they
// count as lost.
const maxPassed = 4 * edgeGroup

// pass notes an event that Redis will never have, so that nobody waits for it.
func (e *edge) pass(seq uint64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if seq > e.upTo && len(e.passed) < maxPassed {
		e.passed[seq] = true
		e.moveOn()
	}
}

// moveOn goes past what cannot be read and wakes who waits. The caller holds mu.
func (e *edge) moveOn() {
	for e.passed[e.upTo+1] {
		e.upTo++
		delete(e.passed, e.upTo)
	}
	close(e.moved)
	e.moved = make(chan struct{})
}

// caughtUp is how far Redis has everything that can be read.
func (e *edge) caughtUp() uint64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.upTo
}

// flush returns when Redis has everything up to seq, or ctx's error.
func (e *edge) flush(ctx context.Context, seq uint64) error {
	for {
		e.mu.Lock()
		moved, upTo := e.moved, e.upTo
		e.mu.Unlock()
		if upTo >= seq {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
