package engine

import (
	"context"
	"time"

	"splashtail/bus"
)

// followDue takes what timers bring back.
func (e *Engine) followDue(ctx context.Context) error {
	d := bus.Durable{Name: "jobs-due", Workers: 8, AckWait: 10 * time.Second}
	return bus.Consume(ctx, e.b, d, bus.AllJobsDue(), func(d bus.Delivery[bus.JobItem]) string { return d.Subject }, func(ctx context.Context, d bus.Delivery[bus.JobItem]) error {
		if d.Value.Schedule != "" {
			return e.scheduleDue(ctx, d.Value)
		}
		return e.wakeJob(ctx, d.Value)
	})
}

// wakeJob places a job whose wait is over. An item of an older generation means nothing any more.
func (e *Engine) wakeJob(ctx context.Context, item bus.JobItem) error {
	rec, err := e.records.Get(ctx, bus.JobKey(item.Guild, item.ID))
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if rec.Value.State != bus.JobWaiting || rec.Value.Generation != item.Generation {
		return nil
	}
	_, err = e.requeue(ctx, rec.Value, rec.Revision)
	return err
}

// requeue makes a job pending with a new generation and places it, or lets it wait for its lane.
func (e *Engine) requeue(ctx context.Context, job bus.Job, rev uint64) (bus.Job, error) {
	was := job.Wait
	job.State, job.Wait, job.Worker, job.Changed = bus.JobPending, nil, "", time.Now().UTC()
	job.Generation++
	rev, err := e.records.Update(ctx, bus.JobKey(job.Guild, job.ID), job, rev)
	if err != nil {
		return job, err
	}
	job, rev, holder, err := e.place(ctx, job, rev)
	if err != nil {
		return job, err
	}
	if holder != "" {
		job.Wait = was // so that the same reason is not told anew
		if was != nil {
			job.State = bus.JobWaiting
		}
		return e.waitForLane(ctx, job, rev, holder)
	}
	e.tellState(job)
	bus.NudgeJobs(e.b)
	return job, nil
}
