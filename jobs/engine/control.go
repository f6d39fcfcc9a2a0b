package engine

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"splashtail/bus"
)

// componentName is what the component is called on the bus.
const componentName = "jobs"

// serve answers what bot, api and operators ask.
func (e *Engine) serve(ctx context.Context) (*bus.Service, error) {
	s, err := bus.NewService(e.b, bus.ServiceInfo{Component: componentName, Instance: e.cfg.Instance, Version: e.cfg.Version,
		Description: "Works on jobs: backups, restores and what else takes long.", Status: e.status})
	if err != nil {
		return nil, err
	}
	asked := func(q bus.JobRequest) (string, string) { return q.Actor, q.Target + " " + q.Reason }
	submitted := func(q bus.JobSubmit) (string, string) {
		return cmp.Or(q.Actor, q.By.String()), string(q.Kind) + " for " + q.Guild.String() + " " + q.Reason
	}
	scheduled := func(q bus.JobSchedule) (string, string) { return q.By.String(), q.Name + " of " + q.Guild.String() }
	for _, err := range []error{
		bus.Answer(s, bus.JobSubmitCall(), "Take a job in", submitted, e.Submit),
		bus.Answer(s, bus.JobCancelCall(), "End a job", asked, e.cancelJob),
		bus.Answer(s, bus.JobRetryCall(), "Let a job go on from the step in which it ended", asked, e.retryJob),
		bus.Answer(s, bus.JobReleaseCall(), "Let a job begin that was submitted to be held", asked, e.release),
		bus.Answer(s, bus.JobRemoveCall(), "Remove a job that has ended, with its files", asked, e.removeJob),
		bus.Answer(s, bus.JobPauseCall(), "Keep jobs of a kind from being begun", asked, e.pause),
		bus.Answer(s, bus.JobResumeCall(), "End a pause", asked, e.resume),
		bus.Answer(s, bus.JobScheduleCall(), "Set or remove a schedule", scheduled, e.SetSchedule),
		bus.Answer(s, bus.JobListCall(), "List jobs", nil, e.jobs.List),
		bus.Answer(s, bus.JobShowCall(), "Show a job", nil, e.show),
	} {
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

// status is what `nats req ctl.jobs.status` shows.
func (e *Engine) status(context.Context) (ready bool, details any) {
	e.mu.Lock()
	defer e.mu.Unlock()
	running := map[string]string{}
	for id, r := range e.running {
		running[id] = string(r.kind.Name)
	}
	return true, map[string]any{"workers": e.cfg.Workers, "running": running, "paused": slices.Sorted(maps.Keys(e.paused)), "kinds": slices.Sorted(maps.Keys(e.kinds))}
}

// find gives the record that a request is about; that of another guild is not found.
func (e *Engine) find(ctx context.Context, q bus.JobRequest) (bus.Entry[bus.Job], error) {
	job, err := e.show(ctx, q)
	if err != nil {
		return bus.Entry[bus.Job]{}, err
	}
	return e.records.Get(ctx, bus.JobKey(job.Guild, job.ID))
}

// findOpen is find for what only a job takes that has not ended.
func (e *Engine) findOpen(ctx context.Context, q bus.JobRequest) (bus.Entry[bus.Job], error) {
	rec, err := e.find(ctx, q)
	if job := rec.Value; err == nil && job.State.Ended() {
		err = bus.Errorf(bus.CodeConflict, "ended", "the job %s has ended already (%s)%s; nothing was changed", job.ID, job.State, whyEnded(job))
	}
	return rec, err
}

// whyEnded is what there is to say about a job's end, behind its state.
func whyEnded(job bus.Job) string {
	switch {
	case job.Cancel != nil && job.Cancel.Reason != "":
		return ": " + job.Cancel.Reason
	case job.Error != nil:
		return ": " + job.Error.Message
	}
	return ""
}

func (e *Engine) show(ctx context.Context, q bus.JobRequest) (bus.Job, error) {
	if q.Guild != 0 {
		return e.jobs.Get(ctx, q.Guild, q.Target)
	}
	return e.jobs.Find(ctx, q.Target)
}

// changed says that a record is not as it was read.
func changed(err error) bool {
	return bus.IsCode(err, bus.CodeConflict) && bus.AsError(err).Reason == "changed"
}

// again repeats a change of a record that somebody else changed meanwhile.
func again(change func() (bus.Job, error)) (bus.Job, error) {
	for try := 0; ; try++ {
		job, err := change()
		if !changed(err) || try == 10 {
			return job, err
		}
	}
}

// cancelJob ends a job: at once if nobody works on it, else its worker is told.
func (e *Engine) cancelJob(ctx context.Context, q bus.JobRequest) (bus.Job, error) {
	return again(func() (bus.Job, error) {
		rec, err := e.findOpen(ctx, q)
		if err != nil {
			return rec.Value, err
		}
		job := rec.Value
		if job.Cancel == nil {
			job.Cancel = &bus.JobCancel{By: cut(cmp.Or(q.Actor, "an operator"), maxActor), Reason: cut(q.Reason, 512), At: time.Now().UTC()}
		}
		if job.State == bus.JobRunning {
			if _, err := e.records.Update(ctx, bus.JobKey(job.Guild, job.ID), job, rec.Revision); err != nil {
				return job, err
			}
			bus.NudgeJob(e.b, job.ID)
			return job, nil
		}
		if err := e.end(ctx, job, rec.Revision, bus.JobCancelled, nil); err != nil {
			return job, err
		}
		e.tidy(ctx, job)
		done, err := e.records.Get(ctx, bus.JobKey(job.Guild, job.ID))
		return done.Value, err
	})
}

// tidy removes the item and the timer of a job that ended without a worker. What stays does no harm for long: whoever
// meets it sees that the job has ended.
func (e *Engine) tidy(ctx context.Context, job bus.Job) {
	err := bus.StopJobTimer(ctx, e.b, bus.TimerOfJob(job.Guild, job.ID))
	if err == nil {
		var d bus.Delivery[bus.JobItem]
		var there bool
		if d, there, err = bus.JobItemAt(ctx, e.b, job); err == nil && there && d.Value.ID == job.ID {
			err = bus.RemoveJobItem(ctx, e.b, d)
		}
	}
	if err != nil {
		e.log.Debug("the item of a job that was cancelled stays for now", "job", job.ID, "err", err)
	}
}

// retryJob lets a job that failed or was cancelled go on behind what it has noted.
func (e *Engine) retryJob(ctx context.Context, q bus.JobRequest) (bus.Job, error) {
	return again(func() (bus.Job, error) {
		rec, err := e.find(ctx, q)
		if err != nil {
			return bus.Job{}, err
		}
		job := rec.Value
		if job.State == bus.JobWaiting && job.Wait != nil && job.Wait.For == "" && !job.Wait.Pause && !job.Wait.InRun {
			return e.requeue(ctx, job, rec.Revision) // now instead of later
		}
		if job.State != bus.JobFailed && job.State != bus.JobCancelled {
			return job, bus.Errorf(bus.CodeConflict, "not_parked", "the job %s is %s; only one that failed, was cancelled or waits can be tried again; nothing was changed", job.ID, job.State)
		}
		if expired(job) {
			return job, bus.Errorf(bus.CodeNotFound, "no_job", "the job %s has expired and is being removed; nothing was changed; submit it anew", job.ID)
		}
		if len(job.Secrets) > 0 {
			if _, err := e.seals.Get(ctx, bus.JobKey(job.Guild, job.ID)); bus.IsCode(err, bus.CodeNotFound) {
				return job, bus.Errorf(bus.CodeConflict, "no_secret", "the secrets of the job %s are not kept any more; nothing was changed; submit it anew", job.ID)
			}
		}
		if job.Sole {
			if err := e.laneFree(ctx, &job); err != nil {
				return job, err
			}
		}
		job.Failures, job.Takeovers, job.Cancel, job.Error = 0, 0, nil, nil
		job.Finished, job.Expires, job.Deadline = time.Time{}, time.Time{}, time.Time{}
		return e.requeue(ctx, job, rec.Revision)
	})
}
