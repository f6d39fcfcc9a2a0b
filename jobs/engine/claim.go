package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"splashtail/bus"
)

// Why a run's context ended, beside its deadline.
var (
	errDraining  = errors.New("this process stops")
	errCancelled = errors.New("somebody cancelled the job")
)

// maxTakeovers is how often a job may lose its worker until it is held to be what kills them.
const maxTakeovers = 20

// pausedLook is how often a job of a paused kind looks whether it still is; the end of a pause lets it go on at once.
const pausedLook = 10 * time.Minute

// one works on one item. Whatever goes wrong before the run begins leaves the item to come again.
func (e *Engine) one(ctx context.Context, item *bus.Taken[bus.JobItem]) {
	e.mu.Lock()
	mine := e.running[item.Value.ID] != nil
	e.mu.Unlock()
	if mine {
		// It came again because our signs of life did not arrive in time, and nobody else has it yet.
		e.settle(item.GiveBack(e.t.AckWait))
		return
	}
	r, err := e.claim(ctx, item)
	if err != nil {
		e.log.Warn("a job could not be begun; it comes again", "job", item.Value.ID, "guild", item.Value.Guild.String(), "err", err)
		e.settle(item.GiveBack(e.t.Poll))
		return
	}
	if r != nil {
		e.work(ctx, r)
	}
}

// claim makes an item's job ours: afterwards the record says so, and nobody with an earlier attempt can write. It
// gives nil when there is nothing to do.
func (e *Engine) claim(ctx context.Context, item *bus.Taken[bus.JobItem]) (*run, error) {
	for try := 0; ; try++ {
		rec, err := e.records.Get(ctx, bus.JobKey(item.Value.Guild, item.Value.ID))
		if bus.IsCode(err, bus.CodeNotFound) {
			return nil, item.Done(ctx)
		}
		if err != nil {
			return nil, err
		}
		r, err := e.claimAt(ctx, item, rec)
		if bus.IsCode(err, bus.CodeConflict) && try < 5 {
			continue // changed meanwhile: look again
		}
		return r, err
	}
}

func (e *Engine) claimAt(ctx context.Context, item *bus.Taken[bus.JobItem], rec bus.Entry[bus.Job]) (*run, error) {
	job := rec.Value
	if job.State.Ended() || job.Generation != item.Value.Generation {
		return nil, item.Done(ctx)
	}
	k, known := e.kinds[job.Kind]
	if !known {
		// Another process may have a newer list of kinds.
		return nil, item.GiveBack(max(e.t.AckWait, time.Second))
	}
	if job.State == bus.JobRunning {
		job.Takeovers++
		e.m.taken.WithLabelValues(string(k.Name)).Inc()
		endTry(&job, "its worker was gone")
	}
	if job.Cancel != nil {
		return nil, e.endWithout(ctx, item, job, rec.Revision, bus.JobCancelled, nil)
	}
	if job.Takeovers > maxTakeovers {
		why := &bus.JobError{Code: bus.CodeInternal, Reason: "workers_die", Message: fmt.Sprintf("its worker was gone %d times; it may be what ends them", job.Takeovers)}
		return nil, e.endWithout(ctx, item, job, rec.Revision, bus.JobFailed, why)
	}
	if p, paused := e.isPaused(job.Kind); paused && job.State != bus.JobRunning {
		_, err := e.waitUntil(ctx, job, rec.Revision, bus.JobWait{Until: time.Now().Add(pausedLook).UTC(), Why: pauseText(p), Pause: true})
		if err != nil {
			return nil, err
		}
		return nil, item.Done(ctx)
	}
	return e.begin(ctx, item, k, job, rec.Revision)
}

// begin writes into the record that this process has the job.
func (e *Engine) begin(ctx context.Context, item *bus.Taken[bus.JobItem], k Kind, job bus.Job, rev uint64) (*run, error) {
	w, err := k.prepare(job.Args, job.Guild)
	if err != nil {
		why := &bus.JobError{Code: bus.CodeInvalid, Reason: "bad_args", Message: bus.AsError(err).Message}
		return nil, e.endWithout(ctx, item, job, rev, bus.JobFailed, why)
	}
	now := time.Now().UTC()
	first := job.Started.IsZero()
	if first {
		job.Started = now
	}
	if job.Deadline.IsZero() && k.Deadline > 0 {
		job.Deadline = now.Add(k.Deadline)
	}
	job.State, job.Wait, job.Error, job.Worker, job.Changed = bus.JobRunning, nil, nil, e.cfg.Instance, now
	job.Attempt++
	job.Tries = append(job.Tries, bus.JobTry{Attempt: job.Attempt, Worker: e.cfg.Instance, Begun: now})
	job.Tries = job.Tries[max(0, len(job.Tries)-bus.MaxJobTries):]
	r := newRun(e, k, w, item, job)
	if r.rev, err = e.records.Update(ctx, bus.JobKey(job.Guild, job.ID), job, rev); err != nil {
		return nil, err
	}
	if first {
		e.m.waited.WithLabelValues(job.Queue).Observe(now.Sub(job.Submitted).Seconds())
	}
	e.tellState(job)
	return r, nil
}

// endWithout ends a job that is not run any more.
func (e *Engine) endWithout(ctx context.Context, item *bus.Taken[bus.JobItem], job bus.Job, rev uint64, state bus.JobState, why *bus.JobError) error {
	if err := e.end(ctx, job, rev, state, why); err != nil {
		return err
	}
	return item.Done(ctx)
}

// end writes the end of a job, and removes what is not needed after it.
func (e *Engine) end(ctx context.Context, job bus.Job, rev uint64, state bus.JobState, why *bus.JobError) error {
	now := time.Now().UTC()
	ended(&job, state, why, now, e.keep(job.Kind))
	if _, err := e.records.Update(ctx, bus.JobKey(job.Guild, job.ID), job, rev); err != nil {
		return err
	}
	e.afterEnd(ctx, job)
	return nil
}

func (e *Engine) keep(kind bus.JobKind) time.Duration {
	if k, ok := e.kinds[kind]; ok {
		return k.Keep
	}
	return Kind{}.withDefaults().Keep
}

// ended changes a record to that of a job that has ended.
func ended(job *bus.Job, state bus.JobState, why *bus.JobError, now time.Time, keep time.Duration) {
	job.State, job.Error, job.Wait, job.Finished, job.Changed = state, why, nil, now, now
	job.Expires = now.Add(keep)
	result := string(state)
	if why != nil {
		result += ": " + why.Message
	}
	endTry(job, result)
}

func endTry(job *bus.Job, result string) {
	if n := len(job.Tries); n > 0 && job.Tries[n-1].Ended.IsZero() {
		job.Tries[n-1].Ended, job.Tries[n-1].Result = time.Now().UTC(), result
	}
}

// afterEnd does what follows the end of a job: nothing of it is missed if the process dies before.
func (e *Engine) afterEnd(ctx context.Context, job bus.Job) {
	e.m.ended.WithLabelValues(string(job.Kind), string(job.State)).Inc()
	e.tellState(job)
	if len(job.Secrets) == 0 {
		return
	}
	if job.State != bus.JobFailed {
		e.dropSeal(ctx, job)
		return
	}
	// A retry needs them; without one they end by themselves.
	key := bus.JobKey(job.Guild, job.ID)
	if s, err := e.seals.Get(ctx, key); err == nil {
		if _, err := e.seals.PutFor(ctx, key, s.Value, keepFailedSeal); err != nil {
			e.log.Warn("the secrets of a job that failed are kept longer than they should be", "job", job.ID, "err", err)
		}
	}
}

func (e *Engine) settle(err error) {
	if err != nil {
		e.log.Debug("what became of an item did not reach the server; it comes again", "err", err)
	}
}
