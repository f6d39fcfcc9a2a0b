package sandbox

import "encoding/json"

// threadPatch is the body of PATCH /channels/{channel_id} for a thread.
type threadPatch struct {
	name      field[string]
	archived  field[bool]
	locked    field[bool]
	invitable field[bool]
	archive   field[int]
	slowmode  field[int]
	flags     field[int]
	tags      field[[]ID]
}

func parseThreadPatch(keys map[string]json.RawMessage) (threadPatch, *apiError) {
	var b threadPatch
	var bad formErrors
	read(&bad, keys, "name", &b.name, asText(1, 100))
	read(&bad, keys, "archived", &b.archived, asBool)
	read(&bad, keys, "locked", &b.locked, asBool)
	read(&bad, keys, "invitable", &b.invitable, asBool)
	read(&bad, keys, "auto_archive_duration", &b.archive, asChoice(60, 1440, 4320, 10080))
	read(&bad, keys, "rate_limit_per_user", &b.slowmode, asRange(0, 21600))
	read(&bad, keys, "flags", &b.flags, asInt)
	read(&bad, keys, "applied_tags", &b.tags, asTagIDs)
	return b, bad.err()
}

// patchThread changes a thread all or nothing. Its maker may rename, archive and tag it, everybody may open one again that is
// not locked by writing rights alone, the rest is for moderators of threads. One that is archived takes nothing but that.
func (c *call) patchThread(ch *channel, g *guild, me *member) (any, *apiError) {
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	b, err := parseThreadPatch(keys)
	if err != nil {
		return nil, err
	}
	if err := c.mayPatchThread(ch, g, me, b); err != nil {
		return nil, err
	}
	if b.name.set && b.name.value != ch.name {
		if err := c.within("channel rename", ch.id, c.d.limits.limits.ChannelRename); err != nil {
			return nil, err
		}
	}
	before := ch.threadKeys()
	b.apply(c, ch)
	if changes := between(before, ch.threadKeys()); len(changes) > 0 || b.invitable.set {
		c.d.emit(g.id, "THREAD_UPDATE", newWireThread(ch))
		c.audit(g, AuditEntry{Action: AuditThreadUpdate, Target: ch.id, Changes: changes})
	}
	w := newWireThread(ch)
	w.Member = ch.member(c.me.id)
	return w, nil
}

func (c *call) mayPatchThread(ch *channel, g *guild, me *member, b threadPatch) *apiError {
	t := ch.thread
	moderates := c.mayIn(ch, g, me, ManageThreads)
	opens := b.archived.set && !b.archived.value
	if t.archived && !opens {
		return threadArchived()
	}
	forModerators := b.locked.set || b.slowmode.set || b.flags.set || t.locked
	onlyOpens := opens && !b.name.set && !b.archive.set && !b.tags.set && !b.invitable.set
	switch {
	case moderates:
	case forModerators:
		return missingPermissions()
	case onlyOpens && c.mayIn(ch, g, me, SendMessagesInThreads):
	case t.owner != c.me.id:
		return missingPermissions()
	}
	if opens && t.archived && g.activeThreads() >= maxActiveThreads {
		return maximum(160006, "active threads", maxActiveThreads)
	}
	forum := g.channels[ch.parent]
	if b.flags.set && b.flags.value&^flagPinnedPost != 0 {
		var bad formErrors
		bad.add("BASE_TYPE_CHOICES", "Value must be one of {2}.", "flags")
		return bad.err()
	}
	if b.tags.set {
		return c.mayTag(forum, g, me, b.tags.value)
	}
	return nil
}

func (b threadPatch) apply(c *call, ch *channel) {
	t := ch.thread
	if b.name.set && !b.name.null {
		ch.name = b.name.value
	}
	if b.archived.set && b.archived.value != t.archived {
		t.archived, t.changed = b.archived.value, c.now
	}
	set(&t.locked, b.locked)
	if ch.kind == PrivateThread {
		set(&t.invitable, b.invitable)
	}
	if b.archive.set && !b.archive.null {
		t.archive = b.archive.value
	}
	set(&ch.slowmode, b.slowmode)
	set(&ch.flags, b.flags)
	set(&t.tags, b.tags)
}

// deleteThread is for moderators of threads.
func (c *call) deleteThread(ch *channel, g *guild, me *member) (any, *apiError) {
	if !c.mayIn(ch, g, me, ManageThreads) {
		return nil, missingPermissions()
	}
	gone := newWireThread(ch)
	c.d.dropThread(g, ch)
	c.audit(g, AuditEntry{Action: AuditThreadDelete, Target: ch.id, Changes: whole(ch.threadKeys(), true)})
	return gone, nil
}

// wake opens an archived thread again because somebody writes; one that is locked only for moderators.
func (c *call) wake(ch *channel, g *guild, me *member) *apiError {
	t := ch.thread
	if t == nil {
		return nil
	}
	if t.locked && (me == nil || !c.mayIn(ch, g, me, ManageThreads)) {
		return threadLocked()
	}
	if t.archived {
		t.archived, t.changed = false, c.now
		c.d.emit(g.id, "THREAD_UPDATE", newWireThread(ch))
	}
	return nil
}
