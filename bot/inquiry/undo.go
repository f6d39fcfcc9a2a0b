package inquiry

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
	"splashtail/internal/incident"
)

// verbs are the verbs of a plan in the order in which a plan does them.
var verbs = [...]incident.Verb{
	incident.DeleteWebhook, incident.KickBot, incident.CreateRole, incident.EditRole, incident.CreateChannel, incident.EditChannel,
	incident.SetOverwrite, incident.DeleteOverwrite, incident.SortRoles, incident.SortChannels, incident.EditGuild, incident.Unban,
	incident.Ban, incident.GiveRole, incident.TakeRole, incident.EditMember, incident.DeleteChannel, incident.DeleteRole,
}

// Keys are the keys of the catalogue that are put together here.
func Keys() []string {
	var keys []string
	for _, v := range verbs {
		keys = append(keys, "step."+string(v))
	}
	for kind := range 100 {
		keys = append(keys, "deed."+deedWord(kind))
	}
	return keys
}

// undo shows what would be done and asks.
func (t Tools) undo(ctx context.Context, u *command.Use) error {
	i, err := t.wanted(ctx, u, u.Text("incident"))
	if err != nil {
		return err
	}
	job, there, err := t.unfinished(ctx, i)
	if err != nil {
		return err
	}
	if there {
		c := card.Card{Title: u.T("undo.title", "id", i.ID), Text: head(u, i) + "\n\n" + u.T("undo.rest"), Footer: u.T("jobcard.footer", "id", job.ID), Colour: card.Urgent}
		return u.Confirm(ctx, c, u.T("button.undo_rest"), map[string]string{"job": job.ID})
	}
	p, err := t.Book.Plan(ctx, i)
	if err != nil {
		return err
	}
	c := planCard(u, i, p)
	if len(p.Steps) == 0 {
		return u.Reply(ctx, c)
	}
	return u.Confirm(ctx, c, u.T("button.undo", "count", total(p)), map[string]string{"incident": i.ID, "hash": p.Hash()})
}

func total(p incident.Plan) (n int) {
	for _, count := range p.Counts() {
		n += count
	}
	return n
}

// planCard says what a plan does, how often, and what stays lost.
func planCard(u *command.Use, i bus.Incident, p incident.Plan) card.Card {
	counts := p.Counts()
	var does, names strings.Builder
	for _, v := range verbs {
		if n := counts[v]; n > 0 {
			fmt.Fprintf(&does, "%s: %d\n", u.T("step."+string(v)), n)
		}
	}
	for _, s := range p.Steps {
		if (s.Do == incident.CreateChannel || s.Do == incident.CreateRole) && names.Len() < 900 {
			fmt.Fprintf(&names, "%s%s\n", map[bool]string{true: "#", false: "@"}[s.Do == incident.CreateChannel], card.Plainly(s.Name))
		}
	}
	c := card.Card{Title: u.T("undo.title", "id", i.ID), Text: head(u, i), Colour: card.Urgent}
	if does.Len() == 0 {
		c.Text += "\n\n" + u.T("undo.nothing")
	} else {
		c.Fields = append(c.Fields, card.Field{Name: u.T("undo.does"), Value: does.String()})
	}
	if names.Len() > 0 {
		c.Fields = append(c.Fields, card.Field{Name: u.T("undo.again"), Value: names.String()})
	}
	var lost strings.Builder
	for _, l := range p.Cannot {
		fmt.Fprintf(&lost, "%s\n", u.T("loss."+string(l.Kind), "count", l.Count))
	}
	if lost.Len() > 0 {
		c.Fields = append(c.Fields, card.Field{Name: u.T("undo.cannot"), Value: lost.String()})
	}
	return c
}

// unfinished gives the job that was ended before the incident was undone, if there is one. It refuses for an incident that
// was undone, or that a job is undoing.
func (t Tools) unfinished(ctx context.Context, i bus.Incident) (bus.Job, bool, error) {
	if i.Undo != nil && !i.Undo.Done.IsZero() {
		return bus.Job{}, false, command.Refuse("incident.undone_already")
	}
	job, there, err := t.Book.Unfinished(ctx, i)
	if there && !job.State.Ended() {
		return job, there, command.Refuse("incident.undone_already")
	}
	return job, there, err
}

// undone lets a job carry out what was shown, and its card take the answer's place. The job looks again whether the plan
// is still what was shown; that it is not is said here if it is known already.
func (t Tools) undone(ctx context.Context, u *command.Use, args map[string]string) error {
	if job := args["job"]; job != "" {
		return t.Cards.Retry(ctx, u, job)
	}
	i, err := t.wanted(ctx, u, args["incident"])
	if err != nil {
		return err
	}
	if _, _, err := t.unfinished(ctx, i); err != nil {
		return err
	}
	err = t.Book.Check(ctx, i, args["hash"])
	var refusal *bus.Error
	if errors.As(err, &refusal) {
		switch refusal.Reason {
		case "plan_changed", "unfinished":
			return command.Refuse("undo.changed")
		case "plan_too_large":
			return command.Refuse("undo.too_large")
		}
	}
	if err != nil {
		return err
	}
	return t.Cards.Begin(ctx, u, bus.JobIncidentUndo, bus.UndoArgs{Incident: i.ID, Hash: args["hash"]})
}

// pardon shows what a limit did to the actor and asks whether to take that back.
func (t Tools) pardon(ctx context.Context, u *command.Use) error {
	i, err := t.wanted(ctx, u, u.Text("incident"))
	if err != nil {
		return err
	}
	p, err := t.Book.PardonPlan(ctx, i)
	if err != nil {
		return err
	}
	c := planCard(u, i, p)
	c.Title = u.T("pardon.title", "id", i.ID)
	if len(p.Steps) == 0 {
		return u.Reply(ctx, c)
	}
	return u.Confirm(ctx, c, u.T("button.pardon", "count", total(p)), map[string]string{"incident": i.ID})
}

func (t Tools) pardoned(ctx context.Context, u *command.Use, args map[string]string) error {
	i, err := t.wanted(ctx, u, args["incident"])
	if err != nil {
		return err
	}
	_, fails, err := t.Book.Pardon(ctx, i)
	if err != nil {
		return err
	}
	if len(fails) > 0 {
		return u.Reply(ctx, card.Card{Text: card.Plainly(strings.Join(fails, "\n")), Title: u.T("incident.refused", "count", len(fails)), Colour: card.Bad})
	}
	return u.Say(ctx, "pardon.done", "user", mention(i.Actor))
}
