package sandbox

import (
	"fmt"
	"net/http"
	"reflect"
	"runtime"
	"testing"
	"time"
)

func generated(t *testing.T, spec GuildSpec) (*world, Generated) {
	t.Helper()
	w := &world{Discord: New(Config{Limits: noLimits()}), t: t}
	w.bot = must(w.AddApplication(ApplicationSpec{Name: "keeper", MembersIntent: true, MessageContentIntent: true}))(t)
	spec.Bot = w.bot.ID
	out := must(w.Generate(spec))(t)
	w.guild, w.owner = out.Guild, out.Owner
	return w, out
}

func (w *world) both() (Snapshot, History) {
	w.t.Helper()
	s, ok := w.Snapshot(w.guild)
	h, ok2 := w.History(w.guild)
	if !ok || !ok2 {
		w.t.Fatal("no snapshot")
	}
	return s, h
}

// sameButBot takes the bot, whose id is new in every sandbox, out of two snapshots and compares them.
func sameButBot(a, b *world) []string {
	x, _ := a.both()
	y, _ := b.both()
	delete(x.Members, a.bot.ID)
	delete(y.Members, b.bot.ID)
	return x.Diff(y)
}

func TestOneSeedMakesOneGuild(t *testing.T) {
	a, outA := generated(t, MediumGuild(7))
	b, outB := generated(t, MediumGuild(7))
	c, _ := generated(t, MediumGuild(8))
	if diff := sameButBot(a, b); len(diff) > 0 {
		t.Errorf("the same seed made two guilds: %v", diff[:min(len(diff), 20)])
	}
	_, ha := a.both()
	_, hb := b.both()
	_, hc := c.both()
	if !reflect.DeepEqual(ha, hb) || outA.Files != outB.Files || outA.FileBytes != outB.FileBytes {
		t.Error("the same seed made two histories")
	}
	if reflect.DeepEqual(ha, hc) || len(sameButBot(a, c)) == 0 {
		t.Error("two seeds made one guild")
	}
}

func TestLargeGuildIsAtDiscordsLimits(t *testing.T) {
	start := time.Now()
	w, out := generated(t, LargeGuild(1))
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	t.Logf("made in %v, heap %d MiB, %d files of %d MiB", time.Since(start), mem.HeapAlloc>>20, out.Files, out.FileBytes>>20)
	g := w.guilds[w.guild]
	if len(g.roles) != 250 || len(g.channels) != 500 || out.Messages != 100_000 || len(g.emojis) != 400 || len(g.stickers) != 60 || len(g.sounds) != 48 || len(g.bans) != 3000 {
		t.Errorf("%d roles, %d channels, %d messages, %d emojis, %d stickers, %d sounds, %d bans", len(g.roles), len(g.channels), out.Messages, len(g.emojis), len(g.stickers), len(g.sounds), len(g.bans))
	}
	children, still := map[ID]int{}, 0
	for _, ch := range g.channels {
		children[ch.parent]++
		for i := 1; i < len(ch.messages); i++ {
			if ch.messages[i].id <= ch.messages[i-1].id {
				t.Fatalf("messages of %s are not in order", ch.name)
			}
		}
		if err := g.fits(ch); err != nil {
			t.Errorf("channel %s: %s", ch.name, rawJSON(err))
		}
	}
	for parent, n := range children {
		if parent != 0 && n > maxChildren {
			t.Errorf("%d channels in one category", n)
		}
	}
	for _, e := range g.emojis {
		if !e.animated {
			still++
		}
	}
	if still > g.maxEmojis() || len(g.emojis)-still > g.maxEmojis() || g.activeThreads() > maxActiveThreads || !g.onboarding.enabled {
		t.Errorf("%d still emojis, %d active threads, onboarding %v", still, g.activeThreads(), g.onboarding.enabled)
	}
	for _, ch := range g.threads {
		for i := 1; i < len(ch.messages); i++ {
			if ch.messages[i].id <= ch.messages[i-1].id {
				t.Fatalf("messages of thread %s are not in order", ch.name)
			}
		}
	}
}

// TestGeneratedGuildPassesTheDescription reads everything that a backup reads.
func TestGeneratedGuildPassesTheDescription(t *testing.T) {
	w, _ := generated(t, SmallGuild(3))
	r := w.rest()
	for _, path := range []string{
		"", "/roles", "/channels", "/threads/active", "/emojis", "/stickers", "/soundboard-sounds", "/auto-moderation/rules", "/bans",
		"/webhooks", "/welcome-screen", "/onboarding", "/widget", "/scheduled-events", "/templates", "/members?limit=1000", "/invites",
	} {
		r.call(200, "GET", "/guilds/{g}"+path, "")
	}
	messages, files := 0, 0
	read := func(id string) {
		before := ""
		for {
			page := r.call(200, "GET", "/channels/"+id+"/messages?limit=100"+before, "").([]any)
			for _, m := range page {
				m := m.(map[string]any)
				before = "&before=" + m["id"].(string)
				messages++
				for _, a := range m["attachments"].([]any) {
					a := a.(map[string]any)
					status, body := r.fetch(a["url"].(string))
					if status != http.StatusOK || len(body) != int(a["size"].(float64)) {
						t.Errorf("file %v: %d, %d bytes", a, status, len(body))
					}
					files++
				}
			}
			if len(page) < 100 {
				break
			}
		}
		r.call(200, "GET", "/channels/"+id+"/messages/pins", "")
	}
	var ids []string
	for _, ch := range w.guilds[w.guild].channels {
		switch {
		case ch.holdsMessages():
			ids = append(ids, ch.id.String())
			fallthrough
		case ch.postable():
			if !ch.voice() {
				archived := r.call(200, "GET", fmt.Sprintf("/channels/%s/threads/archived/public", ch.id), "").(map[string]any)
				for _, th := range archived["threads"].([]any) {
					ids = append(ids, th.(map[string]any)["id"].(string))
				}
			}
		}
	}
	active := r.call(200, "GET", "/guilds/{g}/threads/active", "").(map[string]any)
	for _, th := range active["threads"].([]any) {
		ids = append(ids, th.(map[string]any)["id"].(string))
	}
	for _, id := range ids {
		read(id)
	}
	if messages < 190 || files == 0 {
		t.Errorf("read %d messages with %d files", messages, files)
	}
}

func TestWreckage(t *testing.T) {
	a, _ := generated(t, MediumGuild(5))
	b, _ := generated(t, MediumGuild(5))
	before, _ := a.both()
	w := Wreckage{Seed: 9, Delete: 0.3, Change: 0.3, Add: 0.1, Members: true, Messages: true}
	done := must(a.Wreck(a.guild, w))(t)
	must(b.Wreck(b.guild, w))(t)
	after, _ := a.both()
	if diff := before.Diff(after); len(diff) < 100 || len(done) < 100 {
		t.Errorf("%d deeds, %d differences", len(done), len(diff))
	}
	if diff := sameButBot(a, b); len(diff) > 0 {
		t.Errorf("the same seed did different damage: %v", diff[:min(len(diff), 20)])
	}
	if log := a.AuditLog(a.guild); len(log) < 100 || log[0].Reason != "wreckage" || log[0].Actor != a.owner {
		t.Errorf("%d audit entries", len(log))
	}
	must(a.Wreck(a.guild, TotalWreckage(1)))(t)
	if _, err := a.Wreck(1, w); err == nil {
		t.Error("wrecked what is not there")
	}
}

func TestGeneratorRefuses(t *testing.T) {
	d := New(Config{})
	for name, change := range map[string]func(*GuildSpec){
		"roles": func(s *GuildSpec) { s.Roles = 251 }, "channels": func(s *GuildSpec) { s.Channels = 501 },
		"bot": func(s *GuildSpec) { s.Bot = 77 }, "none": func(s *GuildSpec) { s.Members = 0 },
	} {
		s := SmallGuild(1)
		change(&s)
		if _, err := d.Generate(s); err == nil || len(d.guilds) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
