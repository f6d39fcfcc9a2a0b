package lockdown_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/bottest"
	"splashtail/bot/command"
	"splashtail/bot/lockdown"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// ship is a guild with channels of many kinds, and the commands under test.
type ship struct {
	*bottest.World
	keeper                    *lockdown.Keeper
	crew, vip                 sandbox.ID // public roles; vip may write in news
	news, voice, staff, extra sandbox.ID
}

const public = sandbox.ViewChannel | sandbox.SendMessages | sandbox.Connect

func newShip(t *testing.T) *ship {
	t.Helper()
	s := &ship{World: bottest.New(t)}
	o := s.Discord.As(s.Owner)
	s.crew = s.ID(o.CreateRole(s.Guild, "crew", public))
	s.vip = s.ID(o.CreateRole(s.Guild, "vip", 0))
	s.news = s.ID(o.CreateChannel(s.Guild, "news", sandbox.TextChannel, 0))
	s.voice = s.ID(o.CreateChannel(s.Guild, "cafeteria", sandbox.VoiceChannel, 0))
	s.staff = s.ID(o.CreateChannel(s.Guild, "staff", sandbox.TextChannel, 0))
	s.extra = s.ID(o.CreateChannel(s.Guild, "admin", sandbox.TextChannel, 0))
	s.OK(o.EditOverwrite(s.news, s.Guild, 0, sandbox.Overwrite{Deny: sandbox.SendMessages}))
	s.OK(o.EditOverwrite(s.news, s.vip, 0, sandbox.Overwrite{Allow: sandbox.SendMessages}))
	s.OK(o.EditOverwrite(s.news, s.BotRole, 0, sandbox.Overwrite{Allow: sandbox.SendMessages}))
	s.OK(o.EditOverwrite(s.staff, s.Guild, 0, sandbox.Overwrite{Deny: sandbox.ViewChannel}))
	s.OK(o.EditOverwrite(s.staff, s.ModRole, 0, sandbox.Overwrite{Allow: sandbox.ViewChannel}))
	s.Feed()
	s.keeper = s.makeKeeper("one")
	w, err := words.Load()
	s.OK(err)
	registry, err := command.NewRegistry(w, lockdown.Commands(s.keeper)...)
	s.OK(err)
	router, err := command.NewRouter(command.Config{Bot: s.Bot, Token: secret.New(s.App.Token), Instance: "one"}, registry, s.Bus, bustest.Log(t))
	s.OK(err)
	s.Run(router.Run)
	<-router.Ready()
	_, err = command.Syncer{Bot: s.Bot, Bus: s.Bus, App: s.Self()}.Sync(t.Context(), s.GuildID(), registry.Payload(nil))
	s.OK(err)
	return s
}

func (s *ship) makeKeeper(instance string) *lockdown.Keeper {
	s.T.Helper()
	w, err := words.Load()
	s.OK(err)
	k := lockdown.New(lockdown.Config{Bot: s.Bot, Bus: s.Bus, Log: bustest.Log(s.T), Instance: instance, Self: func() string { return s.Self().String() },
		Settings: func(context.Context, bus.GuildID) (bus.GuildSettings, error) { return bus.GuildSettings{}, nil }, Words: w})
	s.OK(k.Open(s.T.Context()))
	return k
}

// start runs a keeper until the function that it gives is called, or the test ends.
func (s *ship) start(k *lockdown.Keeper) func() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.T.Context()))
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	end := sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			s.T.Error(err)
		}
	})
	s.T.Cleanup(end)
	return end
}

// asks lets the moderator run a command and gives the first answer.
func (s *ship) asks(name string, options map[string]any) sandbox.InteractionState {
	s.T.Helper()
	spec := sandbox.InteractionSpec{App: s.App.ID, Guild: s.Guild, Channel: s.Text, User: s.Mod, Command: "lockdown " + name, Options: options}
	i, err := s.Discord.Interact(spec)
	s.OK(err)
	ctx, cancel := context.WithTimeout(s.T.Context(), 30*time.Second)
	defer cancel()
	state, err := i.Reply(ctx)
	if err != nil {
		s.T.Fatalf("%+v was not answered: %v; %+v", spec, err, state)
	}
	return state
}

// confirms presses the button of a confirmation and waits for an answer that has a text.
func (s *ship) confirms(state sandbox.InteractionState, want string) {
	s.T.Helper()
	s.waits(sandbox.InteractionSpec{User: s.Mod, CustomID: state.Original.Components[0].CustomID, Message: state.Original.ID}, want)
}

// answers lets the moderator run a command and waits for an answer that has a text.
func (s *ship) answers(name string, options map[string]any, want string) {
	s.T.Helper()
	s.waits(sandbox.InteractionSpec{User: s.Mod, Command: "lockdown " + name, Options: options}, want)
}

func (s *ship) waits(spec sandbox.InteractionSpec, want string) {
	s.T.Helper()
	spec.App, spec.Guild, spec.Channel = s.App.ID, s.Guild, s.Text
	i, err := s.Discord.Interact(spec)
	s.OK(err)
	ctx, cancel := context.WithTimeout(s.T.Context(), 30*time.Second)
	defer cancel()
	got := ""
	_, err = i.Await(ctx, func(i sandbox.InteractionState) bool {
		if i.Original != nil {
			got = says(s.T, *i.Original)
		}
		return strings.Contains(got, want)
	})
	if err != nil {
		s.T.Fatalf("no answer with %q: %v; the last was %q", want, err, got)
	}
}

func says(t testing.TB, one sandbox.Message) string {
	t.Helper()
	var m discordgo.Message
	if err := json.Unmarshal(one.JSON, &m); err != nil {
		t.Fatal(err)
	}
	out := m.Content
	for _, e := range m.Embeds {
		out += "\n" + e.Title + "\n" + e.Description
		for _, f := range e.Fields {
			out += "\n" + f.Name + ": " + f.Value
		}
	}
	return out
}

func (s *ship) snapshot() sandbox.Snapshot {
	s.T.Helper()
	snap, ok := s.Discord.Snapshot(s.Guild)
	if !ok {
		s.T.Fatal("the guild is gone")
	}
	return snap
}

// same holds roles and channels of the guild against how they were.
func (s *ship) same(before sandbox.Snapshot) {
	s.T.Helper()
	now := s.snapshot()
	if !reflect.DeepEqual(now.Roles, before.Roles) {
		s.T.Errorf("the roles are %+v, were %+v", now.Roles, before.Roles)
	}
	for i, c := range now.Channels {
		if !reflect.DeepEqual(c, before.Channels[i]) {
			s.T.Errorf("the channel is %+v, was %+v", c, before.Channels[i])
		}
	}
}

// writes says whether a member can write somewhere.
func (s *ship) writes(who, channel sandbox.ID) bool {
	_, err := s.Discord.As(who).Send(channel, fmt.Sprint("hello ", time.Now().UnixNano()))
	return err == nil
}

// until waits for a state of the guild's record.
func (s *ship) until(what string, ok func(bus.Lockdown) bool) {
	s.T.Helper()
	records, err := bus.OpenRecords(s.T.Context(), s.Bus, bus.Lockdowns())
	s.OK(err)
	ctx, cancel := context.WithTimeout(s.T.Context(), 30*time.Second)
	defer cancel()
	enough := fmt.Errorf("enough")
	last := bus.Lockdown{}
	err = records.Watch(ctx, s.GuildID().String(), func(e bus.Entry[bus.Lockdown], live bool) error {
		if e.Key != "" {
			last = e.Value
		}
		if (e.Key != "" || live) && ok(last) {
			return enough
		}
		return nil
	})
	if err != enough {
		s.T.Fatalf("%s did not come: %v; %+v", what, err, last)
	}
}

func closed(l bus.Lockdown) bool {
	return len(l.Locks) == 1 && l.Locks[0].Phase == bus.LockClosed
}
func gone(l bus.Lockdown) bool { return len(l.Locks) == 0 }
