package lockdown

import (
	"context"
	"errors"
	"time"

	"splashtail/bus"
)

// hold follows the records and works on each guild when there is something to do.
func (k *Keeper) hold(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	changes, ended := make(chan bus.Entry[bus.Lockdown]), make(chan error, 1)
	go func() {
		ended <- k.records.Watch(ctx, ">", func(e bus.Entry[bus.Lockdown], live bool) error {
			if live && e.Key == "" {
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
	f := &following{k: k, guilds: map[string]*todo{}, done: make(chan finished, atOnce)}
	over, err := f.loop(ctx, changes, ended)
	cancel()
	for f.running > 0 {
		<-f.done
		f.running--
	}
	if !over {
		<-ended
	}
	return err
}

// todo is when to work on a guild next.
type todo struct {
	at      time.Time // zero: not at all
	running bool
}

// finished is that the work on a guild ended.
type finished struct {
	key string
	err error
}

// following is the state of one hold. It is of one goroutine.
type following struct {
	k       *Keeper
	guilds  map[string]*todo
	done    chan finished
	running int
}

// loop returns when ctx ends, or with the watch's error when that is over first.
func (f *following) loop(ctx context.Context, changes <-chan bus.Entry[bus.Lockdown], ended <-chan error) (over bool, err error) {
	for {
		timer := time.NewTimer(f.wait())
		select {
		case <-ctx.Done():
			timer.Stop()
			return false, nil
		case err := <-ended:
			timer.Stop()
			return true, errors.Join(errors.New("the watch ended"), err)
		case e := <-changes:
			f.note(e)
		case d := <-f.done:
			f.end(d)
		case <-timer.C:
			f.start(ctx)
		}
		timer.Stop()
	}
}

// idle is how long the loop sleeps when nothing is due.
const idle = time.Hour

func (f *following) wait() time.Duration {
	first := time.Now().Add(idle)
	for _, t := range f.guilds {
		if !t.running && !t.at.IsZero() && t.at.Before(first) && f.running < atOnce {
			first = t.at
		}
	}
	return max(time.Until(first), 0)
}

// note takes a change of a record.
func (f *following) note(e bus.Entry[bus.Lockdown]) {
	t := f.guilds[e.Key]
	if t == nil {
		t = &todo{}
		f.guilds[e.Key] = t
	}
	t.at = time.Time{}
	if !e.Deleted {
		t.at = when(e.Value, time.Now())
	}
	if t.at.IsZero() && !t.running {
		delete(f.guilds, e.Key)
	}
}

// end takes the end of the work on a guild.
func (f *following) end(d finished) {
	f.running--
	t := f.guilds[d.key]
	t.running = false
	if d.err != nil {
		f.k.cfg.Log.Warn("a lockdown is not done yet; trying again", "guild", d.key, "after", retryAfter, "err", d.err)
		t.at = time.Now().Add(retryAfter)
	}
	if t.at.IsZero() {
		delete(f.guilds, d.key)
	}
}

// start begins the work on every guild where it is time.
func (f *following) start(ctx context.Context) {
	now := time.Now()
	for key, t := range f.guilds {
		if t.running || t.at.IsZero() || now.Before(t.at) || f.running >= atOnce {
			continue
		}
		t.running, t.at = true, time.Time{}
		f.running++
		go func() { f.done <- finished{key, f.k.work(ctx, key)} }()
	}
}

// when says at what time there is something to do; zero: never.
func when(l bus.Lockdown, now time.Time) time.Time {
	var first time.Time
	for _, lock := range l.Locks {
		at := lock.Until
		switch lock.Phase {
		case bus.LockStuck:
			continue
		case bus.LockClosing, bus.LockOpening:
			at = now
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	return first
}
