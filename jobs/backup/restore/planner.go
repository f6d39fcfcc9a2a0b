package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"splashtail/bus"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// PlanName is what a plan is called among the files of its job.
const PlanName = "plan.json"

// Planner is the work of JobRestorePlan: it changes nothing.
type Planner struct {
	Tools
	Args bus.PlanArgs
	// Needs says who else has to approve a plan that deletes so many things, by the guild's settings; nil: nobody.
	Needs func(ctx context.Context, guild bus.GuildID, deletes int) (string, error)
}

// Check says what is wrong with the arguments.
func (w *Planner) Check() error {
	if err := w.checkSource(w.Args.Source); err != nil {
		return err
	}
	o, err := optionsOf(w.Args)
	if err != nil {
		return err
	}
	return o.Check()
}

// optionsOf gives a plan's options for a job's arguments.
func optionsOf(a bus.PlanArgs) (plan.Options, error) {
	o := plan.Options{Mode: plan.Mode(a.Mode)}
	for _, id := range a.Protect {
		o.Protect = append(o.Protect, model.ID(id))
	}
	for _, part := range a.Parts {
		kinds := kindsOf(part)
		if kinds == nil {
			return o, fmt.Errorf("a backup has no part called %q; choose from %v", part, bus.BackupParts())
		}
		o.Parts = append(o.Parts, kinds...)
	}
	return o, nil
}

// kindsOf gives what a part that people choose consists of; nil when there is no such part.
func kindsOf(part string) []plan.Kind {
	return map[string][]plan.Kind{
		bus.PartSettings: {plan.Settings}, bus.PartRoles: {plan.Role}, bus.PartChannels: {plan.Channel}, bus.PartThreads: {plan.Thread},
		bus.PartExpressions: {plan.Emoji, plan.Sticker, plan.Sound}, bus.PartAutoMod: {plan.AutoMod},
		bus.PartCommunity: {plan.Welcome, plan.Onboarding}, bus.PartEvents: {plan.Event}, bus.PartWebhooks: {plan.Webhook},
		bus.PartBans: {plan.Ban}, bus.PartMembers: {plan.Member}, bus.PartMessages: {plan.Messages},
	}[part]
}

// Run makes the plan and keeps it, together with the backup that it is of.
func (w *Planner) Run(ctx context.Context, r work.Run) error {
	options, err := optionsOf(w.Args)
	if err != nil {
		return work.Permanent(err)
	}
	digest := ""
	if err := r.Step(ctx, "backup", func(ctx context.Context) error {
		if digest, err = w.fetch(ctx, r, w.Args.Source); err != nil {
			return err
		}
		return r.Note(ctx, "digest", digest)
	}); err != nil {
		return err
	}
	if _, err := r.Noted("digest", &digest); err != nil {
		return err
	}
	backup, err := w.open(ctx, r, r.Job().ID)
	if err != nil {
		return work.Permanent(err)
	}
	defer backup.Close()
	in, err := w.input(ctx, r, backup)
	if err != nil {
		return err
	}
	in.Options, in.Digest, in.Now = options, digest, r.Job().SubmittedAt
	p, err := w.make(in)
	if err != nil {
		return work.Permanent(err)
	}
	var file bytes.Buffer
	if err := p.Write(&file); err != nil {
		return err
	}
	if _, err := r.Put(ctx, PlanName, &file); err != nil {
		return err
	}
	if _, err := r.Put(ctx, PlanText, strings.NewReader(asText(p, in.Saved.Guild.Name))); err != nil {
		return err
	}
	done := summary(p)
	done.Guild = in.Saved.Guild.Name
	if w.Needs != nil {
		if done.Needs, err = w.Needs(ctx, r.Job().Guild, done.Counts[string(plan.Delete)]); err != nil {
			return err
		}
	}
	return r.Outcome(done)
}

// make makes the plan. The channel in which people read about it stays when the backup has it not.
func (w *Planner) make(in plan.Input) (plan.Plan, error) {
	p, err := plan.Make(in)
	here := model.ID(w.Args.Here)
	goes := func(s plan.Step) bool { return s.Op == plan.Delete && s.Kind == plan.Channel && s.ID == here }
	if err != nil || here == "" || !slices.ContainsFunc(p.Steps, goes) {
		return p, err
	}
	in.Options.Protect = append(slices.Clone(in.Options.Protect), here)
	return plan.Make(in)
}

// input reads everything that a plan depends on but its options.
func (w *Planner) input(ctx context.Context, r work.Run, backup Backup) (plan.Input, error) {
	saved, err := backup.Snapshot()
	if err != nil {
		return plan.Input{}, work.Permanent(err)
	}
	manifest, err := backup.Manifest()
	if err != nil {
		return plan.Input{}, work.Permanent(err)
	}
	in := plan.Input{Saved: saved, Messages: map[model.ID]int{}, Complete: len(manifest.Missing) == 0 && manifest.Dropped == 0, Lacks: lacks(manifest, &saved)}
	spans := map[model.ID]*span{}
	for _, id := range backup.Channels() {
		spans[id] = &span{}
		for m, err := range backup.Messages(id) {
			if err != nil {
				return plan.Input{}, work.Permanent(err)
			}
			posts := postsOf(m, w.upload())
			if spans[id].add(m.ID, posts); len(posts) > 0 {
				in.Messages[id]++
			}
		}
	}
	if _, in.Live, in.Rights, err = w.readLive(ctx, r, "live"); err != nil {
		return in, err
	}
	if o, err := optionsOf(w.Args); err == nil && o.Names(plan.Messages) {
		if in.Emptied, err = w.emptied(ctx, in.Live.Channels, spans); err != nil {
			return in, err
		}
	}
	return in, w.presence(ctx, string(in.Live.About.GuildID), &in)
}

// presence adds the members that the backup knows and that are in the guild without any role: a backup, and so the guild as
// it is kept, names only those that have one.
func (w *Planner) presence(ctx context.Context, guild string, in *plan.Input) error {
	missing := map[model.ID]bool{}
	for _, m := range in.Saved.Members {
		missing[m.User] = true
	}
	for _, m := range in.Live.Members {
		delete(missing, m.User)
	}
	const page = 1000
	for after := ""; len(missing) > 0; {
		var list []struct {
			User struct{ ID model.ID } `json:"user"`
		}
		err := w.Bot.ReadMembers(ctx, guild, after, page, &list)
		if _, refused := refusal(err); refused {
			return nil // it may not list them: they count as gone, and the plan says so
		}
		if err != nil {
			return err
		}
		for _, m := range list {
			if missing[m.User.ID] {
				in.Live.Members = append(in.Live.Members, model.Member{User: m.User.ID})
				delete(missing, m.User.ID)
			}
			after = string(m.User.ID)
		}
		if len(list) < page {
			return nil
		}
	}
	return nil
}

// readLive reads the guild as it is, keeps that as an archive of the job, and tells what the bot may do there.
func (t Tools) readLive(ctx context.Context, r work.Run, prefix string) (file string, live model.Snapshot, rights plan.Rights, err error) {
	guild := strconv.FormatUint(uint64(r.Job().Guild), 10)
	if file, live, err = t.Keep(ctx, r, prefix); err != nil {
		return "", live, rights, fmt.Errorf("the server as it is cannot be kept; nothing was changed: %w", err)
	}
	if live.About.GuildID != model.ID(guild) {
		return "", live, rights, work.Permanent(errors.New("what was read is another server; nothing was changed"))
	}
	self, err := t.Bot.Self(ctx)
	if err != nil {
		return "", live, rights, err
	}
	me, err := t.Bot.Member(ctx, guild, self.ID)
	if err != nil {
		return "", live, rights, err
	}
	var roles []model.ID
	for _, id := range me.Roles {
		roles = append(roles, model.ID(id))
	}
	rights, err = plan.RightsOf(live, model.ID(self.ID), roles)
	return file, live, rights, err
}

// Bounds of what a plan's outcome lists.
const maxLines = 200

// summary is what people see of a plan: deletions first.
func summary(p plan.Plan) bus.PlanDone {
	done := bus.PlanDone{File: PlanName, Text: PlanText, Hash: p.Hash(), Counts: map[string]int{}, At: p.Of.TakenAt}
	for _, s := range p.Steps {
		done.Counts[string(s.Op)]++
	}
	for _, op := range []plan.Op{plan.Delete, plan.Create, plan.Update} {
		for _, s := range p.Steps {
			if s.Op == op && len(done.Lines) < maxLines {
				done.Lines = append(done.Lines, s.Line)
			}
		}
	}
	cannot := slices.DeleteFunc(slices.Clone(p.Steps), plan.Step.Acts)
	for _, s := range cannot[:min(len(cannot), maxLines)] {
		done.Cannot = append(done.Cannot, s.Line)
	}
	return done
}
