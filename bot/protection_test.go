package bot

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bot/rules"
	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// limit is what /limits add is given.
func limit(name, action string, count int, response string) map[string]any {
	return map[string]any{"name": name, "action": action, "count": count, "time": 10, "unit": "minutes", "response": response}
}

func (o *office) admin() sandbox.ID {
	role := o.ID(o.Discord.AddRole(o.Guild, "administrators", sandbox.Administrator))
	admin := o.ID(o.Discord.AddUser("Adele"))
	o.OK(o.Discord.AddMember(o.Guild, admin, role))
	return admin
}

// TestWhoMaySetLimits: who manages the server, and whom it allowed to; Discord shows the
// command to them by itself.
func TestWhoMaySetLimits(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.has(o.asks(o.Mod, "limits add", limit("Roles", "role_remove", 2, "kick_user")), "At 2")
	if _, err := o.Discord.Interact(sandbox.InteractionSpec{App: o.App.ID, Guild: o.Guild, Channel: o.Text, User: o.Member, Command: "limits view"}); err == nil {
		t.Error("Discord shows /limits to everybody")
	}
	o.show()
	for _, name := range []string{"limits view", "limits add", "limits remove", "limits edit", "limits profile", "limits hits", "limits whatif"} {
		c, _ := o.bot.registry.Get(name)
		o.has(o.asks(o.Member, name, o.options(c)), "You may not run /"+name)
	}
	o.has(o.asks(o.Owner, "access allow", map[string]any{"command": "limits add", "user": o.Member}), "may run /limits add")
	o.has(o.asks(o.Member, "limits add", limit("Bans", "ban", 2, "kick_user")), "At 2")
	o.has(o.asks(o.Member, "limits remove", map[string]any{"limit": "Bans"}), "You may not run")
	o.has(o.asks(o.Owner, "access deny", map[string]any{"command": "limits", "role": o.ModRole}), "may not run")
	o.has(o.asks(o.Mod, "limits view", nil), "does not let you")
	if got := o.limits(); len(got) != 2 {
		t.Errorf("%+v", got)
	}
}

// TestLimitsAreSetChangedAndRemoved: and the record says by whom.
func TestLimitsAreSetChangedAndRemoved(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.show()
	admin := o.admin()
	o.has(o.asks(o.Mod, "limits view", nil), "There are no limits here")
	o.has(o.asks(admin, "limits add", limit("No *channels*", "channel_remove", 3, "remove_all_roles")), "At 3 × Channels deleted by one account within 10m: Take all roles")
	o.has(o.asks(admin, "limits add", limit("no *CHANNELS*", "channel_add", 3, "ban_user")), "Another limit has that name")
	o.has(o.asks(admin, "limits add", limit("Rest", "kick", 3, "timeout")), "A time-out lasts")
	long := limit("Long", "kick", 3, "kick_user")
	long["time"], long["unit"] = 31, "days"
	o.has(o.asks(admin, "limits add", long), "1 second to 30 days")

	s := o.uses2(sandbox.InteractionSpec{User: admin, Command: "limits edit", Options: map[string]any{"limit": "chan"}, Focused: "limit"})
	if len(s.Choices) != 1 {
		t.Fatalf("offered: %+v", s.Choices)
	}
	var id string
	o.OK(json.Unmarshal(s.Choices[0].Value, &id))
	o.has(o.asks(admin, "limits edit", map[string]any{"limit": id}), "That is what it says already")
	o.has(o.asks(admin, "limits edit", map[string]any{"limit": "nobody's"}), "There is no limit with that name")
	o.has(o.asks(admin, "limits edit", map[string]any{"limit": id, "time": 5}), "needs its unit")
	o.has(o.asks(admin, "limits edit", map[string]any{"limit": "no *channels*", "count": 5, "response": "timeout", "timeout": "1d 12h"}), "Time-out (1d 12h)")
	kept := o.limits()
	if len(kept) != 1 || kept[0].Count != 5 || kept[0].By != bus.UserID(admin) || kept[0].Timeout != 36*3600 {
		t.Fatalf("%+v", kept)
	}
	view := o.asks(o.Owner, "limits view", nil)
	o.has(view, `No \*channels\*`)
	o.has(view, "<@"+admin.String()+">")

	ask := o.asks(admin, "limits remove", map[string]any{"limit": id})
	o.has(ask, "0 limits would be left")
	if len(o.limits()) != 1 {
		t.Fatal("it was removed without a confirmation")
	}
	o.has(o.presses(admin, ask.Original, "Remove"), "is removed")
	if left := o.limits(); len(left) != 0 {
		t.Errorf("%+v", left)
	}
}

func (o *office) limits() []bus.LimitRule {
	o.T.Helper()
	all, err := o.bot.parts.guard.rules.Of(o.T.Context(), o.GuildID())
	o.OK(err)
	return all
}

// TestThereIsRoomForSoManyLimits: the bound holds, pages and suggestions too.
func TestThereIsRoomForSoManyLimits(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	store := o.bot.parts.guard.rules
	for i := range bus.MaxLimits {
		r := bus.LimitRule{ID: fmt.Sprint("x", i), Name: fmt.Sprintf("%02d %s", i, strings.Repeat("ä", 61)), Kind: bus.ActionBan, Count: 10_000, Window: bus.MaxLimitWindow - 1, Respond: bus.RespondTimeout, Timeout: bus.MaxLimitTimeout - 1}
		o.OK(store.Add(t.Context(), o.GuildID(), r))
	}
	o.has(o.asks(o.Owner, "limits add", limit("one more", "ban", 1, "alert_only")), "at most 40 limits")
	o.has(o.asks(o.Owner, "limits profile", nil), "a server can have at most 40")
	if n := len(o.limits()); n != bus.MaxLimits {
		t.Fatalf("there are %d limits", n)
	}
	s := o.uses2(sandbox.InteractionSpec{User: o.Owner, Command: "limits remove", Options: map[string]any{"limit": ""}, Focused: "limit"})
	if len(s.Choices) != 25 {
		t.Errorf("%d are offered", len(s.Choices))
	}
	page := o.asks(o.Owner, "limits view", nil)
	o.has(page, "40 limits, page 1 of 4")
	for i := 2; i <= 4; i++ {
		page = o.presses(o.Owner, page.Original, "Next")
		o.has(page, fmt.Sprintf("page %d of 4", i))
	}
	german := o.uses(sandbox.InteractionSpec{User: o.Owner, Command: "limits view", Locale: "de"})
	o.has(german, "Mitglieder gebannt")
	// Of two who take the last places at once, one may be late.
	full := store.Add(t.Context(), o.GuildID(), bus.LimitRule{ID: "late", Name: "late", Kind: bus.ActionBan, Count: 1, Window: 1, Respond: bus.RespondAlert})
	if full != rules.ErrFull || len(o.limits()) != bus.MaxLimits {
		t.Errorf("%v", full)
	}
}

// TestTheProfileStopsANuke: one command sets what fits, the attacker is stopped, people
// are told, and the hit can be read.
func TestTheProfileStopsANuke(t *testing.T) {
	t.Parallel()
	figures := prometheus.NewRegistry()
	o := newOffice(t, func(c *Config) { c.Metrics = figures })
	for i := range 8 {
		o.ID(o.Discord.AddChannel(o.Guild, fmt.Sprint("room-", i), sandbox.TextChannel))
	}
	alarms := o.ID(o.Discord.AddChannel(o.Guild, "alarms", sandbox.TextChannel))
	o.Text = alarms // the first channel does not survive
	o.has(o.asks(o.Owner, "settings set", map[string]any{"alert": alarms, "language": "de"}), "Saved")
	ask := o.asks(o.Owner, "limits profile", nil)
	o.has(ask, "12 limits would be new")
	o.has(o.presses(o.Owner, ask.Original, "Set 12"), "12 limits are in force")
	again := o.asks(o.Owner, "limits profile", nil)
	o.has(again, "12 of an earlier profile replaced")
	o.has(o.presses(o.Owner, again.Original, "Set 12"), "12 limits are in force")
	o.has(o.asks(o.Owner, "limits hits", nil), "Nobody met a limit")

	dmg, err := o.Discord.Nuke(t.Context(), sandbox.Attack{Guild: o.Guild, Actor: o.Mod, Every: 50 * time.Millisecond})
	if err != nil || dmg.StoppedBy == nil {
		t.Fatalf("%+v, %v", dmg, err)
	}
	o.soon("an alarm", func() bool { return len(o.Discord.Messages(alarms)) > 0 })
	alarm := o.Discord.Messages(alarms)[0]
	for _, want := range []string{"Grenze erreicht", "<@" + o.Mod.String() + ">", "Was jetzt zu tun ist", "getan"} {
		if got := textOf(t, alarm); !strings.Contains(got, want) {
			t.Errorf("the alarm lacks %q: %q", want, got)
		}
	}
	counted := 0.0
	families, err := figures.Gather()
	o.OK(err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "splashtail_limits_hits_total" {
				counted += m.GetCounter().GetValue()
			}
		}
	}
	if counted < 1 {
		t.Errorf("%v hits are counted", counted)
	}
	hits := o.asks(o.Owner, "limits hits", nil)
	for _, want := range []string{"<@" + o.Mod.String() + ">", "Take all roles: done"} {
		o.has(hits, want)
	}
	o.has(o.asks(o.Owner, "limits whatif", nil), "Would have tripped")
	o.has(o.asks(o.Owner, "limits whatif", map[string]any{"action": "channel_remove", "count": 2, "time": 1, "unit": "hours"}), "Would have tripped once")
	o.has(o.asks(o.Owner, "limits whatif", map[string]any{"action": "channel_remove", "count": 2000, "time": 1, "unit": "hours"}), "Would not have tripped")
	o.has(o.asks(o.Owner, "limits whatif", map[string]any{"action": "webhook_delete", "count": 1, "time": 1, "unit": "hours"}), "Nothing of the kind is stored")
	o.has(o.asks(o.Owner, "limits whatif", map[string]any{"action": "ban"}), "no whole limit")
}

// soon waits for something of the sandbox.
func (o *office) soon(what string, cond func() bool) {
	o.T.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			o.T.Fatalf("%s did not come within 30 s", what)
		case <-tick.C:
		}
	}
}

// TestHitsArePaged: hundreds of them, each as long as can be, in both languages.
func TestHitsArePaged(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	subject := bus.LimitHitSubject(o.GuildID())
	for i := range 23 {
		causes := make([]uint64, bus.MaxHitCauses)
		for j := range causes {
			causes[j] = uint64(1311000000000000000 + i*1000 + j)
		}
		h := bus.LimitHit{V: 1, Guild: o.GuildID(), Limit: fmt.Sprint("l", i%2), Name: strings.Repeat("*", 64), Kind: bus.ActionMemberRolesUpdated, Actor: bus.UserID(o.Mod),
			Causes: causes, Count: 10_000, Window: bus.MaxLimitWindow, Respond: bus.RespondStripRoles, Result: "failed: " + strings.Repeat("ü", 2000), At: time.Now()}
		_, err := bus.Publish(t.Context(), o.Bus, subject, h)
		o.OK(err)
	}
	page := o.asks(o.Owner, "limits hits", nil)
	o.has(page, "23 hits, page 1 of 5")
	for i := 2; i <= 5; i++ {
		page = o.presses(o.Owner, page.Original, "Next")
		o.has(page, fmt.Sprintf("page %d of 5", i))
	}
	o.has(o.uses(sandbox.InteractionSpec{User: o.Owner, Command: "limits hits", Locale: "de"}), "23 Treffer")
	o.OK(o.bot.parts.guard.rules.Add(t.Context(), o.GuildID(), bus.LimitRule{ID: "l1", Name: "one", Kind: bus.ActionBan, Count: 1, Window: 1, Respond: bus.RespondAlert}))
	one := o.asks(o.Owner, "limits hits", map[string]any{"limit": "one"})
	o.has(one, "11 hits, page 1 of 3")
	o.has(o.presses(o.Owner, one.Original, "Next"), "11 hits, page 2 of 3")
}

// TestProtectCheck: what is missing is named, what is put right is green.
func TestProtectCheck(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.admin() // above the bot: nobody could stop them
	s := o.asks(o.Owner, "protect check", nil)
	for _, want := range []string{"things to put right", "1 roles with dangerous permissions", "Alarms go nowhere", "None: nobody is stopped", "No backups yet"} {
		o.has(s, want)
	}
	o.has(o.uses(sandbox.InteractionSpec{User: o.Owner, Command: "protect check", Locale: "de"}), "in Ordnung zu bringen")
	o.has(o.asks(o.Member, "ping", nil), "ms")
}

func TestProtectCheckIsGreenInTheEnd(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.OK(o.Discord.As(o.Owner).DeleteRole(o.Guild, o.ID(o.Discord.AddRole(o.Guild, "x", 0)))) // an event
	o.has(o.asks(o.Owner, "settings set", map[string]any{"alert": o.Text, "quarantine": o.Jail}), "Saved")
	o.has(o.asks(o.Owner, "limits add", limit("Bans", "ban", 3, "quarantine_only")), "is in force")
	s := o.asks(o.Owner, "protect check", nil)
	o.has(s, "This server is protected")
	if got := text(t, s); strings.Contains(got, "❌") {
		t.Error(got)
	}
	o.OK(o.Discord.SetRolePermissions(o.Guild, o.BotRole, sandbox.AllPermissions&^sandbox.Administrator&^sandbox.ViewAuditLog))
	o.has(o.asks(o.Owner, "protect check", nil), "View Audit Log")
}
