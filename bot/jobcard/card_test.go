package jobcard_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bot/card"
	"splashtail/bot/jobcard"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// board is a guild with a job whose log the test writes, and a card of it.
type board struct {
	*bottest.World
	records *bus.Records[bus.Job]
	cards   *bus.Records[bus.JobCard]
	log     sandbox.ID // the guild's log channel
	config  jobcard.Config
	job     bus.Job
	card    bus.JobCard
}

func newBoard(t *testing.T) *board {
	t.Helper()
	o := &board{World: bottest.New(t)}
	ctx := t.Context()
	var err error
	o.records, err = bus.OpenRecords(ctx, o.Bus, bus.AllJobs())
	o.OK(err)
	o.cards, err = bus.OpenRecords(ctx, o.Bus, bus.JobCards())
	o.OK(err)
	o.log = o.ID(o.Discord.AddChannel(o.Guild, "log", sandbox.TextChannel))
	catalogue, err := words.Load()
	o.OK(err)
	o.config = jobcard.Config{Bot: o.Bot, Bus: o.Bus, Log: bustest.Log(t), Words: catalogue, Pace: func(int) time.Duration { return time.Millisecond },
		Settings: func(context.Context, bus.GuildID) (bus.GuildSettings, error) {
			return bus.GuildSettings{LogChannel: o.log.String()}, nil
		}}
	now := time.Now().UTC()
	o.job = bus.Job{V: 1, ID: bus.NewJobID(now), Kind: bus.JobBackupCreate, Guild: o.GuildID(), By: bus.UserID(o.Owner), State: bus.JobRunning, Attempt: 1, Submitted: now, Changed: now}
	o.store()
	m, err := o.Bot.SendMessage(ctx, o.Text.String(), card.Card{Text: "begun"}.Message(), "")
	o.OK(err)
	o.card = bus.JobCard{Guild: o.GuildID(), Job: o.job.ID, Channel: o.Text.String(), Message: m.ID, By: bus.UserID(o.Owner), Locale: "en-US", At: now}
	return o
}

func (o *board) store() {
	o.T.Helper()
	_, err := o.records.Put(o.T.Context(), bus.JobKey(o.job.Guild, o.job.ID), o.job)
	o.OK(err)
}

// keeps lets a process keep the cards until what it gives is called.
func (o *board) keeps(instance string) (stop func()) {
	o.T.Helper()
	k := o.open(instance)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	stopped := false
	stop = func() {
		if cancel(); !stopped {
			stopped = true
			o.OK(<-done)
		}
	}
	o.T.Cleanup(stop)
	return stop
}

func (o *board) open(instance string) *jobcard.Keeper {
	o.T.Helper()
	cfg := o.config
	cfg.Instance = instance
	k := jobcard.New(cfg)
	o.OK(k.Open(o.T.Context()))
	return k
}

func (o *board) show() {
	o.T.Helper()
	o.OK(o.open("shows").Show(o.T.Context(), o.card))
}

// says adds a line to the job's log.
func (o *board) says(l bus.JobLine) {
	o.T.Helper()
	l.V, l.Attempt, l.At = 1, 1, time.Now().UTC()
	_, err := bus.Publish(o.T.Context(), o.Bus, bus.JobLogSubject(o.job.Guild, o.job.ID), l)
	o.OK(err)
}

// ends ends the job as the component jobs does: the record first.
func (o *board) ends(state bus.JobState) {
	o.T.Helper()
	o.job.State, o.job.Changed, o.job.Finished = state, time.Now().UTC(), time.Now().UTC()
	o.store()
	o.says(bus.JobLine{State: state})
}

// texts are the messages of a channel as JSON.
func (o *board) texts(channel sandbox.ID) []string {
	var out []string
	for _, m := range o.Discord.Messages(channel) {
		out = append(out, string(m.JSON))
	}
	return out
}

// sees waits until a channel has a message with this text.
func (o *board) sees(channel sandbox.ID, want string) {
	o.T.Helper()
	ctx, cancel := context.WithTimeout(o.T.Context(), 20*time.Second)
	defer cancel()
	err := o.Discord.Await(ctx, func() bool { return o.count(channel, want) > 0 })
	if err != nil {
		o.T.Fatalf("nobody says %q: %q", want, o.texts(channel))
	}
}

func (o *board) count(channel sandbox.ID, want string) (n int) {
	for _, text := range o.texts(channel) {
		if strings.Contains(text, want) {
			n++
		}
	}
	return n
}

// forgotten waits until no card is left.
func (o *board) forgotten() {
	o.T.Helper()
	ctx, cancel := context.WithTimeout(o.T.Context(), 20*time.Second)
	defer cancel()
	over := fmt.Errorf("over")
	err := o.cards.Watch(ctx, ">", func(e bus.Entry[bus.JobCard], live bool) error {
		all, err := o.cards.All(ctx, ">")
		if err == nil && len(all) == 0 {
			return over
		}
		return err
	})
	if err != over {
		o.T.Fatalf("the card is kept: %v", err)
	}
}

// edits counts the changes of messages.
func (o *board) edits() (n int) {
	for _, r := range o.Discord.Requests(0, 1<<20) {
		if r.Method == "PATCH" && strings.Contains(r.Path, "/messages/") {
			n++
		}
	}
	return n
}

// mention is how the end of a job is told to who asked.
func (o *board) mention() string { return `"content":"\u003c@` + o.Owner.String() }

// TestACardFollowsItsJob: what the log says is on it, once each; at its end who asked is mentioned, once.
func TestACardFollowsItsJob(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.show()
	o.keeps("one")
	o.sees(o.Text, "running")
	o.says(bus.JobLine{Level: "info", Text: "reading *channels*"})
	o.sees(o.Text, `reading \\*channels\\*`)
	o.says(bus.JobLine{Step: &bus.JobProgress{Phase: "channels", Done: 6, Total: 12}})
	o.sees(o.Text, "6 / 12")
	o.says(bus.JobLine{Step: &bus.JobProgress{Phase: "channels", Done: 6, Total: 12, Wait: &bus.JobWait{Until: time.Unix(1_900_000_000, 0), Why: "Discord wants it"}}})
	o.sees(o.Text, "Discord wants it")
	o.says(bus.JobLine{State: bus.JobRunning})
	o.says(bus.JobLine{Level: "info", Text: "it goes on"})
	o.sees(o.Text, "it goes on")
	if o.count(o.Text, "Discord wants it") > 0 {
		t.Error("it waits although it runs")
	}
	o.job.Outcome, _ = json.Marshal(bus.BackupDone{File: "a", Size: 2048, Counts: map[string]int{"channels": 12}})
	o.ends(bus.JobCompleted)
	o.sees(o.Text, "12 channels")
	o.forgotten()
	if n := o.count(o.Text, o.mention()); n != 1 || len(o.texts(o.Text)) != 2 {
		t.Errorf("%d mentions in %q", n, o.texts(o.Text))
	}
}

// TestEditsOnlyOnChange: what changes nothing that people see is no request.
func TestEditsOnlyOnChange(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.show()
	o.keeps("one")
	o.says(bus.JobLine{Step: &bus.JobProgress{Phase: "first", Done: 1, Total: 2}})
	o.sees(o.Text, "1 / 2")
	before := o.edits()
	for range 300 {
		o.says(bus.JobLine{Step: &bus.JobProgress{Phase: "first", Done: 1, Total: 2}})
	}
	o.says(bus.JobLine{Step: &bus.JobProgress{Phase: "second", Done: 2, Total: 2}})
	o.sees(o.Text, "2 / 2")
	if n := o.edits() - before; n != 1 {
		t.Errorf("%d edits for one change", n)
	}
}

// TestACardMoves: when its channel is deleted it goes on in the guild's log channel, and the end is told there.
func TestACardMoves(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.show()
	o.keeps("one")
	o.sees(o.Text, "running")
	o.OK(o.Discord.As(o.Owner).DeleteChannel(o.Text))
	o.says(bus.JobLine{Level: "info", Text: "a channel went"})
	o.sees(o.log, "a channel went")
	o.says(bus.JobLine{Level: "info", Text: "another one"})
	o.sees(o.log, "another one")
	o.ends(bus.JobFailed)
	o.forgotten()
	if n := o.count(o.log, o.mention()); n != 1 || len(o.texts(o.log)) != 2 {
		t.Errorf("%d mentions in %q", n, o.texts(o.log))
	}
}

// TestACardWithoutAPlace: when no channel of the guild takes it, who asked gets it as a direct message.
func TestACardWithoutAPlace(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.show()
	o.keeps("one")
	o.sees(o.Text, "running")
	o.OK(o.Discord.As(o.Owner).DeleteChannel(o.Text))
	o.OK(o.Discord.As(o.Owner).DeleteChannel(o.log))
	o.says(bus.JobLine{Level: "info", Text: "channels went"})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	o.OK(o.Discord.Await(ctx, func() bool {
		for _, m := range o.Discord.DirectMessages(o.App.ID, o.Owner) {
			if strings.Contains(string(m.JSON), "channels went") {
				return true
			}
		}
		return false
	}))
	o.ends(bus.JobCompleted)
	o.forgotten()
}

// TestANewProcessGoesOn: what one that ends leaves, the next takes up on the same message, and the end is told once.
func TestANewProcessGoesOn(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.show()
	stop := o.keeps("one")
	o.says(bus.JobLine{Level: "info", Text: "told to the first"})
	o.sees(o.Text, "told to the first")
	stop()
	o.says(bus.JobLine{Level: "info", Text: "told to nobody"})
	stop = o.keeps("two")
	o.sees(o.Text, "told to nobody")
	stop()
	o.ends(bus.JobCompleted)
	stop = o.keeps("three")
	o.forgotten()
	stop()
	o.show() // as if it had died between the end's message and the record
	o.keeps("four")
	o.forgotten()
	if n := o.count(o.Text, o.mention()); n != 1 || len(o.texts(o.Text)) != 2 {
		t.Errorf("%d mentions in %q", n, o.texts(o.Text))
	}
}

// TestAnExpiredJob: its card is forgotten and nothing is said.
func TestAnExpiredJob(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.show()
	o.OK(o.records.Delete(t.Context(), bus.JobKey(o.job.Guild, o.job.ID), 0))
	o.keeps("one")
	o.forgotten()
	if got := o.texts(o.Text); len(got) != 1 || !strings.Contains(got[0], "begun") {
		t.Errorf("%q", got)
	}
}

// TestAnOldMessage: another one takes its place, and it says where.
func TestAnOldMessage(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.card.At = time.Now().Add(-56 * time.Minute)
	o.show()
	o.keeps("one")
	o.sees(o.Text, "running")
	o.sees(o.Text, "This goes on in a newer message: https://discord.com/channels/"+o.Guild.String()+"/"+o.Text.String()+"/")
	o.says(bus.JobLine{Level: "info", Text: "on the new one"})
	o.sees(o.Text, "on the new one")
	if len(o.texts(o.Text)) != 2 {
		t.Errorf("%q", o.texts(o.Text))
	}
}

// TestOneCardPerJob: while there is one, another changes nothing.
func TestOneCardPerJob(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.show()
	other := o.card
	other.Message = "1"
	o.OK(o.open("shows").Show(t.Context(), other))
	e, err := o.cards.Get(t.Context(), bus.JobKey(o.job.Guild, o.job.ID))
	if err != nil || e.Value.Message != o.card.Message {
		t.Errorf("%+v %v", e.Value, err)
	}
}

func TestBullets(t *testing.T) {
	long := make([]string, 100)
	for i := range long {
		long[i] = fmt.Sprintf("%d %s", i, strings.Repeat("ä", 300))
	}
	for _, c := range []struct {
		lines []string
		all   int
		end   string
	}{{nil, 0, ""}, {[]string{"a"}, 1, "a\n"}, {[]string{"a"}, 3, "… +2"}, {long, 100, "… +96"}} {
		got := jobcard.Bullets(c.lines, c.all)
		if !strings.HasSuffix(got, c.end) || len([]rune(got)) > 1024 {
			t.Errorf("%q", got)
		}
	}
}

// TestWhatAJobIsAt: people read words and not the names of steps, and see how far a job is that has no steps.
func TestWhatAJobIsAt(t *testing.T) {
	t.Parallel()
	o := newBoard(t)
	o.card.Locale = "de"
	o.show()
	o.keeps("one")
	for i, c := range []struct {
		phase, want string
	}{
		{"server", "**Einstellungen, Rollen und Kanäle** "}, {"before-pins", "**Der Server wird gesichert, wie er ist: Angeheftete Nachrichten** "},
		{"of-tomorrow", "**of-tomorrow** "}, {"", "läuft"},
	} {
		o.says(bus.JobLine{Step: &bus.JobProgress{Phase: c.phase, Done: i + 1, Total: 9}})
		o.sees(o.Text, c.want)
		o.sees(o.Text, fmt.Sprintf("%d / 9", i+1))
	}
}

// TestCounts: one thing is named as one.
func TestCounts(t *testing.T) {
	catalogue, err := words.Load()
	if err != nil {
		t.Fatal(err)
	}
	for locale, want := range map[string]string{"en-US": "2 roles\n1 channel\n1 made\n1 of tomorrow", "de": "2 Rollen\n1 Kanal\n1 gemacht\n1 of tomorrow"} {
		if got := jobcard.Counts(catalogue.In(locale), map[string]int{"channels": 1, "roles": 2, "create": 1, "of tomorrow": 1}); got != want {
			t.Errorf("%s: %q, want %q", locale, got, want)
		}
	}
}
