package engine

import (
	"context"
	"fmt"
	"time"

	"splashtail/bus"
)

// maxHeld bounds the jobs of a guild that are held.
const maxHeld = 25

// held says whether a job does not begin before somebody releases it.
func held(job bus.Job) bool { return job.State == bus.JobWaiting && job.Wait != nil && job.Wait.Held }

// roomToHold refuses to hold more jobs of a guild than somebody can mean to release.
func (e *Engine) roomToHold(ctx context.Context, g bus.GuildID) error {
	all, err := e.records.All(ctx, g.String()+".*")
	if err != nil {
		return err
	}
	n := 0
	for _, rec := range all {
		if held(rec.Value) {
			n++
		}
	}
	if n >= maxHeld {
		return bus.Errorf(bus.CodeLimited, "too_many_held", "%d jobs of this server wait until somebody lets them begin, which is as many as can; no job was made; execute or cancel some of them", n)
	}
	return nil
}

// release lets a job begin that was submitted to be held. Asked again, after an answer that was lost, it changes nothing.
func (e *Engine) release(ctx context.Context, q bus.JobRequest) (bus.Job, error) {
	return again(func() (bus.Job, error) {
		rec, err := e.findOpen(ctx, q)
		if err != nil {
			return rec.Value, err
		}
		job := rec.Value
		if !held(job) {
			return job, nil
		}
		if job.Sole {
			if err := e.laneFree(ctx, &job); err != nil {
				return job, err
			}
		}
		return e.requeue(ctx, job, rec.Revision)
	})
}

// endHeld ends a job that nobody has released in time, with its secrets.
func (e *Engine) endHeld(ctx context.Context, job bus.Job, rev uint64) error {
	job.Cancel = &bus.JobCancel{By: "the component jobs", Reason: fmt.Sprintf("nobody let it begin within %v", e.t.Held), At: time.Now().UTC()}
	return e.end(ctx, job, rev, bus.JobCancelled, nil)
}
