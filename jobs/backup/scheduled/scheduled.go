// Package scheduled makes the backups that a guild's schedule asks for, and lets the oldest of them go.
//
// What comes in: the arguments of a bus.JobBackupScheduled. What goes out: a backup, as package create makes it, and the
// removal of jobs of the same kind beyond those that are to be kept. Backups that people made by hand are never touched.
package scheduled

import (
	"context"
	"errors"
	"fmt"

	"splashtail/bus"
	"splashtail/jobs/backup/create"
	"splashtail/jobs/work"
)

// MaxKeep bounds how many backups of a schedule a guild keeps.
const MaxKeep = 100

// Jobs is what retention needs of the jobs of a guild; *bus.Jobs has it.
type Jobs interface {
	List(ctx context.Context, q bus.JobQuery) (bus.JobList, error)
	Remove(ctx context.Context, r bus.JobRequest) error
}

// Work is one backup of a schedule. Its arguments are decoded into it.
type Work struct {
	bus.ScheduledArgs
	tools create.Tools
	jobs  Jobs
}

// New makes the work of one job.
func New(t create.Tools, jobs Jobs) *Work { return &Work{tools: t, jobs: jobs} }

var _ work.Work = (*Work)(nil)

// Check says what is wrong with the arguments.
func (w *Work) Check() error {
	var err error
	if w.Keep < 1 || w.Keep > MaxKeep {
		err = fmt.Errorf("a schedule keeps 1 to %d backups, not %d", MaxKeep, w.Keep)
	}
	return errors.Join(err, create.Check(w.BackupArgs, w.tools.Limits))
}

// Run makes the backup and then lets old ones go. Only a backup that is whole pushes another one out.
func (w *Work) Run(ctx context.Context, r work.Run) error {
	done, err := create.Take(ctx, r, w.tools, w.BackupArgs, "")
	if err != nil {
		return err
	}
	if err := r.Outcome(done); err != nil {
		return err
	}
	return r.Step(ctx, "old-backups", func(ctx context.Context) error { return w.prune(ctx, r) })
}

// prune removes the oldest backups of this guild's schedule beyond Keep, this one counted.
func (w *Work) prune(ctx context.Context, r work.Run) error {
	me := r.Job()
	list, err := w.jobs.List(ctx, bus.JobQuery{Guild: me.Guild, Kind: bus.JobBackupScheduled, State: bus.JobCompleted, Limit: bus.MaxJobList})
	if err != nil {
		return err
	}
	kept := 1 // this one, which has not ended yet
	for _, j := range list.Jobs {
		if j.ID == me.ID {
			continue
		}
		if kept++; kept <= w.Keep {
			continue
		}
		err := w.jobs.Remove(ctx, bus.JobRequest{Actor: "schedule", Target: j.ID, Guild: me.Guild, Reason: fmt.Sprintf("the schedule keeps %d", w.Keep)})
		if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
			return err
		}
		r.Say(work.Info, "The backup %s of %s is removed: the schedule keeps %d.", j.ID, j.Finished.UTC().Format("2006-01-02 15:04"), w.Keep)
	}
	return nil
}
