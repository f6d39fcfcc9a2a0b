package moderate

import (
	"context"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/command"
	"splashtail/bus"
	"splashtail/internal/discord"
)

const group = "moderation"

// Commands lists the commands of this package.
func Commands(t Tools) []command.Command {
	user := command.Option{Name: "user", Kind: command.Person, Required: true}
	span := command.Option{Name: "for", Kind: command.Text, Required: true, Min: 2, Max: 20}
	wipe := command.Option{Name: "delete_days", Kind: command.Number, Min: 0, Max: 7}
	one := func(name string, need int64, handle func(context.Context, *command.Use) error, options ...command.Option) command.Command {
		return command.Command{Name: name, Group: group, Default: need, Access: access.Needs(need), Handle: handle, Options: append(options, reason())}
	}
	prune := one("prune", discordgo.PermissionManageMessages, t.prune, pruneOptions()...)
	prune.Confirmed = t.pruned
	return append(menuCommands(t),
		one("kick", discordgo.PermissionKickMembers, t.kick, user),
		one("ban", discordgo.PermissionBanMembers, t.ban, user, wipe),
		one("tempban", discordgo.PermissionBanMembers, t.tempban, user, span, wipe),
		one("unban", discordgo.PermissionBanMembers, t.unban, user),
		one("timeout", discordgo.PermissionModerateMembers, t.timeout, user, span),
		one("untimeout", discordgo.PermissionModerateMembers, t.untimeout, user),
		prune,
	)
}

func (t Tools) kick(ctx context.Context, u *command.Use) error {
	to, err := t.aimMember(ctx, u, discordgo.PermissionKickMembers)
	if err == nil {
		err = u.Bot.Kick(ctx, u.GuildID(), to.user.ID, why(u))
	}
	if err != nil {
		return err
	}
	return t.done(ctx, u, u.Text("reason"), "mod.kicked", "user", mention(to.user.ID))
}

func wipe(u *command.Use) time.Duration {
	return time.Duration(u.Number("delete_days", 0)) * 24 * time.Hour
}

// ban bans for good: what would have ended a ban for a time is dropped.
func (t Tools) ban(ctx context.Context, u *command.Use) error {
	to, err := t.aim(ctx, u, discordgo.PermissionBanMembers)
	if err == nil {
		err = u.Bot.Ban(ctx, u.GuildID(), to.user.ID, wipe(u), why(u))
	}
	if err == nil {
		err = t.Keeper.Forget(ctx, u.Guild, idOf(to), time.Now())
	}
	if err != nil {
		return err
	}
	return t.done(ctx, u, u.Text("reason"), "mod.banned", "user", mention(to.user.ID))
}

func idOf(to target) bus.UserID {
	id, _ := bus.ParseUserID(to.user.ID) // Discord's own
	return id
}

// tempban writes down the end before it bans, so that no ban stays that nobody ends.
func (t Tools) tempban(ctx context.Context, u *command.Use) error {
	span, err := command.ParseDuration(u.Text("for"))
	if err != nil {
		return err
	}
	to, err := t.aim(ctx, u, discordgo.PermissionBanMembers)
	if err != nil {
		return err
	}
	before, known, err := t.Keeper.Planned(ctx, u.Guild, idOf(to))
	if err != nil {
		return err
	}
	if !known {
		// A ban that somebody else meant for good is not ours to end.
		_, err := u.Bot.BanOf(ctx, u.GuildID(), to.user.ID)
		if err == nil {
			return command.Refuse("mod.already_banned", "user", mention(to.user.ID))
		}
		if !discord.HasCode(err, discord.CodeUnknownBan) {
			return err
		}
	}
	now := time.Now().UTC()
	p := bus.Punishment{V: 1, Guild: u.Guild, User: idOf(to), By: u.User, Reason: u.Text("reason"), Op: u.Op, At: now, Until: now.Add(span)}
	if err := t.Keeper.Plan(ctx, p); err != nil {
		return err
	}
	if err := u.Bot.Ban(ctx, u.GuildID(), to.user.ID, wipe(u), why(u)); err != nil {
		t.Keeper.takeBack(ctx, p, before, err)
		return err
	}
	return t.done(ctx, u, u.Text("reason"), "mod.tempbanned", "user", mention(to.user.ID), "until", stamp(p.Until))
}

func stamp(at time.Time) string { return "<t:" + strconv.FormatInt(at.Unix(), 10) + ":f>" }

func (t Tools) unban(ctx context.Context, u *command.Use) error {
	to, err := t.aim(ctx, u, discordgo.PermissionBanMembers)
	if err == nil {
		err = u.Bot.Unban(ctx, u.GuildID(), to.user.ID, why(u))
	}
	if discord.HasCode(err, discord.CodeUnknownBan) {
		err = command.Refuse("mod.not_banned", "user", mention(to.user.ID))
	}
	if err == nil {
		err = t.Keeper.Forget(ctx, u.Guild, idOf(to), time.Now())
	}
	if err != nil {
		return err
	}
	return t.done(ctx, u, u.Text("reason"), "mod.unbanned", "user", mention(to.user.ID))
}

func (t Tools) timeout(ctx context.Context, u *command.Use) error {
	span, err := command.ParseDuration(u.Text("for"))
	if err != nil {
		return err
	}
	if span > discord.MaxTimeout {
		return command.Refuse("mod.timeout_long")
	}
	to, err := t.aimMember(ctx, u, discordgo.PermissionModerateMembers)
	if err != nil {
		return err
	}
	if discord.RolePermissions(to.guild, to.member)&discordgo.PermissionAdministrator != 0 {
		return command.Refuse("mod.timeout_admin", "user", mention(to.user.ID))
	}
	until := time.Now().Add(span)
	if err := u.Bot.Timeout(ctx, u.GuildID(), to.user.ID, until, why(u)); err != nil {
		return err
	}
	return t.done(ctx, u, u.Text("reason"), "mod.timed_out", "user", mention(to.user.ID), "until", stamp(until))
}

func (t Tools) untimeout(ctx context.Context, u *command.Use) error {
	to, err := t.aimMember(ctx, u, discordgo.PermissionModerateMembers)
	if err == nil {
		err = u.Bot.Timeout(ctx, u.GuildID(), to.user.ID, time.Time{}, why(u))
	}
	if err != nil {
		return err
	}
	return t.done(ctx, u, u.Text("reason"), "mod.untimed_out", "user", mention(to.user.ID))
}
