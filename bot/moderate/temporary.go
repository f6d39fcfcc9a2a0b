package moderate

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// Keeper ends what was meant for a time. Its memory is on the bus, so a restart forgets
// nothing, and of all processes one works.
type Keeper struct {
	bot      *discord.Bot
	b        *bus.Bus
	log      *slog.Logger
	instance string
	sweep    func(context.Context) error // other records that are out of date
	records  *bus.Records[bus.Punishment]
}

// NewKeeper makes a keeper. It does no I/O. sweep is called now and then by the process
// that works.
func NewKeeper(bot *discord.Bot, b *bus.Bus, log *slog.Logger, instance string, sweep func(context.Context) error) *Keeper {
	return &Keeper{bot: bot, b: b, log: log, instance: instance, sweep: sweep}
}

// Open opens the records. It comes before every other method.
func (k *Keeper) Open(ctx context.Context) (err error) {
	k.records, err = bus.OpenRecords(ctx, k.b, bus.Punishments())
	return err
}

// Plan writes down that something ends, over what was planned before.
func (k *Keeper) Plan(ctx context.Context, p bus.Punishment) error {
	_, err := k.records.Put(ctx, bus.PunishmentKey(p.Guild, p.User), p)
	return err
}

// Has says whether something of a user is to end.
func (k *Keeper) Has(ctx context.Context, g bus.GuildID, u bus.UserID) (bool, error) {
	_, err := k.records.Get(ctx, bus.PunishmentKey(g, u))
	if bus.IsCode(err, bus.CodeNotFound) {
		return false, nil
	}
	return err == nil, err
}

// Forget drops what was planned before an instant: it has ended otherwise, or is for good.
func (k *Keeper) Forget(ctx context.Context, g bus.GuildID, u bus.UserID, before time.Time) error {
	key := bus.PunishmentKey(g, u)
	e, err := k.records.Get(ctx, key)
	if err == nil && e.Value.At.Before(before) {
		err = k.records.Delete(ctx, key, e.Revision)
	}
	if bus.IsCode(err, bus.CodeNotFound) || bus.IsCode(err, bus.CodeConflict) {
		return nil
	}
	return err
}

// dropRefused forgets a plan whose act Discord refused. After any other error the act may
// have come through, and the plan stays: ending what never began does no harm.
func (k *Keeper) dropRefused(ctx context.Context, p bus.Punishment, cause error) {
	var refused *discord.APIError
	if !errors.As(cause, &refused) || refused.Status >= 500 {
		return
	}
	if err := k.Forget(ctx, p.Guild, p.User, p.At.Add(time.Nanosecond)); err != nil {
		k.log.Warn("a plan for a ban that did not happen stays; it will end nothing", "guild", p.Guild, "user", p.User, "err", err)
	}
}

// How the keeper works: the lease is renewed long before it ends, and what could not be
// ended is tried again for a day.
const (
	leaseTTL   = 10 * time.Second
	sweepEvery = 10 * time.Minute
	retryAfter = time.Minute
	giveUp     = 24 * time.Hour
)

// Run ends what is due until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, k.b, bus.DueLease(), leaseTTL, k.instance)
		if err != nil {
			return nil //nolint:nilerr // only ctx ends the wait
		}
		held, cancel := lease.Context(ctx)
		if err := k.hold(held); err != nil && held.Err() == nil {
			k.log.Warn("what is due cannot be watched; trying again", "err", err)
			pause(ctx, time.Second)
		}
		cancel()
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			k.log.Debug("a lease was not released; it ends by itself", "err", err)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// hold follows the records and ends each at its time.
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

// planned is a record with when to try next.
type planned struct {
	bus.Entry[bus.Punishment]
	next time.Time
}

// follow returns nil when ctx ends, and the watch's error when that ends first.
func (k *Keeper) follow(ctx context.Context, changes <-chan bus.Entry[bus.Punishment], ended <-chan error) error {
	all := map[string]planned{}
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
				all[e.Key] = planned{e, e.Value.Until}
			}
		case <-timer.C:
			k.due(ctx, all)
			if time.Since(swept) >= sweepEvery {
				swept = time.Now()
				if err := k.sweep(ctx); err != nil {
					k.log.Warn("old records could not be swept; trying again later", "err", err)
				}
			}
		}
	}
}

var errWatchEnded = errors.New("the watch ended")

func until(all map[string]planned, first time.Time) time.Duration {
	for _, p := range all {
		if p.next.Before(first) {
			first = p.next
		}
	}
	return max(time.Until(first), 0)
}

// due ends what is due now.
func (k *Keeper) due(ctx context.Context, all map[string]planned) {
	for key, p := range all {
		if time.Now().Before(p.next) || ctx.Err() != nil {
			continue
		}
		err := k.end(ctx, p.Entry)
		if err != nil && ctx.Err() != nil {
			return // whoever works next does it
		}
		if err != nil {
			k.log.Error("a ban for a time could not be lifted; trying again", "guild", p.Value.Guild, "user", p.Value.User, "op", p.Value.Op, "err", err)
			p.next = time.Now().Add(retryAfter)
			all[key] = p
			continue
		}
		delete(all, key)
	}
}

// end lifts a ban unless its plan changed. Lifting one that is not there counts, so doing
// it again after a crash does no harm.
func (k *Keeper) end(ctx context.Context, e bus.Entry[bus.Punishment]) error {
	now, err := k.records.Get(ctx, e.Key)
	if bus.IsCode(err, bus.CodeNotFound) || err == nil && now.Revision != e.Revision {
		return nil
	}
	if err != nil {
		return err
	}
	p := e.Value
	err = k.bot.Unban(ctx, p.Guild.String(), p.User.String(), "the time of the ban is over · op="+p.Op)
	if err != nil && !discord.HasCode(err, discord.CodeUnknownBan, discord.CodeUnknownGuild) {
		if time.Since(p.Until) < giveUp {
			return err
		}
		k.log.Error("a ban for a time could not be lifted for a day; somebody has to do it by hand", "guild", p.Guild, "user", p.User, "op", p.Op, "err", err)
	}
	err = k.records.Delete(ctx, e.Key, e.Revision)
	if bus.IsCode(err, bus.CodeConflict) || bus.IsCode(err, bus.CodeNotFound) {
		return nil
	}
	return err
}
