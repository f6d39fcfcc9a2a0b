package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// queue is a reader of one queue.
type queue = bus.WorkQueue[bus.JobItem]

// openQueues joins the readers of all queues, the most urgent first.
func (e *Engine) openQueues(ctx context.Context) ([]*queue, error) {
	var all []*queue
	for _, name := range bus.JobQueues {
		q, err := bus.OpenWorkQueue(ctx, e.b, "jobs-"+name, bus.JobRunsOf(name), e.t.AckWait)
		if err != nil {
			return nil, err
		}
		all = append(all, q)
	}
	return all, nil
}

// turnEvery is how often the least urgent queue is asked first, so that it never starves.
const turnEvery = 8

// pull takes items while there are free slots and starts their runs. It takes no item that cannot start at once, so
// nothing waits in a process that might die. It returns when all runs have ended.
func (e *Engine) pull(ctx context.Context, queues []*queue) error {
	slots := make(chan struct{}, e.cfg.Workers)
	var runs sync.WaitGroup
	// Runs live on when ctx ends, until they have ended or Timing.Drain has passed.
	work, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	var err error
	pace := pace{poll: e.t.Poll}
	for round := 0; ctx.Err() == nil; round++ {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
			continue
		}
		<-slots // only this loop fills slots, so one is free now
		order := slices.Clone(queues)
		if round%turnEvery == turnEvery-1 {
			slices.Reverse(order)
		}
		got := 0
		for _, q := range order {
			free := cap(slots) - len(slots)
			if free == 0 || ctx.Err() != nil {
				break
			}
			var items []*bus.Taken[bus.JobItem]
			if items, err = q.Take(ctx, free); err != nil {
				break
			}
			got += len(items)
			for _, item := range items {
				slots <- struct{}{}
				runs.Go(func() {
					defer func() { <-slots }()
					e.one(work, item)
				})
			}
		}
		if bus.IsCode(err, bus.CodeNotFound) {
			break // somebody deleted the reader: the supervisor starts anew
		}
		if err != nil {
			e.log.Debug("a queue cannot be read; trying again", "err", err)
			pause.For(ctx, e.t.Poll)
		} else if got > 0 {
			pace.hinted()
		} else if e.idle(ctx, pace.next()) {
			pace.hinted()
		}
	}
	e.drain(&runs, stop)
	return err
}

// soon is how long after looks that found nothing the next one follows a hint: the server tells a reader of an item a moment
// after it has acknowledged it, so that the first look can come too early.
var soon = [...]time.Duration{5 * time.Millisecond, 20 * time.Millisecond, 80 * time.Millisecond}

// pace says when the queues are looked into next.
type pace struct {
	poll  time.Duration
	looks int // that may follow the last hint soon
}

// hinted says that there may be something.
func (p *pace) hinted() { p.looks = len(soon) }

// next is how long to wait after a look that found nothing.
func (p *pace) next() time.Duration {
	if p.looks == 0 {
		return p.poll
	}
	p.looks--
	return min(p.poll, soon[len(soon)-1-p.looks])
}

// idle waits for a hint, and says whether one came before the next look was due.
func (e *Engine) idle(ctx context.Context, next time.Duration) (hinted bool) {
	t := time.NewTimer(next)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-e.wake:
		return true
	case <-t.C:
	}
	return false
}

// drain lets the runs end, stops those that take longer, and waits for them.
func (e *Engine) drain(runs *sync.WaitGroup, stop context.CancelCauseFunc) {
	ended := make(chan struct{})
	go func() { runs.Wait(); close(ended) }()
	t := time.NewTimer(e.t.Drain)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
		stop(errDraining)
		<-ended
	}
}
