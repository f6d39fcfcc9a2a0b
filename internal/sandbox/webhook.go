package sandbox

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// maxWebhooks is per channel (30007), maxGuildWebhooks per guild (30058).
const (
	maxWebhooks      = 15
	maxGuildWebhooks = 1000
)

type webhook struct {
	id      ID
	guild   ID
	channel ID
	name    string
	avatar  picture
	token   string
	creator *user
}

func (h *webhook) auditKeys() []auditKey {
	return []auditKey{{"type", 1}, {"channel_id", h.channel}, {"name", h.name}, {"avatar_hash", h.avatar.wire()}}
}

type wireWebhook struct {
	ID            ID         `json:"id"`
	Type          int        `json:"type"`
	GuildID       ID         `json:"guild_id"`
	ChannelID     ID         `json:"channel_id"`
	Name          string     `json:"name"`
	Avatar        *string    `json:"avatar"`
	ApplicationID nullableID `json:"application_id"`
	User          *wireUser  `json:"user,omitempty"`
	Token         string     `json:"token,omitempty"`
	URL           string     `json:"url,omitempty"`
}

// newWireWebhook shows a webhook. Its token is for those who may manage it, and for bots only when they made it.
func newWireWebhook(d *Discord, h *webhook, withToken bool) wireWebhook {
	w := wireWebhook{ID: h.id, Type: 1, GuildID: h.guild, ChannelID: h.channel, Name: h.name, Avatar: h.avatar.wire()}
	creator := newWireUser(h.creator)
	w.User = &creator
	if d.apps[h.creator.id] != nil {
		w.ApplicationID = nullableID(h.creator.id)
	}
	if withToken {
		w.Token = h.token
		w.URL = "https://discord.com/api/webhooks/" + h.id.String() + "/" + h.token
	}
	return w
}

// seesToken says whether a caller who manages webhooks sees the token of one: people see those that people made, bots
// their own.
func (c *call) seesToken(h *webhook) bool {
	return h.creator == c.me || !h.creator.bot && !c.me.bot
}

// webhookRoutes are the routes that manage webhooks. Those with a token need no other permission.
func webhookRoutes() []route {
	const one, secret = "/webhooks/{webhook_id}", "/webhooks/{webhook_id}/{webhook_token}"
	const inChannel = "/channels/{channel_id}/webhooks"
	return []route{
		{method: "GET", pattern: "/guilds/{guild_id}/webhooks", bucket: "webhooks", limit: per(5, 5*time.Second), handle: listWebhooks},
		{method: "GET", pattern: inChannel, bucket: "channel-webhooks", limit: per(5, 5*time.Second), handle: listChannelWebhooks},
		{method: "POST", pattern: inChannel, bucket: "webhook-create", limit: per(10, 10*time.Second), body: maxPictureBody, handle: createWebhook},
		{method: "GET", pattern: one, bucket: "webhook", limit: per(5, 5*time.Second), handle: getWebhook},
		{method: "PATCH", pattern: one, bucket: "webhook-patch", limit: per(5, 5*time.Second), body: maxPictureBody, handle: patchWebhook},
		{method: "DELETE", pattern: one, bucket: "webhook-delete", limit: per(5, 5*time.Second), handle: deleteWebhook},
		{method: "GET", pattern: secret, open: true, bucket: "webhook-secret", limit: per(5, 5*time.Second), handle: getWebhookBySecret},
		{method: "PATCH", pattern: secret, open: true, bucket: "webhook-secret", limit: per(5, 5*time.Second), handle: patchWebhookBySecret},
		{method: "DELETE", pattern: secret, open: true, bucket: "webhook-secret", limit: per(5, 5*time.Second), handle: deleteWebhookBySecret},
	}
}

func (c *call) webhooksOf(g *guild, channel ID) []wireWebhook {
	list := []wireWebhook{}
	for _, id := range sortedIDs(g.webhooks) {
		if h := g.webhooks[id]; channel == 0 || h.channel == channel {
			list = append(list, newWireWebhook(c.d, h, c.seesToken(h)))
		}
	}
	return list
}

func listWebhooks(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageWebhooks)
	if err != nil {
		return nil, err
	}
	return c.webhooksOf(g, 0), nil
}

func listChannelWebhooks(c *call) (any, *apiError) {
	ch, g, _, err := c.guildChannelWith(ManageWebhooks)
	if err != nil {
		return nil, err
	}
	return c.webhooksOf(g, ch.id), nil
}

// webhookBody is the body of a new or changed webhook.
type webhookBody struct {
	name    field[string]
	avatar  field[picture]
	channel field[ID]
}

func (c *call) webhookBody(create bool) (webhookBody, *apiError) {
	var b webhookBody
	keys, err := c.objectBody(false)
	if err != nil {
		return b, err
	}
	var bad formErrors
	read(&bad, keys, "name", &b.name, asUsername)
	read(&bad, keys, "avatar", &b.avatar, asPicture)
	read(&bad, keys, "channel_id", &b.channel, asID)
	if create {
		required(&bad, "name", b.name)
	}
	return b, bad.err()
}

func createWebhook(c *call) (any, *apiError) {
	ch, g, _, err := c.guildChannelWith(ManageWebhooks)
	if err != nil {
		return nil, err
	}
	b, err := c.webhookBody(true)
	if err != nil {
		return nil, err
	}
	if ch.kind == CategoryChannel || ch.thread != nil {
		return nil, wrongChannelType()
	}
	if len(g.webhooks) >= maxGuildWebhooks {
		return nil, maximum(30058, "webhooks for this guild", maxGuildWebhooks)
	}
	if len(c.webhooksOf(g, ch.id)) >= maxWebhooks {
		return nil, maximum(30007, "webhooks", maxWebhooks)
	}
	h := &webhook{id: c.d.newID(), guild: g.id, channel: ch.id, name: b.name.value, token: newWebhookToken(), creator: c.me}
	set(&h.avatar, b.avatar)
	g.webhooks[h.id], c.d.places[h.id] = h, g.id
	c.d.emit(g.id, "WEBHOOKS_UPDATE", webhooksEvent{g.id, ch.id})
	c.audit(g, AuditEntry{Action: AuditWebhookCreate, Target: h.id, Changes: whole(h.auditKeys(), false)})
	return newWireWebhook(c.d, h, true), nil
}

func newWebhookToken() string {
	b := make([]byte, 51)
	rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}

// webhookFor finds the webhook that a path names, for callers who manage webhooks in its channel.
func (c *call) webhookFor() (*webhook, *guild, *apiError) {
	id := c.pathID("webhook_id")
	g := c.d.guilds[c.d.places[id]]
	if g == nil || g.webhooks[id] == nil {
		return nil, nil, unknownWebhook()
	}
	c.guild = g.id
	h, me := g.webhooks[id], g.members[c.me.id]
	if me == nil || !g.channelPermissions(me, g.channels[h.channel], c.now).Has(ManageWebhooks) {
		return nil, nil, missingPermissions()
	}
	return h, g, nil
}

func getWebhook(c *call) (any, *apiError) {
	h, _, err := c.webhookFor()
	if err != nil {
		return nil, err
	}
	return newWireWebhook(c.d, h, c.seesToken(h)), nil
}

func patchWebhook(c *call) (any, *apiError) {
	h, g, err := c.webhookFor()
	if err != nil {
		return nil, err
	}
	b, err := c.webhookBody(false)
	if err != nil {
		return nil, err
	}
	if b.channel.set {
		to, me := g.channels[b.channel.value], g.members[c.me.id]
		if to == nil {
			return nil, unknownChannel()
		}
		if to.id != h.channel && len(c.webhooksOf(g, to.id)) >= maxWebhooks {
			return nil, maximum(30007, "webhooks", maxWebhooks)
		}
		if !g.channelPermissions(me, to, c.now).Has(ManageWebhooks) {
			return nil, missingPermissions()
		}
	}
	c.changeWebhook(g, h, b)
	return newWireWebhook(c.d, h, c.seesToken(h)), nil
}

func (c *call) changeWebhook(g *guild, h *webhook, b webhookBody) {
	before, from := h.auditKeys(), h.channel
	if b.name.set && !b.name.null {
		h.name = b.name.value
	}
	set(&h.avatar, b.avatar)
	if b.channel.set {
		h.channel = b.channel.value
	}
	changes := between(before, h.auditKeys())
	if len(changes) == 0 {
		return
	}
	c.d.emit(g.id, "WEBHOOKS_UPDATE", webhooksEvent{g.id, from})
	if h.channel != from {
		c.d.emit(g.id, "WEBHOOKS_UPDATE", webhooksEvent{g.id, h.channel})
	}
	if c.me != nil {
		c.audit(g, AuditEntry{Action: AuditWebhookUpdate, Target: h.id, Changes: changes})
	}
}

func deleteWebhook(c *call) (any, *apiError) {
	h, g, err := c.webhookFor()
	if err != nil {
		return nil, err
	}
	c.dropWebhook(g, h)
	return noContent(), nil
}

func (c *call) dropWebhook(g *guild, h *webhook) {
	delete(g.webhooks, h.id)
	delete(c.d.places, h.id)
	c.d.emit(g.id, "WEBHOOKS_UPDATE", webhooksEvent{g.id, h.channel})
	if c.me != nil {
		c.audit(g, AuditEntry{Action: AuditWebhookDelete, Target: h.id, Changes: whole(h.auditKeys(), true)})
	}
}

// secretWebhook finds a webhook by its id and token, which is all that such a route needs.
func (c *call) secretWebhook() (*webhook, *guild, *apiError) {
	id := c.pathID("webhook_id")
	g := c.d.guilds[c.d.places[id]]
	if g == nil || g.webhooks[id] == nil {
		return nil, nil, unknownWebhook()
	}
	c.guild = g.id
	if g.webhooks[id].token != c.pathText("webhook_token") {
		return nil, nil, wrongWebhookToken()
	}
	return g.webhooks[id], g, nil
}

func getWebhookBySecret(c *call) (any, *apiError) {
	h, _, err := c.secretWebhook()
	if err != nil {
		return nil, err
	}
	w := newWireWebhook(c.d, h, true)
	w.User = nil
	return w, nil
}

func patchWebhookBySecret(c *call) (any, *apiError) {
	h, g, err := c.secretWebhook()
	if err != nil {
		return nil, err
	}
	b, err := c.webhookBody(false)
	if err != nil {
		return nil, err
	}
	b.channel = field[ID]{}
	c.changeWebhook(g, h, b)
	w := newWireWebhook(c.d, h, true)
	w.User = nil
	return w, nil
}

func deleteWebhookBySecret(c *call) (any, *apiError) {
	h, g, err := c.secretWebhook()
	if err != nil {
		return nil, err
	}
	c.dropWebhook(g, h)
	return noContent(), nil
}
