package restore

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// TestWhatABackupLacksStays: a backup that was made without a part, or by a bot that could not read one, takes nothing of it
// away, not in the mode exact either; the plan says what stays and why.
func TestWhatABackupLacksStays(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		leave  []string
		rights sandbox.Permissions // of the bot while the backup is made; zero: all
		says   []string
	}{
		{leave: []string{bus.PartSettings}, says: []string{"the server's settings: not in the backup (it was not asked for), and so left as it is"}},
		{leave: []string{bus.PartRoles}, says: []string{"the role (all of them): "}},
		{leave: []string{bus.PartChannels}, says: []string{"the channel (all of them): "}},
		{leave: []string{bus.PartExpressions}, says: []string{"the emoji (all of them): ", "the sticker (all of them): ", "the sound (all of them): "}},
		{leave: []string{bus.PartAutoMod, bus.PartCommunity, bus.PartEvents, bus.PartWebhooks, bus.PartBans}, says: []string{"AutoMod", "event", "webhook", "bans of all users", "welcome", "onboarding"}},
		{leave: []string{bus.PartRoles, bus.PartChannels, bus.PartExpressions}, says: []string{"role", "channel", "emoji"}},
		{rights: sandbox.ViewChannel | sandbox.ReadMessageHistory, says: []string{"AutoMod", "the bot lacks the permission Manage Server", "the bot lacks the permission Manage Webhooks", "the bot lacks the permission Ban Members"}},
	} {
		x := newRig(t, sandbox.Administrator)
		take := x.real(sandbox.SmallGuild(7))
		if c.rights != 0 {
			x.rank(c.rights)
		}
		done := take(x.newRun(bus.JobBackupCreate, "backupjob"), bus.BackupArgs{Leave: c.leave}, "")
		if c.rights != 0 {
			x.rank(sandbox.Administrator)
		}
		x.tools.FileOf = func(context.Context, work.Run, string) (string, error) { return done.File, nil }
		before, _ := x.Snapshot(x.guild)
		r := x.newRun(bus.JobRestorePlan, "planjob")
		x.ok((&Planner{Tools: x.tools, Args: bus.PlanArgs{Source: bus.BackupSource{Job: "backupjob"}, Mode: bus.RestoreExact}}).Run(t.Context(), r))
		out := r.out.(bus.PlanDone)
		lines := slices.DeleteFunc(out.Lines, func(l string) bool { return c.rights != 0 && strings.HasPrefix(l, "Change the role") }) // what was changed above
		if len(lines) > 0 {
			t.Errorf("without %v: %q", c.leave, lines)
		}
		for _, part := range c.says {
			if !strings.Contains(strings.Join(out.Cannot, "\n"), part) {
				t.Errorf("without %v the plan does not say %q: %q", c.leave, part, out.Cannot)
			}
		}
		run := x.newRun(bus.JobBackupRestore, restoreJob)
		if c.rights == 0 {
			x.ok(x.attempt(run, out.Hash, -1))
			if after, _ := x.Snapshot(x.guild); len(before.Diff(after)) > 0 {
				t.Errorf("without %v: %v", c.leave, before.Diff(after))
			}
		}
	}
}

// rank gives every role that the bot has the same permissions.
func (x *rig) rank(p sandbox.Permissions) {
	x.t.Helper()
	me := must(x.tools.Bot.Member(x.t.Context(), x.guild.String(), x.app.ID.String()))(x.t)
	for _, id := range me.Roles {
		x.ok(x.SetRolePermissions(x.guild, must(sandbox.ParseID(id))(x.t), p))
	}
}

// TestLacks: what a manifest says of each kind of thing, and what is held to be lacking when it says nothing.
func TestLacks(t *testing.T) {
	t.Parallel()
	some := &model.Snapshot{Guild: model.Guild{Name: "x"}, Roles: []model.Role{{}}, Emojis: []model.Emoji{{}}}
	for name, c := range map[string]struct {
		items []model.Item
		s     *model.Snapshot
		want  []plan.Kind
	}{
		"kept and empty": {[]model.Item{{Name: "automod", Kept: true}, {Name: "webhooks", Kept: true}}, &model.Snapshot{}, nil},
		"not kept":       {[]model.Item{{Name: "automod", Reason: "no"}, {Name: "webhooks"}}, &model.Snapshot{}, []plan.Kind{plan.AutoMod, plan.Webhook}},
		"the ancestor's": {[]model.Item{{Name: "expressions", Reason: "no"}, {Name: "community", Reason: "no"}}, some, []plan.Kind{plan.Sticker, plan.Sound, plan.Welcome, plan.Onboarding}},
	} {
		got := lacks(model.Manifest{Items: c.items}, c.s)
		for _, k := range []plan.Kind{plan.AutoMod, plan.Webhook, plan.Sticker, plan.Sound, plan.Welcome, plan.Onboarding, plan.Emoji, plan.Settings} {
			told := slices.ContainsFunc(c.items, func(i model.Item) bool {
				return i.Name == "automod" && k == plan.AutoMod || i.Name == "webhooks" && k == plan.Webhook
			}) || name == "the ancestor's" && k != plan.AutoMod && k != plan.Webhook
			if told && (got[k] != "") != slices.Contains(c.want, k) {
				t.Errorf("%s: %s: %q", name, k, got[k])
			}
		}
	}
	if got := lacks(model.Manifest{}, some); got[plan.AutoMod] == "" || got[plan.Emoji] != "" {
		t.Errorf("of a manifest that says nothing: %v", slices.Sorted(maps.Keys(got)))
	}
}
