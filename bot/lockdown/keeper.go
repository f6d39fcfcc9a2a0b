package lockdown

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"splashtail/bot/command"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/pause"
)

// Config is what a keeper works with; every field must be set.
type Config struct {
	Bot      *discord.Bot
	Bus      *bus.Bus
	Log      *slog.Logger
	Instance string        // names this process
	Self     func() string // the bot's own user
	Settings func(context.Context, bus.GuildID) (bus.GuildSettings, error)
	Words    *words.Catalogue
}

// Keeper closes guilds and opens them again. Commands only write what is wished; of all
// processes one carries it out, and the next goes on where one that dies stopped.
type Keeper struct {
	cfg     Config
	records *bus.Records[bus.Lockdown]
}

// New makes a keeper. It does no I/O.
func New(cfg Config) *Keeper { return &Keeper{cfg: cfg} }

// Open opens the records. It comes before every other method.
func (k *Keeper) Open(ctx context.Context) (err error) {
	k.records, err = bus.OpenRecords(ctx, k.cfg.Bus, bus.Lockdowns())
	return err
}

// Of gives the locks of a guild; none is no error.
func (k *Keeper) Of(ctx context.Context, g bus.GuildID) (bus.Lockdown, error) {
	e, err := k.records.Get(ctx, g.String())
	if bus.IsCode(err, bus.CodeNotFound) {
		return bus.Lockdown{V: 1}, nil
	}
	return e.Value, err
}

// change writes a guild's record after f changed it; f is called again when somebody else
// wrote meanwhile.
func (k *Keeper) change(ctx context.Context, g bus.GuildID, f func(*bus.Lockdown) error) error {
	for ctx.Err() == nil {
		e, err := k.records.Get(ctx, g.String())
		if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
			return err
		}
		l := e.Value
		l.V = 1
		if err := f(&l); err != nil {
			return err
		}
		if e.Revision == 0 {
			_, err = k.records.Create(ctx, g.String(), l)
		} else {
			_, err = k.records.Update(ctx, g.String(), l, e.Revision)
		}
		if !bus.IsCode(err, bus.CodeConflict) {
			return err
		}
	}
	return ctx.Err()
}

// Begin wishes a lock. One of the same scope that is in force is made anew: it gets the
// new time limit, and what was opened by hand meanwhile is closed again. It gives the id
// of the lock. Errors: a *command.Refusal when it is being lifted or there are too many.
func (k *Keeper) Begin(ctx context.Context, g bus.GuildID, lock bus.Lock) (id string, err error) {
	lock.Phase = bus.LockClosing
	err = k.change(ctx, g, func(l *bus.Lockdown) error {
		id = lock.ID
		for i, other := range l.Locks {
			if other.Scope != lock.Scope || other.Channel != lock.Channel {
				continue
			}
			if other.Phase == bus.LockOpening {
				return command.Refuse("lockdown.being_lifted")
			}
			id = other.ID
			again := lock
			again.ID = id
			l.Locks[i] = again
			return nil
		}
		if len(l.Locks) >= bus.MaxLocks {
			return command.Refuse("lockdown.many", "count", bus.MaxLocks)
		}
		l.Locks = append(l.Locks, lock)
		return nil
	})
	return id, err
}

// Lift wishes that the locks which match are lifted, and gives their ids; none when no
// lock does. audit is for the guild's audit log.
func (k *Keeper) Lift(ctx context.Context, g bus.GuildID, match func(bus.Lock) bool, by bus.UserID, audit string) (ids []string, err error) {
	none := errors.New("no lock matches")
	err = k.change(ctx, g, func(l *bus.Lockdown) error {
		ids = nil
		for i := range l.Locks {
			if match(l.Locks[i]) {
				ids = append(ids, l.Locks[i].ID)
				open(&l.Locks[i], by, audit)
			}
		}
		if len(ids) == 0 {
			return none
		}
		return nil
	})
	if errors.Is(err, none) {
		return nil, nil
	}
	return ids, err
}

// open lets the lifting of a lock begin; one under way goes on.
func open(lock *bus.Lock, by bus.UserID, audit string) {
	if lock.Phase == bus.LockOpening {
		return
	}
	lock.Phase, lock.OpenedBy, lock.Audit = bus.LockOpening, by, audit
	lock.Planned, lock.Todo, lock.Total, lock.Failed = false, nil, 0, nil
}

// Await calls see with a lock whenever it changes, until see says that it is enough or
// the lock is gone, which is nil.
func (k *Keeper) Await(ctx context.Context, g bus.GuildID, id string, see func(bus.Lockdown, *bus.Lock) (enough bool)) error {
	enough := errors.New("enough")
	err := k.records.Watch(ctx, g.String(), func(e bus.Entry[bus.Lockdown], live bool) error {
		var found *bus.Lock
		for i := range e.Value.Locks {
			if e.Value.Locks[i].ID == id {
				found = &e.Value.Locks[i]
			}
		}
		if live && e.Key == "" && found == nil {
			// All that existed was told: if the lock was among it, see knows it.
			_, err := k.records.Get(ctx, g.String())
			if !bus.IsCode(err, bus.CodeNotFound) {
				return err
			}
		}
		if see(e.Value, found) || found == nil {
			return enough
		}
		return nil
	})
	if errors.Is(err, enough) {
		return nil
	}
	return err
}

// How the keeper works.
const (
	leaseTTL   = 10 * time.Second
	retryAfter = 10 * time.Second
	atOnce     = 16 // guilds that are worked on side by side
)

// Run closes and opens what is wished or due until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, k.cfg.Bus, bus.LockdownLease(), leaseTTL, k.cfg.Instance)
		if err != nil {
			return nil //nolint:nilerr // only ctx ends the wait
		}
		held, cancel := lease.Context(ctx)
		if err := k.hold(held); err != nil && held.Err() == nil {
			k.cfg.Log.Warn("lockdowns cannot be watched; trying again", "err", err)
			pause.For(ctx, time.Second)
		}
		cancel()
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			k.cfg.Log.Debug("a lease was not released; it ends by itself", "err", err)
		}
	}
	return nil
}
