package create

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// channel makes a text channel with n messages and gives their ids, the oldest first.
func (r *rig) channel(name string, n int) (sandbox.ID, []model.ID) {
	r.t.Helper()
	c := must(r.AddChannel(r.guild, name, sandbox.TextChannel))(r.t)
	return c, r.say(c, n)
}

func (r *rig) say(c sandbox.ID, n int) (ids []model.ID) {
	r.t.Helper()
	for i := range n {
		m := must(r.As(r.owner).Send(c, fmt.Sprintf("message %d", i)))(r.t)
		ids = append(ids, id(m))
	}
	return ids
}

func idsOf(list []model.Message) (ids []model.ID) {
	for _, m := range list {
		ids = append(ids, m.ID)
	}
	return ids
}

// newest are the last n of ids, the newest first.
func newest(ids []model.ID, n int) []model.ID {
	out := slices.Clone(ids[len(ids)-n:])
	slices.Reverse(out)
	return out
}

// TestNewestMessagesOnce: of 350 messages with an allocation of 300 exactly the newest 300 are kept, each once (B1, B2,
// acceptance 29); another channel's allocation of its own is not given away (B3).
func TestNewestMessagesOnce(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	busy, all := r.channel("busy", 350)
	other, few := r.channel("other", 120)
	r.front = func(_ http.ResponseWriter, q *http.Request) bool {
		if limit := q.URL.Query().Get("limit"); strings.HasSuffix(q.URL.Path, "/messages") && (limit == "" || limit == "0") {
			t.Errorf("a request without a limit: %s", q.URL)
		}
		return false
	}
	run := r.run()
	done := r.backup(run, bus.BackupArgs{Messages: 400, PerChannel: 300, Special: map[string]int{busy.String(): 300, other.String(): 100}})
	b := r.open(run, done)
	if got := idsOf(b.messages[id(busy)]); !slices.Equal(got, newest(all, 300)) {
		t.Errorf("%d messages of the busy channel", len(got))
	}
	if got := idsOf(b.messages[id(other)]); !slices.Equal(got, newest(few, 100)) {
		t.Errorf("%d messages of the other channel", len(got))
	}
	if done.Counts["messages"] != 400 || b.item("messages").Count != 400 {
		t.Errorf("counts %v, item %+v", done.Counts, b.item("messages"))
	}
}

// TestRolloverFillsTheQuota: what quiet channels leave is read from busy ones, each message once, and always the same (B5,
// acceptance 30).
func TestRolloverFillsTheQuota(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	var chans []sandbox.ID
	var all [][]model.ID
	for i, n := range []int{330, 4, 0, 150, 30} {
		c, ids := r.channel(fmt.Sprint("room-", i), n)
		chans, all = append(chans, c), append(all, ids)
	}
	args := bus.BackupArgs{Messages: 400, PerChannel: 80}
	var before []int
	for range 3 {
		run := r.run()
		b := r.open(run, r.backup(run, args))
		var counts []int
		for i, c := range chans {
			got := idsOf(b.messages[id(c)])
			counts = append(counts, len(got))
			if !slices.Equal(got, newest(all[i], len(got))) {
				t.Errorf("room %d: not its newest %d messages", i, len(got))
			}
		}
		if b.total() != 400 || before != nil && !slices.Equal(counts, before) {
			t.Errorf("%d messages: %v, and before %v", b.total(), counts, before)
		}
		if slices.Max(counts) <= args.PerChannel {
			t.Errorf("what some channels left did not go beyond the share of others: %v", counts)
		}
		before = counts
	}
	args.NoRollover = true
	run := r.run()
	if b := r.open(run, r.backup(run, args)); b.total() != 80+4+80+30 {
		t.Errorf("without rollover: %d messages", b.total())
	}
	args = bus.BackupArgs{Messages: 500, PerChannel: 50, Special: map[string]int{chans[0].String(): 20, chans[3].String(): 0}}
	run = r.run()
	if b := r.open(run, r.backup(run, args)); len(b.messages[id(chans[0])]) != 20 || len(b.messages[id(chans[3])]) != 0 || b.total() != 20+4+30 {
		t.Errorf("rollover went past an allocation of its own: %d messages", b.total())
	}
}

// TestUnreadableChannels: what the bot may not read is skipped with the reason and never asked for; without Read Message History
// Discord would give an empty list, which is no empty channel (B11, acceptance 33).
func TestUnreadableChannels(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.ViewChannel|sandbox.ReadMessageHistory|sandbox.Connect)
	open, ids := r.channel("open", 5)
	hidden, _ := r.channel("hidden", 5)
	past, _ := r.channel("no-past", 5)
	voice := must(r.AddChannel(r.guild, "voice", sandbox.VoiceChannel))(t)
	staff := must(r.AddRole(r.guild, "staff", 0))(t)
	given, some := r.channel("given", 3)
	everyone := r.guild
	r.ok(r.SetOverwrite(r.guild, hidden, everyone, sandbox.Overwrite{Deny: sandbox.ViewChannel}))
	r.ok(r.SetOverwrite(r.guild, past, everyone, sandbox.Overwrite{Deny: sandbox.ReadMessageHistory}))
	r.ok(r.SetOverwrite(r.guild, voice, everyone, sandbox.Overwrite{Deny: sandbox.Connect}))
	// One role denies and another allows: all denies come first, then all allows.
	r.ok(r.SetOverwrite(r.guild, given, staff, sandbox.Overwrite{Deny: sandbox.ViewChannel}))
	r.ok(r.SetOverwrite(r.guild, given, r.role, sandbox.Overwrite{Allow: sandbox.ViewChannel}))
	r.ok(r.As(r.owner).AddRole(r.guild, r.app.ID, staff))
	run := r.run()
	done := r.backup(run, bus.BackupArgs{Messages: 500})
	b := r.open(run, done)
	if !slices.Equal(idsOf(b.messages[id(open)]), newest(ids, 5)) || !slices.Equal(idsOf(b.messages[id(given)]), newest(some, 3)) || b.total() != 8 {
		t.Errorf("%d messages: %v", b.total(), b.messages)
	}
	for c, why := range map[sandbox.ID]string{hidden: "View Channels", past: "Read Message History", voice: "Connect"} {
		found := slices.ContainsFunc(b.manifest.Missing, func(m model.Missing) bool {
			return m.ID == id(c) && strings.Contains(m.What, "messages") && strings.HasSuffix(m.Why, why)
		})
		if !found {
			t.Errorf("nothing says that %s lacks %s: %+v", c, why, b.manifest.Missing)
		}
	}
	for _, name := range []string{"bans", "automod", "webhooks"} {
		if i := b.item(name); i.Kept || !strings.Contains(i.Reason, "lacks the permission") {
			t.Errorf("%+v", i)
		}
	}
	if n := r.Counts().Status[http.StatusForbidden]; n > 0 {
		t.Errorf("%d requests were refused, and each counts against the address", n)
	}
	if len(done.Missing) == 0 {
		t.Error("the outcome says that nothing is missing")
	}
}

// TestThreads: active, archived and private threads and posts of forums are listed, in pages too, and read (B11, B14).
func TestThreads(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	text, _ := r.channel("talk", 2)
	var threads []sandbox.ID
	for i := range 230 {
		kind := 11
		if i%100 == 50 {
			kind = 12
		}
		raw := must(r.As(r.owner).Do("POST", "/channels/"+text.String()+"/threads", sandbox.Fields{"name": fmt.Sprint("t", i), "type": kind}))(t)
		th := created(t, raw)
		threads = append(threads, th)
		must(r.As(r.owner).Send(th, "in a thread"))(t)
		if i != 7 {
			r.ok(r.As(r.owner).EditChannel(th, sandbox.Fields{"archived": true}))
		}
	}
	run := r.run()
	b := r.open(run, r.backup(run, bus.BackupArgs{Messages: 500}))
	if len(b.Snapshot.Threads) != len(threads) || b.item("threads").Count != len(threads) {
		t.Errorf("%d threads of %d", len(b.Snapshot.Threads), len(threads))
	}
	for i, th := range b.Snapshot.Threads {
		if th.ID != id(threads[i]) || th.Archived != (i != 7) || th.Parent != id(text) || th.AutoArchive == 0 {
			t.Fatalf("thread %d is %+v", i, th)
		}
		if len(b.messages[th.ID]) == 0 {
			t.Errorf("nothing of thread %d", i)
		}
	}
}

// TestStrict: who wants all or nothing gets nothing when a channel refuses in the middle; others get the reason.
func TestStrict(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	gone, _ := r.channel("gone", 150)
	r.channel("stays", 20)
	r.front = func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, gone.String()+"/messages") || q.URL.Query().Get("before") == "" {
			return false
		}
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"code":50001,"message":"Missing Access"}`)
		return true
	}
	w := New(r.tools)
	w.BackupArgs = bus.BackupArgs{Messages: 300, PerChannel: 150, Strict: true}
	if err := w.Run(t.Context(), r.run()); !work.IsPermanent(err) || !strings.Contains(err.Error(), gone.String()) {
		t.Errorf("%v", err)
	}
	run := r.run()
	b := r.open(run, r.backup(run, bus.BackupArgs{Messages: 300, PerChannel: 150}))
	if len(b.messages[id(gone)]) != 100 || b.total() != 120 || len(b.manifest.Missing) == 0 {
		t.Errorf("%d messages, missing %v", b.total(), b.manifest.Missing)
	}
}

// TestWithoutContentIntent says so, since texts and files are empty then.
func TestWithoutContentIntent(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	other := must(r.AddApplication(sandbox.ApplicationSpec{Name: "blind"}))(t)
	r.ok(r.AddMember(r.guild, other.ID, r.role))
	r.rebot(other)
	r.channel("talk", 3)
	run := r.run()
	b := r.open(run, r.backup(run, bus.BackupArgs{Messages: 100, Members: true}))
	if i := b.item("messages"); !i.Kept || !strings.Contains(i.Reason, "message content intent") {
		t.Errorf("%+v", i)
	}
	if i := b.item("members"); i.Kept || !strings.Contains(i.Reason, "members intent") {
		t.Errorf("%+v", i)
	}
}

// TestCancelStopsWithinOneCall: a cancelled job ends while a request hangs, and sends nothing more (acceptance 28).
func TestCancelStopsWithinOneCall(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	r.channel("talk", 3)
	ctx, cancel := context.WithCancel(t.Context())
	r.front = func(w http.ResponseWriter, q *http.Request) bool {
		if !strings.HasSuffix(q.URL.Path, "/messages") {
			return false
		}
		cancel()
		<-q.Context().Done()
		return true
	}
	w := New(r.tools)
	w.BackupArgs = bus.BackupArgs{Messages: 100}
	run := r.run()
	if err := w.Run(ctx, run); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if run.outcome != nil {
		t.Error("a cancelled backup has an outcome")
	}
}
