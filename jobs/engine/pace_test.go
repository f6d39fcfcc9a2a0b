package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"splashtail/jobs/work"
)

// A look right after a hint may come before the server has told the reader of the item: the next ones follow soon, and then
// no more often than without a hint.
func TestLooksFollowAHintSoon(t *testing.T) {
	p := pace{poll: 500 * time.Millisecond}
	if first := p.next(); first != p.poll {
		t.Errorf("without a hint the next look comes after %v", first)
	}
	for range 2 {
		p.hinted()
		for _, want := range []time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond, p.poll, p.poll} {
			if got := p.next(); got != want {
				t.Errorf("the next look comes after %v, want %v", got, want)
			}
		}
	}
	p = pace{poll: 10 * time.Millisecond} // polls that come sooner stay
	p.hinted()
	for _, want := range []time.Duration{5 * time.Millisecond, p.poll, p.poll, p.poll} {
		if got := p.next(); got != want {
			t.Errorf("with quick polls the next look comes after %v, want %v", got, want)
		}
	}
}

// An idle reader wakes at its time, or at a hint before it.
func TestAnIdleReaderHearsAHint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &Engine{wake: make(chan struct{}, 1)}
		begin := time.Now()
		if e.idle(t.Context(), time.Second) || time.Since(begin) != time.Second {
			t.Errorf("without a hint it woke after %v", time.Since(begin))
		}
		e.hint()
		e.hint() // two are one
		if !e.idle(t.Context(), time.Second) || time.Since(begin) != time.Second {
			t.Errorf("with a hint it woke after %v", time.Since(begin)-time.Second)
		}
		if e.idle(t.Context(), time.Second) {
			t.Error("one hint woke it twice")
		}
	})
}

// A run that ends after a later attempt of its process has begun leaves that one to be found: a cancel is still heard at once.
func TestARunThatEndsLateLeavesTheNextOne(t *testing.T) {
	e := &Engine{running: map[string]*run{}}
	older, newer := &run{self: work.Job{ID: "j"}, attempt: 1}, &run{self: work.Job{ID: "j"}, attempt: 2}
	e.begun(older)
	e.begun(newer)
	e.over(older)
	if e.running["j"] != newer {
		t.Error("the later attempt cannot be found any more")
	}
	e.over(newer)
	if len(e.running) != 0 {
		t.Error("a run that has ended is still there")
	}
}
