package general

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/settings"
	"splashtail/bus"
)

func settingsCommands(s Stores) []command.Command {
	text := []discordgo.ChannelType{discordgo.ChannelTypeGuildText, discordgo.ChannelTypeGuildNews}
	one := func(name string, options []command.Option, handle func(context.Context, *command.Use, Stores) error) command.Command {
		return command.Command{Name: "settings " + name, Group: "settings", Default: administrators, Access: access.Needs(administrators),
			Options: options, Handle: func(ctx context.Context, u *command.Use) error { return handle(ctx, u, s) }}
	}
	who := []command.Option{{Name: "user", Kind: command.Person}, {Name: "role", Kind: command.Role}}
	return []command.Command{
		one("show", nil, showSettings),
		one("set", []command.Option{
			{Name: "log", Kind: command.Channel, ChannelTypes: text}, {Name: "alert", Kind: command.Channel, ChannelTypes: text},
			{Name: "language", Kind: command.Text, Choices: []string{"en", "de"}}, {Name: "quarantine", Kind: command.Role},
			{Name: "restore_approval", Kind: command.Text, Choices: approvals()},
		}, setSettings),
		one("clear", []command.Option{{Name: "setting", Kind: command.Text, Required: true, Choices: []string{"log", "alert", "language", "quarantine"}}}, clearSetting),
		one("exempt", append(slices.Clone(who), command.Option{Name: "for", Kind: command.Text, Max: 20, Min: 2}), exempt),
		one("unexempt", who, unexempt),
		{Name: "menu trust", Menu: command.OfPerson, Group: "settings", Default: administrators, Access: access.Needs(administrators),
			Handle: func(ctx context.Context, u *command.Use) error { return trust(ctx, u, s) }},
	}
}

func showSettings(ctx context.Context, u *command.Use, s Stores) error {
	v, err := s.Settings().Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	channel := func(id string) string {
		if id == "" {
			return u.T("settings.unset")
		}
		return "<#" + id + ">"
	}
	role, language := u.T("settings.unset"), u.T("settings.unset")
	if v.Quarantine != "" {
		role = "<@&" + v.Quarantine + ">"
	}
	if v.Language != "" {
		language = u.T("choice." + v.Language)
	}
	var trusted strings.Builder
	for _, e := range v.Exempt {
		until := u.T("settings.forever")
		if !settings.Running(e, time.Now()) {
			continue
		}
		if !e.Until.IsZero() {
			until = stamp(e.Until)
		}
		trusted.WriteString(mention(e.Grantee) + " " + until + "\n")
	}
	return u.Reply(ctx, card.Card{Title: u.T("settings.title"), Fields: []card.Field{
		{Name: u.T("choice.log"), Value: channel(v.LogChannel), Inline: true}, {Name: u.T("choice.alert"), Value: channel(v.AlertChannel), Inline: true},
		{Name: u.T("choice.language"), Value: language, Inline: true}, {Name: u.T("choice.quarantine"), Value: role, Inline: true},
		{Name: u.T("settings.restore_approval"), Value: u.T("choice." + cmp.Or(v.RestoreNeeds, approvalNobody)), Inline: true},
		{Name: u.T("settings.exempt"), Value: cmp.Or(trusted.String(), u.T("settings.unset"))},
	}})
}

func setSettings(ctx context.Context, u *command.Use, s Stores) error {
	role := u.RoleOf("quarantine")
	switch {
	case role != nil && (role.Managed || role.ID == u.GuildID()):
		return command.Refuse("settings.role_unusable")
	case !u.Given("log") && !u.Given("alert") && !u.Given("language") && !u.Given("restore_approval") && role == nil:
		return command.Refuse("settings.nothing")
	}
	approve, err := approval(ctx, u)
	if err != nil {
		return err
	}
	err = s.Settings().Change(ctx, u.Guild, u.User, func(v *bus.GuildSettings) error {
		v.LogChannel = cmp.Or(u.ChannelOf("log"), v.LogChannel)
		v.AlertChannel = cmp.Or(u.ChannelOf("alert"), v.AlertChannel)
		v.Language = cmp.Or(u.Text("language"), v.Language)
		if role != nil {
			v.Quarantine = role.ID
		}
		return approve(v)
	})
	if err != nil {
		return err
	}
	return u.Say(ctx, "settings.saved")
}

func clearSetting(ctx context.Context, u *command.Use, s Stores) error {
	err := s.Settings().Change(ctx, u.Guild, u.User, func(v *bus.GuildSettings) error {
		switch u.Text("setting") {
		case "log":
			v.LogChannel = ""
		case "alert":
			v.AlertChannel = ""
		case "language":
			v.Language = ""
		case "quarantine":
			v.Quarantine = ""
		}
		return nil
	})
	if err != nil {
		return err
	}
	return u.Say(ctx, "settings.saved")
}

func exempt(ctx context.Context, u *command.Use, s Stores) error {
	who, _, err := grantee(u)
	if err != nil {
		return err
	}
	e := bus.Exemption{Grantee: who, By: u.User}
	if text := u.Text("for"); text != "" {
		d, err := command.ParseDuration(text)
		if err != nil {
			return err
		}
		e.Until = time.Now().Add(d).UTC()
	}
	if err := s.add(ctx, u, e); err != nil {
		return err
	}
	return u.Say(ctx, "settings.saved")
}

// add puts an exemption in the place of an earlier one for the same; those that have ended
// go.
func (s Stores) add(ctx context.Context, u *command.Use, e bus.Exemption) error {
	return s.Settings().Change(ctx, u.Guild, u.User, func(v *bus.GuildSettings) error {
		v.Exempt = slices.DeleteFunc(v.Exempt, func(o bus.Exemption) bool {
			return o.Grantee == e.Grantee && o.Kind == e.Kind || !settings.Running(o, time.Now())
		})
		if len(v.Exempt) >= bus.MaxExemptions {
			return command.Refuse("settings.full", "max", bus.MaxExemptions)
		}
		v.Exempt = append(v.Exempt, e)
		return nil
	})
}

// trustFor is how long the menu's trust lasts.
const trustFor = time.Hour

// trust exempts somebody from all limits for an hour. Longer trust that they have stays.
func trust(ctx context.Context, u *command.Use, s Stores) error {
	who, _ := u.Person("user")
	if who == nil {
		return command.Refuse("mod.unknown_user")
	}
	e := bus.Exemption{Grantee: bus.Grantee{User: who.ID}, By: u.User, Until: time.Now().Add(trustFor).UTC()}
	v, err := s.Settings().Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	for _, o := range v.Exempt {
		if o.Grantee == e.Grantee && o.Kind == "" && settings.Running(o, e.Until) {
			return command.Refuse("menu.trusted_already", "user", "<@"+who.ID+">")
		}
	}
	if err := s.add(ctx, u, e); err != nil {
		return err
	}
	u.Log.Info("somebody is trusted for a time", "guild", u.Guild, "user", who.ID, "by", u.User, "op", u.Op)
	return u.Say(ctx, "menu.trusted", "user", "<@"+who.ID+">", "until", stamp(e.Until))
}

func unexempt(ctx context.Context, u *command.Use, s Stores) error {
	who, _, err := grantee(u)
	if err != nil {
		return err
	}
	err = s.Settings().Change(ctx, u.Guild, u.User, func(v *bus.GuildSettings) error {
		v.Exempt = slices.DeleteFunc(v.Exempt, func(o bus.Exemption) bool { return o.Grantee == who })
		return nil
	})
	if err != nil {
		return err
	}
	return u.Say(ctx, "settings.saved")
}
