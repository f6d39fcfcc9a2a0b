package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/create"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/restore"
	"splashtail/jobs/backup/scheduled"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// guildLane is the lane of everything that reads or changes a whole guild: one at a time, and therefore in one queue.
const (
	guildLane  = "guild"
	guildQueue = bus.JobsMiddle
)

// keepBackups is how long a backup is kept, and the plan of a restore as long as one looks at it.
const (
	keepBackups = 90 * 24 * time.Hour
	keepPlans   = 24 * time.Hour
)

// backupKinds are the kinds that make backups and bring them back.
func backupKinds(t Tools) []engine.Kind {
	take := create.Tools{Bot: t.Bot, CDN: t.CDN, Limits: t.Backups, TempDir: t.TempDir}
	back := restoreTools(t, take)
	return []engine.Kind{
		{
			Name: bus.JobBackupCreate, Queue: guildQueue, Lane: guildLane, Sole: true, Deadline: 24 * time.Hour, Keep: keepBackups,
			Make: func() work.Work { return create.New(take) },
		},
		{
			Name: bus.JobBackupScheduled, Queue: guildQueue, Lane: guildLane, Sole: true, Deadline: 24 * time.Hour, Keep: keepBackups,
			Make: func() work.Work { return scheduled.New(take, t.Jobs) },
		},
		{
			Name: bus.JobRestorePlan, Queue: guildQueue, Lane: guildLane, Sole: true, Deadline: time.Hour, Keep: keepPlans,
			Make: func() work.Work { return &restore.Planner{Tools: back, Needs: t.approval} },
		},
		{
			Name: bus.JobBackupRestore, Queue: guildQueue, Lane: guildLane, Sole: true, Deadline: 7 * 24 * time.Hour, Keep: keepBackups,
			Make: func() work.Work { return &restore.Restorer{Tools: back, Approved: t.approved} },
		},
	}
}

// restoreTools join what makes a backup to what brings one back.
func restoreTools(t Tools, take create.Tools) restore.Tools {
	decode := func(r work.Run, from io.Reader) (*archive.Archive, error) {
		password, _ := r.Secret("password")
		return archive.Spool(from, archive.Options{Password: password, TempDir: t.TempDir})
	}
	return restore.Tools{
		Bot: t.Bot, CDN: t.CDN,
		Decode: func(r work.Run, from io.Reader) (restore.Backup, error) { return decode(r, from) },
		Keep: func(ctx context.Context, r work.Run, prefix string) (string, model.Snapshot, error) {
			done, err := create.Take(ctx, r, take, bus.BackupArgs{Members: true}, prefix)
			if err != nil {
				return "", model.Snapshot{}, err
			}
			from, err := r.Open(ctx, r.Job().ID, done.File)
			if err != nil {
				return "", model.Snapshot{}, err
			}
			defer from.Close() //nolint:errcheck // read only
			a, err := decode(r, from)
			if err != nil {
				return "", model.Snapshot{}, err
			}
			defer a.Close() //nolint:errcheck // a temporary file
			live, err := a.Snapshot()
			return done.File, live, err
		},
		FileOf: t.fileOf,
	}
}

// fileOf tells which file of a job is the archive that it made.
func (t Tools) fileOf(ctx context.Context, r work.Run, id string) (string, error) {
	if t.Jobs == nil {
		file, err := t.Here(id)
		return file, work.Permanent(err)
	}
	job, err := t.Jobs.Get(ctx, r.Job().Guild, id)
	if bus.IsCode(err, bus.CodeNotFound) || bus.IsCode(err, bus.CodeInvalid) {
		return "", work.Permanent(fmt.Errorf("this server has no backup %s; nothing was changed", id))
	}
	if err != nil {
		return "", err
	}
	if file := bus.ArchiveOf(job); file != "" {
		return file, nil
	}
	return "", work.Permanent(fmt.Errorf("the job %s made no backup; nothing was changed", id))
}

// approval says who else has to approve a plan, by the guild's settings.
func (t Tools) approval(ctx context.Context, guild bus.GuildID, deletes int) (string, error) {
	if t.Bus == nil || deletes == 0 {
		return "", nil
	}
	settings, err := bus.OpenRecords(ctx, t.Bus, bus.AllSettings())
	if err != nil {
		return "", err
	}
	set, err := settings.Get(ctx, guild.String())
	if bus.IsCode(err, bus.CodeNotFound) {
		return "", nil
	}
	return set.Value.RestoreNeeds, err
}

// approved refuses a restore that lacks the approvals which its plan needs, whoever asked for it.
func (t Tools) approved(ctx context.Context, r work.Run, args bus.RestoreArgs) error {
	if t.Jobs == nil {
		return nil
	}
	job, err := t.Jobs.Get(ctx, r.Job().Guild, args.Plan)
	if err != nil {
		return fmt.Errorf("the plan %s cannot be read; nothing was changed: %w", args.Plan, err)
	}
	var plan bus.PlanDone
	if err := json.Unmarshal(job.Outcome, &plan); err != nil {
		return work.Permanent(fmt.Errorf("the plan %s cannot be read; nothing was changed: %w", args.Plan, err))
	}
	switch plan.Needs {
	case bus.NeedsSecond:
		for _, by := range args.ApprovedBy {
			if by != job.By && by != 0 {
				return nil
			}
		}
		return work.Permanent(errors.New("somebody else than who asked for it has to approve this restore; nothing was changed"))
	case bus.NeedsOwner:
		g, err := t.Bot.Guild(ctx, r.Job().Guild.String())
		if err != nil {
			return err
		}
		for _, by := range args.ApprovedBy {
			if by.String() == g.OwnerID {
				return nil
			}
		}
		return work.Permanent(errors.New("the owner of the server has to approve this restore; nothing was changed"))
	}
	return nil
}

// cdnOf gives the place of Discord's files: its own, or that of the stand-in which serves the API.
func cdnOf(base string) (*discord.CDN, error) {
	if base == "" {
		base = discord.DefaultCDN
	}
	return discord.NewCDN(base)
}
