package sandbox

import "strconv"

// overwriteKind says what an overwrite is for: 0 a role, 1 a member.
func (g *guild) overwriteKind(target ID) int {
	if g.roles[target] != nil {
		return 0
	}
	return 1
}

// mayOverwrite says whether a caller may change these bits of a channel: it has to have them itself, and MANAGE_ROLES there
// is for administrators alone.
func (g *guild) mayOverwrite(me *member, changed, have Permissions) bool {
	if g.rolePermissions(me) == AllPermissions {
		return true
	}
	return have.Has(changed) && changed&ManageRoles == 0
}

// bits are those in which two overwrites differ.
func (o Overwrite) bits(p Overwrite) Permissions { return (o.Allow ^ p.Allow) | (o.Deny ^ p.Deny) }

// known says whether an overwrite can be for that id: a role of the guild or a user that exists.
func (c *call) known(g *guild, target ID, kind int) bool {
	if kind == 0 {
		return g.roles[target] != nil
	}
	return c.d.users[target] != nil
}

// replaceOverwrites gives a channel a whole new set, which have is enough for or not.
func (c *call) replaceOverwrites(g *guild, me *member, ch *channel, list []overwriteBody, have Permissions) *apiError {
	next := map[ID]Overwrite{}
	for i, o := range list {
		kind := o.kind.value
		if !o.kind.set || o.kind.null {
			kind = g.overwriteKind(o.id.value)
		}
		if !c.known(g, o.id.value, kind) {
			var bad formErrors
			bad.add("OVERWRITE_INVALID", "Unknown overwrite target", "permission_overwrites", strconv.Itoa(i), "id")
			return bad.err()
		}
		next[o.id.value] = o.value()
	}
	var changed Permissions
	for id, was := range ch.overwrites {
		changed |= was.bits(next[id])
	}
	for id, is := range next {
		changed |= is.bits(ch.overwrites[id])
	}
	if !g.mayOverwrite(me, changed, have) {
		return missingPermissions()
	}
	ch.overwrites = next
	return nil
}

func putOverwrite(c *call) (any, *apiError) {
	ch, g, me, err := c.guildChannelWith(ManageRoles)
	if err == nil && ch.thread != nil {
		err = wrongChannelType()
	}
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var b overwriteValues
	var bad formErrors
	b.read(&bad, keys)
	if err := bad.err(); err != nil {
		return nil, err
	}
	target := c.pathID("overwrite_id")
	was, had := ch.overwrites[target]
	switch {
	case !c.known(g, target, b.kind.value):
		return nil, unknownOverwrite()
	case !g.mayOverwrite(me, was.bits(b.value()), g.channelPermissions(me, ch, c.now)):
		return nil, missingPermissions()
	case !had && len(ch.overwrites) >= maxOverwrites:
		return nil, maximum(30060, "permission overwrites", maxOverwrites)
	}
	c.changeOverwrite(g, ch, target, func() { ch.overwrites[target] = b.value() })
	return noContent(), nil
}

func deleteOverwrite(c *call) (any, *apiError) {
	ch, g, me, err := c.guildChannelWith(ManageRoles)
	if err == nil && ch.thread != nil {
		err = wrongChannelType()
	}
	if err != nil {
		return nil, err
	}
	target := c.pathID("overwrite_id")
	was, had := ch.overwrites[target]
	if !had {
		return nil, unknownOverwrite()
	}
	if !g.mayOverwrite(me, was.Allow|was.Deny, g.channelPermissions(me, ch, c.now)) {
		return nil, missingPermissions()
	}
	c.changeOverwrite(g, ch, target, func() { delete(ch.overwrites, target) })
	return noContent(), nil
}

func (c *call) changeOverwrite(g *guild, ch *channel, target ID, change func()) {
	before := map[ID]Overwrite{}
	was, had := ch.overwrites[target]
	if had {
		before[target] = was
	}
	change()
	if is, has := ch.overwrites[target]; has != had || is != was {
		c.d.emit(g.id, "CHANNEL_UPDATE", newWireChannel(g, ch))
		c.auditOverwrite(g, ch, target, before)
	}
}

// auditOverwrite records what became of one overwrite; nothing when it is as before.
func (c *call) auditOverwrite(g *guild, ch *channel, target ID, before map[ID]Overwrite) {
	was, had := before[target]
	is, has := ch.overwrites[target]
	kind := g.overwriteKind(target)
	keys := func(o Overwrite) []auditKey {
		return []auditKey{{"id", target}, {"type", strconv.Itoa(kind)}, {"allow", o.Allow}, {"deny", o.Deny}}
	}
	e := AuditEntry{Target: ch.id, Options: map[string]string{"id": target.String(), "type": strconv.Itoa(kind)}}
	if r := g.roles[target]; r != nil {
		e.Options["role_name"] = r.name
	}
	switch {
	case had && has:
		e.Action, e.Changes = AuditOverwriteUpdate, between(keys(was), keys(is))
	case has:
		e.Action, e.Changes = AuditOverwriteCreate, whole(keys(is), false)
	default:
		e.Action, e.Changes = AuditOverwriteDelete, whole(keys(was), true)
	}
	c.audit(g, e)
}
