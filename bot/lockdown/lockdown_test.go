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

// TestEveryScope locks and lifts each scope by command: what is open closes, staff keep
// their own channel, and afterwards everything is as before.
func TestEveryScope(t *testing.T) {
	t.Parallel() // each waits for rate limits of a Discord of its own
	s := newShip(t)
	s.start(s.keeper)
	before := s.snapshot()
	for what, c := range map[string]struct{ button, closed string }{
		"roles": {"Lock 2 roles", "2 of 2 public roles"}, "channels": {"Lock 4 channels", "4 of 4 channels"}, "channel": {"Lock this channel", "is locked until"},
	} {
		if !s.writes(s.Member, s.Text) {
			t.Fatal("the member cannot write before it is locked")
		}
		ask := s.asks("start", map[string]any{"what": what, "reason": "raid"})
		if got := ask.Original.Components[0].Label; got != c.button {
			t.Errorf("%s: the button says %q, want %q", what, got, c.button)
		}
		s.confirms(ask, c.closed)
		if s.writes(s.Member, s.Text) {
			t.Errorf("%s: the member can write", what)
		}
		if !s.writes(s.Mod, s.staff) {
			t.Errorf("%s: a moderator cannot write in the channel of the staff", what)
		}
		s.answers("show", nil, "raid")
		s.answers("lift", nil, "The lockdown is lifted")
		s.same(before)
	}
	s.answers("lift", nil, "Nothing like that is locked")
	s.answers("start", map[string]any{"what": "roles", "for": "25h"}, "at most 24 hours")
}

// TestEditsStay: what moderators change during a lockdown is theirs, the rest goes back,
// whichever of two locks is lifted first.
func TestEditsStay(t *testing.T) {
	for _, first := range []string{"channel", "channels"} {
		t.Run(first, func(t *testing.T) {
			t.Parallel() // each waits for rate limits of a Discord of its own
			s := newShip(t)
			s.start(s.keeper)
			s.confirms(s.asks("start", map[string]any{"what": "channel"}), "is locked until")
			s.confirms(s.asks("start", map[string]any{"what": "channels"}), "channels are locked")
			o := s.Discord.As(s.Owner)
			s.OK(o.EditOverwrite(s.voice, s.Guild, 0, sandbox.Overwrite{Allow: sandbox.Connect, Deny: sandbox.UseVAD}))
			s.OK(o.EditOverwrite(s.news, s.vip, 0, sandbox.Overwrite{Allow: sandbox.AttachFiles}))
			s.OK(o.DeleteOverwrite(s.extra, s.Guild))
			s.answers("lift", map[string]any{"what": first}, "lifted")
			if s.writes(s.Member, s.Text) {
				t.Error("the other lock does not hold the channel")
			}
			s.answers("lift", nil, "lifted")
			if !s.writes(s.Member, s.Text) {
				t.Error("the channel is still locked")
			}
			s.after()
		})
	}
}

// after holds the overwrites against the edits of TestEditsStay.
func (s *ship) after() {
	s.T.Helper()
	want := map[string]map[string]sandbox.Overwrite{
		"general":   {},
		"news":      {"role @everyone": {Deny: sandbox.SendMessages}, "role vip": {Allow: sandbox.SendMessages | sandbox.AttachFiles}, "role splashtail": {Allow: sandbox.SendMessages}},
		"cafeteria": {"role @everyone": {Allow: sandbox.Connect, Deny: sandbox.UseVAD}},
		"admin":     {},
	}
	for _, c := range s.snapshot().Channels {
		if w, ok := want[c.Name]; ok && fmt.Sprint(c.Overwrites) != fmt.Sprint(w) {
			s.T.Errorf("%s has %v, want %v", c.Name, c.Overwrites, w)
		}
	}
}

// TestEndsByItself: at the time limit a lock is lifted, by whichever process is there then.
func TestEndsByItself(t *testing.T) {
	t.Parallel() // each waits for rate limits of a Discord of its own
	s := newShip(t)
	before := s.snapshot()
	stop := s.start(s.keeper)
	now := time.Now().UTC()
	_, err := s.keeper.Begin(t.Context(), s.GuildID(), bus.Lock{ID: "7", Scope: bus.LockChannels, By: 1, Audit: "test · op=7", At: now, Until: now.Add(time.Hour)})
	s.OK(err)
	s.until("the lock", closed)
	stop()
	_, err = s.keeper.Begin(t.Context(), s.GuildID(), bus.Lock{ID: "8", Scope: bus.LockChannels, By: 1, Audit: "test · op=8", At: now, Until: time.Now().Add(time.Second)})
	s.OK(err)
	s.start(s.makeKeeper("two"))
	s.until("the end", gone)
	s.same(before)
}

// TestLostAnswers: Discord does what it was told and the answer is lost, the process dies
// in between, and the next one goes on: in the end everything is as before.
func TestLostAnswers(t *testing.T) {
	const route = "PUT /channels/{channel_id}/permissions/{overwrite_id}"
	for n := range 4 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel() // each waits for rate limits of a Discord of its own
			s := newShip(t)
			before := s.snapshot()
			k := s.makeKeeper("dies")
			s.OK(s.Discord.AddFault(sandbox.Fault{Kind: sandbox.FaultTimeout, Route: route, After: n%2 == 0, Count: 1, Delay: time.Minute}))
			stop := s.start(k)
			now := time.Now().UTC()
			_, err := k.Begin(t.Context(), s.GuildID(), bus.Lock{ID: "7", Scope: bus.LockChannels, By: 1, Audit: "test · op=7", At: now, Until: now.Add(time.Hour)})
			s.OK(err)
			s.until("the plan", func(l bus.Lockdown) bool { return len(l.Holds) > 0 })
			stop()
			s.Discord.ClearFaults()
			if n < 2 {
				s.start(s.keeper)
				s.until("the lock", closed)
				if s.writes(s.Member, s.Text) {
					t.Error("the member can write")
				}
			}
			_, err = k.Lift(t.Context(), s.GuildID(), func(bus.Lock) bool { return true }, 1, "test · op=9")
			s.OK(err)
			if n >= 2 {
				s.start(s.keeper)
			}
			s.until("the lift", gone)
			s.same(before)
		})
	}
}

// TestWhatCannotBeLocked is told and stops nothing: a role above the bot's, and a channel
// where the bot may not manage permissions; and what cannot be lifted waits for somebody.
func TestWhatCannotBeLocked(t *testing.T) {
	t.Parallel() // each waits for rate limits of a Discord of its own
	s := newShip(t)
	s.start(s.keeper)
	o := s.Discord.As(s.Owner)
	s.ID(s.Discord.AddRole(s.Guild, "elders", public))
	before := s.snapshot()
	s.confirms(s.asks("start", map[string]any{"what": "roles"}), "2 of 3 public roles")
	s.answers("show", nil, "Not locked: <@&")
	s.answers("lift", nil, "is lifted")
	s.same(before)

	s.OK(o.EditOverwrite(s.extra, s.App.ID, 1, sandbox.Overwrite{Deny: sandbox.ManageRoles}))
	s.confirms(s.asks("start", map[string]any{"what": "channels"}), "3 of 4 channels")
	s.OK(o.EditRole(s.Guild, s.BotRole, sandbox.Fields{"permissions": bottest.BotPermissions &^ sandbox.ManageRoles}))
	s.answers("lift", nil, "could not be lifted everywhere")
	s.answers("show", nil, "tries again")
	s.OK(o.EditRole(s.Guild, s.BotRole, sandbox.Fields{"permissions": sandbox.Permissions(bottest.BotPermissions)}))
	s.answers("lift", nil, "is lifted")
	s.OK(o.DeleteOverwrite(s.extra, s.App.ID))
	s.same(before)
}

// TestIncidentActions: each switch leaves the other as it is.
func TestIncidentActions(t *testing.T) {
	t.Parallel() // each waits for rate limits of a Discord of its own
	s := newShip(t)
	s.answers("invites", map[string]any{"state": "switch_off", "for": "24h"}, "Nobody can join until")
	s.answers("dms", map[string]any{"state": "switch_off"}, "cannot write to each other")
	if got := s.snapshot().Incident; !got["invites"] || !got["dms"] {
		t.Errorf("switched off: %v", got)
	}
	s.answers("invites", map[string]any{"state": "switch_on"}, "can join by invite again")
	if got := s.snapshot().Incident; got["invites"] || !got["dms"] {
		t.Errorf("switched off: %v", got)
	}
}
