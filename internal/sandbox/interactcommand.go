package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

type wireUseCommand struct {
	ID       ID              `json:"id"`
	Name     string          `json:"name"`
	Type     int             `json:"type"`
	GuildID  ID              `json:"guild_id,omitzero"`
	Options  []wireUseOption `json:"options,omitempty"`
	Resolved *wireResolve    `json:"resolved,omitempty"`
}

type wireUseOption struct {
	Name    string          `json:"name"`
	Type    int             `json:"type"`
	Value   json.RawMessage `json:"value,omitempty"`
	Options []wireUseOption `json:"options,omitempty"`
	Focused bool            `json:"focused,omitempty"`
}

// useOfCommand checks a slash command as the app does before it sends it.
func (d *Discord) useOfCommand(g *guild, m *member, ch *channel, u *use, spec InteractionSpec) (any, error) {
	words := strings.Fields(spec.Command)
	cmd, err := offered(g, m, ch, u.app, &command{Name: words[0], Type: chatCommand})
	if err != nil {
		return nil, err
	}
	u.kind, u.command = useCommand, spec.Command
	if spec.Focused != "" {
		u.kind = useAutocomplete
	}
	r := newWireResolve()
	options, err := d.useOptions(g, u, &r, cmd.Options, words[1:], spec)
	if err != nil {
		return nil, err
	}
	data := wireUseCommand{ID: cmd.ID, Name: cmd.Name, Type: chatCommand, GuildID: cmd.GuildID, Options: options}
	if !r.empty() {
		data.Resolved = &r
	}
	return data, nil
}

// offered finds a command that the app shows to a member in a channel. A command of the guild hides a global one of its
// name.
func offered(g *guild, m *member, ch *channel, a *application, want *command) (*command, error) {
	cmd := same(a.commandsIn(g.id), want)
	if cmd == nil {
		cmd = same(a.commandsIn(0), want)
	}
	if cmd == nil || cmd.Contexts != nil && !slices.Contains(cmd.Contexts, 0) {
		return nil, fmt.Errorf("sandbox: bot %s has no command /%s in guild %s; nothing was used", a.user.id, want.Name, g.id)
	}
	have := g.channelPermissions(m, ch, time.Now())
	missing := !have.Has(UseCommands)
	if p := cmd.Permissions; p != nil && have != AllPermissions {
		missing = missing || *p == 0 || !have.Has(*p)
	}
	if missing {
		return nil, fmt.Errorf("sandbox: %s is not shown /%s: permissions are missing; nothing was used", m.user.id, want.Name)
	}
	return cmd, nil
}

// useOptions walks down the subcommands and fills in the parameters.
func (d *Discord) useOptions(g *guild, u *use, r *wireResolve, options []commandOption, words []string, spec InteractionSpec) ([]wireUseOption, error) {
	if len(words) > 0 {
		at := slices.IndexFunc(options, func(o commandOption) bool { return o.nests() && o.Name == words[0] })
		if at < 0 {
			return nil, fmt.Errorf("sandbox: /%s has no subcommand %q; nothing was used", spec.Command, words[0])
		}
		inner, err := d.useOptions(g, u, r, options[at].Options, words[1:], spec)
		return []wireUseOption{{Name: words[0], Type: options[at].Type, Options: inner}}, err
	}
	if len(options) > 0 && options[0].nests() {
		return nil, fmt.Errorf("sandbox: /%s needs a subcommand; nothing was used", spec.Command)
	}
	list := []wireUseOption{}
	known := 0
	for _, o := range options {
		value, given := spec.Options[o.Name]
		if given {
			known++
		}
		switch {
		case !given && o.Name == spec.Focused:
			value = ""
		case !given && o.Required && spec.Focused == "":
			return nil, fmt.Errorf("sandbox: /%s needs the option %q; nothing was used", spec.Command, o.Name)
		case !given:
			continue
		}
		one, err := d.useOption(g, u, r, o, value, spec)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	if known < len(spec.Options) {
		return nil, fmt.Errorf("sandbox: /%s has not all of the options given; nothing was used", spec.Command)
	}
	return list, nil
}

func (d *Discord) useOption(g *guild, u *use, r *wireResolve, o commandOption, value any, spec InteractionSpec) (wireUseOption, error) {
	w := wireUseOption{Name: o.Name, Type: o.Type, Value: rawJSON(value)}
	if o.Name == spec.Focused {
		if !o.Autocomplete {
			return w, fmt.Errorf("sandbox: option %q of /%s has no autocomplete; nothing was used", o.Name, spec.Command)
		}
		w.Focused, u.focused = true, o.Type
		return w, nil // half typed: anything goes
	}
	var bad formErrors
	switch o.Type {
	case optionString:
		asString(6000)(&bad, o.Name, w.Value)
	case optionInteger:
		asInt(&bad, o.Name, w.Value)
	case optionBoolean:
		asBool(&bad, o.Name, w.Value)
	case optionNumber:
		asNumber(&bad, o.Name, w.Value)
	case optionAttachment:
		id, err := d.give(u.app.user.id, r, w.Value)
		if err != nil {
			return w, err
		}
		w.Value = rawJSON(id)
	default:
		id, ok := snowflake(w.Value)
		if !ok || !d.resolves(g, r, id, o) {
			return w, fmt.Errorf("sandbox: option %q of /%s: %s is not what it is for; nothing was used", o.Name, spec.Command, w.Value)
		}
		w.Value = rawJSON(id)
	}
	if bad.root != nil || !o.takes(w.Value) {
		return w, fmt.Errorf("sandbox: option %q of /%s does not take %s; nothing was used", o.Name, spec.Command, w.Value)
	}
	return w, nil
}

// takes checks a value against choices and bounds.
func (o *commandOption) takes(value json.RawMessage) bool {
	if len(o.Choices) > 0 {
		return slices.ContainsFunc(o.Choices, func(c commandChoice) bool { return string(c.Value) == string(value) })
	}
	var n float64
	var s string
	switch {
	case json.Unmarshal(value, &n) == nil:
		return (o.MinValue == nil || n >= *o.MinValue) && (o.MaxValue == nil || n <= *o.MaxValue)
	case json.Unmarshal(value, &s) == nil:
		length := len([]rune(s))
		return (o.MinLength == nil || length >= *o.MinLength) && (o.MaxLength == nil || length <= *o.MaxLength)
	}
	return true
}

// wireResolve holds the objects that ids in an interaction stand for.
type wireResolve struct {
	Users    map[ID]wireUser          `json:"users,omitempty"`
	Members  map[ID]wireResolveMember `json:"members,omitempty"`
	Roles    map[ID]wireRole          `json:"roles,omitempty"`
	Channels map[ID]wireChannel       `json:"channels,omitempty"`

	Attachments map[ID]wireAttachment `json:"attachments,omitempty"`
}

// wireResolveMember is a member without user, deaf and mute, and with what it may do.
type wireResolveMember struct {
	wireMember
	User        struct{}    `json:"user,omitzero"`
	Deaf        bool        `json:"deaf,omitempty"`
	Mute        bool        `json:"mute,omitempty"`
	Permissions Permissions `json:"permissions"`
}

func newWireResolve() wireResolve {
	return wireResolve{map[ID]wireUser{}, map[ID]wireResolveMember{}, map[ID]wireRole{}, map[ID]wireChannel{}, map[ID]wireAttachment{}}
}

func (r *wireResolve) empty() bool {
	return len(r.Users)+len(r.Members)+len(r.Roles)+len(r.Channels)+len(r.Attachments) == 0
}

// resolve notes whatever an id stands for; a user that is no member has no membership there.
func (d *Discord) resolve(g *guild, r *wireResolve, id ID) {
	if u := d.users[id]; u != nil {
		r.Users[id] = newWireUser(u)
		if m := g.members[id]; m != nil {
			r.Members[id] = wireResolveMember{wireMember: newWireMember(m), Permissions: g.basePermissions(m, time.Now())}
		}
	}
	if role := g.roles[id]; role != nil {
		r.Roles[id] = newWireRole(role)
	}
	if ch := g.channels[id]; ch != nil {
		r.Channels[id] = newWireChannel(g, ch)
	}
}

// resolves does so and says whether that fits the option.
func (d *Discord) resolves(g *guild, r *wireResolve, id ID, o commandOption) bool {
	d.resolve(g, r, id)
	_, user := r.Users[id]
	_, role := r.Roles[id]
	ch, channel := r.Channels[id]
	switch o.Type {
	case optionUser:
		return user
	case optionRole:
		return role
	case optionMentionable:
		return user || role
	}
	return channel && (len(o.ChannelTypes) == 0 || slices.Contains(o.ChannelTypes, ch.Type))
}
