// Package create makes backups: it reads a guild over Discord's REST interface and writes one archive of it.
//
// What comes in: the arguments of a bus.JobBackupCreate (bus.BackupArgs), a bot that is a member, and the limits of the
// deployment. What goes out: the archive as a file of the job, a bus.BackupDone, and a manifest in the archive that says yes
// or no, with the reason, for each thing that a guild has. What the bot may not read is named there and not asked for; a file
// that cannot be downloaded is named there and is no failure.
//
// It goes in steps that survive a crash: server (settings, roles, channels, expressions …), threads, people (bans, members),
// pins, messages, archive. The result of a step, and every finished channel, is a file of the job that is not read again;
// archive joins them. Nothing here holds more than a page of messages per channel at a time, so memory does not depend on the
// guild.
//
// Read first: Take here, then server.go for what is read, place.go and allocate.go for how many messages of which channel,
// messages.go and chunk.go for reading them, attachment.go for their files, finish.go for the archive.
package create

import (
	"context"
	"errors"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/work"
)

// Tools are what a deployment gives to every backup.
type Tools struct {
	Bot     *discord.Bot // best of discord.ClassBackup
	CDN     *discord.CDN
	Limits  Limits           // zero fields take DefaultLimits
	TempDir string           // for files too large for memory; empty: the system's
	Now     func() time.Time // nil: time.Now
}

// Work is one backup. Its arguments are decoded into it.
type Work struct {
	bus.BackupArgs
	tools Tools
}

// New makes the work of one job.
func New(t Tools) *Work { return &Work{tools: t} }

var _ work.Work = (*Work)(nil)

// Check says what is wrong with the arguments.
func (w *Work) Check() error { return Check(w.BackupArgs, w.tools.Limits) }

// Run makes the backup, or the rest of it.
func (w *Work) Run(ctx context.Context, r work.Run) error {
	done, err := Take(ctx, r, w.tools, w.BackupArgs, "")
	if err != nil {
		return err
	}
	return r.Outcome(done)
}

// Take makes a backup as a part of any job, such as the safety backup before a restore. prefix (letters, digits, dashes) keeps
// its notes, steps and files apart from the job's others; the archive is among the job's files under BackupDone.File. With the
// secret "password" it is encrypted. After a crash it goes on where it was.
func Take(ctx context.Context, r work.Run, t Tools, args bus.BackupArgs, prefix string) (bus.BackupDone, error) {
	if err := Check(args, t.Limits); err != nil {
		return bus.BackupDone{}, work.Permanent(err)
	}
	k, err := newTaking(ctx, r, t, args, prefix)
	if err != nil {
		return bus.BackupDone{}, err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"server", k.server}, {"threads", k.threads}, {"people", k.people}, {"pins", k.pins}, {"messages", k.messages}, {"archive", k.finish},
	} {
		if err := r.Step(ctx, k.name(step.name), step.do); err != nil {
			return bus.BackupDone{}, judge(err)
		}
	}
	var done bus.BackupDone
	ok, err := r.Noted(k.name("done"), &done)
	if err == nil && !ok {
		err = work.Permanent(errors.New("the backup is finished, but what it consists of was not noted; make another one"))
	}
	return done, err
}
