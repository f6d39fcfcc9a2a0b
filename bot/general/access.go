package general

import (
	"context"
	"errors"
	"strings"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
)

func accessCommands(s Stores) []command.Command {
	which := command.Option{Name: "command", Kind: command.Text, Required: true, Complete: true}
	user, role := command.Option{Name: "user", Kind: command.Person}, command.Option{Name: "role", Kind: command.Role}
	one := func(name string, options []command.Option, handle func(context.Context, *command.Use, Stores, string) error) command.Command {
		return command.Command{Name: "access " + name, Group: "settings", Default: administrators, Access: access.Needs(administrators),
			Options: append([]command.Option{which}, options...),
			Handle: func(ctx context.Context, u *command.Use) error {
				name := strings.TrimPrefix(u.Text("command"), "/")
				if !known(u, name) {
					return command.Refuse("access.unknown")
				}
				return handle(ctx, u, s, name)
			},
			Complete: func(_ context.Context, u *command.Use, _, typed string) ([]command.Choice, error) {
				return choicesOf(u.Registry().All(), typed), nil
			}}
	}
	return []command.Command{
		one("check", []command.Option{user}, checkAccess),
		one("allow", []command.Option{user, role}, func(ctx context.Context, u *command.Use, s Stores, name string) error {
			return nameIn(ctx, u, s, name, true)
		}),
		one("deny", []command.Option{user, role}, func(ctx context.Context, u *command.Use, s Stores, name string) error {
			return nameIn(ctx, u, s, name, false)
		}),
		one("disable", nil, func(ctx context.Context, u *command.Use, s Stores, name string) error {
			return switchTo(ctx, u, s, name, true)
		}),
		one("enable", nil, func(ctx context.Context, u *command.Use, s Stores, name string) error {
			return switchTo(ctx, u, s, name, false)
		}),
		one("reset", nil, func(ctx context.Context, u *command.Use, s Stores, name string) error {
			if err := s.Access().Reset(ctx, u.Guild, name); err != nil {
				return err
			}
			return u.Say(ctx, "access.reset", "command", name)
		}),
	}
}

// known says whether a name is that of a command or of a root.
func known(u *command.Use, name string) bool {
	for _, c := range u.Registry().All() {
		if c.Name == name || c.Root() == name {
			return true
		}
	}
	return false
}

func nameIn(ctx context.Context, u *command.Use, s Stores, name string, allow bool) error {
	who, shown, err := grantee(u)
	if err != nil {
		return err
	}
	err = s.Access().Change(ctx, u.Guild, name, u.User, func(set *bus.Access) { access.Name(set, who, allow) })
	if errors.Is(err, access.ErrFull) {
		return command.Refuse("access.full", "max", bus.MaxGrantees)
	}
	if err != nil {
		return err
	}
	key := "access.denied"
	if allow {
		key = "access.allowed"
	}
	return u.Say(ctx, key, "who", shown, "command", name)
}

func switchTo(ctx context.Context, u *command.Use, s Stores, name string, off bool) error {
	if err := s.Access().Change(ctx, u.Guild, name, u.User, func(set *bus.Access) { set.Disabled = off }); err != nil {
		return err
	}
	key := "access.enabled"
	if off {
		key = "access.disabled"
	}
	return u.Say(ctx, key, "command", name)
}

// checkAccess asks Discord afresh who somebody is, and explains what would be decided.
func checkAccess(ctx context.Context, u *command.Use, s Stores, name string) error {
	user, m := u.Person("user")
	if user == nil {
		user, m = u.Member.User, u.Member
	}
	if m == nil {
		return command.Refuse("access.not_member")
	}
	c, ok := u.Registry().Get(name)
	if !ok {
		c = command.Command{Name: name}
		for _, one := range u.Registry().All() {
			if one.Root() == name {
				c.Access = one.Access
			}
		}
	}
	g, err := u.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return err
	}
	levels, err := s.Access().Levels(ctx, u.Guild, name)
	if err != nil {
		return err
	}
	d := access.Decide(c.Access, levels, access.Asker{User: user.ID, Roles: m.Roles, Permissions: m.Permissions, Owner: g.OwnerID == user.ID})
	key, colour := "access.no", card.Bad
	if d.Allowed {
		key, colour = "access.yes", card.Good
	}
	return u.Reply(ctx, card.Card{Colour: colour, Text: u.T(key, "who", "<@"+user.ID+">", "command", name, "why", u.T("why."+string(d.Why), "where", d.Where))})
}
