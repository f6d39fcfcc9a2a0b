package incident_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"splashtail/bot/protect"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/guilds"
	"splashtail/internal/incident"
	"splashtail/internal/sandbox"
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

// TestAnUndoThatDiesAfterEveryStepMakesNothingTwice does every step twice, the first time
// as a process that dies after Discord has done it and before that is kept.
func TestAnUndoThatDiesAfterEveryStepMakesNothingTwice(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	before := s.snapshot()
	s.destroy()
	i := s.open()
	for range s.approve(i).Steps {
		s.OK(s.book.StepThatIsForgotten(t.Context(), i.Guild, i.ID))
		s.OK(s.book.Step(t.Context(), i.Guild, i.ID))
	}
	i, err := s.book.Run(t.Context(), i.Guild, i.ID) // nothing is left
	if s.OK(err); len(i.Undo.Fails) > 0 || i.Undo.Done.IsZero() {
		t.Errorf("%q, step %d of %s", i.Undo.Fails, i.Undo.Next, i.Undo.Plan)
	}
	s.isAs(before)
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
