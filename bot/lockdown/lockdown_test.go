package lockdown_test

import (
	"fmt"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bus"
	"splashtail/internal/sandbox"
)

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
