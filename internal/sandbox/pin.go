package sandbox

import (
	"slices"
	"time"
)

// maxPins is per channel (30003).
const maxPins = 250

// pinnedMessage is the note that somebody pinned something.
const pinnedMessage = 6

// pinRoutes are the routes of pins, the newer ones and those that are there for older clients.
func pinRoutes() []route {
	const list, one = "/channels/{channel_id}/messages/pins", "/channels/{channel_id}/messages/pins/{message_id}"
	const oldList, oldOne = "/channels/{channel_id}/pins", "/channels/{channel_id}/pins/{message_id}"
	return []route{
		{method: "GET", pattern: list, bucket: "pins", limit: per(5, 5*time.Second), handle: listPins},
		{method: "PUT", pattern: one, bucket: "pin", limit: per(5, 5*time.Second), handle: putPin},
		{method: "DELETE", pattern: one, bucket: "pin", limit: per(5, 5*time.Second), handle: deletePin},
		{method: "GET", pattern: oldList, bucket: "pins-old", limit: per(5, 5*time.Second), handle: listOldPins},
		{method: "PUT", pattern: oldOne, bucket: "pin", limit: per(5, 5*time.Second), handle: putPin},
		{method: "DELETE", pattern: oldOne, bucket: "pin", limit: per(5, 5*time.Second), handle: deletePin},
	}
}

// pinned lists the pinned messages, the one that was pinned last first.
func (ch *channel) pinned() []*chatMessage {
	var list []*chatMessage
	if ch.pins == 0 {
		return nil
	}
	for _, m := range ch.messages {
		if !m.pinned.IsZero() {
			list = append(list, m)
		}
	}
	slices.SortStableFunc(list, func(a, b *chatMessage) int { return b.pinned.Compare(a.pinned) })
	return list
}

// lastPinned is when something was pinned last; nil when that never was.
func (ch *channel) lastPinned() *wireTime {
	if ch.pinnedAt.IsZero() {
		return nil
	}
	t := wireTime(ch.pinnedAt)
	return &t
}

type wirePin struct {
	At      wireTime    `json:"pinned_at"`
	Message wireMessage `json:"message"`
}

type wirePins struct {
	Items []wirePin `json:"items"`
	More  bool      `json:"has_more"`
}

// listPins gives a page, the newest pins first. Without the permission to read the past it is empty.
func listPins(c *call) (any, *apiError) {
	ch, g, me, err := c.channelFor()
	if err != nil {
		return nil, err
	}
	limit, err := c.intQuery("limit", 50, 1, 50)
	if err != nil {
		return nil, err
	}
	var before time.Time
	if raw := c.query.Get("before"); raw != "" {
		var bad formErrors
		before = asTime(&bad, "before", rawJSON(raw))
		if err := bad.err(); err != nil {
			return nil, err
		}
	}
	w := wirePins{Items: []wirePin{}}
	if !c.mayIn(ch, g, me, ReadMessageHistory) {
		return w, nil
	}
	for _, m := range ch.pinned() {
		switch {
		case !before.IsZero() && !m.pinned.Truncate(time.Microsecond).Before(before):
		case len(w.Items) == limit:
			w.More = true
		default:
			w.Items = append(w.Items, wirePin{wireTime(m.pinned), c.shown(m, g)})
		}
	}
	return w, nil
}

// listOldPins gives the newest 50 pins without the times at which they were pinned.
func listOldPins(c *call) (any, *apiError) {
	ch, g, me, err := c.channelFor()
	if err != nil {
		return nil, err
	}
	list := []wireMessage{}
	if !c.mayIn(ch, g, me, ReadMessageHistory) {
		return list, nil
	}
	for _, m := range ch.pinned() {
		if len(list) < 50 {
			list = append(list, c.shown(m, g))
		}
	}
	return list, nil
}

type pinsEvent struct {
	GuildID   ID        `json:"guild_id,omitzero"`
	ChannelID ID        `json:"channel_id"`
	LastPin   *wireTime `json:"last_pin_timestamp"`
}

// putPin pins a message and lets Discord say so in the channel.
func putPin(c *call) (any, *apiError) {
	m, ch, g, me, err := c.messageFor()
	switch {
	case err != nil:
		return nil, err
	case !c.mayIn(ch, g, me, PinMessages):
		return nil, missingPermissions()
	case m.system():
		return nil, onSystemMessage()
	case ch.thread != nil && ch.thread.archived:
		return nil, threadArchived()
	case !m.pinned.IsZero():
		return noContent(), nil
	case ch.pins >= maxPins:
		return nil, maximum(30003, "pins for the channel", maxPins)
	}
	m.pinned, ch.pinnedAt = c.now, c.now
	ch.pins++
	c.pinChanged(ch, g, m, AuditMessagePin)
	note := &chatMessage{channel: ch.id, author: c.me, at: c.now, kind: pinnedMessage, replyTo: m.id}
	c.send(ch, g, note, allowedMentions{set: true}, false)
	return noContent(), nil
}

func deletePin(c *call) (any, *apiError) {
	m, ch, g, me, err := c.messageFor()
	switch {
	case err != nil:
		return nil, err
	case !c.mayIn(ch, g, me, PinMessages):
		return nil, missingPermissions()
	case ch.thread != nil && ch.thread.archived:
		return nil, threadArchived()
	case m.pinned.IsZero():
		return noContent(), nil
	}
	m.pinned = time.Time{}
	ch.pins--
	c.pinChanged(ch, g, m, AuditMessageUnpin)
	return noContent(), nil
}

func (c *call) pinChanged(ch *channel, g *guild, m *chatMessage, action int) {
	c.emitMessage(ch, g, "MESSAGE_UPDATE", newMessageEvent(g, m))
	c.emitMessage(ch, g, "CHANNEL_PINS_UPDATE", pinsEvent{m.guild, ch.id, ch.lastPinned()})
	if g != nil {
		c.audit(g, AuditEntry{Action: action, Target: m.author.id, Options: map[string]string{"channel_id": ch.id.String(), "message_id": m.id.String()}})
	}
}
