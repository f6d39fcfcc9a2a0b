package sandbox

import (
	"encoding/json"
	"slices"
	"time"
)

// webhookMessageRoutes are the routes that write through a webhook or, with an application's id and the token of an
// interaction, through that. Neither needs the token of a bot.
func webhookMessageRoutes() []route {
	const send = "/webhooks/{webhook_id}/{webhook_token}"
	const original, one = send + "/messages/@original", send + "/messages/{message_id}"
	limit := per(5, 2*time.Second)
	return []route{
		{method: "POST", pattern: send, open: true, bucket: "webhook-execute", limit: limit, handle: executeWebhook},
		{method: "GET", pattern: original, open: true, bucket: "webhook-message", limit: limit, handle: getWebhookMessage},
		{method: "PATCH", pattern: original, open: true, bucket: "webhook-message", limit: limit, handle: patchWebhookMessage},
		{method: "DELETE", pattern: original, open: true, bucket: "webhook-message", limit: limit, handle: deleteWebhookMessage},
		{method: "GET", pattern: one, open: true, bucket: "webhook-message", limit: limit, handle: getWebhookMessage},
		{method: "PATCH", pattern: one, open: true, bucket: "webhook-message", limit: limit, handle: patchWebhookMessage},
		{method: "DELETE", pattern: one, open: true, bucket: "webhook-message", limit: limit, handle: deleteWebhookMessage},
	}
}

// useFor finds the interaction whose token a webhook path has; nil when the path is of a webhook. An interaction that was
// not answered has no webhook (10015), one that is older than 15 minutes has no valid token any more (50027).
func (c *call) useFor() (*use, *apiError) {
	app := c.d.apps[c.pathID("webhook_id")]
	if app == nil {
		return nil, nil
	}
	u := c.d.uses[c.pathText("webhook_token")]
	switch {
	case u == nil || u.app != app, c.now.Sub(u.at) >= tokenLives:
		return nil, wrongWebhookToken()
	case u.answered.IsZero():
		return nil, unknownWebhook()
	}
	c.guild, c.me = u.guild, app.user
	return u, nil
}

// executeWebhook sends a message as a webhook. Without wait=true the answer is empty.
func executeWebhook(c *call) (any, *apiError) {
	wait, err := c.boolQuery("wait")
	if err != nil {
		return nil, err
	}
	u, err := c.useFor()
	if err != nil {
		return nil, err
	}
	if u != nil {
		return c.followUp(u)
	}
	h, g, err := c.secretWebhook()
	if err != nil {
		return nil, err
	}
	m, err := c.sendAs(h, g)
	if err != nil {
		return nil, err
	}
	if !wait {
		return noContent(), nil
	}
	return newWireMessage(m), nil
}

// sendAs sends a message as a webhook: into its channel, into a thread there, or as a new post of a forum.
func (c *call) sendAs(h *webhook, g *guild) (*chatMessage, *apiError) {
	thread, err := c.snowflakeQuery("thread_id")
	if err != nil {
		return nil, err
	}
	keys, files, err := c.messageForm()
	if err != nil {
		return nil, err
	}
	var bad formErrors
	b := parseMessage(&bad, keys, 0)
	ch, post, err := c.webhookTarget(h, g, thread, b)
	if err != nil {
		return nil, err
	}
	m := &chatMessage{channel: ch.id, author: h.writes(b), webhook: h.id, at: c.now, tts: b.tts.value}
	if post {
		m.id = c.d.newID()
		m.channel = m.id
	}
	if c.d.apps[h.creator.id] != nil {
		m.app = h.creator.id
	}
	b.apply(&m.messageContent, settableFlags&^flagEphemeral)
	m.attachments = c.d.attach(&bad, m.channel, keys, files, nil)
	if err := bad.err(); err != nil {
		return nil, err
	}
	if m.empty() {
		return nil, emptyMessage()
	}
	if err := c.withinChannel(h.channel); err != nil {
		return nil, err
	}
	if post {
		body := threadBody{name: b.thread, tags: b.tags}
		if ch, err = c.openThread(g, ch, m.id, PublicThread, h.id, body); err != nil {
			return nil, err
		}
		c.openedThread(g, ch)
	}
	c.send(ch, g, m, b.allowed.value, true)
	return m, nil
}

// writes is the author of a message: the webhook, under another name and with another picture if the body says so.
func (h *webhook) writes(b messageBody) *user {
	u := &user{id: h.id, name: h.name, bot: true, avatar: h.avatar.wire()}
	if b.username.value != "" {
		u.name = b.username.value
	}
	if b.avatar.value != "" {
		hash := newPicture(blob{data: []byte(b.avatar.value)}).hash // the sandbox fetches nothing: the address stands for the picture
		u.avatar = &hash
	}
	return u
}

// webhookTarget is where a message of a webhook goes; post says that it begins a thread there.
func (c *call) webhookTarget(h *webhook, g *guild, thread ID, b messageBody) (ch *channel, post bool, err *apiError) {
	ch = g.channels[h.channel]
	named := b.thread.value != ""
	switch {
	case named && thread != 0:
		return nil, false, webhookTwoThreads()
	case named && !ch.postable():
		return nil, false, webhookNoThread()
	case named:
		return ch, true, c.mayTag(ch, g, nil, b.tags.value)
	case thread != 0:
		t := g.threads[thread]
		if t == nil || t.parent != ch.id {
			return nil, false, unknownChannel()
		}
		if t.thread.locked {
			return nil, false, threadLocked()
		}
		return t, false, c.wake(t, g, nil)
	case ch.postable():
		return nil, false, webhookNeedsThread()
	case !ch.holdsMessages():
		return nil, false, noMessagesHere()
	}
	return ch, false, nil
}

// withinChannel counts a message of a webhook against what its channel takes of all webhooks together, which the headers of
// the bucket do not show. People in the app are not counted.
func (c *call) withinChannel(channel ID) *apiError {
	limit := c.d.limits.limits.WebhookChannel
	if c.host == "" || c.d.limits.limits.Other.Requests < 0 {
		return nil
	}
	w, ok := c.d.limits.take(bucketKey{hash: "webhooks of a channel", major: channel.String()}, limit, c.now)
	if ok {
		return nil
	}
	return &apiError{limited: w.reset.Sub(c.now)}
}

// followUp sends another message of an interaction; it always answers with it. While the original is still thinking, the
// first one takes its place and stays as visible as that was, as real clients show.
func (c *call) followUp(u *use) (any, *apiError) {
	keys, files, err := c.messageForm()
	if err != nil {
		return nil, err
	}
	if u.thinking() {
		if err := c.rewrite(u.original, keys, files, flagComponentsV2|flagSuppressEmbeds); err != nil {
			return nil, err
		}
		c.messageEdited(u.original)
		return newWireMessage(u.original), nil
	}
	var bad formErrors
	m, allowed := c.newAnswer(&bad, u, keys, files)
	m.kind = plainMessage
	if u.original != nil {
		m.kind, m.replyTo = replyMessage, u.original.id
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if m.empty() {
		return nil, emptyMessage()
	}
	c.sendAnswer(u, m, allowed)
	u.followups = append(u.followups, m)
	c.d.changed()
	return newWireMessage(m), nil
}

// writtenBy finds the message that a webhook path names, and the interaction that it belongs to.
func (c *call) writtenBy() (*chatMessage, *use, *apiError) {
	u, err := c.useFor()
	if err != nil {
		return nil, nil, err
	}
	id := c.pathID("message_id")
	if u != nil {
		own := func(m *chatMessage) bool { return m.id == id }
		switch at := slices.IndexFunc(u.followups, own); {
		case u.original != nil && (id == 0 || u.original.id == id):
			return u.original, u, nil
		case id != 0 && at >= 0:
			return u.followups[at], u, nil
		}
		return nil, nil, unknownMessage()
	}
	h, g, err := c.secretWebhook()
	if err != nil {
		return nil, nil, err
	}
	thread, err := c.snowflakeQuery("thread_id")
	if err != nil {
		return nil, nil, err
	}
	if thread != 0 {
		if ch := g.threads[thread]; ch != nil {
			if m := ch.find(id); m != nil && m.webhook == h.id {
				return m, nil, nil
			}
		}
		return nil, nil, unknownMessage()
	}
	for _, ch := range g.channels {
		if m := ch.find(id); m != nil && m.webhook == h.id {
			return m, nil, nil
		}
	}
	return nil, nil, unknownMessage()
}

func getWebhookMessage(c *call) (any, *apiError) {
	m, _, err := c.writtenBy()
	if err != nil {
		return nil, err
	}
	return newWireMessage(m), nil
}

// patchWebhookMessage changes a message; whether only one user sees it cannot be changed.
func patchWebhookMessage(c *call) (any, *apiError) {
	m, u, err := c.writtenBy()
	if err != nil {
		return nil, err
	}
	keys, files, err := c.messageForm()
	if err != nil {
		return nil, err
	}
	if err := c.rewrite(m, keys, files, flagComponentsV2|flagSuppressEmbeds); err != nil {
		return nil, err
	}
	if u != nil {
		u.edits++
	}
	c.messageEdited(m)
	return newWireMessage(m), nil
}

func deleteWebhookMessage(c *call) (any, *apiError) {
	m, u, err := c.writtenBy()
	if err != nil {
		return nil, err
	}
	if u != nil && u.original == m {
		u.original = nil
	} else if u != nil {
		u.followups = slices.DeleteFunc(u.followups, func(o *chatMessage) bool { return o == m })
	}
	if ch, g := c.place(m.channel); ch != nil && ch.find(m.id) == m {
		c.dropMessage(ch, g, m)
	}
	c.d.changed()
	return noContent(), nil
}

// rewrite changes a message all or nothing: what was sent is replaced, the rest stays.
func (c *call) rewrite(m *chatMessage, keys map[string]json.RawMessage, files []file, mayFlags int) *apiError {
	var bad formErrors
	err := c.rewriteInto(&bad, m, keys, files, mayFlags)
	if bad := bad.err(); bad != nil {
		return bad
	}
	return err
}

func (c *call) rewriteInto(bad *formErrors, m *chatMessage, keys map[string]json.RawMessage, files []file, mayFlags int) *apiError {
	b := parseMessage(bad, keys, m.flags)
	next := m.messageContent
	b.apply(&next, mayFlags)
	next.attachments = c.d.attach(bad, m.channel, keys, files, m.attachments)
	next.flags &^= flagLoading
	if bad.root != nil {
		return nil
	}
	if next.empty() {
		return emptyMessage()
	}
	if m.flags&flagLoading == 0 {
		m.edited = c.now
	}
	m.messageContent = next
	_, g := c.place(m.channel)
	c.d.mentionsIn(g, m, b.allowed.value, true)
	return nil
}
