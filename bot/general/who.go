package general

import (
	"splashtail/bot/command"
	"splashtail/bus"
)

// grantee reads the options user and role, of which exactly one is given.
func grantee(u *command.Use) (g bus.Grantee, mention string, err error) {
	user, _ := u.Person("user")
	role := u.RoleOf("role")
	switch {
	case user != nil && role == nil:
		return bus.Grantee{User: user.ID}, "<@" + user.ID + ">", nil
	case role != nil && user == nil:
		return bus.Grantee{Role: role.ID}, "<@&" + role.ID + ">", nil
	}
	return g, "", command.Refuse("who.one")
}

func mention(g bus.Grantee) string {
	if g.User != "" {
		return "<@" + g.User + ">"
	}
	return "<@&" + g.Role + ">"
}
