package sandbox

import (
	"encoding/json"
	"slices"
)

// Callback types, with Discord's numbers.
const (
	answerMessage      = 4
	answerDeferred     = 5
	answerDeferUpdate  = 6
	answerUpdate       = 7
	answerAutocomplete = 8
	answerModal        = 9
)

// answersFor lists the callbacks that an interaction takes.
func (u *use) answersFor() []int {
	switch {
	case u.kind == useAutocomplete:
		return []int{answerAutocomplete}
	case u.kind == useComponent:
		return []int{answerMessage, answerDeferred, answerDeferUpdate, answerUpdate, answerModal}
	case u.kind == useModal && u.source != nil:
		return []int{answerMessage, answerDeferred, answerDeferUpdate, answerUpdate}
	case u.kind == useModal:
		return []int{answerMessage, answerDeferred}
	}
	return []int{answerMessage, answerDeferred, answerModal}
}

// callbackRoutes is the one route that answers an interaction. It needs no token of the bot and has no limit.
func callbackRoutes() []route {
	const pattern = "/interactions/{interaction_id}/{interaction_token}/callback"
	return []route{{method: "POST", pattern: pattern, open: true, handle: answerUse}}
}

// callbackBody is the body of a callback.
type callbackBody struct {
	kind field[int]
	data map[string]json.RawMessage
}

// answerUse takes the first answer: within three seconds (10062 after that), once (40060).
func answerUse(c *call) (any, *apiError) {
	u := c.d.uses[c.pathText("interaction_token")]
	if u == nil || u.id != c.pathID("interaction_id") {
		return nil, unknownInteraction()
	}
	c.guild, c.me = u.guild, u.app.user
	if !u.answered.IsZero() {
		return nil, alreadyAcknowledged()
	}
	if u.dead(c.now) {
		return nil, unknownInteraction()
	}
	keys, files, err := c.messageForm()
	if err != nil {
		return nil, err
	}
	var b callbackBody
	var bad formErrors
	read(&bad, keys, "type", &b.kind, asChoice(u.answersFor()...))
	required(&bad, "type", b.kind)
	if raw, ok := keys["data"]; ok && string(raw) != "null" {
		bad.nest([]string{"data"}, func(bad *formErrors) { b.data, _ = asObject(bad, raw) })
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if err := c.answer(u, b, files); err != nil {
		return nil, err
	}
	u.answered, u.answer = c.now, b.kind.value
	c.d.changed()
	full, err := c.boolQuery("with_response")
	if err != nil || !full {
		return noContent(), err
	}
	return newWireCallback(u), nil
}

func (c *call) answer(u *use, b callbackBody, files []file) *apiError {
	var bad formErrors
	var err *apiError
	bad.nest([]string{"data"}, func(bad *formErrors) {
		switch b.kind.value {
		case answerMessage:
			err = c.answerWith(bad, u, b.data, files)
		case answerDeferred:
			c.deferAnswer(bad, u, b.data)
		case answerDeferUpdate:
			u.original = u.source
		case answerUpdate:
			if err = c.rewriteInto(bad, u.source, b.data, files, 0); err == nil && bad.root == nil {
				u.original = u.source
				c.messageEdited(u.source)
			}
		case answerAutocomplete:
			c.complete(bad, u, b.data)
		case answerModal:
			if modal := readModal(bad, b.data); bad.root == nil {
				u.modal = modal
			}
		}
	})
	if bad := bad.err(); bad != nil {
		return bad
	}
	return err
}

// answerWith makes the original message.
func (c *call) answerWith(bad *formErrors, u *use, keys map[string]json.RawMessage, files []file) *apiError {
	m, allowed := c.newAnswer(bad, u, keys, files)
	switch {
	case bad.root != nil:
		return nil
	case m.empty():
		return emptyMessage()
	}
	u.original = m
	c.sendAnswer(u, m, allowed)
	return nil
}

// newAnswer reads a message of an interaction.
func (c *call) newAnswer(bad *formErrors, u *use, keys map[string]json.RawMessage, files []file) (*chatMessage, allowedMentions) {
	b := parseMessage(bad, keys, 0)
	m := &chatMessage{channel: u.channel, guild: u.guild, author: u.app.user, app: u.app.user.id, webhook: u.app.user.id, at: c.now, answers: u, tts: b.tts.value}
	if u.kind == useCommand {
		m.kind = commandMessage
	}
	b.apply(&m.messageContent, settableFlags)
	m.attachments = c.d.attach(bad, u.channel, keys, files, nil)
	return m, b.allowed.value
}

// sendAnswer shows a message: to the user alone when it is ephemeral, else in the channel.
func (c *call) sendAnswer(u *use, m *chatMessage, allowed allowedMentions) {
	ch, g := c.place(u.channel)
	if ch == nil || m.flags&flagEphemeral != 0 {
		m.id = c.d.newID()
		return
	}
	c.send(ch, g, m, allowed, true)
}

// place finds a channel, of a guild or a direct one, without asking who may see it.
func (c *call) place(id ID) (*channel, *guild) {
	if g := c.d.guilds[c.d.places[id]]; g != nil {
		return g.place(id), g
	}
	return c.d.direct[id], nil
}

// deferAnswer shows that the bot is thinking. Of the flags only ephemeral counts here; the rest comes with the edit.
func (c *call) deferAnswer(bad *formErrors, u *use, keys map[string]json.RawMessage) {
	var flags field[int]
	read(bad, keys, "flags", &flags, asInt)
	if bad.root != nil {
		return
	}
	m := &chatMessage{channel: u.channel, guild: u.guild, author: u.app.user, app: u.app.user.id, webhook: u.app.user.id, at: c.now, answers: u}
	m.flags = flagLoading | flags.value&flagEphemeral
	if u.kind == useCommand {
		m.kind = commandMessage
	}
	u.original = m
	c.sendAnswer(u, m, allowedMentions{})
}

// complete offers choices while somebody types.
func (c *call) complete(bad *formErrors, u *use, keys map[string]json.RawMessage) {
	raw, ok := keys["choices"]
	if !ok {
		bad.add("BASE_TYPE_REQUIRED", "This field is required", "choices")
		return
	}
	if choices := readChoices(bad, raw, u.focused); bad.root == nil {
		u.choices = choices
	}
}

// readModal reads a dialogue with its inputs.
func readModal(bad *formErrors, keys map[string]json.RawMessage) map[string]any {
	var id, title field[string]
	read(bad, keys, "custom_id", &id, asText(1, 100))
	read(bad, keys, "title", &title, asText(1, 45))
	required(bad, "custom_id", id)
	required(bad, "title", title)
	raw, ok := keys["components"]
	if !ok {
		bad.add("BASE_TYPE_REQUIRED", "This field is required", "components")
		return nil
	}
	return map[string]any{
		"custom_id": id.value, "title": title.value, "components": (&components{modal: true}).top(bad, "components", raw),
	}
}

// messageEdited tells an edit to those who see the message.
func (c *call) messageEdited(m *chatMessage) {
	ch, g := c.place(m.channel)
	if ch != nil && slices.Contains(ch.messages, m) {
		c.emitMessage(ch, g, "MESSAGE_UPDATE", newMessageEvent(g, m))
	}
	c.d.changed()
}

// wireCallback is the answer with_response.
type wireCallback struct {
	Interaction wireCallbackUse       `json:"interaction"`
	Resource    *wireCallbackResource `json:"resource,omitempty"`
}

type wireCallbackUse struct {
	ID        ID    `json:"id"`
	Type      int   `json:"type"`
	MessageID ID    `json:"response_message_id,omitzero"`
	Loading   *bool `json:"response_message_loading,omitempty"`
	Ephemeral *bool `json:"response_message_ephemeral,omitempty"`
	ChannelID ID    `json:"channel_id,omitzero"`
	GuildID   ID    `json:"guild_id,omitzero"`
}

type wireCallbackResource struct {
	Type    int         `json:"type"`
	Message wireMessage `json:"message"`
}

func newWireCallback(u *use) wireCallback {
	w := wireCallback{Interaction: wireCallbackUse{ID: u.id, Type: u.kind, ChannelID: u.channel, GuildID: u.guild}}
	if u.original == nil {
		return w
	}
	loading, hidden := u.thinking(), u.hidden()
	w.Interaction.MessageID, w.Interaction.Loading, w.Interaction.Ephemeral = u.original.id, &loading, &hidden
	if u.answer != answerDeferUpdate {
		kind := u.answer
		if kind == answerDeferred {
			kind = answerMessage // the description has no other type for a message that is still to come
		}
		w.Resource = &wireCallbackResource{kind, newWireMessage(u.original)}
	}
	return w
}
