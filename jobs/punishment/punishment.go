// Package punishment ends a punishment for a time as a job: it lifts the ban.
//
// What comes in: bus.PunishmentArgs, at the moment when the time is over. What goes out: one call of Discord, and the
// removal of the record of the punishment. That record decides: the bot removes it when somebody lifts the ban before, or
// makes it one for good, and then nothing is lifted.
package punishment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/work"
)

// How long Discord is asked again.
const (
	giveUp    = 24 * time.Hour // after its first refusal
	firstWait = 15 * time.Second
	longWait  = 10 * time.Minute
	// dropAfter is how long after its end a punishment whose job was given up is remembered.
	dropAfter = 30 * 24 * time.Hour
)

// End is the work of one job.
type End struct {
	bus.PunishmentArgs
	bot *discord.Bot
	b   *bus.Bus
}

// New makes one; its arguments are decoded into it. Without a bus, as where a job runs without a server, it does nothing
// but say so.
func New(bot *discord.Bot, b *bus.Bus) *End { return &End{bot: bot, b: b} }

// Check implements work.Work.
func (e *End) Check() error {
	if e.User == 0 {
		return errors.New("the user whose punishment ends is needed")
	}
	if e.Op == "" || len(e.Op) > 64 {
		return errors.New("the op of the punishment has 1 to 64 characters")
	}
	return nil
}

// liftedNote keeps what came of the call of Discord, so that a worker that takes over behind it reports the same.
const liftedNote = "lifted"

// Run implements work.Work. Lifting a ban that is not there counts, so doing it again after a crash does no harm.
func (e *End) Run(ctx context.Context, r work.Run) error {
	if e.b == nil {
		return work.Permanent(errors.New("punishments are kept by a server; without one nothing can be ended"))
	}
	records, err := bus.OpenRecords(ctx, e.b, bus.Punishments())
	if err != nil {
		return err
	}
	guild := r.Job().Guild
	var done bus.PunishmentDone
	if lifted, err := r.Noted(liftedNote, &done); err != nil {
		return err
	} else if lifted {
		return e.finish(ctx, r, records, done)
	}
	rec, err := records.Get(ctx, bus.PunishmentKey(guild, e.User))
	if bus.IsCode(err, bus.CodeNotFound) || err == nil && rec.Value.Op != e.Op {
		r.Say(work.Info, "the ban ended otherwise, or is another one now; nothing was lifted")
		return r.Outcome(bus.PunishmentDone{Result: bus.PunishmentDropped})
	}
	if err != nil {
		return err
	}
	if time.Now().Before(rec.Value.Until) {
		return work.Snooze(rec.Value.Until, "the time of the ban is not over")
	}
	done.Result = bus.PunishmentLifted
	err = e.bot.Unban(ctx, guild.String(), e.User.String(), "the time of the ban is over · op="+r.Job().Operation("lift"))
	if discord.HasCode(err, discord.CodeUnknownBan, discord.CodeUnknownGuild) {
		done.Result, err = bus.PunishmentNoBan, nil
	}
	if err != nil {
		return e.later(ctx, r, records, rec.Value.Until, err)
	}
	if err := r.Note(ctx, liftedNote, done); err != nil {
		return err
	}
	return e.finish(ctx, r, records, done)
}

// finish drops the record of a ban that is over, and tells.
func (e *End) finish(ctx context.Context, r work.Run, records *bus.Records[bus.Punishment], done bus.PunishmentDone) error {
	if err := e.forget(ctx, records, r.Job().Guild); err != nil {
		return err
	}
	r.Say(work.Info, "the ban of the user %s is over", e.User)
	return r.Outcome(done)
}

// forget removes the record, unless it is of another punishment by now.
func (e *End) forget(ctx context.Context, records *bus.Records[bus.Punishment], guild bus.GuildID) error {
	key := bus.PunishmentKey(guild, e.User)
	for try := 0; ; try++ {
		rec, err := records.Get(ctx, key)
		if err == nil && rec.Value.Op == e.Op {
			err = records.Delete(ctx, key, rec.Revision)
		}
		if bus.IsCode(err, bus.CodeConflict) && try < 5 {
			continue // the bot wrote down which job this is
		}
		if bus.IsCode(err, bus.CodeNotFound) {
			return nil
		}
		return err
	}
}

// later asks for another attempt, the later the longer Discord has refused, and gives up after a day. Then the record stays
// for a while, so that a retry by hand still knows what to lift.
func (e *End) later(ctx context.Context, r work.Run, records *bus.Records[bus.Punishment], until time.Time, cause error) error {
	if ctx.Err() != nil {
		return cause
	}
	const note = "refused-since"
	now := time.Now().UTC()
	var since time.Time
	known, err := r.Noted(note, &since)
	if err != nil {
		return err
	}
	if !known {
		since = now
		if err := r.Note(ctx, note, since); err != nil {
			return err
		}
	}
	if refused := now.Sub(since); refused < giveUp {
		return work.Snooze(now.Add(min(max(refused/4, firstWait), longWait)), fmt.Sprintf("Discord did not lift the ban: %v", cause))
	}
	if now.Sub(until) > dropAfter {
		if err := e.forget(ctx, records, r.Job().Guild); err != nil {
			return err
		}
	}
	return work.Permanent(fmt.Errorf("the ban of the user %s is still there, Discord did not lift it for a day; lift it by hand, or retry this job: %w", e.User, cause))
}
