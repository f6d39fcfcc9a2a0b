package sandbox

import (
	"slices"
	"time"
)

// memberPatch is the body of PATCH /guilds/{guild_id}/members/{user_id}: only the keys that were sent are set.
type memberPatch struct {
	nick    field[string]
	roles   field[[]ID]
	mute    field[bool]
	deaf    field[bool]
	channel field[ID] // null = disconnect
	timeout field[time.Time]
	flags   field[int]
}

const (
	maxNick    = 32
	maxTimeout = 28 * 24 * time.Hour
	// editableFlags is BYPASSES_VERIFICATION, the only member flag that a bot may set.
	editableFlags = 1 << 2
)

// parseMemberPatch reads a body as Discord does: unknown keys are ignored, a wrong type is 50035 that names the key, and
// every fault is reported at once.
func parseMemberPatch(body []byte) (memberPatch, *apiError) {
	var p memberPatch
	keys, err := parseObject(body)
	if err != nil {
		return p, err
	}
	var bad formErrors
	read(&bad, keys, "nick", &p.nick, asString(maxNick))
	read(&bad, keys, "roles", &p.roles, asIDs)
	read(&bad, keys, "mute", &p.mute, asBool)
	read(&bad, keys, "deaf", &p.deaf, asBool)
	read(&bad, keys, "channel_id", &p.channel, asID)
	read(&bad, keys, "communication_disabled_until", &p.timeout, asTime)
	read(&bad, keys, "flags", &p.flags, asInt)
	return p, bad.err()
}

// patchMember changes all or nothing, in Discord's order: may the bot, can the member, then the change and its audit entry.
func patchMember(c *call) (any, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	if err := c.jsonBody(); err != nil {
		return nil, err
	}
	p, err := parseMemberPatch(c.body)
	if err != nil {
		return nil, err
	}
	m, err := c.memberFor(g)
	if err != nil {
		return nil, err
	}
	if err := c.mayPatch(g, me, m, p); err != nil {
		return nil, err
	}
	if err := c.canPatch(g, m, p); err != nil {
		return nil, err
	}
	c.applyPatch(g, m, p)
	return newWireMember(m), nil
}

// mayPatch checks the permission of each key that was sent. Voice keys count in the member's channel, the rest in the
// guild; nickname and time-out also need a higher role than the member has, roles a higher one than those given or taken.
func (c *call) mayPatch(g *guild, me, m *member, p memberPatch) *apiError {
	base := g.basePermissions(me, c.now)
	if p.mute.set || p.deaf.set || p.channel.set {
		if err := c.mayVoice(g, me, m, p, base); err != nil {
			return err
		}
	}
	if p.nick.set && !c.mayNick(g, me, m, base) {
		return missingPermissions()
	}
	if p.roles.set && !(base.Has(ManageRoles) && c.mayRoles(g, me, m, p.roles.value)) {
		return missingPermissions()
	}
	if p.timeout.set {
		immune := g.rolePermissions(m) == AllPermissions // owner and administrators cannot be timed out
		if immune || !base.Has(ModerateMembers) || !g.outranks(me, m) {
			return missingPermissions()
		}
	}
	enough := base.Has(ManageGuild) || base.Has(ManageRoles) || base.Has(ModerateMembers|KickMembers|BanMembers)
	if p.flags.set && !enough {
		return missingPermissions()
	}
	return nil
}

func (c *call) mayVoice(g *guild, me, m *member, p memberPatch, have Permissions) *apiError {
	if ch := g.channels[m.channel]; ch != nil {
		have = g.channelPermissions(me, ch, c.now)
		if !have.Has(ViewChannel) {
			return missingAccess()
		}
	}
	switch {
	case p.mute.set && !have.Has(MuteMembers), p.deaf.set && !have.Has(DeafenMembers), p.channel.set && !have.Has(MoveMembers):
		return missingPermissions()
	}
	if to := g.channels[p.channel.value]; p.channel.set && to != nil && !g.channelPermissions(me, to, c.now).Has(Connect) {
		return missingPermissions()
	}
	return nil
}

func (c *call) mayNick(g *guild, me, m *member, base Permissions) bool {
	if me == m {
		return base.Has(ChangeNickname) || base.Has(ManageNicknames)
	}
	return base.Has(ManageNicknames) && g.outranks(me, m)
}

func (c *call) mayRoles(g *guild, me, m *member, wanted []ID) bool {
	added, removed := roleChange(m.roles, wanted)
	for _, id := range slices.Concat(added, removed) {
		r := g.roles[id]
		if r != nil && (r.managed || !g.isAbove(me, r)) {
			return false
		}
	}
	return true
}

// canPatch checks the member and the things that the values name.
func (c *call) canPatch(g *guild, m *member, p memberPatch) *apiError {
	if (p.mute.set || p.deaf.set || p.channel.set) && m.channel == 0 {
		return notInVoice() // even for false: the key alone is refused
	}
	if p.channel.set && !p.channel.null {
		switch ch := g.channels[p.channel.value]; {
		case ch == nil:
			return unknownChannel()
		case ch.kind != VoiceChannel && ch.kind != StageChannel:
			return wrongChannelType()
		}
	}
	for _, id := range p.roles.value {
		if g.roles[id] == nil {
			return unknownRole()
		}
	}
	var bad formErrors
	if p.timeout.value.After(c.now.Add(maxTimeout)) {
		bad.add("INVALID_COMMUNICATION_DISABLED_TIMESTAMP", "The timestamp must be within the next 28 days.", "communication_disabled_until")
	}
	return bad.err()
}

// applyPatch makes the change. Null means: no nickname, no roles, not muted, not deafened, out of voice, no time-out.
func (c *call) applyPatch(g *guild, m *member, p memberPatch) {
	var update auditChanges
	by := c.actor()
	if p.channel.set && p.channel.value != m.channel {
		c.move(g, m, by, p.channel.value)
	}
	c.d.voice(g, m, by, func() {
		setBool(&update, "mute", p.mute, &m.mute)
		setBool(&update, "deaf", p.deaf, &m.deaf)
	})
	if p.nick.set && p.nick.value != m.nick {
		update.add("nick", nilIfZero(m.nick), nilIfZero(p.nick.value))
		m.nick = p.nick.value
	}
	if p.timeout.set && !p.timeout.value.Equal(m.timeout) {
		update.add("communication_disabled_until", timeOrNil(m.timeout), timeOrNil(p.timeout.value))
		m.timeout = p.timeout.value
	}
	if flags := m.flags&^editableFlags | p.flags.value&editableFlags; p.flags.set && flags != m.flags {
		update.add("flags", m.flags, flags)
		m.flags = flags
	}
	if len(update) > 0 {
		c.d.memberChanged(g, m)
	}
	c.audit(g, AuditEntry{Action: AuditMemberUpdate, Target: m.user.id, Changes: update})
	if p.roles.set {
		c.setRoles(g, m, p.roles.value)
	}
}

func setBool(u *auditChanges, key string, f field[bool], at *bool) {
	if f.set && f.value != *at {
		u.add(key, *at, f.value)
		*at = f.value
	}
}

// move takes a member to another channel, or out of voice for zero.
func (c *call) move(g *guild, m *member, by actor, to ID) {
	c.d.voice(g, m, by, func() {
		m.channel = to
		if to == 0 {
			m.session = ""
		}
	})
	action := AuditMemberMove
	if to == 0 {
		action = AuditMemberDisconnect
	}
	c.audit(g, AuditEntry{Action: action, Options: counted(to, 1)})
}

func (c *call) setRoles(g *guild, m *member, wanted []ID) {
	added, removed := roleChange(m.roles, wanted)
	var ch auditChanges
	ch.addRoles("$add", g, added)
	ch.addRoles("$remove", g, removed)
	m.roles = sortedRoles(slices.DeleteFunc(slices.Clone(wanted), func(id ID) bool { return id == g.id }))
	if len(ch) > 0 {
		c.d.memberChanged(g, m)
	}
	c.audit(g, AuditEntry{Action: AuditMemberRoleUpdate, Target: m.user.id, Changes: ch})
}

// roleChange says which roles a wish gives and which it takes.
func roleChange(have, want []ID) (added, removed []ID) {
	for _, id := range want {
		if !slices.Contains(have, id) {
			added = append(added, id)
		}
	}
	for _, id := range have {
		if !slices.Contains(want, id) {
			removed = append(removed, id)
		}
	}
	return added, removed
}

// nilIfZero makes the empty nickname null in the audit log.
func nilIfZero(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func timeOrNil(t time.Time) *wireTime {
	if t.IsZero() {
		return nil
	}
	w := wireTime(t)
	return &w
}
