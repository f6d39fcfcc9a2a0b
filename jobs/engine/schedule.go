package engine

import (
	"context"
	"time"

	"splashtail/bus"
	"splashtail/jobs/engine/cron"
)

// Bounds of schedules.
const (
	maxSchedules = 25               // of a guild
	minEvery     = 15 * time.Minute // between two times of one schedule
)

// SetSchedule sets a schedule of a guild, over one of the same name; without a cron text it is removed.
func (e *Engine) SetSchedule(ctx context.Context, s bus.JobSchedule) (bus.JobSchedule, error) {
	key, err := bus.JobScheduleKey(s.Guild, s.Name)
	if err != nil || s.Guild == 0 {
		return s, bus.Errorf(bus.CodeInvalid, "bad_name", "a schedule needs a server, and a name of letters, digits and dashes; nothing was changed")
	}
	if s.Cron == "" {
		if err := e.schedules.Delete(ctx, key, 0); err != nil {
			return s, err
		}
		return s, bus.StopJobTimer(ctx, e.b, bus.TimerOfSchedule(s.Guild, s.Name))
	}
	now := time.Now()
	next, err := e.checkSchedule(s, now)
	if err != nil {
		return s, err
	}
	all, err := e.schedules.All(ctx, s.Guild.String()+".*")
	if err != nil {
		return s, err
	}
	var was *bus.Entry[bus.JobSchedule]
	for i := range all {
		if all[i].Key == key {
			was = &all[i]
		}
	}
	if was == nil && len(all) >= maxSchedules {
		return s, bus.Errorf(bus.CodeLimited, "too_many_schedules", "a server has at most %d schedules; nothing was changed", maxSchedules)
	}
	s.V, s.At, s.Next, s.Last = 1, now.UTC(), next, ""
	if was != nil {
		s.Last = was.Value.Last
	}
	if _, err := e.schedules.Put(ctx, key, s); err != nil {
		return s, err
	}
	return s, e.setScheduleTimer(ctx, s)
}

func (e *Engine) checkSchedule(s bus.JobSchedule, now time.Time) (next time.Time, err error) {
	k, known := e.kinds[s.Kind]
	if !known {
		return next, bus.Errorf(bus.CodeInvalid, "no_kind", "there is no kind of job %q; nothing was changed", s.Kind)
	}
	if _, err := k.prepare(s.Args, s.Guild); err != nil {
		return next, err
	}
	spec, err := cron.Parse(s.Cron, s.Zone)
	if err != nil {
		return next, bus.Errorf(bus.CodeInvalid, "bad_schedule", "%w; nothing was changed", err)
	}
	next = spec.Next(now)
	for at, i := next, 0; i < 100; i++ {
		then := spec.Next(at)
		if !then.IsZero() && then.Sub(at) < minEvery {
			return next, bus.Errorf(bus.CodeInvalid, "too_often", "a schedule comes at most every %v; nothing was changed", minEvery)
		}
		at = then
	}
	return next, nil
}

func (e *Engine) setScheduleTimer(ctx context.Context, s bus.JobSchedule) error {
	t := bus.TimerOfSchedule(s.Guild, s.Name)
	if s.Paused {
		return bus.StopJobTimer(ctx, e.b, t)
	}
	return bus.SetJobTimer(ctx, e.b, t, s.Next, bus.JobItem{V: 1, Guild: s.Guild, Schedule: s.Name, At: s.Next.Format(time.RFC3339)})
}

// scheduleDue makes the job of a schedule whose time has come, and sets the next time. Times that passed while nothing
// ran have become one. Coming again after a crash in between, it makes no second job: its key is the time.
func (e *Engine) scheduleDue(ctx context.Context, item bus.JobItem) error {
	key, err := bus.JobScheduleKey(item.Guild, item.Schedule)
	if err != nil {
		return err
	}
	rec, err := e.schedules.Get(ctx, key)
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s := rec.Value
	if s.Paused || s.Next.Format(time.RFC3339) != item.At {
		return nil // changed since this timer was set
	}
	job, err := e.Submit(ctx, bus.JobSubmit{Kind: s.Kind, Guild: s.Guild, Args: s.Args, Key: "schedule/" + s.Name + "/" + item.At, Queued: true, Schedule: s.Name})
	switch {
	case err == nil:
		s.Last = job.ID
	case bus.IsCode(err, bus.CodeInvalid) || bus.IsCode(err, bus.CodeDenied):
		e.log.Warn("a schedule makes no job any more until it is set anew; its next time stays", "guild", s.Guild.String(), "schedule", s.Name, "err", err)
	default:
		return err
	}
	spec, err := cron.Parse(s.Cron, s.Zone)
	if err != nil {
		return bus.Errorf(bus.CodeInvalid, "bad_schedule", "%w", err)
	}
	// Behind the time that was due, also by a clock that is behind the server's: else it would be due at once again.
	s.Next = spec.Next(later(time.Now(), s.Next))
	if _, err := e.schedules.Update(ctx, key, s, rec.Revision); err != nil {
		if bus.IsCode(err, bus.CodeConflict) {
			return nil // set anew meanwhile, with a timer of its own
		}
		return err
	}
	return e.setScheduleTimer(ctx, s)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// mendSchedules sets the timers of schedules that have none although their time has passed, as after a crash between
// record and timer.
func (e *Engine) mendSchedules(ctx context.Context) {
	all, err := e.schedules.All(ctx, "*.*")
	if err != nil {
		e.log.Debug("schedules cannot be looked at", "err", err)
		return
	}
	for _, rec := range all {
		s := rec.Value
		if s.Paused || time.Since(s.Next) < e.t.Stale {
			continue
		}
		if _, there, err := bus.JobTimerSet(ctx, e.b, bus.TimerOfSchedule(s.Guild, s.Name)); err != nil || there {
			continue
		}
		if err := e.setScheduleTimer(ctx, s); err != nil {
			e.log.Debug("the timer of a schedule cannot be set", "err", err)
			continue
		}
		e.m.mended.WithLabelValues("schedule").Inc()
	}
}
