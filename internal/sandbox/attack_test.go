package sandbox

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"
)

// harbour is a guild with something to lose: categories, channels, roles, members, a moderator and another one.
type harbour struct {
	*world
	moderator, other2 ID
	members           []ID
}

func newHarbour(t *testing.T) *harbour {
	w := newModerated(t)
	h := &harbour{world: w, moderator: w.user("Mod"), other2: w.user("Good")}
	power := must(w.AddRole(w.guild, "moderator", ManageChannels|ManageRoles|BanMembers|KickMembers|ManageWebhooks))(t)
	w.mu.Lock()
	w.guilds[w.guild].roles[power].position = 8
	w.mu.Unlock()
	w.ok(w.AddMember(w.guild, h.moderator, power))
	w.ok(w.AddMember(w.guild, h.other2, power))
	boss := w.As(w.owner)
	for _, name := range []string{"Lobby", "Games"} {
		category := must(boss.CreateChannel(w.guild, name, CategoryChannel, 0))(t)
		for _, inner := range []string{"chat", "rules"} {
			must(boss.CreateChannel(w.guild, inner, TextChannel, category))(t)
		}
		must(boss.CreateChannel(w.guild, name+" voice", VoiceChannel, category))(t)
		must(boss.CreateRole(w.guild, name, SendMessages))(t)
	}
	for _, name := range []string{"Dan", "Eve", "Fay"} {
		u := w.user(name)
		w.ok(w.AddMember(w.guild, u, w.plain))
		h.members = append(h.members, u)
	}
	return h
}

func TestNukeTakesEverythingBelowTheActor(t *testing.T) {
	h := newHarbour(t)
	dmg := must(h.Nuke(t.Context(), Attack{Guild: h.guild, Actor: h.moderator}))(t)
	s, _ := h.Snapshot(h.guild)
	if len(s.Channels) != 0 || dmg.Channels != 10 || dmg.Roles != 3 || dmg.Bans+dmg.Kicks != 6 || dmg.Lost() != 19 {
		t.Errorf("damage %+v, left %+v", dmg, s)
	}
	// The bot, the owner, the other moderator and the roles above stay: they are not below the actor.
	for _, u := range []ID{h.owner, h.bot.ID, h.other2, h.moderator} {
		if _, ok := s.Members[u]; !ok {
			t.Errorf("%s is gone", u)
		}
	}
	for _, e := range h.AuditLog(h.guild)[11:] {
		if e.Actor != h.moderator {
			t.Errorf("audit entry %+v", e)
		}
	}
}

// TestNukeIsStopped strips the actor as a bot would, on the third audit entry: nothing more is lost.
func TestNukeIsStopped(t *testing.T) {
	h := newHarbour(t)
	kept := len(h.AuditLog(h.guild))
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	attack := make(chan Damage, 1)
	go func() {
		dmg, err := h.Nuke(ctx, Attack{Guild: h.guild, Actor: h.moderator, Every: 10 * time.Millisecond})
		if err != nil {
			t.Error(err)
		}
		attack <- dmg
	}()
	h.ok(h.Await(ctx, func() bool { return len(h.AuditLog(h.guild)) >= kept+3 }))
	if got := h.do(request{method: "PATCH", path: h.memberPath(h.moderator), body: `{"roles":[]}`}); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	lost := 0
	for _, e := range h.AuditLog(h.guild) {
		if e.Actor == h.moderator {
			lost++
		}
	}
	dmg := <-attack
	if dmg.StoppedBy == nil || dmg.StoppedBy.Code != 50013 || dmg.Lost() != lost || lost < 3 {
		t.Errorf("damage %+v, %d entries when it was stopped", dmg, lost)
	}
}

func TestRaidEndsWhenInvitesArePaused(t *testing.T) {
	h := newHarbour(t)
	code := must(h.As(h.owner).CreateInvite(h.text))(t)
	dmg := must(h.Raid(t.Context(), Attack{Guild: h.guild, Most: 5}, code, h.text, "join my server"))(t)
	if dmg.Joins != 5 || dmg.Messages != 5 || len(dmg.Users) != 5 || dmg.StoppedBy != nil || len(h.Messages(h.text)) != 5 {
		t.Errorf("damage %+v", dmg)
	}
	body := `{"invites_disabled_until":"` + later() + `"}`
	if got := h.do(request{method: "PUT", path: "/guilds/" + h.guild.String() + "/incident-actions", body: body}); got.Status != 200 {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	dmg = must(h.Raid(t.Context(), Attack{Guild: h.guild, Most: 5}, code, 0, ""))(t)
	if dmg.Joins != 0 || dmg.StoppedBy == nil {
		t.Errorf("damage %+v", dmg)
	}
	h.ok(h.As(h.owner).Ban(h.guild, h.stranger, 0))
	if err := h.As(h.stranger).Join(code); err == nil || !strings.Contains(err.Error(), "40007") {
		t.Errorf("a banned one: %v", err)
	}
}

func TestWebhookFlood(t *testing.T) {
	h := newHarbour(t)
	dmg := must(h.WebhookFlood(t.Context(), Attack{Guild: h.guild, Actor: h.moderator, Most: 20}, "spam"))(t)
	if dmg.Webhooks != 8 || dmg.Messages != 12 {
		t.Errorf("damage %+v", dmg)
	}
	dmg = must(h.WebhookFlood(t.Context(), Attack{Guild: h.guild, Actor: h.members[0], Most: 20}, "spam"))(t)
	if dmg.Webhooks != 0 || dmg.StoppedBy == nil {
		t.Errorf("damage %+v", dmg)
	}
}

// TestSnapshotsCompareGuilds destroys and rebuilds by hand, in another order and with other ids, while somebody else's edit
// stays: the snapshots differ in that edit alone.
func TestSnapshotsCompareGuilds(t *testing.T) {
	h := newHarbour(t)
	boss, mod := h.As(h.owner), h.As(h.moderator)
	before, _ := h.Snapshot(h.guild)
	role := must(boss.CreateRole(h.guild, "VIP", KickMembers))(t)
	h.ok(boss.AddRole(h.guild, h.ana, role))
	ch := must(boss.CreateChannel(h.guild, "vault", TextChannel, 0))(t)
	h.ok(boss.EditOverwrite(ch, role, 0, Overwrite{Allow: ViewChannel}))
	h.ok(boss.EditOverwrite(ch, h.ana, 1, Overwrite{Allow: SendMessages}))
	must2(boss.CreateWebhook(ch, "log"))(t)
	full, _ := h.Snapshot(h.guild)
	if reflect.DeepEqual(before, full) || len(before.Diff(full)) == 0 {
		t.Fatal("making things changed nothing")
	}
	h.ok(mod.DeleteRole(h.guild, role))
	h.ok(mod.DeleteChannel(ch))
	h.ok(boss.EditChannel(h.text, Fields{"topic": "a good edit"}))

	ch = must(boss.CreateChannel(h.guild, "vault", TextChannel, 0))(t)
	role = must(boss.CreateRole(h.guild, "VIP", KickMembers))(t)
	must2(boss.CreateWebhook(ch, "log"))(t)
	h.ok(boss.EditOverwrite(ch, h.ana, 1, Overwrite{Allow: SendMessages}))
	h.ok(boss.EditOverwrite(ch, role, 0, Overwrite{Allow: ViewChannel}))
	h.ok(boss.AddRole(h.guild, h.ana, role))
	again, _ := h.Snapshot(h.guild)
	if diff := full.Diff(again); len(diff) != 1 || !strings.Contains(diff[0], "a good edit") {
		t.Errorf("differences:\n%s", strings.Join(diff, "\n"))
	}
	h.ok(boss.EditChannel(h.text, Fields{"topic": nil}))
	again, _ = h.Snapshot(h.guild)
	if !reflect.DeepEqual(full, again) || len(full.Diff(again)) != 0 {
		t.Errorf("differences:\n%s", strings.Join(full.Diff(again), "\n"))
	}
}
