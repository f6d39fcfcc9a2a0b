package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// finish writes what became of an attempt, and only then lets its item go: a crash in between repeats nothing, since
// whoever gets the item sees that the job has ended.
func (r *run) finish(ctx context.Context, err error) {
	cause := context.Cause(ctx)
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer stop()
	var snooze *work.SnoozeError
	switch {
	case errors.Is(err, work.ErrLost) || errors.Is(cause, work.ErrLost):
		r.lose()
		return
	case err == nil:
		err = r.close(ctx, bus.JobCompleted, nil)
	case errors.Is(cause, errCancelled):
		err = r.close(ctx, bus.JobCancelled, nil)
	case errors.Is(cause, errDraining):
		err = r.handBack(ctx)
	case errors.Is(err, errDeadline):
		err = r.close(ctx, bus.JobFailed, &bus.JobError{Code: bus.CodeLimited, Reason: "deadline", Message: errDeadline.Error(), Step: r.step})
	case errors.As(err, &snooze):
		err = r.pauseRun(ctx, bus.JobWait{Until: snooze.Until.UTC(), Why: snooze.Why}, "waits: "+snooze.Why, false)
	default:
		err = r.fail(ctx, err)
	}
	switch {
	case errors.Is(err, work.ErrLost):
		r.lose()
	case err != nil:
		// The record may say anything; the item comes again and a new attempt finds out.
		r.e.log.Warn("the end of an attempt could not be stored; the job comes again", "job", r.job.ID, "err", err)
		r.e.settle(r.item.GiveBack(r.e.t.AckWait))
	}
}

func (r *run) lose() {
	r.e.m.lost.WithLabelValues(string(r.kind.Name)).Inc()
	r.e.log.Warn("another worker has taken a job over; this one stopped", "job", r.job.ID, "guild", r.job.Guild.String(), "attempt", r.attempt)
}

// fail parks the job, or lets it be tried again after a while.
func (r *run) fail(ctx context.Context, err error) error {
	why := describe(err)
	why.Step = r.step
	failures := r.job.Failures + 1
	if work.IsPermanent(err) || failures >= r.kind.Tries {
		r.voice.say(work.Failure, why.Message)
		return r.close(ctx, bus.JobFailed, why)
	}
	r.e.m.retried.WithLabelValues(string(r.kind.Name)).Inc()
	wait := backoff(r.e.t.Retry, failures)
	r.voice.say(work.Warning, fmt.Sprintf("attempt %d failed: %s", r.attempt, why.Message))
	return r.pauseRun(ctx, bus.JobWait{Until: time.Now().Add(wait).UTC(), Why: fmt.Sprintf("failure %d of %d: %s", failures, r.kind.Tries, why.Message)}, "failed: "+why.Message, true)
}

// describe turns an error into what the record tells of it. Causes stay in the log of the process; a sentence of a kind
// is for people.
func describe(err error) *bus.JobError {
	var e *bus.Error
	if errors.As(err, &e) {
		return &bus.JobError{Code: e.Code, Reason: e.Reason, Message: cut(e.Error(), maxLine)}
	}
	return &bus.JobError{Code: bus.CodeInternal, Reason: "failed", Message: cut(err.Error(), maxLine)}
}

// close ends the job.
func (r *run) close(ctx context.Context, state bus.JobState, why *bus.JobError) error {
	now := time.Now().UTC()
	err := r.update(ctx, func(job *bus.Job) {
		job.Outcome, job.Files = r.outcome, r.files()
		if why != nil && why.Reason != "deadline" {
			job.Failures++
		}
		ended(job, state, why, now, r.kind.Keep)
	})
	if err != nil {
		return err
	}
	r.e.afterEnd(ctx, r.job)
	r.e.settle(r.item.Done(ctx))
	if r.job.Sole {
		bus.NudgeJobs(r.e.b)
	}
	return nil
}

// pauseRun lets the job go on at a moment: near ones are spent in the queue, where the lane stays taken.
func (r *run) pauseRun(ctx context.Context, w bus.JobWait, result string, failed bool) error {
	in := time.Until(w.Until)
	w.InRun = in <= r.e.t.Near
	w.Why = cut(w.Why, maxLine)
	now := time.Now().UTC() // one for all tries: by it we know a write of ours whose answer was lost
	err := r.update(ctx, func(job *bus.Job) {
		job.State, job.Wait, job.Worker, job.Changed, job.Outcome = bus.JobWaiting, &w, "", now, r.outcome
		if failed {
			job.Failures++
		}
		if !w.InRun {
			job.Generation++
		}
		endTry(job, result)
	})
	if err != nil {
		return err
	}
	r.e.tellState(r.job)
	if w.InRun {
		r.e.settle(r.item.GiveBack(max(in, time.Millisecond)))
		return nil
	}
	// Should this fail, the sweeper sees that the moment has passed.
	r.e.settle(bus.SetJobTimer(ctx, r.e.b, bus.TimerOfJob(r.job.Guild, r.job.ID), w.Until, itemOf(r.job)))
	r.e.settle(r.item.Done(ctx))
	return nil
}

// handBack lets another process go on at once.
func (r *run) handBack(ctx context.Context) error {
	now := time.Now().UTC()
	err := r.update(ctx, func(job *bus.Job) {
		job.State, job.Worker, job.Changed, job.Outcome = bus.JobPending, "", now, r.outcome
		endTry(job, "handed back: "+errDraining.Error())
	})
	if err != nil {
		return err
	}
	r.e.tellState(r.job)
	r.e.settle(r.item.GiveBack(0))
	bus.NudgeJobs(r.e.b)
	return nil
}
