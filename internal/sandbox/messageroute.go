package sandbox

import (
	"slices"
	"time"
)

// bulkAge is how old a message may be that is deleted with others.
const bulkAge = 14 * 24 * time.Hour

// nonceAge is how long the sandbox knows a nonce again; Discord says "a few minutes".
const nonceAge = 3 * time.Minute

// messageRoutes are the routes of the messages of a channel.
func messageRoutes() []route {
	const list, one = "/channels/{channel_id}/messages", "/channels/{channel_id}/messages/{message_id}"
	return []route{
		{method: "GET", pattern: list, bucket: "messages", limit: per(5, 5*time.Second), handle: listMessages},
		{method: "POST", pattern: list, bucket: "message-create", limit: per(5, 5*time.Second), handle: createMessage},
		{method: "POST", pattern: list + "/bulk-delete", bucket: "bulk-delete", limit: per(1, time.Second), handle: bulkDelete},
		{method: "GET", pattern: one, bucket: "message", limit: per(5, 5*time.Second), handle: getMessage},
		{method: "PATCH", pattern: one, bucket: "message-patch", limit: per(5, 5*time.Second), handle: patchMessage},
		{method: "DELETE", pattern: one, bucket: "message-delete", limit: per(5, time.Second), handle: deleteMessage},
	}
}

// mayIn says whether the caller may do something with messages in a channel; in a direct one both ends may do all.
func (c *call) mayIn(ch *channel, g *guild, me *member, p Permissions) bool {
	return g == nil || g.channelPermissions(me, ch, c.now).Has(p)
}

// emitMessage tells an event of a message to those who see its channel; of a direct one to the bot at its end.
func (c *call) emitMessage(ch *channel, g *guild, event string, payload any) {
	if g == nil {
		c.d.emitTo(ch.ends[0].id, 0, event, payload)
		return
	}
	c.d.emit(g.id, event, payload)
}

func newMessageEvent(g *guild, m *chatMessage) messageEvent {
	e := messageEvent{wireMessage: newWireMessage(m)}
	if g == nil {
		return e
	}
	e.GuildID = g.id
	if author := g.members[m.author.id]; author != nil && m.webhook == 0 {
		e.Member = &wirePartly{wireMember: newWireMember(author)}
	}
	return e
}

// createMessage sends as the caller. With enforce_nonce a message that was sent before with that nonce comes back instead.
func createMessage(c *call) (any, *apiError) {
	ch, g, me, err := c.channelFor()
	if err != nil {
		return nil, err
	}
	keys, files, err := c.messageForm()
	if err != nil {
		return nil, err
	}
	var bad formErrors
	b := parseMessage(&bad, keys, 0)
	m := &chatMessage{channel: ch.id, author: c.me, at: c.now, nonce: b.nonce.value, tts: b.tts.value, replyTo: b.reply.value}
	b.apply(&m.messageContent, settableFlags&^flagEphemeral)
	m.attachments = c.d.attach(&bad, ch.id, keys, files, nil)
	if m.answered = ch.find(b.reply.value); b.reply.set && m.answered == nil && !b.mayMiss {
		bad.add("MESSAGE_REFERENCE_UNKNOWN_MESSAGE", "Unknown message", "message_reference")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if err := c.maySend(ch, g, me, m); err != nil {
		return nil, err
	}
	if old := ch.sentWith(m, c.now); old != nil && b.enforce.value {
		return newWireMessage(old), nil
	}
	if m.answered != nil {
		m.kind = replyMessage
	} else {
		m.replyTo = 0
	}
	if err := c.wake(ch, g, me); err != nil {
		return nil, err
	}
	c.send(ch, g, m, b.allowed.value, c.mayIn(ch, g, me, MentionEveryone))
	return newWireMessage(m), nil
}

func (c *call) maySend(ch *channel, g *guild, me *member, m *chatMessage) *apiError {
	switch {
	case !ch.holdsMessages():
		return noMessagesHere()
	case !c.mayIn(ch, g, me, ch.writing()),
		len(m.attachments) > 0 && !c.mayIn(ch, g, me, AttachFiles),
		m.tts && !c.mayIn(ch, g, me, SendTTS):
		return missingPermissions()
	case m.empty():
		return emptyMessage()
	}
	return nil
}

// sentWith finds the message that the same author sent with the same nonce lately.
func (ch *channel) sentWith(m *chatMessage, now time.Time) *chatMessage {
	if m.nonce == nil {
		return nil
	}
	for _, old := range slices.Backward(ch.messages) {
		if now.Sub(old.at) > nonceAge {
			return nil
		}
		if old.author == m.author && string(old.nonce) == string(m.nonce) {
			return old
		}
	}
	return nil
}

// send gives a message its id and puts it into its channel.
func (c *call) send(ch *channel, g *guild, m *chatMessage, allowed allowedMentions, mayEveryone bool) {
	if m.id == 0 { // a post has its thread's id
		m.id = c.d.newID()
	}
	if g != nil {
		m.guild = g.id
		if author := g.members[m.author.id]; author != nil {
			author.seen = c.now
			if ch.thread != nil && m.webhook == 0 {
				c.d.joinThread(g, ch, author.user, c.now)
			}
		}
	}
	c.d.mentionsIn(g, m, allowed, mayEveryone)
	ch.put(m)
	c.emitMessage(ch, g, "MESSAGE_CREATE", newMessageEvent(g, m))
}

// messageFor finds the message that a path names, for callers who may read there.
func (c *call) messageFor() (*chatMessage, *channel, *guild, *member, *apiError) {
	ch, g, me, err := c.channelFor()
	if err != nil {
		return nil, nil, nil, nil, err
	}
	m := ch.find(c.pathID("message_id"))
	if m == nil {
		return nil, nil, nil, nil, unknownMessage()
	}
	return m, ch, g, me, nil
}

func getMessage(c *call) (any, *apiError) {
	m, ch, g, me, err := c.messageFor()
	if err != nil {
		return nil, err
	}
	if !c.mayIn(ch, g, me, ReadMessageHistory) {
		return nil, missingPermissions()
	}
	return c.shown(m, g), nil
}

// shown is a message as the caller may read it: a bot without the content intent does not see what others say in guilds,
// unless they mention it.
func (c *call) shown(m *chatMessage, g *guild) wireMessage {
	w := newWireMessage(m)
	if c.app == nil || c.app.contentIntent || g == nil {
		return w
	}
	for _, part := range []struct {
		w *wireMessage
		m *chatMessage
	}{{&w, m}, {w.referenced(), m.answered}} {
		if part.w != nil && part.m.author != c.me && part.m.app != c.me.id && !slices.Contains(part.m.mentions, c.me) {
			part.w.Content, part.w.Embeds, part.w.Attachments, part.w.Components = "", []wireEmbed{}, []wireAttachment{}, []map[string]any{}
		}
	}
	return w
}

// listMessages gives a page, newest first. Without the permission to read the past it is empty.
func listMessages(c *call) (any, *apiError) {
	ch, g, me, err := c.channelFor()
	if err != nil {
		return nil, err
	}
	limit, err := c.intQuery("limit", 50, 1, 100)
	if err != nil {
		return nil, err
	}
	var around, before, after ID
	for key, at := range map[string]*ID{"around": &around, "before": &before, "after": &after} {
		if *at, err = c.snowflakeQuery(key); err != nil {
			return nil, err
		}
	}
	page := []wireMessage{}
	if !c.mayIn(ch, g, me, ReadMessageHistory) {
		return page, nil
	}
	for _, m := range ch.page(limit, around, before, after) {
		page = append(page, c.shown(m, g))
	}
	slices.Reverse(page)
	return page, nil
}

// page picks messages in ascending order: around one, the newest before one, the oldest after one, or the newest.
func (ch *channel) page(limit int, around, before, after ID) []*chatMessage {
	switch {
	case around != 0:
		from := max(ch.below(around)-limit/2, 0)
		return ch.messages[from:min(from+limit, len(ch.messages))]
	case after != 0:
		from := ch.below(after + 1)
		return ch.messages[from:min(from+limit, len(ch.messages))]
	case before != 0:
		to := ch.below(before)
		return ch.messages[max(to-limit, 0):to]
	}
	return ch.messages[max(len(ch.messages)-limit, 0):]
}

// patchMessage changes the caller's own message. Of others' only embeds can be hidden.
func patchMessage(c *call) (any, *apiError) {
	m, ch, g, me, err := c.messageFor()
	if err != nil {
		return nil, err
	}
	keys, files, err := c.messageForm()
	if err != nil {
		return nil, err
	}
	if ch.thread != nil && ch.thread.archived {
		return nil, threadArchived()
	}
	if m.system() {
		return nil, onSystemMessage()
	}
	if m.author != c.me {
		_, flagged := keys["flags"]
		if !flagged || len(keys) > 1 || !c.mayIn(ch, g, me, ManageMessages) {
			return nil, notTheAuthor()
		}
	}
	if err := c.rewrite(m, keys, files, flagSuppressEmbeds|flagComponentsV2); err != nil {
		return nil, err
	}
	c.emitMessage(ch, g, "MESSAGE_UPDATE", newMessageEvent(g, m))
	return newWireMessage(m), nil
}

func deleteMessage(c *call) (any, *apiError) {
	m, ch, g, me, err := c.messageFor()
	if err != nil {
		return nil, err
	}
	if m.author != c.me && (g == nil || !c.mayIn(ch, g, me, ManageMessages)) {
		return nil, missingPermissions()
	}
	c.dropMessage(ch, g, m)
	if g != nil && m.author != c.me && m.webhook == 0 {
		c.audit(g, AuditEntry{Action: AuditMessageDelete, Target: m.author.id, Options: counted(ch.id, 1)})
	}
	return noContent(), nil
}

func (c *call) dropMessage(ch *channel, g *guild, m *chatMessage) {
	at := ch.below(m.id)
	ch.messages = slices.Delete(ch.messages, at, at+1)
	ch.forget(m)
	gone := messageGoneEvent{m.id, ch.id, m.guild}
	c.emitMessage(ch, g, "MESSAGE_DELETE", gone)
}

// bulkDelete deletes 2 to 100 messages of the last two weeks in one event. Ids of none are ignored, as Discord does.
func bulkDelete(c *call) (any, *apiError) {
	ch, g, _, err := c.guildChannelWith(ManageMessages)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var ids field[[]ID]
	var bad formErrors
	read(&bad, keys, "messages", &ids, asIDs)
	required(&bad, "messages", ids)
	if err := bad.err(); err != nil {
		return nil, err
	}
	if n := len(ids.value); n < 2 || n > 100 {
		return nil, wrongMessageCount()
	}
	for _, id := range ids.value {
		if id.time().Before(c.now.Add(-bulkAge)) {
			return nil, tooOldToDelete()
		}
	}
	gone := ch.dropMessages(func(m *chatMessage) bool { return slices.Contains(ids.value, m.id) })
	if len(gone) > 0 {
		c.d.emit(g.id, "MESSAGE_DELETE_BULK", messagesGoneEvent{gone, ch.id, g.id})
		c.audit(g, AuditEntry{Action: AuditMessageBulkDelete, Target: ch.id, Options: counted(0, len(gone))})
	}
	return noContent(), nil
}
