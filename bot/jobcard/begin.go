package jobcard

import (
	"context"
	"encoding/json"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
)

// Begin asks for a job in the name of who uses a command, and lets the command's answer show it until it ends. Errors: as
// of Submit.
func (k *Keeper) Begin(ctx context.Context, u *command.Use, kind bus.JobKind, args any) error {
	job, err := k.Submit(ctx, u, kind, args)
	if err != nil {
		return err
	}
	return k.Follow(ctx, u, job)
}

// Submit asks for a job in the name of who uses a command; the same use asks for one job, however often it is handled.
// Errors: as of Explain. A job that is in the way is named in the refusal.
func (k *Keeper) Submit(ctx context.Context, u *command.Use, kind bus.JobKind, args any) (bus.Job, error) {
	data, err := json.Marshal(args)
	if err != nil {
		return bus.Job{}, err
	}
	job, err := k.jobs.Submit(ctx, bus.JobSubmit{Kind: kind, Guild: u.Guild, By: u.User, Args: data, Key: u.Op,
		Actor: u.Member.User.Username, Reason: "/" + u.Command.Name})
	return job, Explain(err)
}

// Retry lets a job that failed or was cancelled go on, and the command's answer show it. Errors: as of Explain.
func (k *Keeper) Retry(ctx context.Context, u *command.Use, id string) error {
	job, err := k.jobs.Retry(ctx, bus.JobRequest{Actor: u.Member.User.Username, Reason: "/" + u.Command.Name, Target: id, Guild: u.Guild})
	if err != nil {
		return Explain(err)
	}
	return k.Follow(ctx, u, job)
}

// Follow lets the answer of a command show a job until it ends.
func (k *Keeper) Follow(ctx context.Context, u *command.Use, job bus.Job) error {
	err := u.Reply(ctx, card.Card{Title: u.Everybody.T("jobcard.kind." + string(job.Kind)), Text: u.Everybody.T("jobcard.begun"),
		Footer: u.Everybody.T("jobcard.footer", "id", job.ID)})
	if err != nil {
		return err
	}
	m, err := u.Message(ctx)
	if err != nil {
		return err
	}
	return k.Show(ctx, bus.JobCard{Guild: u.Guild, Job: job.ID, Channel: m.ChannelID, Message: m.ID, By: u.User,
		Locale: u.Everybody.Locale(), At: time.Now().UTC()})
}

// Explain turns what jobs refuse into sentences of the catalogue.
func Explain(err error) error {
	if err == nil {
		return nil
	}
	e := bus.AsError(err)
	switch e.Code {
	case bus.CodeConflict:
		return command.Refuse("backup.in_the_way", "job", e.Details["job"])
	case bus.CodeInvalid:
		return command.Refuse("backup.refused", "why", card.Plainly(e.Error()))
	case bus.CodeNotFound:
		return command.Refuse("backup.job_unknown")
	case bus.CodeUnavailable:
		return command.Refuse("backup.no_jobs")
	}
	return err
}
