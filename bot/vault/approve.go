package vault

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/jobcard"
	"splashtail/bus"
)

// approveButton is what somebody else presses when a plan needs more than one.
const approveButton = "backup-approve"

// approveFor is how long a plan waits for a second approval; the plan itself is kept for a day. What changes in the server
// meanwhile does not matter: the restore looks before it begins.
const approveFor = 12 * time.Hour

// planOf gives a plan that was made before.
func (t Tools) planOf(ctx context.Context, u *command.Use, id string) (bus.Job, bus.PlanDone, error) {
	job, err := t.Cards.Jobs().Get(ctx, u.Guild, id)
	if bus.IsCode(err, bus.CodeNotFound) {
		return job, bus.PlanDone{}, command.Refuse("restore.plan_gone")
	}
	if err != nil {
		return job, bus.PlanDone{}, err
	}
	return planned(u, job)
}

// enough says whether the word of who uses the command is all that a plan needs, besides that of who asked for it. A
// Refusal says why not. It is looked up now and not believed from a button; the component jobs looks again.
func enough(ctx context.Context, u *command.Use, job bus.Job, plan bus.PlanDone) error {
	switch plan.Needs {
	case "":
		return nil
	case bus.NeedsSecond:
		if u.User == job.By {
			return command.Refuse("restore.not_alone")
		}
		return nil
	}
	g, err := u.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return err
	}
	if g.OwnerID != u.User.String() {
		return command.Refuse("restore.owner_only")
	}
	return nil
}

// passwordToBegin asks who confirms a restore for the password, when the restore begins with that.
func (t Tools) passwordToBegin(ctx context.Context, u *command.Use, args map[string]string) (*command.Form, error) {
	job, plan, err := t.planOf(ctx, u, args["plan"])
	if err != nil || !encrypted(job) || enough(ctx, u, job, plan) != nil {
		return nil, err // approved says what is in the way
	}
	return passwordForm(u), nil
}

// approved begins the restore, or asks for the approval of somebody else.
func (t Tools) approved(ctx context.Context, u *command.Use, args map[string]string) error {
	job, plan, err := t.planOf(ctx, u, args["plan"])
	if err != nil {
		return err
	}
	if plan.Hash != args["hash"] {
		return command.Refuse("restore.changed")
	}
	if enough(ctx, u, job, plan) == nil {
		return t.begin(ctx, u, job, plan)
	}
	c := planCard(u.Everybody, plan)
	c.Text += "\n\n**" + u.Everybody.T("restore.needs_"+plan.Needs) + "**"
	if encrypted(job) {
		c.Text += "\n" + u.Everybody.T("restore.needs_password")
	}
	c.Footer = u.Everybody.T("restore.waits", "id", job.ID)
	c.Buttons = []card.Button{{Label: u.Everybody.T("button.approve"), Danger: true, ID: u.Button(approveButton, job.ID, approveFor)}}
	return u.Reply(ctx, c)
}

// passwordToApprove refuses who may not approve, before anything of the message changes, and asks for the password that a
// restore of an encrypted backup needs.
func (t Tools) passwordToApprove(ctx context.Context, u *command.Use, state string) (*command.Form, error) {
	job, plan, err := t.planOf(ctx, u, state)
	if err == nil {
		err = enough(ctx, u, job, plan)
	}
	if err != nil || !encrypted(job) {
		return nil, err
	}
	return passwordForm(u), nil
}

// secondApproval is somebody else's word.
func (t Tools) secondApproval(ctx context.Context, u *command.Use, state string) error {
	job, plan, err := t.planOf(ctx, u, state)
	if err != nil {
		return err
	}
	if err := enough(ctx, u, job, plan); err != nil {
		return err
	}
	return t.begin(ctx, u, job, plan)
}

// begin starts the restore of an approved plan. When two people approve at once, it is begun once.
func (t Tools) begin(ctx context.Context, u *command.Use, job bus.Job, plan bus.PlanDone) error {
	by := slices.Compact([]bus.UserID{job.By, u.User})
	started, err := t.submit(ctx, u, bus.JobBackupRestore, bus.RestoreArgs{Plan: job.ID, Hash: plan.Hash, ApprovedBy: by}, nil)
	if bus.IsCode(err, bus.CodeConflict) && t.begun(ctx, u, bus.AsError(err).Details["job"], job.ID) {
		return nil
	}
	if err != nil {
		return jobcard.Explain(err)
	}
	return t.Cards.Follow(ctx, u, started)
}

// begun says whether a job is the restore of a plan.
func (t Tools) begun(ctx context.Context, u *command.Use, id, plan string) bool {
	var args bus.RestoreArgs
	j, err := t.Cards.Jobs().Get(ctx, u.Guild, id)
	return err == nil && j.Kind == bus.JobBackupRestore && json.Unmarshal(j.Args, &args) == nil && args.Plan == plan
}
