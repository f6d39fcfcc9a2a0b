package moderate

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// Keeper remembers what was meant for a time, and has the component jobs end it. Its memory
// is on the bus, so a restart forgets nothing; due.go says how each record gets its job.
type Keeper struct {
	cfg     KeeperConfig
	b       *bus.Bus
	log     *slog.Logger
	records *bus.Records[bus.Punishment]
	jobs    *bus.Jobs
}

// KeeperConfig says how a keeper works.
type KeeperConfig struct {
	Instance string
	Sweep    func(context.Context) error // removes other records that are out of date; called now and then by the process that looks
	Again    time.Duration               // until a job that could not be submitted is tried again; 0: a minute
}

// NewKeeper makes a keeper. It does no I/O.
func NewKeeper(cfg KeeperConfig, b *bus.Bus, log *slog.Logger) *Keeper {
	if cfg.Again == 0 {
		cfg.Again = time.Minute
	}
	return &Keeper{cfg: cfg, b: b, log: log}
}

// Open opens the records. It comes before every other method.
func (k *Keeper) Open(ctx context.Context) (err error) {
	if k.records, err = bus.OpenRecords(ctx, k.b, bus.Punishments()); err != nil {
		return err
	}
	k.jobs, err = bus.OpenJobs(ctx, k.b)
	return err
}

// Plan writes down that something ends, over what was planned before. Whichever process runs
// Run sees the record and submits its job.
func (k *Keeper) Plan(ctx context.Context, p bus.Punishment) error {
	_, err := k.records.Put(ctx, bus.PunishmentKey(p.Guild, p.User), p)
	return err
}

// Planned gives what of a user is to end, if there is anything.
func (k *Keeper) Planned(ctx context.Context, g bus.GuildID, u bus.UserID) (p bus.Punishment, known bool, err error) {
	e, err := k.records.Get(ctx, bus.PunishmentKey(g, u))
	if bus.IsCode(err, bus.CodeNotFound) {
		return bus.Punishment{}, false, nil
	}
	return e.Value, err == nil, err
}

// Forget drops what was planned before an instant: it has ended otherwise, or is for good.
func (k *Keeper) Forget(ctx context.Context, g bus.GuildID, u bus.UserID, before time.Time) error {
	planned := func(p bus.Punishment) bool { return p.At.Before(before) }
	return k.replace(ctx, bus.PunishmentKey(g, u), planned, func(e bus.Entry[bus.Punishment]) error {
		return k.records.Delete(ctx, e.Key, e.Revision)
	})
}

// replace changes the record of a key if it is the one that is meant, and cancels the job
// that it had.
func (k *Keeper) replace(ctx context.Context, key string, meant func(bus.Punishment) bool, change func(bus.Entry[bus.Punishment]) error) error {
	for try := 0; ; try++ {
		e, err := k.records.Get(ctx, key)
		if err == nil && meant(e.Value) {
			if err = change(e); err == nil {
				k.cancel(ctx, e.Value)
			}
		}
		if bus.IsCode(err, bus.CodeConflict) && try < 5 {
			continue // its job was written into it, or it was planned anew
		}
		if bus.IsCode(err, bus.CodeNotFound) {
			return nil
		}
		return err
	}
}

// cancelTimeout bounds the cancelling of a job, which is a courtesy.
const cancelTimeout = 2 * time.Second

// cancel ends the job of a plan that was dropped. One that is left lifts nothing, and one
// that is due may be what has just lifted the ban: it ends by itself.
func (k *Keeper) cancel(ctx context.Context, p bus.Punishment) {
	if p.Job == "" || !time.Now().Before(p.Until) {
		return
	}
	ctx, stop := context.WithTimeout(ctx, cancelTimeout)
	defer stop()
	_, err := k.jobs.Cancel(ctx, bus.JobRequest{Actor: "bot", Reason: "the ban ended otherwise, or is for good", Target: p.Job, Guild: p.Guild})
	if err != nil {
		k.log.Debug("the job of a ban for a time was not cancelled; it will lift nothing", "guild", p.Guild, "job", p.Job, "err", err)
	}
}

// takeBack undoes Plan for an act that Discord refused: what was planned before, if anything
// was, holds again. After any other error the act may have come through, and the plan stays:
// ending what never began does no harm.
func (k *Keeper) takeBack(ctx context.Context, p, before bus.Punishment, cause error) {
	var refused *discord.APIError
	if !errors.As(cause, &refused) || refused.Status >= 500 {
		return
	}
	ours := func(now bus.Punishment) bool { return now.Op == p.Op }
	err := k.replace(ctx, bus.PunishmentKey(p.Guild, p.User), ours, func(e bus.Entry[bus.Punishment]) error {
		if before.Op == "" {
			return k.records.Delete(ctx, e.Key, e.Revision)
		}
		_, err := k.records.Update(ctx, e.Key, before, e.Revision)
		return err
	})
	if err != nil {
		k.log.Warn("a plan for a ban that Discord refused stays; a ban of before ends when it says", "guild", p.Guild, "user", p.User, "until", p.Until, "err", err)
	}
}
