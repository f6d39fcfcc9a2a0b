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
	for try := 0; ; try++ {
		e, err := k.records.Get(ctx, key)
		if err == nil && e.Value.At.Before(before) {
			if err = k.records.Delete(ctx, key, e.Revision); err == nil {
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
