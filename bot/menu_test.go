package bot

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"splashtail/bot/command"
	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// chooses lets somebody choose a command in the menu of a person or message.
func (o *office) chooses(who sandbox.ID, name string, target sandbox.ID) sandbox.InteractionState {
	o.T.Helper()
	return o.uses(sandbox.InteractionSpec{User: who, Command: name, Target: target})
}

// TestQuarantineFromTheMenu: somebody below who asks keeps the quarantine role alone; above
// them, without a role set, or for who may not, nothing happens.
func TestQuarantineFromTheMenu(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	suspect := o.ID(o.Discord.AddUser("Susi"))
	o.OK(o.Discord.AddMember(o.Guild, suspect, o.ModRole))
	roles := func(who sandbox.ID) []sandbox.ID {
		m, err := o.Bot.Member(t.Context(), o.Guild.String(), who.String())
		o.OK(err)
		var all []sandbox.ID
		for _, r := range m.Roles {
			all = append(all, o.ID(sandbox.ParseID(r)))
		}
		return all
	}
	o.has(o.chooses(o.Owner, "menu quarantine", suspect), "has no quarantine role")
	o.has(o.asks(o.Owner, "settings set", map[string]any{"quarantine": o.Jail}), "Saved")
	o.has(o.chooses(o.Mod, "menu quarantine", o.OtherMod), "stands")
	if got := roles(o.OtherMod); !slices.Equal(got, []sandbox.ID{o.ModRole}) {
		t.Fatalf("an equal has %v", got)
	}
	o.has(o.chooses(o.Owner, "menu quarantine", suspect), "1 roles were taken")
	if got := roles(suspect); !slices.Equal(got, []sandbox.ID{o.Jail}) {
		t.Errorf("the suspect has %v", got)
	}
	o.has(o.chooses(o.Owner, "menu quarantine", o.App.ID), "nothing was changed")
	o.show()
	o.has(o.chooses(o.Member, "menu quarantine", suspect), "You may not run")
}

// TestTrustFromTheMenu: for an hour, and never in the place of longer trust.
func TestTrustFromTheMenu(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.has(o.chooses(o.Owner, "menu trust", o.Mod), "No limit hits")
	v, err := o.bot.parts.settings.Of(t.Context(), o.GuildID())
	o.OK(err)
	if len(v.Exempt) != 1 || v.Exempt[0].User != o.Mod.String() || time.Until(v.Exempt[0].Until).Round(time.Minute) != time.Hour {
		t.Errorf("%+v", v.Exempt)
	}
	o.has(o.chooses(o.Owner, "menu trust", o.Mod), "No limit hits") // longer now, by seconds
	o.has(o.asks(o.Owner, "settings exempt", map[string]any{"user": o.Mod}), "Saved")
	o.has(o.chooses(o.Owner, "menu trust", o.Mod), "longer than that already")
	v, err = o.bot.parts.settings.Of(t.Context(), o.GuildID())
	o.OK(err)
	if len(v.Exempt) != 1 || !v.Exempt[0].Until.IsZero() {
		t.Errorf("%+v", v.Exempt)
	}
}

// TestDeleteAnAuthorsMessages: those in this channel, counted on the button, and not those
// of others or of elsewhere.
func TestDeleteAnAuthorsMessages(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	elsewhere := o.ID(o.Discord.AddChannel(o.Guild, "elsewhere", sandbox.TextChannel))
	var last sandbox.ID
	for i := range 5 {
		last = o.ID(o.Discord.As(o.Member).Send(o.Text, fmt.Sprint("spam ", i)))
		o.ID(o.Discord.As(o.Mod).Send(o.Text, "please stop"))
		o.ID(o.Discord.As(o.Member).Send(elsewhere, "fine here"))
	}
	ask := o.chooses(o.Mod, "menu clear", last)
	o.has(ask, "5 messages of <@"+o.Member.String()+">")
	o.ID(o.Discord.As(o.Member).Send(o.Text, "later"))
	o.has(o.presses(o.Mod, ask.Original, "Delete 5"), "5 messages")
	left := ""
	for _, m := range append(o.Discord.Messages(o.Text), o.Discord.Messages(elsewhere)...) {
		left += m.Content + ","
	}
	if strings.Contains(left, "spam") || strings.Count(left, "please stop") != 5 || strings.Count(left, "fine here") != 5 || !strings.Contains(left, "later") {
		t.Errorf("left: %s", left)
	}
}

// TestTimelineFromTheMenu shows what somebody did and opens no incident.
func TestTimelineFromTheMenu(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.has(o.chooses(o.Owner, "menu timeline", o.Mod), "days")
	channel := o.ID(o.Discord.As(o.Mod).CreateChannel(o.Guild, "mine", sandbox.TextChannel, 0))
	o.OK(o.Discord.As(o.Mod).DeleteChannel(channel))
	o.soon("the deed is in the timeline", func() bool {
		return strings.Contains(text(t, o.chooses(o.Owner, "menu timeline", o.Mod)), "mine")
	})
	all, err := o.bot.parts.book.List(t.Context(), o.GuildID())
	if err != nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

// TestMenusAreSynced: they are made, changed and removed by difference as slash commands
// are, in every language, and one of the same name in another menu is another command.
func TestMenusAreSynced(t *testing.T) {
	t.Parallel()
	o := newOffice(t, nil)
	o.register(nil)
	sets, err := bus.OpenRecords(t.Context(), o.Bus, bus.CommandSets())
	o.OK(err)
	o.OK(sets.Delete(t.Context(), bus.CommandSetKey(o.Self(), o.GuildID()), 0))
	menus := o.bot.registry.Payload(func(c command.Command) bool { return c.Menu != 0 })
	if len(menus) != 4 || menus[0].Description != "" || (*menus[0].NameLocalizations)["de"] == "" {
		t.Fatalf("%+v", menus)
	}
	for _, want := range []string{"create ", "unchanged: 4"} {
		done, err := o.syncer().Sync(t.Context(), o.GuildID(), menus)
		if err != nil || !strings.HasPrefix(done.String(), want) {
			t.Fatalf("%v, %v", done, err)
		}
	}
	(*menus[1].NameLocalizations)["de"] = "Anders"
	done, err := o.syncer().Sync(t.Context(), o.GuildID(), menus[1:])
	if err != nil || len(done.Edited) != 1 || len(done.Deleted) != 1 || done.Unchanged != 2 {
		t.Errorf("%v, %v", done, err)
	}
}
