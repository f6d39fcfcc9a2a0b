package moderate

import (
	"context"
	"strings"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
	"splashtail/internal/discord"
)

// Tools is what the commands work with.
type Tools struct {
	Self     func() string // the bot's own user
	Settings func(context.Context, bus.GuildID) (bus.GuildSettings, error)
	Keeper   *Keeper
}

// target is who a command acts on. Guild and membership are asked of Discord at that
// moment: a role that was taken a second ago counts no more.
type target struct {
	guild  *discordgo.Guild
	user   *discordgo.User
	member *discordgo.Member // nil: not a member
}

// aim finds the target and refuses when roles or permissions are in the way. need is the
// permission of Discord that the bot has to have.
func (t Tools) aim(ctx context.Context, u *command.Use, need int64) (target, error) {
	user, _ := u.Person("user")
	switch {
	case user == nil:
		return target{}, command.Refuse("mod.unknown_user")
	case user.ID == u.User.String():
		return target{}, command.Refuse("mod.self")
	case user.ID == t.Self():
		return target{}, command.Refuse("mod.me")
	}
	g, err := u.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return target{}, err
	}
	me, err := u.Bot.Member(ctx, u.GuildID(), t.Self())
	if err != nil {
		return target{}, err
	}
	if discord.RolePermissions(g, me)&need != need {
		return target{}, command.Refuse("mod.bot_lacks", "permission", permissionName(need))
	}
	m, err := u.Bot.Member(ctx, u.GuildID(), user.ID)
	if discord.HasCode(err, discord.CodeUnknownMember, discord.CodeUnknownUser) {
		return target{guild: g, user: user}, nil
	}
	switch {
	case err != nil:
		return target{}, err
	case !discord.CanAct(g, u.Member, m):
		return target{}, command.Refuse("mod.hierarchy", "user", mention(user.ID))
	case !discord.CanAct(g, me, m):
		return target{}, command.Refuse("mod.bot_hierarchy", "user", mention(user.ID))
	}
	return target{g, user, m}, nil
}

// aimMember is aim for what can be done to members only.
func (t Tools) aimMember(ctx context.Context, u *command.Use, need int64) (target, error) {
	to, err := t.aim(ctx, u, need)
	if err == nil && to.member == nil {
		err = command.Refuse("mod.not_member", "user", mention(to.user.ID))
	}
	return to, err
}

func mention(id string) string { return "<@" + id + ">" }

// permissionName is what Discord calls a permission in its English client.
func permissionName(p int64) string {
	switch p {
	case discordgo.PermissionKickMembers:
		return "Kick Members"
	case discordgo.PermissionBanMembers:
		return "Ban Members"
	case discordgo.PermissionModerateMembers:
		return "Timeout Members"
	case discordgo.PermissionManageRoles:
		return "Manage Roles"
	}
	return "Manage Messages"
}

// done replies, and tells it in the log channel. A log that cannot be written stops
// nothing: the audit log has it as well.
func (t Tools) done(ctx context.Context, u *command.Use, reason, key string, values ...any) error {
	err := u.Say(ctx, key, values...)
	v, err2 := t.Settings(ctx, u.Guild)
	if err2 == nil && v.LogChannel != "" {
		line := card.Card{Title: u.Command.Shown(u.Everybody), Text: u.Everybody.T(key, values...), Fields: []card.Field{
			{Name: u.Everybody.T("mod.by"), Value: mention(u.User.String()), Inline: true},
			{Name: u.Everybody.T("mod.reason"), Value: card.Plainly(reason)},
		}, Footer: "op=" + u.Op}
		_, err2 = u.Bot.SendMessage(ctx, v.LogChannel, line.Message(), u.Op)
	}
	if err2 != nil {
		u.Log.Warn("an act could not be told in the log channel", "guild", u.Guild, "op", u.Op, "err", err2)
	}
	return err
}

// reason is the option that every command here has.
func reason() command.Option {
	return command.Option{Name: "reason", Kind: command.Text, Min: 1, Max: maxReason}
}

// maxReason leaves room in the audit log for who asked and the op.
const maxReason = 384

// why gives the audit-log reason.
func why(u *command.Use) string { return u.Reason(strings.Join(strings.Fields(u.Text("reason")), " ")) }
