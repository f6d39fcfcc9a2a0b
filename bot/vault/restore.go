package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/jobcard"
	"splashtail/bot/words"
	"splashtail/bus"
)

// planWithin bounds how long a command waits for its plan: Discord forgets the command after 15 minutes.
const planWithin = 10 * time.Minute

// compare shows how the guild differs from a backup.
func (t Tools) compare(ctx context.Context, u *command.Use) error {
	from, err := t.source(ctx, u)
	if err != nil {
		return err
	}
	job, plan, err := t.plan(ctx, u, bus.PlanArgs{Source: from.BackupSource, Mode: bus.RestoreExact}, from.secrets)
	if err != nil {
		return err
	}
	c := planCard(u.Words, plan)
	c.Title, c.Colour = u.T("compare.title"), card.Plain
	c.Text = u.T("compare.head", "at", fmt.Sprintf("<t:%d:F>", plan.At.Unix()), "guild", card.Plainly(plan.Guild),
		"delete", plan.Counts["delete"], "create", plan.Counts["create"], "update", plan.Counts["update"])
	if steps(plan) == 0 {
		c.Text = u.T("compare.same")
	}
	t.enclose(ctx, u, job)
	return u.Reply(ctx, c)
}

// restore shows what a restore would do and asks.
func (t Tools) restore(ctx context.Context, u *command.Use) error {
	from, err := t.source(ctx, u)
	if err != nil {
		return err
	}
	args := bus.PlanArgs{Source: from.BackupSource, Mode: bus.RestoreMode(u.Text("mode")), Here: here(ctx, u)}
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
	job, plan, err := t.plan(ctx, u, args, from.secrets)
	if err != nil {
		return err
	}
	c := planCard(u.Everybody, plan)
	if steps(plan) == 0 {
		c.Text = u.Everybody.T("restore.nothing")
		return u.Reply(ctx, c)
	}
	t.enclose(ctx, u, job)
	return u.Confirm(ctx, c, u.Everybody.T("button.restore", "d", plan.Counts["delete"], "m", plan.Counts["create"]+plan.Counts["update"]),
		map[string]string{"plan": job.ID, "hash": plan.Hash})
}

// here is the channel in which a command was used, or that of its thread: a restore leaves people the place where they read
// about it.
func here(ctx context.Context, u *command.Use) string {
	c, err := u.Bot.Channel(ctx, u.Channel)
	if err == nil && c.IsThread() {
		return c.ParentID
	}
	return u.Channel
}

// plan lets a plan be made and waits for it.
func (t Tools) plan(ctx context.Context, u *command.Use, args bus.PlanArgs, secrets bus.JobSecrets) (bus.Job, bus.PlanDone, error) {
	var plan bus.PlanDone
	job, err := t.submit(ctx, u, bus.JobRestorePlan, args, secrets)
	if err != nil {
		return job, plan, jobcard.Explain(err)
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
		return job, plan, jobcard.Explain(err)
	}
	return planned(u, job)
}

// planned reads the plan of a job that has ended.
func planned(u *command.Use, job bus.Job) (bus.Job, bus.PlanDone, error) {
	var plan bus.PlanDone
	if job.Kind == bus.JobRestorePlan && job.State == bus.JobCompleted {
		return job, plan, json.Unmarshal(job.Outcome, &plan)
	}
	why := u.T("jobcard.state." + string(job.State))
	if job.Error != nil {
		why = job.Error.Message
	}
	return job, plan, command.Refuse("restore.no_plan", "why", card.Plainly(why))
}

// steps is how much a plan does.
func steps(p bus.PlanDone) int { return p.Counts["create"] + p.Counts["update"] + p.Counts["delete"] }

// planCard says what a restore would do. Deletions stand first; what finds no room is in the file that is enclosed.
func planCard(w words.Language, p bus.PlanDone) card.Card {
	c := card.Card{Title: w.T("restore.title"), Colour: card.Urgent,
		Text: w.T("restore.head", "at", fmt.Sprintf("<t:%d:F>", p.At.Unix()), "guild", card.Plainly(p.Guild),
			"delete", p.Counts["delete"], "create", p.Counts["create"], "update", p.Counts["update"]) + "\n" + w.T("restore.hash", "hash", p.Hash[:min(len(p.Hash), 16)])}
	if len(p.Lines) > 0 {
		c.Fields = append(c.Fields, card.Field{Name: w.T("restore.does"), Value: jobcard.Bullets(p.Lines, steps(p))})
	}
	if n := max(p.Counts["cannot"], len(p.Cannot)); n > 0 {
		c.Fields = append(c.Fields, card.Field{Name: w.T("restore.cannot", "count", n), Value: jobcard.Bullets(p.Cannot, n)})
	}
	return c
}
