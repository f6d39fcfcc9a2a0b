package sandbox

import (
	"strconv"
	"time"
)

// Permissions is a set of Discord's permission bits. On the wire it is a decimal string.
type Permissions uint64

// The permission bits that a route of the sandbox asks for or that its guilds grant by default.
const (
	CreateInvite          Permissions = 1 << 0
	KickMembers           Permissions = 1 << 1
	BanMembers            Permissions = 1 << 2
	Administrator         Permissions = 1 << 3
	ManageChannels        Permissions = 1 << 4
	ManageGuild           Permissions = 1 << 5
	AddReactions          Permissions = 1 << 6
	ViewAuditLog          Permissions = 1 << 7
	ViewChannel           Permissions = 1 << 10
	SendMessages          Permissions = 1 << 11
	SendTTS               Permissions = 1 << 12
	ManageMessages        Permissions = 1 << 13
	EmbedLinks            Permissions = 1 << 14
	AttachFiles           Permissions = 1 << 15
	ReadMessageHistory    Permissions = 1 << 16
	MentionEveryone       Permissions = 1 << 17
	Connect               Permissions = 1 << 20
	Speak                 Permissions = 1 << 21
	MuteMembers           Permissions = 1 << 22
	DeafenMembers         Permissions = 1 << 23
	MoveMembers           Permissions = 1 << 24
	UseVAD                Permissions = 1 << 25
	ChangeNickname        Permissions = 1 << 26
	ManageNicknames       Permissions = 1 << 27
	ManageRoles           Permissions = 1 << 28
	ManageWebhooks        Permissions = 1 << 29
	ManageExpressions     Permissions = 1 << 30
	UseCommands           Permissions = 1 << 31
	ManageEvents          Permissions = 1 << 33
	ManageThreads         Permissions = 1 << 34
	CreatePublicThreads   Permissions = 1 << 35
	CreatePrivateThreads  Permissions = 1 << 36
	SendMessagesInThreads Permissions = 1 << 38
	ModerateMembers       Permissions = 1 << 40
	CreateExpressions     Permissions = 1 << 43
	CreateEvents          Permissions = 1 << 44
	PinMessages           Permissions = 1 << 51

	// AllPermissions is what the owner and administrators have: every bit up to the highest one in use, 52.
	AllPermissions Permissions = 1<<53 - 1
	// EveryoneDefault is what @everyone of a new guild may do.
	EveryoneDefault = CreateInvite | ViewChannel | SendMessages | EmbedLinks | AttachFiles | ReadMessageHistory |
		Connect | Speak | UseVAD | ChangeNickname | UseCommands
	// VoiceModerator is what a muting bot is invited with.
	VoiceModerator = ViewChannel | Connect | MuteMembers | DeafenMembers | MoveMembers
)

// Has says whether all bits of want are in p.
func (p Permissions) Has(want Permissions) bool { return p&want == want }

// MarshalText gives the decimal form, which Discord sends as a string.
func (p Permissions) MarshalText() ([]byte, error) {
	return strconv.AppendUint(nil, uint64(p), 10), nil
}

// UnmarshalText reads the decimal form.
func (p *Permissions) UnmarshalText(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 64)
	*p = Permissions(n)
	return err
}

// timedOutMask is all that is left to a member in time-out.
const timedOutMask = ViewChannel | ReadMessageHistory

// basePermissions is what a member may do in the guild, channels aside: owner and administrators everything, others the
// union of @everyone and their roles, cut down while they are timed out.
func (g *guild) basePermissions(m *member, now time.Time) Permissions {
	p := g.rolePermissions(m)
	if p != AllPermissions && m.timeout.After(now) {
		p &= timedOutMask
	}
	return p
}

func (g *guild) rolePermissions(m *member) Permissions {
	if m.user.id == g.owner {
		return AllPermissions
	}
	p := g.roles[g.id].permissions
	for _, id := range m.roles {
		if r := g.roles[id]; r != nil {
			p |= r.permissions
		}
	}
	if p.Has(Administrator) {
		return AllPermissions
	}
	return p
}

// channelPermissions is what a member may do in a channel: overwrites of @everyone, then of all roles together, then of the
// member; deny before allow in each step. Without VIEW_CHANNEL nothing else counts, nor without CONNECT where there is voice,
// and without the permission to write nothing that goes with a message. Threads have the overwrites of their channels.
func (g *guild) channelPermissions(m *member, c *channel, now time.Time) Permissions {
	p := g.rolePermissions(m)
	if p == AllPermissions {
		return p
	}
	write := c.writing()
	c = g.overwritten(c)
	everyone := c.overwrites[g.id]
	p = p&^everyone.Deny | everyone.Allow
	var deny, allow Permissions
	for _, id := range m.roles {
		o := c.overwrites[id]
		deny, allow = deny|o.Deny, allow|o.Allow
	}
	p = p&^deny | allow
	own := c.overwrites[m.user.id]
	p = p&^own.Deny | own.Allow
	switch {
	case !p.Has(ViewChannel):
		return 0
	case !p.Has(Connect) && c.voice():
		p &= ViewChannel
	case !p.Has(write):
		p &^= SendTTS | EmbedLinks | AttachFiles | MentionEveryone
	}
	if m.timeout.After(now) {
		p &= timedOutMask
	}
	return p
}

// guarded are the permissions that a guild can bind to a second factor.
const guarded = KickMembers | BanMembers | Administrator | ManageChannels | ManageGuild | ManageMessages | ManageRoles |
	ManageWebhooks | ManageExpressions | ManageThreads

// lacksFactor says whether a guild refuses a bot because its owner has no second factor.
func (c *call) lacksFactor(g *guild, p Permissions) bool {
	return g.mfa && p&guarded != 0 && c.app != nil && c.app.noFactor
}

// mayGrant says whether a member may put these bits into a role: it has to hold them itself, time-out or not.
func (g *guild) mayGrant(m *member, p Permissions) bool { return g.rolePermissions(m).Has(p) }

// isAbove says whether a member stands above a role, so that it may edit, give, take or move it.
func (g *guild) isAbove(m *member, r *role) bool {
	return m.user.id == g.owner || g.topRole(m).above(r)
}

// outranks says whether a stands strictly above b: the owner above all, then the higher top role.
func (g *guild) outranks(a, b *member) bool {
	switch {
	case a == b, b.user.id == g.owner:
		return false
	case a.user.id == g.owner:
		return true
	}
	return g.topRole(a).above(g.topRole(b))
}

// topRole is the highest role of a member; @everyone when it has none.
func (g *guild) topRole(m *member) *role {
	top := g.roles[g.id]
	for _, id := range m.roles {
		if r := g.roles[id]; r != nil && r.above(top) {
			top = r
		}
	}
	return top
}
