package bot

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bot/moderate"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// banned says whether a user is banned now.
func (o *office) banned(user sandbox.ID) bool {
	s, _ := o.Discord.Snapshot(o.Guild)
	_, yes := s.Bans[user]
	return yes
}

// TestPunish kicks, bans and silences, and refuses who stands as high.
func TestPunish(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.has(o.asks(o.Owner, "settings set", map[string]any{"log": o.Text, "language": "de"}), "Saved")
	at := func(who sandbox.ID) map[string]any { return map[string]any{"user": who, "reason": "spam *and* more"} }
	o.has(o.asks(o.Mod, "kick", at(o.OtherMod)), "as high as you")
	o.has(o.asks(o.Mod, "kick", at(o.Mod)), "That is you")
	o.has(o.asks(o.Mod, "ban", at(o.App.ID)), "That is me")
	o.has(o.asks(o.Mod, "ban", at(o.Owner)), "as high as you")
	span := at(o.Member)
	span["for"] = "1h"
	o.has(o.asks(o.Mod, "timeout", span), "silenced until")
	o.has(o.asks(o.Mod, "untimeout", at(o.Member)), "may speak again")
	o.has(o.asks(o.Mod, "kick", at(o.Member)), "thrown out")
	o.has(o.asks(o.Mod, "kick", at(o.Member)), "not a member")
	o.has(o.asks(o.Mod, "ban", at(o.Member)), "banned for good")
	o.has(o.asks(o.Mod, "tempban", span), "already")
	o.has(o.asks(o.Mod, "unban", at(o.Member)), "is lifted")
	o.has(o.asks(o.Mod, "unban", at(o.Member)), "is not banned")
	reason := ""
	for _, e := range o.Discord.AuditLog(o.Guild) {
		if strings.Contains(e.Reason, "spam") {
			reason = e.Reason
		}
	}
	if !strings.Contains(reason, o.Mod.String()) || !strings.Contains(reason, "op=") {
		t.Errorf("the audit log says %q", reason)
	}
	log := ""
	for _, m := range o.Discord.Messages(o.Text) {
		log += textOf(t, m)
	}
	if !strings.Contains(log, "hinausgeworfen") || !strings.Contains(log, `\*and\*`) {
		t.Errorf("the log channel says %q", log)
	}
}

// TestBotHierarchy: who stands above the bot is told so, and nothing is tried.
func TestBotHierarchy(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	high := o.ID(o.Discord.AddRole(o.Guild, "high", 0)) // above the bot's
	o.OK(o.Discord.As(o.Owner).AddRole(o.Guild, o.Member, high))
	o.has(o.asks(o.Owner, "kick", map[string]any{"user": o.Member}), "my role")
}

// TestBanForATime: the end survives the process, and comes once.
func TestBanForATime(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.has(o.asks(o.Mod, "tempban", map[string]any{"user": o.Member, "for": "2s"}), "banned until")
	if !o.banned(o.Member) {
		t.Fatal("nobody was banned")
	}
	o.lifted(o.Member)
}

func (o *office) lifted(user sandbox.ID) {
	o.T.Helper()
	ctx, cancel := context.WithTimeout(o.T.Context(), 30*time.Second)
	defer cancel()
	err := o.Discord.AwaitRequests(ctx, 1, func(r sandbox.Request) bool {
		return r.Method == "DELETE" && strings.HasSuffix(r.Path, fmt.Sprintf("/bans/%d", user)) && r.Status == 204
	})
	o.OK(err)
	if o.banned(user) {
		o.T.Error("the ban is still there")
	}
}

// TestBanEndsAfterARestart: what was planned by a process that is gone is done by the next,
// and what somebody made a ban for good meanwhile stays.
func TestBanEndsAfterARestart(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	for _, user := range []sandbox.ID{o.Member, o.OtherMod} {
		o.OK(o.Discord.As(o.Owner).Ban(o.Guild, user, 0))
	}
	k := moderate.NewKeeper(o.Bot, o.Bus, bustest.Log(t), "gone", nil)
	o.OK(k.Open(t.Context()))
	now := time.Now()
	for _, user := range []sandbox.ID{o.Member, o.OtherMod} {
		until := now.Add(time.Hour)
		o.OK(k.Plan(t.Context(), bus.Punishment{V: 1, Guild: o.GuildID(), User: bus.UserID(user), Op: "x", At: now.Add(-time.Hour), Until: until}))
	}
	o.OK(k.Forget(t.Context(), o.GuildID(), bus.UserID(o.OtherMod), now))
	o.OK(k.Plan(t.Context(), bus.Punishment{V: 1, Guild: o.GuildID(), User: bus.UserID(o.Member), Op: "x", At: now.Add(-time.Hour), Until: now.Add(-time.Minute)}))
	o.lifted(o.Member)
	if !o.banned(o.OtherMod) {
		t.Error("a ban for good was lifted")
	}
}

// TestPrune deletes what was shown and confirmed, once, and nothing newer.
func TestPrune(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	member := o.Discord.As(o.Member)
	for i := range 7 {
		_, err := member.Send(o.Text, fmt.Sprint("spam ", i))
		o.OK(err)
	}
	_, err := o.Discord.As(o.Owner).Send(o.Text, "good")
	o.OK(err)
	asked := o.asks(o.Mod, "prune", map[string]any{"limit": 100, "user": o.Member, "reason": "spam"})
	o.has(asked, "7 messages")
	if n := len(o.Discord.Messages(o.Text)); n != 8 {
		t.Fatalf("%d messages before anybody confirmed", n)
	}
	_, err = member.Send(o.Text, "newer")
	o.OK(err)
	done := o.presses(o.Mod, asked.Original, "Delete 7")
	o.has(done, "7 messages")
	left := ""
	for _, m := range o.Discord.Messages(o.Text) {
		left += m.Content + ";"
	}
	if left != "good;newer;" && left != "newer;good;" {
		t.Errorf("left: %s", left)
	}
	dropped := o.asks(o.Mod, "prune", map[string]any{"limit": 1})
	o.has(o.presses(o.Mod, dropped.Original, "Cancel"), "Dropped")
	if n := len(o.Discord.Messages(o.Text)); n != 2 {
		t.Errorf("%d messages after it was dropped", n)
	}
}
