package sandbox

import (
	"encoding/json"
	"slices"
	"time"
)

// Messages that Discord writes itself when threads are made.
const (
	threadCreatedMessage = 18 // in the channel, with the thread's name
	threadStarterMessage = 21 // in the thread, and refers to the message that it is about
	flagHasThread        = 1 << 5
)

// threadBody is the body of a new thread.
type threadBody struct {
	name      field[string]
	archive   field[int]
	slowmode  field[int]
	kind      field[int]
	invitable field[bool]
	tags      field[[]ID]
	message   map[string]json.RawMessage // of a post
}

func parseThread(keys map[string]json.RawMessage) (threadBody, *apiError) {
	var b threadBody
	var bad formErrors
	read(&bad, keys, "name", &b.name, asText(1, 100))
	read(&bad, keys, "auto_archive_duration", &b.archive, asChoice(60, 1440, 4320, 10080))
	read(&bad, keys, "rate_limit_per_user", &b.slowmode, asRange(0, 21600))
	read(&bad, keys, "type", &b.kind, asChoice(NewsThread, PublicThread, PrivateThread))
	read(&bad, keys, "invitable", &b.invitable, asBool)
	read(&bad, keys, "applied_tags", &b.tags, asTagIDs)
	if raw, ok := keys["message"]; ok && string(raw) != "null" {
		bad.nest([]string{"message"}, func(bad *formErrors) { b.message, _ = asObject(bad, raw) })
	}
	required(&bad, "name", b.name)
	return b, bad.err()
}

func asTagIDs(bad *formErrors, key string, raw json.RawMessage) []ID {
	ids := asIDs(bad, key, raw)
	if len(ids) > maxAppliedTags {
		bad.add("BASE_TYPE_MAX_LENGTH", "Must be 5 or fewer in length.", key)
	}
	return ids
}

// createThread makes a thread without a message in a text channel, or a post in a forum.
func createThread(c *call) (any, *apiError) {
	parent, g, me, err := c.guildChannelWith(ViewChannel)
	if err != nil {
		return nil, err
	}
	keys, files, err := c.messageForm()
	if err != nil {
		return nil, err
	}
	b, err := parseThread(keys)
	if err != nil {
		return nil, err
	}
	if parent.postable() {
		return c.createPost(parent, g, me, b, files)
	}
	kind, err := c.threadKind(parent, g, me, b)
	if err != nil {
		return nil, err
	}
	ch, err := c.openThread(g, parent, c.d.newID(), kind, c.me.id, b)
	if err != nil {
		return nil, err
	}
	w := c.openedThread(g, ch)
	if kind != PrivateThread {
		note := &chatMessage{channel: parent.id, author: c.me, at: c.now, kind: threadCreatedMessage, thread: ch, refersTo: ch.id}
		note.content = ch.name
		c.send(parent, g, note, allowedMentions{set: true}, false)
	}
	return w, nil
}

// threadKind is the type of thread that a body asks for: a private one when it says nothing, as Discord documents.
func (c *call) threadKind(parent *channel, g *guild, me *member, b threadBody) (int, *apiError) {
	kind := PrivateThread
	if b.kind.set && !b.kind.null {
		kind = b.kind.value
	} else if parent.kind == NewsChannel {
		kind = NewsThread
	}
	p, need := g.channelPermissions(me, parent, c.now), CreatePublicThreads
	if kind == PrivateThread {
		need = CreatePrivateThreads
	}
	switch {
	case parent.kind != TextChannel && parent.kind != NewsChannel,
		(parent.kind == NewsChannel) != (kind == NewsThread):
		return 0, wrongChannelType()
	case !p.Has(need):
		return 0, missingPermissions()
	}
	return kind, nil
}

// createMessageThread makes the thread of a message, which has the message's id.
func createMessageThread(c *call) (any, *apiError) {
	m, parent, g, me, err := c.messageFor()
	switch {
	case err != nil:
		return nil, err
	case g == nil:
		return nil, onDirectChannel()
	case parent.kind != TextChannel && parent.kind != NewsChannel:
		return nil, wrongChannelType()
	case !c.mayIn(parent, g, me, CreatePublicThreads|ReadMessageHistory):
		return nil, missingPermissions()
	case m.system():
		return nil, onSystemMessage()
	case m.thread != nil || g.threads[m.id] != nil:
		return nil, threadExists()
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	b, err := parseThread(keys)
	if err != nil {
		return nil, err
	}
	kind := PublicThread
	if parent.kind == NewsChannel {
		kind = NewsThread
	}
	ch, err := c.openThread(g, parent, m.id, kind, c.me.id, b)
	if err != nil {
		return nil, err
	}
	m.thread, m.flags = ch, m.flags|flagHasThread
	c.emitMessage(parent, g, "MESSAGE_UPDATE", newMessageEvent(g, m))
	w := c.openedThread(g, ch)
	starter := &chatMessage{channel: ch.id, author: c.me, at: c.now, kind: threadStarterMessage, refersTo: parent.id, replyTo: m.id, answered: m}
	c.send(ch, g, starter, allowedMentions{set: true}, false)
	return w, nil
}

// createPost makes a thread of a forum with its first message, which has the thread's id.
func (c *call) createPost(parent *channel, g *guild, me *member, b threadBody, files []file) (any, *apiError) {
	if !c.mayIn(parent, g, me, SendMessages) {
		return nil, missingPermissions()
	}
	var bad formErrors
	id := c.d.newID()
	m := &chatMessage{id: id, channel: id, author: c.me, at: c.now}
	var allowed allowedMentions
	if b.message == nil {
		bad.add("BASE_TYPE_REQUIRED", "This field is required", "message")
	} else {
		bad.nest([]string{"message"}, func(bad *formErrors) {
			body := parseMessage(bad, b.message, 0)
			body.apply(&m.messageContent, settableFlags&^flagEphemeral)
			m.attachments = c.d.attach(bad, id, b.message, files, nil)
			allowed = body.allowed.value
		})
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	switch {
	case len(m.attachments) > 0 && !c.mayIn(parent, g, me, AttachFiles):
		return nil, missingPermissions()
	case m.empty():
		return nil, emptyMessage()
	}
	if err := c.mayTag(parent, g, me, b.tags.value); err != nil {
		return nil, err
	}
	ch, err := c.openThread(g, parent, id, PublicThread, c.me.id, b)
	if err != nil {
		return nil, err
	}
	w := c.openedThread(g, ch)
	c.send(ch, g, m, allowed, c.mayIn(parent, g, me, MentionEveryone))
	first := newWireMessage(m)
	made := w.value.(wireThread)
	made.Message = &first
	made.LastMessage = nullableID(ch.last)
	return created(made), nil
}

// mayTag checks the tags of a post: they have to be the forum's, and some are for moderators. A caller without membership is a
// webhook, which may use all.
func (c *call) mayTag(forum *channel, g *guild, me *member, tags []ID) *apiError {
	moderates := me == nil || c.mayIn(forum, g, me, ManageThreads)
	for _, id := range tags {
		at := slices.IndexFunc(forum.tags, func(t wireTag) bool { return t.ID == id })
		switch {
		case at < 0:
			return unknownTag()
		case forum.tags[at].Moderated && !moderates:
			return missingPermissions()
		}
	}
	if len(tags) == 0 && forum.flags&flagRequireTag != 0 && !moderates {
		return tagRequired()
	}
	return nil
}

// openThread adds a thread to a guild. Who makes it is in it, unless a webhook does.
func (c *call) openThread(g *guild, parent *channel, id ID, kind int, owner ID, b threadBody) (*channel, *apiError) {
	if g.activeThreads() >= maxActiveThreads {
		return nil, maximum(160006, "active threads", maxActiveThreads)
	}
	ch := newChannel(id, g.id, b.name.value, kind)
	ch.parent, ch.slowmode = parent.id, parent.threadSlow
	set(&ch.slowmode, b.slowmode)
	ch.thread = &thread{owner: owner, created: c.now, changed: c.now, members: map[ID]time.Time{}, archive: 4320, invitable: true, tags: b.tags.value}
	if parent.archive != 0 {
		ch.thread.archive = parent.archive
	}
	if b.archive.value != 0 {
		ch.thread.archive = b.archive.value
	}
	if b.invitable.set {
		ch.thread.invitable = b.invitable.value
	}
	if g.members[owner] != nil {
		ch.thread.members[owner] = c.now
	}
	g.threads[id], c.d.places[id] = ch, g.id
	if parent.postable() {
		parent.last = id
	}
	return ch, nil
}

// openedThread tells of a new thread and gives the answer for its maker.
func (c *call) openedThread(g *guild, ch *channel) result {
	w := newWireThread(ch)
	w.New = true
	c.d.emit(g.id, "THREAD_CREATE", w)
	w.New = false
	if c.me != nil {
		w.Member = ch.member(c.me.id)
		c.audit(g, AuditEntry{Action: AuditThreadCreate, Target: ch.id, Changes: whole(ch.threadKeys(), false)})
	}
	return created(w)
}
