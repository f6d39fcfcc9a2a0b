package e2e

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
	"splashtail/jobs"
	"splashtail/jobs/backup/create"
)

// TestLargeGuild takes a guild at Discord's limits of channels and roles through the real engine and the real kinds of jobs: backed
// up, restored untouched, after damage, onto another guild, and between communities and others. With SPLASHTAIL_SOAK set it has all
// that it can, 100,000 messages among it.
func TestLargeGuild(t *testing.T) {
	o := newEstate(t, boundless())
	o.startHere()
	spec := sandbox.LargeGuild(1)
	if os.Getenv("SPLASHTAIL_SOAK") == "" {
		spec.Messages, spec.Threads, spec.Members, spec.Bans, spec.Emojis = 1_500, 200, 500, 800, 150
	}
	g := o.generate(spec)
	before, said := o.snapshot(g.Guild), o.words(g.Guild)
	backup := o.does(g.Guild, g.Owner, bus.JobBackupCreate, bus.BackupArgs{Messages: 200_000, PerChannel: 1000, Members: true, Attachments: true})
	done := outcome[bus.BackupDone](t, backup)
	t.Logf("the backup of %d messages: %s", g.Messages, backup.Outcome)
	if len(done.Missing) > 0 || done.Counts["channels"] != spec.Channels || done.Counts["roles"] != spec.Roles || done.Counts["bans"] != spec.Bans {
		t.Errorf("the backup lacks %q, counts %v", done.Missing, done.Counts)
	}
	ofJob := bus.PlanArgs{Source: bus.BackupSource{Job: backup.ID}, Mode: bus.RestoreExact}

	t.Run("untouched", func(t *testing.T) {
		o.toll.reset()
		done, report := o.in(t).restores(g, ofJob)
		if o.toll.writes > 0 || len(done.Done)+len(done.Failed)+len(done.Left) > 0 {
			t.Errorf("%d requests that change something, %+v:\n%.2000s", o.toll.writes, done, report)
		}
		o.in(t).same(before, o.snapshot(g.Guild), nil)
	})
	t.Run("untouched, its messages by name", func(t *testing.T) {
		o.toll.reset()
		only := ofJob
		only.Parts = []string{bus.PartChannels, bus.PartThreads, bus.PartMessages}
		done, report := o.in(t).restores(g, only)
		if o.toll.writes > 0 || len(done.Done)+len(done.Failed) > 0 {
			t.Errorf("%d requests that change something, %+v:\n%.2000s", o.toll.writes, done, report)
		}
	})
	t.Run("wrecked", func(t *testing.T) {
		o := o.in(t)
		must(o.d.Wreck(g.Guild, sandbox.Wreckage{Seed: 5, Delete: 0.3, Change: 0.3, Add: 0.2, Members: true, Messages: true}))(t)
		done, report := o.restores(g, ofJob)
		o.whole(done, report)
		o.same(before, o.snapshot(g.Guild), nil)
	})
	t.Run("onto another guild", func(t *testing.T) {
		o := o.in(t)
		other := o.plainGuild(sandbox.Administrator)
		done, report := o.restores(other, bus.PlanArgs{Source: bus.BackupSource{URL: o.upload(backup)}, Mode: bus.RestoreExact})
		o.whole(done, report)
		here := o.snapshot(other.Guild)
		o.same(before, here, func(line string) bool { return elsewhere(line, here) })
		o.names(report, "they are not in the server")
		o.sameWords(said, o.words(other.Guild))
	})
	t.Run("onto a guild that is no community", func(t *testing.T) {
		o := o.in(t)
		other := o.plainGuild(leastRights)
		done, report := o.restores(other, bus.PlanArgs{Source: bus.BackupSource{URL: o.upload(backup)}, Mode: bus.RestoreExact})
		// What the bot may not do in channels that hide from it, or has no right to, is refused one by one and ends nothing.
		for _, line := range done.Failed {
			if !strings.Contains(line, "Missing Access") && !strings.Contains(line, "Missing Permissions") {
				t.Errorf("failed: %s", line)
			}
		}
		o.names(report, "they are not in the server", "only a community has forums")
		have := o.snapshot(other.Guild)
		if len(have.Channels) != spec.Channels || len(have.Bans) != spec.Bans || strings.Contains(string(have.Settings), `"COMMUNITY"`) {
			t.Errorf("there are %d channels and %d bans, settings %s", len(have.Channels), len(have.Bans), have.Settings)
		}
	})
	t.Run("a guild that is no community onto one", func(t *testing.T) {
		o := o.in(t)
		// Two old channels can go only when it is no community any more, after the new ones are there.
		spec.Seed, spec.Community, spec.Channels = 9, false, spec.Channels-2
		plain := o.generate(spec)
		want := o.snapshot(plain.Guild)
		saved := o.does(plain.Guild, plain.Owner, bus.JobBackupCreate, bus.BackupArgs{Messages: 200_000, PerChannel: 1000, Members: true, Attachments: true})
		other := o.generate(sandbox.MediumGuild(4))
		noError(t, o.d.SetBoosts(other.Guild, 3))
		done, report := o.restores(other, bus.PlanArgs{Source: bus.BackupSource{URL: o.upload(saved)}, Mode: bus.RestoreExact})
		o.whole(done, report)
		here := o.snapshot(other.Guild)
		// What only communities show stays behind it when a server is none any more, and comes back with it.
		behind := func(line string) bool {
			return strings.HasPrefix(line, "+ onboarding.") || strings.HasPrefix(line, "+ welcome.") || strings.HasPrefix(line, "+ settings.features") && strings.HasSuffix(line, `"WELCOME_SCREEN_ENABLED"`)
		}
		o.same(want, here, func(line string) bool { return elsewhere(line, here) || behind(line) })
		o.names(report, "they are not in the server")
	})
}

// elsewhere tells whether two guilds differ in something for being two: who owns them, who is in them, and whether the bot's role
// came with it. Bans are never taken back.
func elsewhere(line string, here sandbox.Snapshot) bool {
	what, _, _ := strings.Cut(line, ":")
	kind, of, _ := strings.Cut(what[2:], ".")
	user, _, _ := strings.Cut(of, "[")
	id, err := sandbox.ParseID(user)
	_, member := here.Members[id]
	switch kind {
	case "members", "nicks":
		return err == nil && (line[0] == '+') == member
	case "bans":
		return line[0] == '+'
	}
	own := kind[:min(len(kind), 5)] == "roles" && strings.HasSuffix(what, ".managed") // the bot's, which a guild of a test made by hand
	return line[0] == '~' && (what[2:] == "settings.owner" || own)
}

// leastRights are what a bot needs for most of a restore, short of administrating.
const leastRights = 1<<2 | 1<<4 | 1<<5 | 1<<7 | 1<<10 | 1<<11 | 1<<16 | 1<<20 | 1<<27 | 1<<28 | 1<<29 | 1<<30 | 1<<33 | 1<<34 | 1<<35 | 1<<38 | 1<<43 | 1<<44 | 1<<51

// plainGuild is an empty guild in which the bot has some rights, from a role above the others.
func (o *estate) plainGuild(rights sandbox.Permissions) sandbox.Generated {
	o.t.Helper()
	owner := must(o.d.AddUser("Olga"))(o.t)
	g := sandbox.Generated{Guild: must(o.d.AddGuild("Plain", owner))(o.t), Owner: owner}
	var early []sandbox.ID // there were roles when the bot came, so that its own one stands high
	for range 20 {
		early = append(early, must(o.d.AddRole(g.Guild, "early", 0))(o.t))
	}
	role := must(o.d.AddRole(g.Guild, "keeper", rights))(o.t)
	for _, id := range early {
		noError(o.t, o.d.As(owner).DeleteRole(g.Guild, id))
	}
	noError(o.t, o.d.AddMember(g.Guild, o.app.ID, role))
	noError(o.t, o.d.SetBoosts(g.Guild, 3))
	return g
}

// names wants a report to name what differs.
func (o *estate) names(report string, texts ...string) {
	o.t.Helper()
	for _, text := range texts {
		if !strings.Contains(report, text) {
			o.t.Errorf("the report does not say %q", text)
		}
	}
}

// startHere runs the component for jobs in this process, without our own limits of requests.
func (o *estate) startHere() {
	o.t.Helper()
	b := bustest.New(o.t)
	own := must(b.Component(o.t.Context(), "jobs"))(o.t)
	cfg := jobs.Config{
		Token: secret.New(o.app.Token), APIURL: o.url + "/api/v10", CDNURL: o.url, DataDir: o.t.TempDir(), Instance: "one",
		Limiter: discord.NewLimiter(discord.LimiterConfig{Global: 1_000_000}), Backups: create.Limits{Messages: 200_000, PerChannel: 1000, Attachments: 4 << 30},
	}
	j := must(jobs.New(cfg, own, bustest.Log(o.t)))(o.t)
	runUntilEnd(o.t, func(ctx context.Context) error {
		defer bustest.Close(o.t, own)
		return j.Run(ctx)
	})
	<-j.Ready()
	o.jobs = must(bus.OpenJobs(o.t.Context(), b))(o.t)
}

// in gives the estate to a part of a test.
func (o *estate) in(t testing.TB) *estate {
	part := *o
	part.t = t
	return &part
}

// whole wants nothing to have failed.
func (o *estate) whole(done bus.RestoreDone, report string) {
	o.t.Helper()
	o.t.Logf("done %v, left %d", done.Done, len(done.Left))
	if len(done.Failed) > 0 {
		o.t.Errorf("failed: %s", strings.Join(done.Failed, "\n"))
	}
	head, _, _ := strings.Cut(report, "\n")
	o.t.Log(head)
}

// same wants a guild to be as another one was, but for what may differ.
func (o *estate) same(want, have sandbox.Snapshot, may func(line string) bool) {
	o.t.Helper()
	for user, why := range have.Bans { // the operation stands behind a reason, and in place of none
		why, _, _ = strings.Cut(why, " · op=")
		if why == "Restore of a backup" && want.Bans[user] == "" {
			why = ""
		}
		have.Bans[user] = why
	}
	lines := want.Diff(have)
	if may != nil {
		lines = slices.DeleteFunc(lines, may)
	}
	if len(lines) > 0 {
		kinds := map[string]int{}
		for _, l := range lines {
			kind, _, _ := strings.Cut(l, ".")
			kind, _, _ = strings.Cut(kind, "[")
			if kinds[kind]++; kinds[kind] <= 10 {
				o.t.Error(l)
			}
		}
		o.t.Errorf("%d differences: %v", len(lines), kinds)
	}
}

// words is what was said in a guild, by channel or thread, as far as somebody else can write it again: text, embeds, files and
// pins. Long messages may come back in pieces, so blanks do not count.
func (o *estate) words(guild sandbox.ID) map[string]string {
	o.t.Helper()
	h, ok := o.d.History(guild)
	if !ok {
		o.t.Fatal("there is no guild")
	}
	twins := map[string][]string{} // places of one name
	for name, list := range h.Channels {
		name, _, _ = strings.Cut(name, " #") // the number that tells two of one name apart
		twins[name] = append(twins[name], wordsOf(list))
	}
	for _, th := range h.Threads {
		channel, _, _ := strings.Cut(th.Channel, " #")
		place := fmt.Sprint("thread ", channel, " ", th.Name, " ", th.Type, th.Archived, th.Locked, th.Pinned, th.Tags)
		twins[place] = append(twins[place], wordsOf(th.Messages))
	}
	all := map[string]string{}
	for place, list := range twins {
		slices.Sort(list)
		all[place] = strings.Join(list, "\n\n")
	}
	return all
}

func wordsOf(list []sandbox.MessageSnapshot) string {
	var b strings.Builder
	for _, m := range list {
		if m.Kind != 0 && m.Kind != 19 {
			continue
		}
		if m.Pinned {
			b.WriteString("(pinned)")
		}
		text := m.Text
		if strings.HasPrefix(text, "-# ↪ ") { // what it answers
			_, text, _ = strings.Cut(text, "\n")
		}
		b.WriteString(strings.Join(strings.Fields(text), ""))
		b.Write(m.Embeds)
		for _, f := range m.Files {
			b.WriteString(" " + f.Name + " " + f.File)
		}
	}
	return b.String()
}

// sameWords wants the same to be said everywhere.
func (o *estate) sameWords(want, have map[string]string) {
	o.t.Helper()
	size := 0
	for place, text := range want {
		size += len(text)
		if text == have[place] {
			continue
		}
		at := 0
		for at < min(len(text), len(have[place])) && text[at] == have[place][at] {
			at++
		}
		o.t.Errorf("%s is different from byte %d of %d and %d on:\nwant %.200q\nhave %.200q", place, at, len(text), len(have[place]), text[at:], have[place][at:])
	}
	for place, text := range have {
		if _, ok := want[place]; !ok {
			o.t.Errorf("%s has words and should have none: %.200q", place, text)
		}
	}
	if len(want) != len(have) || size < 50_000 {
		o.t.Errorf("%d places have words, want %d with %d bytes", len(have), len(want), size)
	}
	o.t.Logf("%d bytes in %d places compared", size, len(want))
}
