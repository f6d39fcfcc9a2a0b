package restore

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
	"splashtail/jobs/work"
)

// TestLostRightsStopTheRestore: a bot that has lost, since the plan was approved, what the plan needs changes nothing and says
// what it has lost, whichever parts the plan has; what the plan does not need may be lost, and what was gained does no harm.
func TestLostRightsStopTheRestore(t *testing.T) {
	t.Parallel()
	const all = sandbox.AllPermissions &^ sandbox.Administrator
	take := func(p sandbox.Permissions) func(*rig) {
		return func(x *rig) { x.ok(x.SetRolePermissions(x.guild, x.role, all&^p)) }
	}
	var low sandbox.ID
	demote := func(x *rig) {
		x.ok(x.As(x.owner).AddRole(x.guild, x.app.ID, low))
		x.ok(x.As(x.owner).RemoveRole(x.guild, x.app.ID, x.role))
	}
	for name, c := range map[string]struct {
		parts  []string
		before sandbox.Permissions
		change func(*rig)
		says   string // empty: it is restored
	}{
		"channels":            {[]string{bus.PartChannels}, all, take(sandbox.ManageChannels), "the bot has lost the permission Manage Channels"},
		"bans":                {[]string{bus.PartBans}, all, take(sandbox.BanMembers), "the bot has lost the permission Ban Members"},
		"rules":               {[]string{bus.PartAutoMod}, all, take(sandbox.ManageGuild), "the bot has lost the permission Manage Server"},
		"everything":          {nil, all, take(sandbox.ManageRoles), "the bot has lost the permission Manage Roles"},
		"two of them":         {[]string{bus.PartChannels, bus.PartAutoMod}, all, take(sandbox.ManageChannels | sandbox.ManageGuild), "Manage Channels, Manage Server"},
		"not needed":          {[]string{bus.PartChannels}, all, take(sandbox.BanMembers), ""},
		"gained":              {[]string{bus.PartChannels}, all &^ sandbox.BanMembers, take(0), ""},
		"lower":               {[]string{bus.PartRoles}, all, demote, "the role Crew is not below the bot's own role any more"},
		"lower, but no roles": {[]string{bus.PartExpressions}, all, demote, ""},
	} {
		x := newRig(t, c.before)
		low = must(x.AddRole(x.guild, "low", all))(t)
		crew := must(x.AddRole(x.guild, "Crew", 0))(t)
		_, err := x.As(x.owner).Do("PATCH", "/guilds/"+x.guild.String()+"/roles", []map[string]any{{"id": low, "position": 1}, {"id": crew, "position": 2}})
		x.ok(err)
		done, _ := x.planned(savedGuild(x), bus.PlanArgs{Mode: bus.RestoreMerge, Parts: c.parts})
		c.change(x)
		before, _ := x.Snapshot(x.guild)
		r := x.newRun(bus.JobBackupRestore, restoreJob)
		err = x.attempt(r, done.Hash, -1)
		if c.says == "" {
			if out, _ := r.out.(bus.RestoreDone); err != nil || len(out.Failed) > 0 || out.Done["create"] == 0 {
				t.Errorf("%s: %v, %+v", name, err, out)
			}
			continue
		}
		var drifted *plan.Drifted
		if !errors.As(err, &drifted) || !work.IsPermanent(err) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "is gone") {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := x.Snapshot(x.guild); len(before.Diff(after)) > 0 {
			t.Errorf("%s: something was changed: %v", name, before.Diff(after))
		}
	}
}

// TestUnseenIsNotGone: rules that the bot may not read any more are not said to be gone when the plan does nothing with them.
func TestUnseenIsNotGone(t *testing.T) {
	t.Parallel()
	const all = sandbox.AllPermissions &^ sandbox.Administrator
	x := newRig(t, all)
	x.restored(savedGuild(x), bus.PlanArgs{Parts: []string{bus.PartChannels, bus.PartAutoMod}})
	done, _ := x.planned(&stored{Structure: must(readGuild(t.Context(), x.tools.Bot, x.guild.String()))(t)}, bus.PlanArgs{})
	x.ok(x.SetRolePermissions(x.guild, x.role, all&^sandbox.ManageGuild))
	err := x.attempt(x.newRun(bus.JobBackupRestore, "other"), done.Hash, -1)
	if err == nil || !strings.Contains(err.Error(), "does not show any more: the bot has lost the permission Manage Server") || strings.Contains(err.Error(), "is gone") {
		t.Error(err)
	}
}

// TestLostMidway: whatever the bot loses while a restore runs, the rest is tried or left, the restore ends, and its report says
// what is missing.
func TestLostMidway(t *testing.T) {
	t.Parallel()
	whole := newRig(t, sandbox.Administrator)
	plan, _ := whole.planned(savedGuild(whole), bus.PlanArgs{})
	counted := &stopping{jobRun: whole.newRun(bus.JobBackupRestore, restoreJob)}
	whole.ok((&Restorer{Tools: whole.tools, Args: bus.RestoreArgs{Plan: "planjob", Hash: plan.Hash}}).Run(t.Context(), counted))
	notes := -counted.left.Load()
	for name, lose := range map[string]func(*rig){
		"everything": func(x *rig) { x.ok(x.SetRolePermissions(x.guild, x.role, sandbox.ViewChannel)) },
		"its role":   func(x *rig) { x.ok(x.As(x.owner).RemoveRole(x.guild, x.app.ID, x.role)) },
		"the server": func(x *rig) { x.ok(x.As(x.owner).Kick(x.guild, x.app.ID)) },
	} {
		for _, at := range []int64{2, notes / 3, notes * 2 / 3, notes - 20} {
			x := newRig(t, sandbox.Administrator)
			done, _ := x.planned(savedGuild(x), bus.PlanArgs{})
			r := &stopping{jobRun: x.newRun(bus.JobBackupRestore, restoreJob), cancel: func() { lose(x) }}
			r.left.Store(at)
			x.kill.cancel, x.kill.at = func() {}, -1
			w := &Restorer{Tools: x.tools, Args: bus.RestoreArgs{Plan: "planjob", Hash: done.Hash}}
			if err := w.Run(t.Context(), r); err != nil {
				t.Errorf("%s, at note %d: %v", name, at, err)
			}
			out, _ := r.out.(bus.RestoreDone)
			report := string(x.files[restoreJob+"/"+ReportName])
			if len(out.Failed) == 0 || out.Safety == "" || !strings.Contains(report, "failed: ") || !strings.Contains(report, "To undo it") {
				t.Errorf("%s, at note %d: %+v\n%s", name, at, out, report)
			}
		}
	}
}

// say adds a message to a text channel that the backup has and the guild has not.
func (b *stored) say(channel model.ID, m model.Message) {
	if len(b.Order) == 0 {
		b.Structure.Channels = append(b.Structure.Channels, model.Channel{ID: channel, Name: "told", Type: model.TypeText})
		b.Order, b.Said = []model.ID{channel}, map[model.ID][]model.Message{}
	}
	m.Author = model.Author{ID: "5", Name: "Ana"}
	b.Said[channel] = append(b.Said[channel], m)
}

// TestAShutChannelIsGivenUp: a channel that takes no more messages costs a few refusals, not one for each message.
func TestAShutChannelIsGivenUp(t *testing.T) {
	t.Parallel()
	x := newRig(t, sandbox.Administrator)
	b := &stored{Structure: must(readGuild(t.Context(), x.tools.Bot, x.guild.String()))(t)}
	for i := range 200 {
		b.say("70000000000000000", model.Message{ID: model.ID(fmt.Sprint(80000000000000000 + i)), Content: fmt.Sprint("line ", i)})
	}
	done, _ := x.planned(b, bus.PlanArgs{Mode: bus.RestoreMerge})
	r := &stopping{jobRun: x.newRun(bus.JobBackupRestore, restoreJob), cancel: func() {
		x.ok(x.SetRolePermissions(x.guild, x.role, sandbox.ViewChannel))
		var hooks []struct{ ID sandbox.ID }
		x.ok(json.Unmarshal(must(x.As(x.owner).Do("GET", "/guilds/"+x.guild.String()+"/webhooks", nil))(t), &hooks))
		for _, h := range hooks {
			x.ok(x.As(x.owner).DeleteWebhook(h.ID))
		}
	}}
	r.left.Store(8)
	x.kill.cancel, x.kill.at = func() {}, -1
	old := len(x.Requests(0, 100_000))
	x.ok((&Restorer{Tools: x.tools, Args: bus.RestoreArgs{Plan: "planjob", Hash: done.Hash}}).Run(t.Context(), r))
	refused := 0
	for _, q := range x.Requests(0, 100_000)[old:] {
		if q.Status == 403 || q.Status == 404 {
			refused++
		}
	}
	out, _ := r.out.(bus.RestoreDone)
	if refused > 3*maxRow || !slices.ContainsFunc(out.Failed, func(l string) bool { return strings.Contains(l, "only a part of it was written") }) {
		t.Errorf("%d refusals, %+v", refused, out)
	}
}
