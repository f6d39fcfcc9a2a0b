package moderate

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// How the keeper works: the lease is renewed long before it ends; a record that has its job
// is looked at as often as other records are swept.
const (
	leaseTTL   = 10 * time.Second
	sweepEvery = 10 * time.Minute
	lookEvery  = 10 * time.Minute
)

// Run sees to it that every record has a job, until ctx ends. Of all processes one looks.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, k.b, bus.DueLease(), leaseTTL, k.cfg.Instance)
		if err != nil {
			return nil //nolint:nilerr // only ctx ends the wait
		}
		held, cancel := lease.Context(ctx)
		if err := k.hold(held); err != nil && held.Err() == nil {
			k.log.Warn("bans for a time cannot be watched; trying again", "err", err)
			pause.For(ctx, time.Second)
		}
		cancel()
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			k.log.Debug("a lease was not released; it ends by itself", "err", err)
		}
	}
	return nil
}

// hold follows the records and looks after each.
func (k *Keeper) hold(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	changes, ended := make(chan bus.Entry[bus.Punishment]), make(chan error, 1)
	go func() {
		ended <- k.records.Watch(ctx, ">", func(e bus.Entry[bus.Punishment], live bool) error {
			if live {
				return nil
			}
			select {
			case changes <- e:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	err := k.follow(ctx, changes, ended)
	cancel()
	if err == nil {
		<-ended
	}
	return err
}

// looked is a record with when to look at it next.
type looked struct {
	bus.Entry[bus.Punishment]
	next time.Time
}

// follow returns nil when ctx ends, and the watch's error when that ends first.
func (k *Keeper) follow(ctx context.Context, changes <-chan bus.Entry[bus.Punishment], ended <-chan error) error {
	all := map[string]looked{} // as many as there are records, which their bucket bounds
	swept := time.Now()
	for {
		timer := time.NewTimer(until(all, swept.Add(sweepEvery)))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case err := <-ended:
			timer.Stop()
			return errors.Join(errWatchEnded, err)
		case e := <-changes:
			timer.Stop()
			if e.Deleted {
				delete(all, e.Key)
			} else {
				all[e.Key] = looked{Entry: e} // at once
			}
		case <-timer.C:
			k.look(ctx, all)
			if time.Since(swept) >= sweepEvery {
				swept = time.Now()
				if err := k.cfg.Sweep(ctx); err != nil {
					k.log.Warn("old records could not be swept; trying again later", "err", err)
				}
			}
		}
	}
}

var errWatchEnded = errors.New("the watch ended")

func until(all map[string]looked, first time.Time) time.Duration {
	for _, l := range all {
		if l.next.Before(first) {
			first = l.next
		}
	}
	return max(time.Until(first), 0)
}

// look looks at the records whose turn it is. When nobody takes jobs, the rest waits too.
func (k *Keeper) look(ctx context.Context, all map[string]looked) {
	down := false
	for key, l := range all {
		if time.Now().Before(l.next) {
			continue
		}
		wait := lookEvery
		if down {
			wait = k.cfg.Again
		} else if err := k.ensure(ctx, l.Entry); err != nil {
			if ctx.Err() != nil {
				return // whoever looks next does it
			}
			k.log.Warn("no job for the end of a ban could be submitted; trying again", "guild", l.Value.Guild, "user", l.Value.User, "op", l.Value.Op, "err", err)
			wait, down = k.cfg.Again, bus.IsCode(err, bus.CodeUnavailable)
		}
		l.next = time.Now().Add(wait)
		all[key] = l
	}
}

// ensure gives a record its job, unless it has one. A job that failed is left to whoever
// retries it by hand, until it expires.
func (k *Keeper) ensure(ctx context.Context, e bus.Entry[bus.Punishment]) error {
	p := e.Value
	if p.Job != "" {
		job, err := k.jobs.Get(ctx, p.Guild, p.Job)
		switch {
		case bus.IsCode(err, bus.CodeNotFound):
		case err != nil:
			return err
		case job.State == bus.JobCancelled: // somebody wants the ban to stay
			return k.Forget(ctx, p.Guild, p.User, p.At.Add(time.Nanosecond))
		case job.State != bus.JobCompleted:
			return nil
		}
	}
	args, err := json.Marshal(bus.PunishmentArgs{User: p.User, Op: p.Op})
	if err != nil {
		return err
	}
	// The key makes a repetition harmless: after a crash before the record was written, the
	// same job is the answer.
	job, err := k.jobs.Submit(ctx, bus.JobSubmit{Kind: bus.JobPunishmentEnd, Guild: p.Guild, By: p.By, Args: args, Key: p.Op, At: p.Until, Reason: p.Reason})
	if err != nil || job.ID == p.Job {
		return err
	}
	p.Job = job.ID
	_, err = k.records.Update(ctx, e.Key, p, e.Revision)
	if bus.IsCode(err, bus.CodeConflict) {
		return nil // it changed meanwhile, and is looked at again if it is still there
	}
	return err
}
