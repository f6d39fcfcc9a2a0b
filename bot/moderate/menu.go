package moderate

import (
	"context"
	"slices"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/command"
)

// menuCommands are those in the menus of people and messages.
func menuCommands(t Tools) []command.Command {
	clear := command.Command{Name: "menu clear", Menu: command.OfMessage, Group: group, Default: discordgo.PermissionManageMessages,
		Access: access.Needs(discordgo.PermissionManageMessages), Handle: t.clearAuthor, Confirmed: t.pruned}
	return []command.Command{
		{Name: "menu quarantine", Menu: command.OfPerson, Group: group, Default: discordgo.PermissionModerateMembers,
			Access: access.Needs(discordgo.PermissionModerateMembers | discordgo.PermissionManageRoles), Handle: t.quarantine},
		clear,
	}
}

// quarantine leaves somebody the quarantine role, and the roles that Discord itself gives,
// as a limit with this response does.
func (t Tools) quarantine(ctx context.Context, u *command.Use) error {
	v, err := t.Settings(ctx, u.Guild)
	if err != nil {
		return err
	}
	if v.Quarantine == "" {
		return command.Refuse("menu.no_quarantine")
	}
	to, err := t.aimMember(ctx, u, discordgo.PermissionManageRoles)
	if err != nil {
		return err
	}
	if to.user.Bot {
		return command.Refuse("menu.bot", "user", mention(to.user.ID)) // its permissions are in a role that nobody can take
	}
	if !slices.ContainsFunc(to.guild.Roles, func(r *discordgo.Role) bool { return r.ID == v.Quarantine }) {
		return command.Refuse("menu.no_quarantine")
	}
	left := []string{v.Quarantine}
	taken := 0
	for _, r := range to.guild.Roles {
		switch has := slices.Contains(to.member.Roles, r.ID); {
		case has && r.Managed:
			left = append(left, r.ID)
		case has && r.ID != v.Quarantine:
			taken++
		}
	}
	if err := u.Bot.SetRoles(ctx, u.GuildID(), to.user.ID, left, u.Reason("quarantine")); err != nil {
		return err
	}
	return t.done(ctx, u, "-", "menu.quarantined", "user", mention(to.user.ID), "role", "<@&"+v.Quarantine+">", "count", taken)
}

// clearAuthor counts what the author of a message wrote in its channel, and asks before it
// is deleted.
func (t Tools) clearAuthor(ctx context.Context, u *command.Use) error {
	m := u.Marked()
	if m == nil || m.Author == nil {
		return command.Refuse("error.unknown")
	}
	if err := t.mayPrune(ctx, u, u.Channel); err != nil {
		return err
	}
	s := selection{channel: u.Channel, author: m.Author.ID, limit: maxPrune}
	return s.ask(ctx, u, "", func(count int) string {
		return u.T("menu.clear_ask", "user", mention(s.author), "count", count, "channel", "<#"+s.channel+">")
	})
}
