package lockdown

import (
	"context"
	"slices"
	"strconv"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// view is a guild as Discord showed it at one moment.
type view struct {
	guild    *discordgo.Guild
	channels []*discordgo.Channel
	me       *discordgo.Member
}

// look asks Discord for all that a plan depends on.
func look(ctx context.Context, bot *discord.Bot, g bus.GuildID, self string) (view, error) {
	v, err := glance(ctx, bot, g, true)
	if err == nil {
		v.me, err = bot.Member(ctx, g.String(), self)
	}
	return v, err
}

// glance asks Discord for roles, and with channels for overwrites too.
func glance(ctx context.Context, bot *discord.Bot, g bus.GuildID, channels bool) (v view, err error) {
	if v.guild, err = bot.Guild(ctx, g.String()); err == nil && channels {
		v.channels, err = bot.Channels(ctx, g.String())
	}
	return v, err
}

func (v view) role(id string) *discordgo.Role {
	for _, r := range v.guild.Roles {
		if r.ID == id {
			return r
		}
	}
	return nil
}

func (v view) channel(id string) *discordgo.Channel {
	for _, c := range v.channels {
		if c.ID == id {
			return c
		}
	}
	return nil
}

func kindOf(t bus.LockTarget) discordgo.PermissionOverwriteType {
	if t.Member {
		return discordgo.PermissionOverwriteTypeMember
	}
	return discordgo.PermissionOverwriteTypeRole
}

func overwrite(c *discordgo.Channel, t bus.LockTarget) *discordgo.PermissionOverwrite {
	for _, o := range c.PermissionOverwrites {
		if o.ID == t.ID && o.Type == kindOf(t) {
			return o
		}
	}
	return nil
}

// at gives the state of a target; false when its role or channel is gone.
func (v view) at(t bus.LockTarget) (state, bool) {
	if !t.Member && v.role(t.ID) == nil {
		return state{}, false
	}
	if t.Channel == "" {
		return state{true, v.role(t.ID).Permissions, 0}, true
	}
	c := v.channel(t.Channel)
	if c == nil {
		return state{}, false
	}
	o := overwrite(c, t)
	if o == nil {
		return state{}, true
	}
	return state{true, o.Allow, o.Deny}, true
}

// put changes the view.
func (v view) put(t bus.LockTarget, s state) {
	if t.Channel == "" {
		v.role(t.ID).Permissions = s.allow
		return
	}
	c := v.channel(t.Channel)
	switch o := overwrite(c, t); {
	case !s.exists:
		c.PermissionOverwrites = slices.DeleteFunc(c.PermissionOverwrites, func(o *discordgo.PermissionOverwrite) bool { return o.ID == t.ID && o.Type == kindOf(t) })
	case o != nil:
		o.Allow, o.Deny = s.allow, s.deny
	default:
		c.PermissionOverwrites = append(c.PermissionOverwrites, &discordgo.PermissionOverwrite{ID: t.ID, Type: kindOf(t), Allow: s.allow, Deny: s.deny})
	}
}

// copied gives a view that can be changed without touching the first.
func (v view) copied() view {
	guild := *v.guild
	guild.Roles = nil
	for _, r := range v.guild.Roles {
		one := *r
		guild.Roles = append(guild.Roles, &one)
	}
	next := view{guild: &guild, me: v.me}
	for _, c := range v.channels {
		one := *c
		one.PermissionOverwrites = nil
		for _, o := range c.PermissionOverwrites {
			other := *o
			one.PermissionOverwrites = append(one.PermissionOverwrites, &other)
		}
		next.channels = append(next.channels, &one)
	}
	return next
}

// unlocked is the guild as it would be if all its locks were lifted now. Plans are made on
// it, so that a lock over another does not take what that one closed for closed.
func (v view) unlocked(l bus.Lockdown) view {
	v = v.copied()
	for _, h := range l.Holds {
		now, ok := v.at(h.LockTarget)
		if !ok {
			continue
		}
		all := bus.Hold{LockTarget: h.LockTarget, Created: h.Created, Allow: h.Allow, Deny: h.Deny, By: map[string]int64{"": held(h)}}
		v.put(h.LockTarget, openTo(&all, "", now, shut(v.guild.ID, h.LockTarget)))
	}
	return v
}

// send makes a target at Discord what it has to become.
func send(ctx context.Context, bot *discord.Bot, g bus.GuildID, t bus.LockTarget, now, next state, why string) error {
	switch {
	case now == next:
		return nil
	case t.Channel == "":
		_, err := bot.EditRole(ctx, g.String(), t.ID, discord.Changes{"permissions": strconv.FormatInt(next.allow, 10)}, why)
		return err
	case !next.exists:
		return bot.DeleteOverwrite(ctx, t.Channel, t.ID, why)
	}
	o := &discordgo.PermissionOverwrite{ID: t.ID, Type: kindOf(t), Allow: next.allow, Deny: next.deny}
	return bot.SetOverwrite(ctx, t.Channel, o, why)
}
