package sandbox

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"
)

// maxMessages is how many messages a channel keeps; older ones are forgotten without an event.
const maxMessages = 250_000

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
	replyTo            ID           // the message that it answers or refers to
	answered           *chatMessage // that message when it is at hand
	refersTo           ID           // the channel of it, when that is another one
	thread             *channel     // that was made of it
	pinned             time.Time    // zero: not
	deleted            bool
	reactions          []reaction
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
	Thread       *wireThread      `json:"thread,omitempty"`
	Reactions    []wireReacted    `json:"reactions,omitempty"`
	Referenced   *wireReferenced  `json:"referenced_message,omitempty"`
}

// wireReferenced is the message that a message answers, null when that is deleted.
type wireReferenced struct{ message *wireMessage }

func (r wireReferenced) MarshalJSON() ([]byte, error) {
	return json.Marshal(r.message)
}

func (w *wireMessage) referenced() *wireMessage {
	if w.Referenced == nil {
		return nil
	}
	return w.Referenced.message
}

type wireReference struct {
	Type      int `json:"type"`
	ChannelID ID  `json:"channel_id"`
	MessageID ID  `json:"message_id,omitzero"`
	GuildID   ID  `json:"guild_id,omitzero"`
}

// system says whether Discord wrote a message itself: such ones are not pinned, edited or made threads of.
func (m *chatMessage) system() bool {
	return m.kind != plainMessage && m.kind != replyMessage && m.kind != commandMessage
}

// newWireMessage shows a message with the one that it answers.
func newWireMessage(m *chatMessage) wireMessage {
	w := newPlainMessage(m)
	if m.answered != nil {
		answered := newPlainMessage(m.answered)
		w.Referenced = &wireReferenced{&answered}
		if m.answered.deleted {
			w.Referenced.message = nil
		}
	}
	return w
}

func newPlainMessage(m *chatMessage) wireMessage {
	w := wireMessage{
		Type: m.kind, Content: m.content, Mentions: []wireUser{}, MentionRoles: append([]ID{}, m.mentionRoles...),
		Attachments: []wireAttachment{}, Embeds: append([]wireEmbed{}, m.embeds...), Timestamp: wireTime(m.at),
		Edited: nullableTime{m.edited}, Flags: m.flags, Components: append([]map[string]any{}, m.components...), ID: m.id,
		ChannelID: m.channel, Author: newWireUser(m.author), Everyone: m.everyone, TTS: m.tts, Nonce: m.nonce,
		WebhookID: m.webhook, AppID: m.app, Pinned: !m.pinned.IsZero(),
	}
	for _, u := range m.mentions {
		w.Mentions = append(w.Mentions, newWireUser(u))
	}
	for _, a := range m.attachments {
		w.Attachments = append(w.Attachments, a.wire())
	}
	for _, r := range m.reactions {
		w.Reactions = append(w.Reactions, r.wire())
	}
	if m.thread != nil {
		t := newWireThread(m.thread)
		w.Thread = &t
	}
	if m.replyTo != 0 || m.refersTo != 0 {
		w.Reference = &wireReference{ChannelID: cmp.Or(m.refersTo, m.channel), MessageID: m.replyTo, GuildID: m.guild}
	}
	if m.answers != nil {
		w.Interaction = newWireUseMeta(m.answers)
	}
	return w
}

// forget keeps the counts when a message is about to go.
func (ch *channel) forget(m *chatMessage) {
	m.deleted = true
	if !m.pinned.IsZero() {
		ch.pins--
	}
	if t := ch.thread; t != nil && m.counts(ch) {
		t.count--
	}
}

// counts says whether a message is one of those that a thread counts: not the first one.
func (m *chatMessage) counts(ch *channel) bool {
	return m.id != ch.id && m.kind != threadStarterMessage
}

// put adds a message to its channel.
func (ch *channel) put(m *chatMessage) {
	if len(ch.messages) >= maxMessages {
		for _, old := range ch.messages[:maxMessages/10] {
			ch.forget(old)
		}
		ch.messages = slices.Delete(ch.messages, 0, maxMessages/10)
	}
	ch.messages = append(ch.messages, m)
	ch.last = m.id
	if t := ch.thread; t != nil && m.counts(ch) {
		t.count, t.total = t.count+1, t.total+1
	}
}

func (ch *channel) find(id ID) *chatMessage {
	if at := ch.below(id); at < len(ch.messages) && ch.messages[at].id == id {
		return ch.messages[at]
	}
	return nil
}

// below is how many messages come before an id.
func (ch *channel) below(id ID) int {
	at, _ := slices.BinarySearchFunc(ch.messages, id, func(m *chatMessage, id ID) int { return cmp.Compare(m.id, id) })
	return at
}

// dropMessages takes out what matches and gives the ids.
func (ch *channel) dropMessages(match func(*chatMessage) bool) []ID {
	var gone []ID
	ch.messages = slices.DeleteFunc(ch.messages, func(m *chatMessage) bool {
		if match(m) {
			ch.forget(m)
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
