package discord

import (
	"time"

	"github.com/bwmarrin/discordgo"
)

// Permission bits that discordgo has no name for yet.
const (
	PermissionPinMessages    int64 = 1 << 51
	PermissionBypassSlowmode int64 = 1 << 52

	// AllPermissions is what owners and administrators have: every bit up to the highest
	// in use.
	AllPermissions int64 = 1<<53 - 1
)

// timedOutMask is all that is left to a member in time-out.
const timedOutMask = discordgo.PermissionViewChannel | discordgo.PermissionReadMessageHistory

// noSend is what goes away with the permission to send messages.
const noSend = discordgo.PermissionMentionEveryone | discordgo.PermissionSendTTSMessages |
	discordgo.PermissionAttachFiles | discordgo.PermissionEmbedLinks

// TimedOut says whether a member is in time-out at an instant.
func TimedOut(m *discordgo.Member, now time.Time) bool {
	return m.CommunicationDisabledUntil != nil && now.Before(*m.CommunicationDisabledUntil)
}

// RolePermissions is what a member's roles give in the whole guild, time-outs aside: all
// for the owner and administrators, for others @everyone's and their roles' together.
// The guild needs its Roles and OwnerID, the member its User and Roles.
func RolePermissions(g *discordgo.Guild, m *discordgo.Member) int64 {
	if m.User.ID == g.OwnerID {
		return AllPermissions
	}
	var p int64
	for _, r := range g.Roles {
		if r.ID == g.ID || hasRole(m, r.ID) {
			p |= r.Permissions
		}
	}
	if p&discordgo.PermissionAdministrator != 0 {
		return AllPermissions
	}
	return p
}

// GuildPermissions is what a member may do in the guild at an instant, channels aside.
func GuildPermissions(g *discordgo.Guild, m *discordgo.Member, now time.Time) int64 {
	p := RolePermissions(g, m)
	if p != AllPermissions && TimedOut(m, now) {
		p &= timedOutMask
	}
	return p
}

// ChannelPermissions is what a member may do in a channel at an instant. A thread has its
// parent's overwrites: give the parent for those, nil otherwise.
//
// Overwrites apply in Discord's order: @everyone's, those of all roles together, the
// member's; each denies first. Then what is denied by implication goes: everything
// without View Channel, everything but that without Connect where there is voice, and
// without Send Messages (in threads: Send Messages in Threads) what goes with a message.
func ChannelPermissions(g *discordgo.Guild, m *discordgo.Member, c, parent *discordgo.Channel, now time.Time) int64 {
	p := RolePermissions(g, m)
	if p == AllPermissions {
		return p
	}
	overwrites := c.PermissionOverwrites
	if parent != nil {
		overwrites = parent.PermissionOverwrites
	}
	p = overwritten(p, g, m, overwrites)
	send := int64(discordgo.PermissionSendMessages)
	if c.IsThread() {
		send = discordgo.PermissionSendMessagesInThreads
	}
	voice := c.Type == discordgo.ChannelTypeGuildVoice || c.Type == discordgo.ChannelTypeGuildStageVoice
	switch {
	case p&discordgo.PermissionViewChannel == 0:
		return 0
	case voice && p&discordgo.PermissionVoiceConnect == 0:
		p &= discordgo.PermissionViewChannel
	case p&send == 0:
		p &^= noSend
	}
	if TimedOut(m, now) {
		p &= timedOutMask
	}
	return p
}

// overwritten applies the overwrites that concern a member.
func overwritten(p int64, g *discordgo.Guild, m *discordgo.Member, overwrites []*discordgo.PermissionOverwrite) int64 {
	var everyone, roles, own discordgo.PermissionOverwrite
	for _, o := range overwrites {
		switch {
		case o.Type == discordgo.PermissionOverwriteTypeMember && o.ID == m.User.ID:
			own = *o
		case o.Type != discordgo.PermissionOverwriteTypeRole:
		case o.ID == g.ID:
			everyone = *o
		case hasRole(m, o.ID):
			roles.Deny |= o.Deny
			roles.Allow |= o.Allow
		}
	}
	for _, o := range []discordgo.PermissionOverwrite{everyone, roles, own} {
		p = p&^o.Deny | o.Allow
	}
	return p
}

func hasRole(m *discordgo.Member, role string) bool {
	for _, r := range m.Roles {
		if r == role {
			return true
		}
	}
	return false
}
