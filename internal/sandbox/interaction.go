package sandbox

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// Interaction is the user's side of one use of a bot.
type Interaction struct {
	d   *Discord
	use *use
}

// InteractionState is what the user sees at one moment.
type InteractionState struct {
	Answered bool          `json:"answered"` // the first answer came
	After    time.Duration `json:"after_ns"` // how long it took
	Type     int           `json:"type"`     // of the callback: 4 message, 5 deferred, 6 deferred update, 7 update, 8 choices, 9 modal
	Thinking bool          `json:"thinking"` // "the bot is thinking"
	Expired  bool          `json:"expired"`  // nothing came in time: "the application did not respond"

	// Original is what was answered, or the message whose component was used, once it was updated; nil for none.
	Original  *Message  `json:"original,omitempty"`
	Followups []Message `json:"followups,omitempty"`
	Edits     int       `json:"edits"` // through the webhook routes
	Modal     *Modal    `json:"modal,omitempty"`
	Choices   []Choice  `json:"choices,omitempty"`
}

// Modal is a dialogue that the user sees.
type Modal struct {
	CustomID string   `json:"custom_id"`
	Title    string   `json:"title"`
	Inputs   []string `json:"inputs"` // their custom ids
}

// Choice is one line that autocomplete offers.
type Choice struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// Message is a message as a user sees it.
type Message struct {
	ID         ID              `json:"id"`
	Channel    ID              `json:"channel_id"`
	Author     ID              `json:"author_id"`
	Content    string          `json:"content"`
	Ephemeral  bool            `json:"ephemeral"` // for this user alone
	Components []Component     `json:"components,omitempty"`
	Files      []File          `json:"files,omitempty"`
	JSON       json.RawMessage `json:"message"` // all of it, as the API sends it
}

// Component is a button or a menu of a message.
type Component struct {
	CustomID string   `json:"custom_id,omitempty"`
	Label    string   `json:"label,omitempty"`
	URL      string   `json:"url,omitempty"`
	Type     int      `json:"type"`
	Style    int      `json:"style,omitempty"`
	Disabled bool     `json:"disabled,omitempty"`
	Options  []string `json:"options,omitempty"` // the values of a menu
}

// File is a file in a message.
type File struct {
	Name string `json:"name"`
	Type string `json:"type"`
	Data []byte `json:"data"`
}

// ID is the interaction's id.
func (i *Interaction) ID() ID { return i.use.id }

// Token is what the bot answers with.
func (i *Interaction) Token() string { return i.use.token }

// State says what the user sees now.
func (i *Interaction) State() InteractionState {
	i.d.mu.Lock()
	defer i.d.mu.Unlock()
	u := i.use
	s := InteractionState{
		Answered: !u.answered.IsZero(), Type: u.answer, Thinking: u.thinking(), Edits: u.edits,
		Expired: u.answered.IsZero() && u.dead(time.Now()),
	}
	if s.Answered {
		s.After = u.answered.Sub(u.at)
	}
	if u.original != nil {
		m := newMessage(u.original)
		s.Original = &m
	}
	for _, m := range u.followups {
		s.Followups = append(s.Followups, newMessage(m))
	}
	for _, c := range u.choices {
		s.Choices = append(s.Choices, Choice{c.Name, c.Value})
	}
	if u.modal != nil {
		s.Modal = newModal(u.modal)
	}
	return s
}

// Await waits until the user sees what cond asks for, and gives it. The error is that of ctx, with the last state.
func (i *Interaction) Await(ctx context.Context, cond func(InteractionState) bool) (InteractionState, error) {
	var s InteractionState
	err := i.d.Await(ctx, func() bool { s = i.State(); return cond(s) })
	return s, err
}

// Reply waits until the bot has answered with more than "thinking".
func (i *Interaction) Reply(ctx context.Context) (InteractionState, error) {
	return i.Await(ctx, func(s InteractionState) bool {
		return s.Answered && !s.Thinking && (s.Type != answerDeferUpdate || s.Edits > 0 || len(s.Followups) > 0)
	})
}

func newModal(modal map[string]any) *Modal {
	m := &Modal{}
	m.CustomID, _ = modal["custom_id"].(string)
	m.Title, _ = modal["title"].(string)
	list, _ := modal["components"].([]map[string]any)
	for _, c := range flatComponents(list) {
		m.Inputs = append(m.Inputs, c.CustomID)
	}
	return m
}

func newMessage(m *chatMessage) Message {
	v := Message{
		ID: m.id, Channel: m.channel, Author: m.author.id, Content: m.content, Ephemeral: m.flags&flagEphemeral != 0,
		Components: flatComponents(m.components), JSON: rawJSON(newWireMessage(m)),
	}
	for _, a := range m.attachments {
		v.Files = append(v.Files, File{a.Filename, a.ContentType, a.data})
	}
	return v
}

// flatComponents lists everything that can be used, at every depth.
func flatComponents(list []map[string]any) []Component {
	var out []Component
	for _, c := range list {
		var read struct {
			Type     int
			Style    int
			Label    string
			URL      string
			CustomID string `json:"custom_id"`
			Disabled bool
			Options  []struct{ Value string }
		}
		// It was checked when it came; a label of a menu's row is no text and stays empty.
		_ = json.Unmarshal(rawJSON(c), &read)
		if read.CustomID != "" || read.URL != "" {
			one := Component{CustomID: read.CustomID, Label: read.Label, URL: read.URL, Type: read.Type, Style: read.Style, Disabled: read.Disabled}
			for _, o := range read.Options {
				one.Options = append(one.Options, o.Value)
			}
			out = append(out, one)
		}
		inner, _ := c["components"].([]map[string]any)
		for _, key := range []string{"component", "accessory"} {
			if one, ok := c[key].(map[string]any); ok {
				inner = append(slices.Clone(inner), one)
			}
		}
		out = append(out, flatComponents(inner)...)
	}
	return out
}

// Text is everything in the message that can be read: content, embeds, texts and labels of components, one per line.
func (m Message) Text() string {
	var whole struct {
		Content    string
		Embeds     any
		Components any
	}
	if json.Unmarshal(m.JSON, &whole) != nil {
		return m.Content
	}
	lines := []string{whole.Content}
	collectText(whole.Embeds, &lines)
	collectText(whole.Components, &lines)
	return strings.TrimSpace(strings.Join(lines, "\n"))
}

func collectText(v any, lines *[]string) {
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			collectText(one, lines)
		}
	case map[string]any:
		for _, key := range []string{"title", "author", "description", "name", "value", "content", "label", "placeholder", "text", "fields", "footer", "accessory", "component", "components", "options"} {
			if s, ok := v[key].(string); ok {
				*lines = append(*lines, s)
			} else {
				collectText(v[key], lines)
			}
		}
	}
}

// Button finds a component of the message by what is written on it; false when there is none.
func (m Message) Button(label string) (Component, bool) {
	at := slices.IndexFunc(m.Components, func(c Component) bool { return c.Label == label })
	if at < 0 {
		return Component{}, false
	}
	return m.Components[at], true
}

// Messages copies the kept messages of a channel, oldest first; none for an unknown one.
func (d *Discord) Messages(channelID ID) []Message {
	d.mu.Lock()
	defer d.mu.Unlock()
	ch, _ := (&call{d: d}).place(channelID)
	if ch == nil {
		return nil
	}
	list := make([]Message, 0, len(ch.messages))
	for _, m := range ch.messages {
		list = append(list, newMessage(m))
	}
	return list
}

// DirectMessages copies the messages between a bot and a person, oldest first.
func (d *Discord) DirectMessages(bot, person ID) []Message {
	d.mu.Lock()
	var id ID
	for _, ch := range d.direct {
		if ch.ends[0].id == bot && ch.ends[1].id == person {
			id = ch.id
		}
	}
	d.mu.Unlock()
	return d.Messages(id)
}
