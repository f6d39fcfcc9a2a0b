package undo_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bot/protect"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/guilds"
	"splashtail/internal/incident"
	"splashtail/internal/sandbox"
	"splashtail/jobs/work"
)

// TestANukeIsUndone lets a stolen moderator's account destroy until a limit stops it, and
// takes it back.
func TestANukeIsUndone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	hits := make(chan bus.LimitHit, 8)
	e := protect.New(protect.Config{Bot: s.Bot, Self: s.Self, Alert: func(_ context.Context, _ protect.Policy, h bus.LimitHit) { hits <- h }}, s.Bus, bustest.Log(t))
	s.Run(e.Run)
	<-e.Ready()
	rules, err := bus.OpenRecords(t.Context(), s.Bus, bus.LimitRules())
	s.OK(err)
	_, err = rules.Put(t.Context(), bus.LimitKey(s.GuildID(), "c"), bus.LimitRule{V: 1, ID: "c", Name: "Deleting channels", Kind: bus.ActionChannelRemove,
		Count: 3, Window: 600, Respond: bus.RespondStripRoles, At: time.Now().Add(-time.Minute)})
	s.OK(err)
	s.consume("engine", e.Handle)

	mod, other := s.Discord.As(s.Mod), s.Discord.As(s.OtherMod)
	s.OK(other.EditChannel(s.bridge, sandbox.Fields{"topic": "a good edit before"}))
	before := s.snapshot()
	s.OK(mod.EditChannel(s.log, sandbox.Fields{"name": "owned", "topic": "owned"}))
	s.OK(mod.EditRole(s.Guild, s.crew, sandbox.Fields{"name": "slaves", "color": 1}))
	dmg, err := s.Discord.Nuke(t.Context(), sandbox.Attack{Guild: s.Guild, Actor: s.Mod, Every: 50 * time.Millisecond})
	s.OK(err)
	h := <-hits
	if dmg.StoppedBy == nil || h.Result != "ok" || dmg.Channels < 3 || dmg.Roles == 0 {
		t.Fatalf("%+v, %+v", dmg, h)
	}
	s.OK(other.EditGuild(s.Guild, sandbox.Fields{"description": "a good edit after"}))
	s.settled()

	i, err := s.book.OfHit(t.Context(), h)
	s.OK(err)
	again, err := s.book.OfHit(t.Context(), h)
	if s.OK(err); again.ID != i.ID {
		t.Errorf("the same hit made two incidents: %s and %s", i.ID, again.ID)
	}
	deeds, err := s.book.Timeline(t.Context(), i)
	if s.OK(err); len(deeds) != dmg.Lost()+2 {
		t.Errorf("the timeline has %d deeds of %d", len(deeds), dmg.Lost()+2)
	}
	i = s.undo(i)
	if len(i.Undo.Fails) > 0 || i.Undo.Done.IsZero() {
		t.Errorf("%q, %s", i.Undo.Fails, i.Undo.Plan)
	}
	now := s.snapshot()
	for user := range before.Members {
		if _, here := now.Members[user]; !here {
			delete(before.Members, user) // kicked and banned people join by themselves
		}
	}
	before.Members[s.Mod] = []string{}
	before.Settings = now.Settings // the other moderator's
	s.isAs(before)
	s.settled()
	p, fails, err := s.book.Pardon(t.Context(), i)
	if s.OK(err); len(p.Steps) != 1 || len(fails) > 0 {
		t.Errorf("%+v, %q", p, fails)
	}
	if roles := s.snapshot().Members[s.Mod]; !slices.Equal(roles, []string{"moderators"}) {
		t.Errorf("after the pardon the moderator has %v", roles)
	}
	if guild, err := s.Bot.Guild(t.Context(), s.Guild.String()); err != nil || guild.Description != "a good edit after" {
		t.Errorf("the other moderator's edit is %+v, %v", guild, err)
	}
}

// destroy does a bit of everything that can be taken back.
func (s *scene) destroy() {
	s.T.Helper()
	mod := s.Discord.As(s.Mod)
	s.OK(mod.EditOverwrite(s.log, s.Jail, 0, sandbox.Overwrite{Deny: sandbox.AttachFiles}))
	s.OK(mod.EditOverwrite(s.bridge, s.crew, 0, sandbox.Overwrite{Deny: sandbox.SendMessages}))
	s.OK(mod.DeleteOverwrite(s.log, s.crew))
	s.OK(mod.DeleteRole(s.Guild, s.vip))
	s.OK(mod.DeleteChannel(s.ops))
	s.OK(mod.DeleteChannel(s.bridge))
	s.OK(mod.DeleteRole(s.Guild, s.crew))
	s.OK(mod.EditMember(s.Guild, s.people[0], sandbox.Fields{"nick": "loser"}))
	s.OK(mod.EditGuild(s.Guild, sandbox.Fields{"name": "owned"}))
	s.ID(mod.CreateChannel(s.Guild, "spam", sandbox.TextChannel, 0))
	s.ID(mod.CreateRole(s.Guild, "spam", 0))
	_, _, err := mod.CreateWebhook(s.log, "spam")
	s.OK(err)
	s.settled()
}

func TestEverythingThatCanBeTakenBackIs(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.OK(s.Discord.As(s.Owner).EditGuild(s.Guild, sandbox.Fields{"system_channel_id": s.bridge.String()}))
	s.OK(s.Discord.As(s.Owner).Ban(s.Guild, s.ID(s.Discord.AddUser("troll")), 0))
	before := s.snapshot()
	s.destroy()
	if i := s.undo(s.open()); len(i.Undo.Fails) > 0 {
		t.Errorf("%q", i.Undo.Fails)
	}
	s.isAs(before)
	i := s.open() // of the same time
	p, err := s.book.Plan(t.Context(), i)
	if s.OK(err); len(p.Steps) > 0 {
		t.Errorf("after the undo there is more to undo: %+v", p.Steps)
	}
}

// dying is a worker that dies after so many notes, in the place of the next one: Discord has done it and nobody knows.
type dying struct {
	work.Run
	notes int
	die   context.CancelFunc
}

func (d *dying) Note(ctx context.Context, key string, v any) error {
	if d.notes == 0 {
		d.die()
		return errDead
	}
	d.notes--
	return d.Run.Note(ctx, key, v)
}

var errDead = errors.New("this worker is dead")

// TestAnUndoThatDiesAfterEveryStepMakesNothingTwice does every step twice, the first time
// as a worker that dies after Discord has done it and before that is noted.
func TestAnUndoThatDiesAfterEveryStepMakesNothingTwice(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	before := s.snapshot()
	s.destroy()
	j := s.job(s.open())
	died := 0
	for notes := 0; ; notes = 1 { // the note of the step that the one before died over
		ctx, die := context.WithCancel(t.Context())
		err := j.attempt(ctx, &dying{j.run, notes, die})
		die()
		if err == nil {
			break
		}
		if died++; !errors.Is(err, errDead) || died > 100 {
			t.Fatalf("attempt %d: %v", died, err)
		}
	}
	i := j.incident()
	if len(i.Undo.Fails) > 0 || i.Undo.Done.IsZero() || i.Undo.Job != j.id {
		t.Errorf("%+v", i.Undo)
	}
	if done := j.outcome(); done.Steps < 10 || count(done.Done) != done.Steps || died < done.Steps {
		t.Errorf("%d workers died over %+v", died, done)
	}
	s.isAs(before)
	made := map[string]int{}
	for _, e := range s.Discord.AuditLog(s.Guild) {
		if _, op, ok := strings.Cut(e.Reason, "op="); ok && (e.Action == 10 || e.Action == 30) {
			made[op]++
		}
	}
	if len(made) < 4 {
		t.Errorf("only %v were made", made)
	}
	for op, n := range made {
		if n > 1 || !strings.HasPrefix(op, j.id+"/did/") {
			t.Errorf("the operation %s made %d things", op, n)
		}
	}
}

// TestACancelledJobStopsAndGoesOnWhenItIsRetried: no other job may take its place, since only its notes say what is done.
func TestACancelledJobStopsAndGoesOnWhenItIsRetried(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	before := s.snapshot()
	s.destroy()
	j := s.job(s.open())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if err := j.attempt(ctx, &cancelling{j.run, 4, cancel}); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled job ended with %v", err)
	}
	if done := j.outcome(); count(done.Done) != 4 || !j.incident().Undo.Done.IsZero() {
		t.Fatalf("after the cancellation %+v were done", done)
	}
	records, err := bus.OpenRecords(t.Context(), s.Bus, bus.AllJobs())
	s.OK(err)
	_, err = records.Create(t.Context(), bus.JobKey(j.guild, j.id), bus.Job{V: 1, ID: j.id, Guild: j.guild, State: bus.JobCancelled})
	s.OK(err)
	other := s.job(j.incident())
	if err := other.attempt(t.Context(), other.run); !work.IsPermanent(err) || bus.AsError(err).Details["job"] != j.id {
		t.Errorf("another job ended with %v", err)
	}
	s.OK(j.attempt(t.Context(), j.run))
	s.isAs(before)
	if done := j.outcome(); count(done.Done) != done.Steps || j.incident().Undo.Done.IsZero() {
		t.Errorf("after the retry %+v were done", done)
	}
	if err := other.attempt(t.Context(), other.run); !work.IsPermanent(err) || bus.AsError(err).Reason != "undone" {
		t.Errorf("another job after the end ended with %v", err)
	}
	s.isAs(before)
}

// cancelling is a run whose job somebody cancels after so many notes.
type cancelling struct {
	work.Run
	notes  int
	cancel context.CancelFunc
}

func (c *cancelling) Note(ctx context.Context, key string, v any) error {
	if c.notes--; c.notes == 0 {
		defer c.cancel()
	}
	return c.Run.Note(ctx, key, v)
}

// TestAJobDoesNothingWhenItsPlanIsAnotherOneByNow: nobody approved the one of now.
func TestAJobDoesNothingWhenItsPlanIsAnotherOneByNow(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.destroy()
	j := s.job(s.open())
	s.ID(s.Discord.As(s.Mod).CreateChannel(s.Guild, "more spam", sandbox.TextChannel, 0))
	s.settled()
	now := s.snapshot()
	if err := j.attempt(t.Context(), j.run); !work.IsPermanent(err) || bus.AsError(err).Reason != "plan_changed" {
		t.Errorf("it ended with %v", err)
	}
	s.isAs(now)
	if j.incident().Undo != nil {
		t.Error("the incident says that it was approved")
	}
}

// TestWhatDiscordRefusesIsTold: and does not stop the rest.
func TestWhatDiscordRefusesIsTold(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	before := s.snapshot()
	s.destroy()
	j := s.job(s.open())
	s.OK(s.Discord.As(s.Owner).EditRole(s.Guild, s.BotRole, sandbox.Fields{"permissions": strconv.FormatUint(uint64(bottest.BotPermissions&^sandbox.ManageGuild), 10)}))
	s.OK(j.attempt(t.Context(), j.run))
	done, i := j.outcome(), j.incident()
	if len(done.Failed) != 1 || !strings.Contains(done.Failed[0], "edit guild") || i.Undo.Done.IsZero() || len(i.Undo.Fails) != 1 || count(done.Done) != done.Steps-1 {
		t.Errorf("%+v, %+v", done, i.Undo.Fails)
	}
	if now := s.snapshot(); len(now.Channels) != len(before.Channels) {
		t.Errorf("%d channels of %d are back", len(now.Channels), len(before.Channels))
	}
}

// TestWhatNobodyRecordedComesBackWhole: the bot was away while things were destroyed, so
// long that it has seen nothing of what there was before. The gateway noted it.
func TestWhatNobodyRecordedComesBackWhole(t *testing.T) {
	t.Parallel()
	s := newPlace(t)
	stored := s.Stored()
	s.Everybody(stored)
	s.OK(s.Discord.As(s.Owner).EditGuild(s.Guild, sandbox.Fields{"system_channel_id": s.bridge.String()}))
	before := s.snapshot()
	last, err := bus.Last(t.Context(), s.Bus, bus.AllDispatches())
	s.OK(err)
	mod := s.Discord.As(s.Mod)
	s.OK(mod.DeleteRole(s.Guild, s.vip))
	s.OK(mod.DeleteChannel(s.ops))
	s.OK(mod.DeleteChannel(s.bridge))
	s.OK(mod.DeleteRole(s.Guild, s.crew))
	s.awaitStored(4)
	bustest.AgeDispatches(t, s.Bus, last.Seq+1)
	s.record(incident.RecorderConfig{Stored: stored.At, Whole: incident.WholeOf(s.Bot), People: incident.PeopleOf(s.Bot)})
	s.settled()
	if i := s.undo(s.open()); len(i.Undo.Fails) > 0 {
		t.Errorf("%q", i.Undo.Fails)
	}
	s.isAs(before)
}

// awaitStored waits until so many deletions are stored with the guild, and up to there all.
func (s *scene) awaitStored(n int) {
	s.T.Helper()
	r := guilds.NewReader(s.Bus, s.Self)
	positions, err := bus.OpenRecords(s.T.Context(), s.Bus, bus.Positions())
	s.OK(err)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(30 * time.Second); ; {
		v, err := r.At(s.T.Context(), s.GuildID(), guilds.Mark{})
		if p, perr := positions.Get(s.T.Context(), "gatewayproxy-guilds"); err == nil && perr == nil && len(v.Remains) == n && p.Value.Seq >= v.Place {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			s.T.Fatalf("after 30 s %d of %d deletions are stored, %v", len(v.Remains), n, err)
		}
	}
}
