package engine

import (
	"context"
	"time"

	"splashtail/bus"
)

// removeJob removes a job that has ended, with its files, before it expires. Its record says first that it has expired: if
// this process dies in between, the sweeper goes on.
func (e *Engine) removeJob(ctx context.Context, q bus.JobRequest) (bus.Job, error) {
	return again(func() (bus.Job, error) {
		rec, err := e.find(ctx, q)
		if err != nil {
			return bus.Job{}, err
		}
		job := rec.Value
		if !job.State.Ended() {
			return job, bus.Errorf(bus.CodeConflict, "not_ended", "the job %s has not ended (%s), so it cannot be removed; nothing was changed. Cancel it first", job.ID, job.State)
		}
		job.Expires = time.Now().UTC()
		rev, err := e.records.Update(ctx, bus.JobKey(job.Guild, job.ID), job, rec.Revision)
		if err != nil {
			return job, err
		}
		return job, e.expire(ctx, job, rev)
	})
}
