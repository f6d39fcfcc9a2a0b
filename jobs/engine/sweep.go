package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// sweepLease is how long the right to sweep outlives its holder.
const sweepLease = 10 * time.Second

// sweep mends, in one process at a time, what crashes left between two writes, and removes what has expired.
func (e *Engine) sweep(ctx context.Context) error {
	for ctx.Err() == nil {
		l, err := bus.AwaitLease(ctx, e.b, bus.JobsLease(), sweepLease, e.cfg.Instance)
		if err != nil {
			return nil // ctx has ended
		}
		held, stop := l.Context(ctx)
		if err := e.sweepWhile(held); err != nil && held.Err() == nil {
			e.log.Warn("the sweeper of jobs begins anew", "err", err)
			pause.For(ctx, e.t.Sweep)
		}
		stop()
		// A process that ends gives the right to the next one at once.
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		if err := l.Release(release); err != nil {
			e.log.Debug("the right to sweep ends by itself", "err", err)
		}
		cancel()
	}
	return nil
}

// trace is what the sweeper holds of a job.
type trace struct {
	state   bus.JobState
	changed time.Time // when its record was written
	look    time.Time // when it has to be looked at
	missing int       // looks in a row without a sign of it
}

// sweepWhile watches all records and looks at those whose time has come.
func (e *Engine) sweepWhile(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var mu sync.Mutex
	traces := map[string]*trace{}
	var schedules time.Time // when they are looked at again
	watched := make(chan error, 1)
	go func() {
		watched <- e.records.Watch(ctx, "*.*", func(rec bus.Entry[bus.Job], live bool) error {
			mu.Lock()
			defer mu.Unlock()
			switch {
			case live:
			case rec.Deleted:
				delete(traces, rec.Key)
			default:
				traces[rec.Key] = &trace{state: rec.Value.State, changed: rec.At, look: e.lookAt(rec.Value, rec.At)}
			}
			return nil
		})
	}()
	tick := time.NewTicker(e.t.Sweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-watched:
			return errors.Join(errors.New("the records of jobs are not watched any more"), err)
		case now := <-tick.C:
			if now.After(schedules) {
				schedules = now.Add(time.Minute)
				e.mendSchedules(ctx)
			}
			mu.Lock()
			due := map[string]*trace{}
			counts := map[bus.JobState]int{}
			for key, t := range traces {
				counts[t.state]++
				if !t.look.IsZero() && now.After(t.look) {
					due[key] = t
				}
			}
			mu.Unlock()
			e.count(counts)
			for key, t := range due {
				if err := e.mend(ctx, key, t); err != nil && ctx.Err() == nil {
					e.log.Warn("a job could not be mended; trying again", "job", key, "err", err)
				}
			}
		}
	}
}

func (e *Engine) count(counts map[bus.JobState]int) {
	for _, s := range []bus.JobState{bus.JobPending, bus.JobWaiting, bus.JobRunning, bus.JobCompleted, bus.JobFailed, bus.JobCancelled} {
		e.m.known.WithLabelValues(string(s)).Set(float64(counts[s]))
	}
}

// lookAt is when a record that stays as it is needs somebody to look.
func (e *Engine) lookAt(job bus.Job, changed time.Time) time.Time {
	switch job.State {
	case bus.JobPending, bus.JobRunning:
		return changed.Add(e.t.Stale)
	case bus.JobWaiting:
		if job.Wait == nil || job.Wait.Pause { // the end of a pause may have come between two looks at it
			return changed.Add(e.t.Stale)
		}
		return job.Wait.Until.Add(e.t.Stale)
	default:
		if at := sealEnds(job, changed.Add(e.t.Stale)); !at.IsZero() && at.Before(job.Expires) {
			return at
		}
		return job.Expires
	}
}

// mend looks at one job whose record has stood still for long.
func (e *Engine) mend(ctx context.Context, key string, t *trace) error {
	rec, err := e.records.Get(ctx, key)
	if err != nil {
		if bus.IsCode(err, bus.CodeNotFound) {
			return nil
		}
		return err
	}
	job := rec.Value
	if job.State.Ended() {
		if expired(job) {
			return e.expireAt(ctx, job, rec.Revision)
		}
		if err := e.dropLeftSeal(ctx, job); err != nil {
			return err
		}
		t.look = job.Expires
		return nil
	}
	if held(job) && time.Now().After(job.Wait.Until) {
		return e.endHeld(ctx, job, rec.Revision)
	}
	if waits, err := e.waitsStill(ctx, job); err != nil || waits {
		t.look = time.Now().Add(e.t.Stale)
		return err
	}
	d, there, err := bus.JobItemAt(ctx, e.b, job)
	if err != nil {
		return err
	}
	if there && d.Value.ID == job.ID && d.Value.Generation == job.Generation {
		t.missing, t.look = 0, time.Now().Add(e.t.Stale) // it is in its queue; whoever is free takes it
		return nil
	}
	if t.missing++; job.State == bus.JobRunning && t.missing < 2 {
		t.look = time.Now().Add(e.t.Stale) // its worker may be about to write its end
		return nil
	}
	e.m.mended.WithLabelValues(string(job.State)).Inc()
	e.log.Warn("a job had no item in its queue, as after a crash; it is placed anew", "job", job.ID, "guild", job.Guild.String(), "state", string(job.State))
	_, err = e.requeue(ctx, job, rec.Revision)
	return err
}

// waitsStill says whether a job that waits is left to what it waits for: the end of a pause, or a timer that the server holds.
// The server's clock decides and not ours, which may be ahead of it.
func (e *Engine) waitsStill(ctx context.Context, job bus.Job) (bool, error) {
	if job.State != bus.JobWaiting || job.Wait == nil || job.Wait.InRun {
		return false, nil
	}
	if job.Wait.Held {
		return true, nil
	}
	if job.Wait.Pause {
		_, paused := e.isPaused(job.Kind)
		return paused, nil
	}
	timer, there, err := bus.JobTimerSet(ctx, e.b, bus.TimerOfJob(job.Guild, job.ID))
	return there && timer.Generation == job.Generation, err
}

// expireAt removes a job whose time is over. Its record is written once more before, so that somebody who wants to retry it
// at this moment sees that it is late instead of beginning anew without its notes.
func (e *Engine) expireAt(ctx context.Context, job bus.Job, rev uint64) error {
	rev, err := e.records.Update(ctx, bus.JobKey(job.Guild, job.ID), job, rev)
	if err != nil {
		return err
	}
	return e.expire(ctx, job, rev)
}

// expired says whether a job and what is kept of it may be removed.
func expired(job bus.Job) bool {
	return job.State.Ended() && !job.Expires.IsZero() && !time.Now().Before(job.Expires)
}

// expire removes all that there is of a job, its record last, so that a crash in between is made good by the next look.
func (e *Engine) expire(ctx context.Context, job bus.Job, rev uint64) error {
	if _, err := e.files.DeleteUnder(ctx, job.Guild.String()+"/"+job.ID+"/"); err != nil {
		return err
	}
	e.dropSeal(ctx, job)
	if err := bus.Purge(ctx, e.b, bus.JobNotes(job.Guild, job.ID)); err != nil {
		return err
	}
	if err := bus.Purge(ctx, e.b, bus.JobLog(job.Guild, job.ID)); err != nil {
		return err
	}
	if err := e.records.Delete(ctx, bus.JobKey(job.Guild, job.ID), rev); err != nil {
		return err
	}
	e.m.mended.WithLabelValues("expired").Inc()
	return nil
}
