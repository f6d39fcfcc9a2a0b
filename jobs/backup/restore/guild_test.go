package restore

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
)

// backupOf is a backup of the guild as it is.
func (x *rig) backupOf() *stored {
	x.t.Helper()
	s := must(readGuild(x.t.Context(), x.tools.Bot, x.guild.String()))(x.t)
	return &stored{Structure: s, Lacks: true}
}

// TestSurvivorsStay: what a raid left standing is put right in place, with its id and its messages; what the raid made goes,
// and what it destroyed comes back where it was, protected things aside (R4, R9, R10).
func TestSurvivorsStay(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	x.restored(savedGuild(x), bus.PlanArgs{})
	b, ctx, bot, guild := x.backupOf(), t.Context(), x.tools.Bot, x.guild.String()
	before, _ := x.Snapshot(x.guild)
	id := func(name string, kind int) string {
		for _, c := range b.Structure.Channels {
			if c.Name == name && c.Type == kind {
				return string(c.ID)
			}
		}
		t.Fatalf("no channel %s", name)
		return ""
	}
	memes, talk := id("memes", 0), id("Talk", 4)
	said := len(x.saidIn(memes, ""))
	x.ok(bot.DeleteChannel(ctx, talk, ""))
	x.ok(bot.DeleteChannel(ctx, id("Lounge", 2), ""))
	must(bot.EditChannel(ctx, memes, discord.Changes{"name": "pwned", "topic": "x"}, ""))(t)
	for _, r := range b.Structure.Roles {
		switch r.Name {
		case "Captain":
			x.ok(bot.DeleteRole(ctx, guild, string(r.ID), ""))
		case "Member":
			must(bot.EditRole(ctx, guild, string(r.ID), discord.Changes{"name": "raided", "permissions": "8"}, ""))(t)
		}
	}
	junk := must(bot.CreateChannel(ctx, guild, discord.Changes{"name": "junk", "type": 0}, ""))(t)
	keep := must(bot.CreateChannel(ctx, guild, discord.Changes{"name": "commands", "type": 0}, ""))(t)
	must(bot.CreateRole(ctx, guild, discord.Changes{"name": "junk"}, ""))(t)
	must(bot.EditGuild(ctx, guild, discord.Changes{"name": "Pwned"}, ""))(t)
	done, r := x.restored(b, bus.PlanArgs{Protect: []string{keep.ID}})
	if len(done.Failed) > 0 {
		t.Errorf("failed: %v", done.Failed)
	}
	if n := len(x.saidIn(memes, "")); n != said || n == 0 {
		t.Errorf("the channel that survived has %d messages, had %d", n, said)
	}
	if len(x.saidIn(keep.ID, "")) != 0 || has(x, junk.ID) || !has(x, keep.ID) || !has(x, memes) {
		t.Error("the protected channel is gone, or what the raid made is there")
	}
	x.ok(bot.DeleteChannel(ctx, keep.ID, ""))
	after, _ := x.Snapshot(x.guild)
	if d := before.Diff(after); len(d) > 0 {
		t.Errorf("%s\n%s", strings.Join(d, "\n"), x.files[r.job.ID+"/"+ReportName])
	}
}

// TestTheCommandsChannelStays: where people asked for a restore stays when the backup has it not, with all that is in it;
// one that the backup has is restored as any other.
func TestTheCommandsChannelStays(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	x.restored(savedGuild(x), bus.PlanArgs{})
	b, ctx, bot, guild := x.backupOf(), t.Context(), x.tools.Bot, x.guild.String()
	here := must(bot.CreateChannel(ctx, guild, discord.Changes{"name": "war-room", "type": 0}, ""))(t)
	junk := must(bot.CreateChannel(ctx, guild, discord.Changes{"name": "junk", "type": 0}, ""))(t)
	x.restored(b, bus.PlanArgs{Here: here.ID})
	if !has(x, here.ID) || has(x, junk.ID) {
		t.Error("the channel of the command is gone, or another one is not")
	}
	known := string(b.Structure.Channels[slices.IndexFunc(b.Structure.Channels, func(c model.Channel) bool { return c.Name == "memes" })].ID)
	must(bot.EditChannel(ctx, known, discord.Changes{"name": "pwned"}, ""))(t)
	x.restored(b, bus.PlanArgs{Here: known})
	if c := must(bot.Channel(ctx, known))(t); c.Name != "memes" || has(x, here.ID) {
		t.Errorf("the channel is called %s, or what nobody keeps is there", c.Name)
	}
}

func has(x *rig, channel string) bool {
	live := must(readGuild(x.t.Context(), x.tools.Bot, x.guild.String()))(x.t)
	return slices.ContainsFunc(live.Channels, func(c model.Channel) bool { return string(c.ID) == channel })
}

// TestUndo: restoring what a restore has kept before gives the guild back as it was.
func TestUndo(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	must(x.AddChannel(x.guild, "old", sandbox.TextChannel))(t)
	must(x.AddChannel(x.guild, "old voice", sandbox.VoiceChannel))(t)
	before, _ := x.Snapshot(x.guild)
	done, _ := x.restored(savedGuild(x), bus.PlanArgs{Parts: []string{bus.PartSettings, bus.PartRoles, bus.PartChannels, bus.PartExpressions}})
	safety := &stored{}
	x.ok(json.Unmarshal(x.files[restoreJob+"/"+done.Safety], safety))
	undone, _ := x.restored(safety, bus.PlanArgs{})
	after, _ := x.Snapshot(x.guild)
	diff := slices.DeleteFunc(before.Diff(after), func(l string) bool { return strings.Contains(l, "preferred_locale") }) // only a community sets it
	if len(diff) > 0 || len(undone.Failed) > 0 {
		t.Errorf("%s\nfailed %v\nleft %v", strings.Join(diff, "\n"), undone.Failed, undone.Left)
	}
}

// TestLeastRights: a bot without Administrator finishes with the permissions that its plan needs; what it may not do is in
// the report and does not end it (acceptance 39; R4, R6, R13).
func TestLeastRights(t *testing.T) {
	const rights = 1<<2 | 1<<4 | 1<<20 | 1<<35 | 1<<38 | 1<<5 | 1<<7 | 1<<10 | 1<<11 | 1<<16 | 1<<27 | 1<<28 | 1<<29 | 1<<30 | 1<<33 | 1<<34 | 1<<43 | 1<<44 | 1<<51
	x := newRig(t, rights)
	b := savedGuild(x)
	done, _ := x.restored(b, bus.PlanArgs{})
	for _, f := range done.Failed {
		t.Errorf("failed: %s", f)
	}
	if done.Done["create"] < 20 || len(done.Left) < 3 {
		t.Errorf("done %v, left %v", done.Done, done.Left)
	}
	for _, p := range [][]string{nil, {bus.PartRoles}} {
		weak := newRig(t, 1<<10)
		done, _ := weak.restored(savedGuild(weak), bus.PlanArgs{Parts: p})
		if len(done.Failed) > 0 || done.Done["create"] > 0 || len(done.Left) == 0 {
			t.Errorf("a bot without permissions: %+v", done)
		}
	}
}

// TestCommunityBothWays: a community becomes none and the other way round, by an administrator; another bot makes text
// channels of what only a community has, and says so (acceptance 41; R11, R12).
func TestCommunityBothWays(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	plain := x.backupOf()
	if done, _ := x.restored(savedGuild(x), bus.PlanArgs{}); len(done.Failed) > 0 {
		t.Errorf("to a community: %v", done.Failed)
	}
	if done, _ := x.restored(plain, bus.PlanArgs{}); len(done.Failed) > 0 {
		t.Errorf("back: %v", done.Failed)
	}
	if g := must(x.tools.Bot.Guild(t.Context(), x.guild.String()))(t); slices.Contains(g.Features, "COMMUNITY") {
		t.Error("it is still a community")
	}
	weak := newRig(t, 1<<4|1<<5|1<<10|1<<28)
	done, _ := weak.restored(savedGuild(weak), bus.PlanArgs{Parts: []string{bus.PartChannels}})
	if len(done.Failed) > 0 || !slices.ContainsFunc(done.Left, func(l string) bool { return strings.Contains(l, "only a community has forums") }) {
		t.Errorf("failed %v, left %v", done.Failed, done.Left)
	}
}

// TestMergeDeletesNothing: what the guild has stays in the mode that merges.
func TestMergeDeletesNothing(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	old := must(x.AddChannel(x.guild, "old", sandbox.TextChannel))(t)
	done, _ := x.restored(savedGuild(x), bus.PlanArgs{Mode: bus.RestoreMerge})
	if len(done.Failed) > 0 || done.Done["delete"] > 0 || !has(x, old.String()) {
		t.Errorf("have %+v", done)
	}
	for _, q := range x.Requests(0, 100_000) {
		if q.Method == "DELETE" && !strings.Contains(q.Path, "/webhooks/") {
			t.Errorf("%s %s", q.Method, q.Path)
		}
	}
}

// TestUntouchedGuildGetsNoCall: the restore of a guild that is as it was saved changes nothing (acceptance 42; R10).
func TestUntouchedGuildGetsNoCall(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	x.restored(savedGuild(x), bus.PlanArgs{})
	n := x.kill.writes
	plan, p := x.planned(x.backupOf(), bus.PlanArgs{})
	r := x.newRun(bus.JobBackupRestore, "01JRESTORE0000000000000002")
	x.ok(x.attempt(r, plan.Hash, -1))
	if !p.Empty() || x.kill.writes != n {
		t.Errorf("%d requests that change something, plan %v", x.kill.writes-n, plan.Lines)
	}
}

// TestOwnGuildIsLeftAlone: a restore marks all that it does in the audit log as its own, so that the guild's protection
// knows it (R21).
func TestOwnGuildIsLeftAlone(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	x.restored(savedGuild(x), bus.PlanArgs{})
	n := 0
	for _, e := range x.AuditLog(x.guild) {
		if e.Actor != x.app.ID || e.Action == 110 || e.Action == 74 {
			continue // what messages bring about has no reason
		}
		if n++; e.Reason == "" && e.Action != 22 { // what stands there becomes the reason of a ban, which had none
			t.Errorf("action %d has no reason", e.Action)
		}
	}
	if n < 30 {
		t.Errorf("%d entries", n)
	}
}

// TestMissingPictures: a picture that the backup has not got is left out with a word, and the rest of its step is done (R7).
func TestMissingPictures(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	b := savedGuild(x)
	delete(b.Files, b.Structure.Guild.Icon)
	delete(b.Files, b.Structure.Stickers[0].File)
	done, _ := x.restored(b, bus.PlanArgs{})
	if len(done.Failed) != 1 || !strings.Contains(done.Failed[0], "sticker") || !slices.ContainsFunc(done.Left, func(l string) bool { return strings.Contains(l, "without its icon") }) {
		t.Errorf("failed %v, left %v", done.Failed, done.Left)
	}
	if g := must(x.tools.Bot.Guild(t.Context(), x.guild.String()))(t); g.Name != "Skeld" {
		t.Errorf("the settings are not restored: %s", g.Name)
	}
}
