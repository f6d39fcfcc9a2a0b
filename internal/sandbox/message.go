package sandbox

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxMessages is how many messages a channel keeps; older ones are forgotten without an event.
const maxMessages = 10_000

// Message types and flags, with Discord's numbers.
const (
	plainMessage   = 0
	replyMessage   = 19
	commandMessage = 20

	flagSuppressEmbeds = 1 << 2
	flagEphemeral      = 1 << 6
	flagLoading        = 1 << 7
	flagComponentsV2   = 1 << 15
)

type chatMessage struct {
	id, channel, guild ID
	kind               int
	author             *user
	webhook, app       ID // that wrote it; zero for a person and a bot
	at, edited         time.Time
	nonce              json.RawMessage
	tts, everyone      bool
	replyTo            ID
	answers            *use // the interaction that it belongs to
	messageContent
	mentions     []*user
	mentionRoles []ID
}

// messageContent is what an edit can change.
type messageContent struct {
	content     string
	embeds      []wireEmbed
	components  []map[string]any
	attachments []attachment
	flags       int
}

func (m *messageContent) empty() bool {
	return m.content == "" && len(m.embeds) == 0 && len(m.components) == 0 && len(m.attachments) == 0
}

type wireMessage struct {
	Type         int              `json:"type"`
	Content      string           `json:"content"`
	Mentions     []wireUser       `json:"mentions"`
	MentionRoles []ID             `json:"mention_roles"`
	Attachments  []wireAttachment `json:"attachments"`
	Embeds       []wireEmbed      `json:"embeds"`
	Timestamp    wireTime         `json:"timestamp"`
	Edited       nullableTime     `json:"edited_timestamp"`
	Flags        int              `json:"flags"`
	Components   []map[string]any `json:"components"`
	ID           ID               `json:"id"`
	ChannelID    ID               `json:"channel_id"`
	Author       wireUser         `json:"author"`
	Pinned       bool             `json:"pinned"`
	Everyone     bool             `json:"mention_everyone"`
	TTS          bool             `json:"tts"`
	Nonce        json.RawMessage  `json:"nonce,omitempty"`
	WebhookID    ID               `json:"webhook_id,omitzero"`
	AppID        ID               `json:"application_id,omitzero"`
	Reference    *wireReference   `json:"message_reference,omitempty"`
	Interaction  *wireUseMeta     `json:"interaction_metadata,omitempty"`
}

type wireReference struct {
	Type      int `json:"type"`
	ChannelID ID  `json:"channel_id"`
	MessageID ID  `json:"message_id"`
	GuildID   ID  `json:"guild_id,omitzero"`
}

func newWireMessage(m *chatMessage) wireMessage {
	w := wireMessage{
		Type: m.kind, Content: m.content, Mentions: []wireUser{}, MentionRoles: append([]ID{}, m.mentionRoles...),
		Attachments: []wireAttachment{}, Embeds: append([]wireEmbed{}, m.embeds...), Timestamp: wireTime(m.at),
		Edited: nullableTime{m.edited}, Flags: m.flags, Components: append([]map[string]any{}, m.components...), ID: m.id,
		ChannelID: m.channel, Author: newWireUser(m.author), Everyone: m.everyone, TTS: m.tts, Nonce: m.nonce,
		WebhookID: m.webhook, AppID: m.app,
	}
	for _, u := range m.mentions {
		w.Mentions = append(w.Mentions, newWireUser(u))
	}
	for _, a := range m.attachments {
		w.Attachments = append(w.Attachments, a.wireAttachment)
	}
	if m.replyTo != 0 {
		w.Reference = &wireReference{ChannelID: m.channel, MessageID: m.replyTo, GuildID: m.guild}
	}
	if m.answers != nil {
		w.Interaction = newWireUseMeta(m.answers)
	}
	return w
}

// put adds a message to its channel.
func (ch *channel) put(m *chatMessage) {
	if len(ch.messages) >= maxMessages {
		ch.messages = slices.Delete(ch.messages, 0, maxMessages/10)
	}
	ch.messages = append(ch.messages, m)
	ch.last = m.id
}

func (ch *channel) find(id ID) *chatMessage {
	at, ok := slices.BinarySearchFunc(ch.messages, id, func(m *chatMessage, id ID) int {
		switch {
		case m.id < id:
			return -1
		case m.id > id:
			return 1
		}
		return 0
	})
	if !ok {
		return nil
	}
	return ch.messages[at]
}

// dropMessages takes out what matches and gives the ids.
func (ch *channel) dropMessages(match func(*chatMessage) bool) []ID {
	var gone []ID
	ch.messages = slices.DeleteFunc(ch.messages, func(m *chatMessage) bool {
		if match(m) {
			gone = append(gone, m.id)
			return true
		}
		return false
	})
	return gone
}

var mention = regexp.MustCompile(`<@([!&]?)([0-9]{1,20})>`)

// mentionsIn notes whom a text mentions, within what the sender allowed and may.
func (d *Discord) mentionsIn(g *guild, m *chatMessage, allowed allowedMentions, mayEveryone bool) {
	m.mentions, m.mentionRoles = nil, nil
	for _, found := range mention.FindAllStringSubmatch(m.content, 100) {
		id, err := ParseID(found[2])
		if err != nil {
			continue
		}
		u := d.users[id]
		switch {
		case found[1] == "&" && g != nil && g.roles[id] != nil:
			if allowed.fits("roles", allowed.roles, id) && (mayEveryone || g.roles[id].mentionable) && !slices.Contains(m.mentionRoles, id) {
				m.mentionRoles = append(m.mentionRoles, id)
			}
		case found[1] != "&" && u != nil && allowed.fits("users", allowed.users, id) && !slices.Contains(m.mentions, u):
			m.mentions = append(m.mentions, u)
		}
	}
	everyone := strings.Contains(m.content, "@everyone") || strings.Contains(m.content, "@here")
	m.everyone = g != nil && everyone && mayEveryone && allowed.fits("everyone", nil, 0)
}

// allowedMentions is the key of that name; without it everything is allowed.
type allowedMentions struct {
	set          bool
	parse        []string
	users, roles []ID
}

func (a allowedMentions) fits(kind string, list []ID, id ID) bool {
	return !a.set || slices.Contains(a.parse, kind) || slices.Contains(list, id)
}

func asAllowedMentions(bad *formErrors, key string, raw json.RawMessage) allowedMentions {
	a := allowedMentions{set: true}
	bad.nest([]string{key}, func(bad *formErrors) {
		keys, ok := asObject(bad, raw)
		if !ok {
			return
		}
		var parse field[[]string]
		var users, roles field[[]ID]
		read(bad, keys, "parse", &parse, asFeatures)
		read(bad, keys, "users", &users, asIDs)
		read(bad, keys, "roles", &roles, asIDs)
		if slices.Contains(parse.value, "users") && len(users.value) > 0 || slices.Contains(parse.value, "roles") && len(roles.value) > 0 {
			bad.add("MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", "parse and a list of ids are mutually exclusive.")
		}
		a.parse, a.users, a.roles = parse.value, users.value, roles.value
	})
	return a
}
