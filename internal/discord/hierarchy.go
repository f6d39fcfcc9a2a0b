package discord

import (
	"strings"

	"github.com/bwmarrin/discordgo"
)

// RoleAbove says whether role a stands above role b: by position, and of two with the
// same position the older one. No role is above itself, every role is above none.
func RoleAbove(a, b *discordgo.Role) bool {
	switch {
	case a == nil:
		return false
	case b == nil:
		return true
	case a.Position != b.Position:
		return a.Position > b.Position
	}
	return lowerID(a.ID, b.ID)
}

// lowerID compares two decimal ids.
func lowerID(a, b string) bool {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// TopRole is a member's highest role, @everyone if there is no other; nil when the guild
// has none of them.
func TopRole(g *discordgo.Guild, m *discordgo.Member) *discordgo.Role {
	var top *discordgo.Role
	for _, r := range g.Roles {
		if (r.ID == g.ID || hasRole(m, r.ID)) && RoleAbove(r, top) {
			top = r
		}
	}
	return top
}

// CanAct says whether the order of roles lets one member kick, ban, rename or time out
// another, or change their roles: the owner above all, else a strictly higher top role.
// Nobody stands above themselves. The permission for it is another question.
func CanAct(g *discordgo.Guild, actor, target *discordgo.Member) bool {
	switch {
	case actor.User.ID == target.User.ID, target.User.ID == g.OwnerID:
		return false
	case actor.User.ID == g.OwnerID:
		return true
	}
	return RoleAbove(TopRole(g, actor), TopRole(g, target))
}

// CanActOnRole says whether the order of roles lets a member edit, move, give or take a
// role: it has to stand below the member's highest one, whoever that is but the owner.
func CanActOnRole(g *discordgo.Guild, actor *discordgo.Member, r *discordgo.Role) bool {
	return actor.User.ID == g.OwnerID || RoleAbove(TopRole(g, actor), r)
}

// CanGiveRole says whether a member may give a role to others or take it: it stands
// below, and nobody gives @everyone or a role that belongs to a bot, to boosting or to
// an integration.
func CanGiveRole(g *discordgo.Guild, actor *discordgo.Member, r *discordgo.Role) bool {
	return !r.Managed && r.ID != g.ID && CanActOnRole(g, actor, r)
}
