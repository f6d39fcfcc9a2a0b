package lockdown

import (
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// lockable is what a lock takes away: writing, reacting, and joining voice channels.
// Reading stays, so that people see what goes on.
const lockable int64 = discordgo.PermissionSendMessages | discordgo.PermissionSendMessagesInThreads |
	discordgo.PermissionCreatePublicThreads | discordgo.PermissionCreatePrivateThreads |
	discordgo.PermissionAddReactions | discordgo.PermissionVoiceConnect

// moderating is what makes a role one of staff: it is not the public's, and keeps what it
// has.
const moderating int64 = discordgo.PermissionAdministrator | discordgo.PermissionKickMembers | discordgo.PermissionBanMembers |
	discordgo.PermissionManageChannels | discordgo.PermissionManageGuild | discordgo.PermissionViewAuditLogs |
	discordgo.PermissionManageMessages | discordgo.PermissionManageNicknames | discordgo.PermissionManageRoles |
	discordgo.PermissionManageWebhooks | discordgo.PermissionManageGuildExpressions | discordgo.PermissionManageEvents |
	discordgo.PermissionManageThreads | discordgo.PermissionModerateMembers | discordgo.PermissionVoiceMuteMembers |
	discordgo.PermissionVoiceDeafenMembers | discordgo.PermissionVoiceMoveMembers

// Why a target is left as it is.
const (
	whyHierarchy = "hierarchy" // the role stands above the bot's
	whyMissing   = "missing"   // the bot lacks a permission there
	whyRefused   = "refused"   // Discord said no
)

// plan is what a lock would change.
type plan struct {
	parts    []bus.LockPart
	failed   []bus.LockFailure
	roles    int // that it closes
	channels int // that it closes
	open     int // channels that a lock of roles does not close, since their overwrites allow it
	// lacks is what the bot cannot take from roles, since its own do not give it.
	lacks int64
}

// planFor plans a lock on a guild without locks.
func planFor(v view, scope bus.LockScope, channel string) plan {
	var p plan
	public := v.public()
	if scope == bus.LockRoles {
		p.lacks = lockable &^ v.keeps()
		p.closeRoles(v, public)
		return p
	}
	for _, c := range v.channels {
		if (scope == bus.LockChannels || c.ID == channel) && hasTalk(c) {
			p.closeChannel(v, public, c)
		}
	}
	return p
}

// hasTalk says whether people talk in a channel; categories and threads are left alone,
// since what is in them follows their own overwrites or their parent's.
func hasTalk(c *discordgo.Channel) bool {
	switch c.Type {
	case discordgo.ChannelTypeGuildText, discordgo.ChannelTypeGuildNews, discordgo.ChannelTypeGuildVoice,
		discordgo.ChannelTypeGuildStageVoice, discordgo.ChannelTypeGuildForum, discordgo.ChannelTypeGuildMedia:
		return true
	}
	return false
}

// public lists the roles that ordinary members have, @everyone among them: those that
// moderate nothing and are of no bot.
func (v view) public() []*discordgo.Role {
	var list []*discordgo.Role
	for _, r := range v.guild.Roles {
		if r.ID == v.guild.ID || !r.Managed && r.Permissions&moderating == 0 {
			list = append(list, r)
		}
	}
	return list
}

// keeps is what the bot may do however public roles are locked. What it lacks it could
// take from others but not give back.
func (v view) keeps() int64 {
	var mine int64
	for _, r := range v.guild.Roles {
		staff := r.Managed || r.Permissions&moderating != 0
		for _, id := range v.me.Roles {
			if id == r.ID && staff {
				mine |= r.Permissions
			}
		}
	}
	if mine&discordgo.PermissionAdministrator != 0 || v.me.User.ID == v.guild.OwnerID {
		return discord.AllPermissions
	}
	return mine
}

func (p *plan) closeRoles(v view, public []*discordgo.Role) {
	after := v.copied()
	for _, r := range public {
		bits := r.Permissions & lockable & v.keeps()
		switch {
		case bits == 0:
		case r.ID != v.guild.ID && !discord.CanActOnRole(v.guild, v.me, r):
			p.failed = append(p.failed, bus.LockFailure{LockTarget: bus.LockTarget{ID: r.ID}, Why: whyHierarchy})
		default:
			p.parts = append(p.parts, bus.LockPart{LockTarget: bus.LockTarget{ID: r.ID}, Bits: bits})
			p.roles++
			after.role(r.ID).Permissions &^= bits
		}
	}
	for _, c := range after.channels {
		if hasTalk(c) && after.reach(after.public(), c)&lockable != 0 {
			p.open++
		}
	}
}

// reach is what the public may do in a channel: everybody, or who has some public role.
func (v view) reach(public []*discordgo.Role, c *discordgo.Channel) int64 {
	now := time.Now()
	who := func(roles ...string) int64 {
		m := &discordgo.Member{User: &discordgo.User{ID: "0"}, Roles: roles}
		return discord.ChannelPermissions(v.guild, m, c, nil, now)
	}
	all := who()
	base := v.role(v.guild.ID).Permissions
	for _, r := range public {
		o := overwrite(c, bus.LockTarget{Channel: c.ID, ID: r.ID})
		if o != nil && o.Allow != 0 || r.Permissions&^base&(lockable|discordgo.PermissionViewChannel) != 0 {
			all |= who(r.ID)
		}
	}
	return all
}

// closeChannel closes a channel that the public uses. The bot's own overwrite comes first:
// where Connect or Send Messages is denied to everybody, it could otherwise not lift that.
func (p *plan) closeChannel(v view, public []*discordgo.Role, c *discordgo.Channel) {
	used := v.reach(public, c) & lockable
	if used == 0 {
		return
	}
	mine := discord.ChannelPermissions(v.guild, v.me, c, nil, time.Now())
	const need = discordgo.PermissionViewChannel | discordgo.PermissionManageRoles
	everyone := bus.LockTarget{Channel: c.ID, ID: v.guild.ID}
	if mine&need != need {
		p.failed = append(p.failed, bus.LockFailure{LockTarget: everyone, Why: whyMissing})
		return
	}
	if used&^mine != 0 {
		// Discord lets nobody change what they lack there; the rest is closed.
		p.failed = append(p.failed, bus.LockFailure{LockTarget: everyone, Why: whyMissing})
	}
	bits := used & mine
	if bits == 0 {
		return
	}
	if mine != discord.AllPermissions {
		p.parts = append(p.parts, bus.LockPart{LockTarget: bus.LockTarget{Channel: c.ID, ID: v.me.User.ID, Member: true}, Bits: bits})
	}
	p.parts = append(p.parts, bus.LockPart{LockTarget: everyone, Bits: bits})
	for _, r := range public {
		t := bus.LockTarget{Channel: c.ID, ID: r.ID}
		if o := overwrite(c, t); o != nil && r.ID != v.guild.ID && o.Allow&bits != 0 {
			p.parts = append(p.parts, bus.LockPart{LockTarget: t, Bits: o.Allow & bits})
		}
	}
	p.channels++
}
