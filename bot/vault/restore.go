package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
)

// approveButton is what somebody else presses when a plan needs more than one.
const approveButton = "backup-approve"

// approveFor is how long a plan waits for a second approval.
const approveFor = 14 * time.Minute

// planWithin bounds how long a command waits for its plan: Discord forgets the command after 15 minutes.
const planWithin = 10 * time.Minute

// compare shows how the guild differs from a backup.
func (t Tools) compare(ctx context.Context, u *command.Use) error {
	j, _, err := t.wanted(ctx, u, u.Text("backup"))
	if err != nil {
		return err
	}
	_, plan, err := t.plan(ctx, u, bus.PlanArgs{Source: bus.BackupSource{Job: j.ID}, Mode: bus.RestoreExact})
	if err != nil {
		return err
	}
	c := planCard(u, plan)
	c.Title = u.T("compare.title")
	if steps(plan) == 0 {
		c.Text = u.T("compare.same")
	}
	return u.Reply(ctx, c)
}

// restore shows what a restore would do and asks.
func (t Tools) restore(ctx context.Context, u *command.Use) error {
	j, _, err := t.wanted(ctx, u, u.Text("backup"))
	if err != nil {
		return err
	}
	args := bus.PlanArgs{Source: bus.BackupSource{Job: j.ID}, Mode: bus.RestoreMode(u.Text("mode"))}
	if args.Mode == "" {
		args.Mode = bus.RestoreMerge
	}
	if part := u.Text("only"); part != "" {
		args.Parts = []string{strings.TrimPrefix(part, onlyPart)}
	}
	if id := u.ChannelOf("keep_channel"); id != "" {
		args.Protect = append(args.Protect, id)
	}
	if r := u.RoleOf("keep_role"); r != nil {
		args.Protect = append(args.Protect, r.ID)
	}
	job, plan, err := t.plan(ctx, u, args)
	if err != nil {
		return err
	}
	c := planCard(u, plan)
	if steps(plan) == 0 {
		c.Text = u.T("restore.nothing")
		return u.Reply(ctx, c)
	}
	return u.Confirm(ctx, c, u.T("button.restore", "d", plan.Counts["delete"], "m", plan.Counts["create"]+plan.Counts["update"]),
		map[string]string{"plan": job.ID, "hash": plan.Hash})
}

// plan lets a plan be made and waits for it.
func (t Tools) plan(ctx context.Context, u *command.Use, args bus.PlanArgs) (bus.Job, bus.PlanDone, error) {
	var plan bus.PlanDone
	job, err := t.submit(ctx, u, bus.JobRestorePlan, args)
	if err != nil {
		return job, plan, err
	}
	limited, cancel := context.WithTimeout(ctx, planWithin)
	defer cancel()
	err = t.Cards.Jobs().Watch(limited, u.Guild, job.ID, 0, func(l bus.JobLine) error {
		if l.Text != "" {
			u.Progress(ctx, card.Card{Title: u.T("jobcard.kind." + string(job.Kind)), Text: card.Plainly(l.Text), Footer: u.T("jobcard.footer", "id", job.ID)})
		}
		return nil
	})
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return job, plan, command.Refuse("restore.plan_slow", "id", job.ID)
	}
	if err != nil {
		return job, plan, err
	}
	if job, err = t.Cards.Jobs().Get(ctx, u.Guild, job.ID); err != nil {
		return job, plan, explain(err)
	}
	return t.planned(job)
}

// planned reads the plan of a job that has ended.
func (t Tools) planned(job bus.Job) (bus.Job, bus.PlanDone, error) {
	var plan bus.PlanDone
	switch job.State {
	case bus.JobCompleted:
		return job, plan, json.Unmarshal(job.Outcome, &plan)
	case bus.JobFailed:
		why := ""
		if job.Error != nil {
			why = job.Error.Message
		}
		return job, plan, command.Refuse("restore.no_plan", "why", card.Plainly(why))
	}
	return job, plan, command.Refuse("restore.no_plan", "why", string(job.State))
}

func steps(p bus.PlanDone) int { return p.Counts["create"] + p.Counts["update"] + p.Counts["delete"] }

// shownLines is how many lines of a plan a card shows; the hash stands for the rest, which `splashtail job` shows.
const shownLines = 25

// planCard says what a restore would do.
func planCard(u *command.Use, p bus.PlanDone) card.Card {
	c := card.Card{Title: u.T("restore.title"), Colour: card.Urgent,
		Text: u.T("restore.head", "at", fmt.Sprintf("<t:%d:F>", p.At.Unix()), "guild", card.Plainly(p.Guild),
			"delete", p.Counts["delete"], "create", p.Counts["create"], "update", p.Counts["update"]) + "\n" + u.T("restore.hash", "hash", p.Hash[:min(len(p.Hash), 16)])}
	if len(p.Lines) > 0 {
		lines := p.Lines[:min(len(p.Lines), shownLines)]
		text := card.Plainly(strings.Join(lines, "\n"))
		if more := steps(p) - len(lines); more > 0 {
			text = card.Cut(text, 960) + "\n" + u.T("restore.more", "count", more)
		}
		c.Fields = append(c.Fields, card.Field{Name: u.T("restore.does"), Value: text})
	}
	if len(p.Cannot) > 0 {
		c.Fields = append(c.Fields, card.Field{Name: u.T("restore.cannot", "count", max(p.Counts["cannot"], len(p.Cannot))), Value: card.Plainly(strings.Join(p.Cannot, "\n"))})
	}
	return c
}

// approved begins the restore, or asks for the approval of somebody else.
func (t Tools) approved(ctx context.Context, u *command.Use, args map[string]string) error {
	job, err := t.Cards.Jobs().Get(ctx, u.Guild, args["plan"])
	if err != nil {
		return explain(err)
	}
	_, plan, err := t.planned(job)
	if err != nil {
		return err
	}
	if plan.Hash != args["hash"] {
		return command.Refuse("restore.changed")
	}
	if plan.Needs == "" {
		return t.begin(ctx, u, job, plan, []bus.UserID{u.User})
	}
	c := planCard(u, plan)
	c.Text += "\n\n**" + u.Everybody.T("restore.needs_"+plan.Needs) + "**"
	c.Buttons = []card.Button{{Label: u.Everybody.T("button.approve"), Danger: true, ID: u.Button(approveButton, job.ID, approveFor)}}
	return u.Reply(ctx, c)
}

// secondApproval is somebody else's word. Whether it counts is looked up now, not believed from the button.
func (t Tools) secondApproval(ctx context.Context, u *command.Use, state string) error {
	job, err := t.Cards.Jobs().Get(ctx, u.Guild, state)
	if err != nil {
		return explain(err)
	}
	_, plan, err := t.planned(job)
	if err != nil {
		return err
	}
	if u.User == job.By && plan.Needs != "owner" {
		return command.Refuse("restore.not_alone")
	}
	if plan.Needs == "owner" {
		g, err := u.Bot.Guild(ctx, u.GuildID())
		if err != nil {
			return err
		}
		if g.OwnerID != u.User.String() {
			return command.Refuse("restore.owner_only")
		}
	}
	return t.begin(ctx, u, job, plan, slices.Compact([]bus.UserID{job.By, u.User}))
}

// begin starts the restore of an approved plan.
func (t Tools) begin(ctx context.Context, u *command.Use, job bus.Job, plan bus.PlanDone, by []bus.UserID) error {
	started, err := t.submit(ctx, u, bus.JobBackupRestore, bus.RestoreArgs{Plan: job.ID, Hash: plan.Hash, ApprovedBy: by})
	if err != nil {
		return err
	}
	return t.follow(ctx, u, started)
}
