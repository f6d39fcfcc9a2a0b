package create

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
)

// TestGeneratedGuild backs a made-up guild up and holds the manifest against what the guild has (B14, acceptance 37).
func TestGeneratedGuild(t *testing.T) {
	t.Parallel()
	r, _ := made(t, sandbox.SmallGuild(3))
	run := r.run()
	done := r.backup(run, bus.BackupArgs{Name: "before the party", Members: true, Messages: 500, Attachments: true})
	b := r.open(run, done)
	s := must2(r.Snapshot(r.guild))(t)
	h := must2(r.History(r.guild))(t)
	messages, files, pins := 0, 0, 0
	count := func(list []sandbox.MessageSnapshot) {
		messages += len(list)
		for _, m := range list {
			files += len(m.Files)
			if m.Pinned {
				pins++
			}
		}
	}
	for _, list := range h.Channels {
		count(list)
	}
	for _, th := range h.Threads {
		count(th.Messages)
	}
	overwrites := 0
	for _, c := range s.Channels {
		overwrites += len(c.Overwrites)
	}
	want := map[string]int{
		"roles": len(s.Roles), "channels": len(s.Channels), "threads": len(h.Threads), "emojis": len(s.Emojis), "stickers": len(s.Stickers),
		"sounds": len(s.Sounds), "automod": len(s.Automod), "events": len(s.Events), "webhooks": len(s.Webhooks), "bans": len(s.Bans),
		"messages": messages, "attachments": files, "pins": pins, "settings": 1, "welcome": 1, "members": 0, "onboarding": 0,
	}
	for _, roles := range s.Members {
		if len(roles) > 0 {
			want["members"]++ // nicknames without roles count, too, and the generator gives none of those
		}
	}
	want["onboarding"] = len(b.Onboarding.Prompts)
	for _, i := range b.manifest.Items {
		if n, ok := want[i.Name]; !ok || i.Count != n || !i.Kept || i.Reason != "" {
			t.Errorf("%+v, want %d", i, n)
		}
		if n, counted := done.Counts[i.Name]; counted && n != i.Count {
			t.Errorf("the outcome counts %d %s, the manifest says %d", n, i.Name, i.Count)
		}
	}
	if len(b.manifest.Items) != len(want) || done.Counts["overwrites"] != overwrites || len(done.Missing) > 0 {
		t.Errorf("%d items, %d overwrites of %d, missing %v", len(b.manifest.Items), done.Counts["overwrites"], overwrites, done.Missing)
	}
	if b.manifest.Title != b.Guild.Name || b.manifest.Name != "before the party" || b.manifest.TakenBy != "77" || done.Name != b.manifest.Name {
		t.Errorf("%+v", b.manifest)
	}
	r.compare(b, s)
	if data := fmt.Sprint(b.Snapshot); strings.Contains(data, "token") {
		t.Error("something of it speaks of a token")
	}
}

func must2[T any](v T, ok bool) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if !ok {
			t.Fatal("there is none")
		}
		return v
	}
}

// compare holds what has names and numbers against the sandbox.
func (r *rig) compare(b opened, s sandbox.Snapshot) {
	r.t.Helper()
	for i, role := range b.Roles {
		w := s.Roles[i]
		if role.Name != w.Name || role.Permissions != model.Bits(fmt.Sprint(uint64(w.Permissions))) || role.Color != w.Color || role.Hoist != w.Hoist || role.Managed != w.Managed || (role.Icon != "") != (w.Icon != "") {
			r.t.Errorf("role %d is %+v, want %+v", i, role, w)
		}
	}
	for _, c := range b.Snapshot.Channels {
		i := slices.IndexFunc(s.Channels, func(w sandbox.ChannelSnapshot) bool { return w.Name == c.Name && w.Type == c.Type })
		if i < 0 {
			r.t.Errorf("the channel %q is not in the guild", c.Name)
			continue
		}
		w := s.Channels[i]
		if len(c.Overwrites) != len(w.Overwrites) || len(c.Tags) != len(w.Tags) || c.Slowmode != w.Slowmode || c.UserLimit != w.UserLimit || (c.Topic != nil && *c.Topic != w.Topic) {
			r.t.Errorf("channel %+v, want %+v", c, w)
		}
	}
	files := []model.FileKey{b.Guild.Icon}
	for _, e := range b.Emojis {
		files = append(files, e.File)
	}
	for _, e := range b.Stickers {
		files = append(files, e.File)
	}
	for _, e := range b.Sounds {
		files = append(files, e.File)
	}
	for _, key := range files {
		if !b.Has(key) {
			r.t.Errorf("the file %q is not in the archive", key)
		}
	}
}

// TestLeave leaves out what is not asked for, says so, and asks Discord for none of it.
func TestLeave(t *testing.T) {
	t.Parallel()
	r, _ := made(t, sandbox.SmallGuild(4))
	run := r.run()
	parts := slices.DeleteFunc(bus.BackupParts(), func(p string) bool { return p == bus.PartRoles })
	done := r.backup(run, bus.BackupArgs{Leave: parts})
	b := r.open(run, done)
	for _, i := range b.manifest.Items {
		if i.Kept != (i.Name == "roles") || !i.Kept && i.Reason != leftOut {
			t.Errorf("%+v", i)
		}
	}
	if len(b.manifest.Items) != len(itemOrder()) || len(b.Roles) != 8 || len(b.Snapshot.Channels)+len(b.Emojis)+len(b.Bans)+len(b.Threads)+b.total() != 0 || b.Guild.Name != "" || len(done.Missing) > 0 {
		t.Errorf("%+v, %+v", b.manifest, done)
	}
	for _, q := range r.Requests(0, 1<<20) {
		for _, path := range []string{"/bans", "/webhooks", "/threads", "/messages", "/members?", "soundboard", "auto-moderation", "welcome", "onboarding", "scheduled"} {
			if strings.Contains(q.Path, path) {
				t.Errorf("it asked for %s", q.Path)
			}
		}
	}
}

// TestPeopleInPages: bans and members beyond one page come all, once, in order; past the limit that is said.
func TestPeopleInPages(t *testing.T) {
	t.Parallel()
	spec := sandbox.GuildSpec{Seed: 5, Roles: 10, Channels: 4, Members: 1500, Bans: 2300}
	r, _ := made(t, spec)
	run := r.run()
	b := r.open(run, r.backup(run, bus.BackupArgs{Members: true}))
	sorted := slices.IsSortedFunc(b.Bans, func(x, y model.Ban) int { return byID(x.User, y.User) })
	if len(b.Bans) != 2300 || !sorted || b.item("bans").Count != 2300 {
		t.Errorf("%d bans, sorted %v", len(b.Bans), sorted)
	}
	s := must2(r.Snapshot(r.guild))(t)
	want := 0
	for _, roles := range s.Members {
		if len(roles) > 0 {
			want++
		}
	}
	if len(b.Members) < want {
		t.Errorf("%d members with roles, want %d", len(b.Members), want)
	}
	r.tools.Limits.People = 1200
	run = r.run()
	b = r.open(run, r.backup(run, bus.BackupArgs{}))
	if i := b.item("bans"); len(b.Bans) != 1200 || !strings.Contains(i.Reason, "first 1200") {
		t.Errorf("%d bans, %+v", len(b.Bans), i)
	}
}

// TestPins come newest first, in pages, of every channel that has some.
func TestPins(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	c, ids := r.channel("pinned", 70)
	for _, m := range ids {
		must(r.As(r.owner).Do("PUT", "/channels/"+c.String()+"/messages/pins/"+string(m), nil))(t)
	}
	r.channel("bare", 2)
	run := r.run()
	b := r.open(run, r.backup(run, bus.BackupArgs{Messages: 500, PerChannel: 500}))
	if len(b.Pins) != 1 || b.Pins[0].Channel != id(c) || !reflect.DeepEqual(b.Pins[0].Messages, newest(ids, 70)) || b.item("pins").Count != 70 {
		t.Errorf("%+v, %+v", b.Pins, b.item("pins"))
	}
}

// TestBadPictures: no fault of a picture fails the backup, and each has its reason (B13, acceptance 32).
func TestBadPictures(t *testing.T) {
	t.Parallel()
	r, _ := made(t, sandbox.SmallGuild(6))
	huge := "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xff\xff\x00\x00\xff\xff\x08\x06\x00\x00\x00" + "\xf8\xf7\x7d\x9b"
	var n atomic.Int32
	r.front = func(w http.ResponseWriter, q *http.Request) bool {
		switch {
		case strings.HasPrefix(q.URL.Path, "/icons/"):
			w.WriteHeader(404)
		case strings.HasPrefix(q.URL.Path, "/emojis/"):
			fmt.Fprint(w, []string{huge, "no picture", "\x89PNG\r\n\x1a\nbroken"}[n.Add(1)%3])
		case strings.HasPrefix(q.URL.Path, "/soundboard-sounds/"):
			fmt.Fprint(w, strings.Repeat("OggS", maxExpression))
		default:
			return false
		}
		return true
	}
	r.tools.Limits.Parallel = 1
	run := r.run()
	done := r.backup(run, bus.BackupArgs{})
	b := r.open(run, done)
	why := fmt.Sprint(b.manifest.Missing)
	for _, want := range []string{"does not have the file", "no picture", "damaged picture", "larger than"} {
		if !strings.Contains(why, want) {
			t.Errorf("nothing is %q: %s", want, why)
		}
	}
	if len(b.manifest.Missing) != 1+6+2 || len(done.Missing) != 9 || b.Guild.Icon != "" || len(b.Emojis) != 6 {
		t.Errorf("%d missing: %s", len(b.manifest.Missing), why)
	}
}

// TestGuildIsGone: who was thrown out gets told, and the job is not tried again.
func TestGuildIsGone(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	r.ok(r.RemoveMember(r.guild, r.app.ID))
	w := New(r.tools)
	if err := w.Run(t.Context(), r.run()); err == nil || !strings.Contains(err.Error(), "not in this server") {
		t.Errorf("%v", err)
	}
}

// TestWorkDecodes: a job's arguments are decoded into the work, fields of nobody else stay out.
func TestWorkDecodes(t *testing.T) {
	w := New(Tools{})
	if err := json.Unmarshal([]byte(`{"messages":5,"special":{"1":2},"tools":{"TempDir":"/"}}`), w); err != nil || w.Messages != 5 || w.Special["1"] != 2 || w.tools.TempDir != "" {
		t.Errorf("%v, %+v", err, w)
	}
}
