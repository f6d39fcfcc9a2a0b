package engine_test

import (
	"context"
	"sync"
	"testing"

	"splashtail/bus"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// Urgent jobs come first, and the least urgent are not starved.
func TestUrgentJobsComeFirst(t *testing.T) {
	var mu sync.Mutex
	var order []string
	gate := make(chan struct{})
	r := newRig(t, func(_ context.Context, a act, _ work.Run) error {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		order = append(order, a.Text)
		return nil
	})
	r.mod = func(c *engine.Config) {
		c.Workers = 1
		high := c.Kinds[0]
		high.Name, high.Queue = "test-high", bus.JobsHigh
		low := c.Kinds[0]
		low.Name, low.Queue = "test-low", bus.JobsLow
		c.Kinds = append(c.Kinds, high, low)
	}
	e := r.start("a")
	r.awaitState(r.submit("test-low", 1, "first"), bus.JobRunning)
	var jobs []bus.Job
	for range 4 {
		jobs = append(jobs, r.submit("test-low", 1, "low"), r.submit("test-high", 1, "high"))
	}
	close(gate)
	for _, j := range jobs {
		r.awaitState(j, bus.JobCompleted)
	}
	_ = e
	highs := 0
	for i, text := range order[1:] {
		if text == "high" {
			highs += 4 - i
		}
	}
	if highs < 4+3+2-1 { // all of 4 first would be 10; one in eight rounds goes the other way
		t.Errorf("the order was %v", order)
	}
}
