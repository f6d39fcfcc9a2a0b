package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"time"
)

// InteractionSpec says who uses what. Exactly one of Command, CustomID and Modal is set.
type InteractionSpec struct {
	App, Guild, Channel, User ID
	Locale                    string // of the user; empty means en-US

	// Command is the name of a slash command with its subcommands, "limits add", and Options its parameters by name: text,
	// number, bool, an ID or a File. Focused names the option that the user is typing: then choices are asked for instead.
	Command string
	Options map[string]any
	Focused string

	// Target is the person or the message of the channel whose menu is used; Command is then what stands in the menu.
	Target ID

	// CustomID is a button or menu of the message, which the user sees, and Values what was selected.
	CustomID string
	Message  ID
	Values   []string

	// Modal is the dialogue that this interaction opened, and Fields what was typed into its inputs by custom id.
	Modal  *Interaction
	Fields map[string]string
}

// Interact lets a user use a command, a component or a modal, and sends INTERACTION_CREATE to the bot. It refuses what the
// app would not offer: commands that are not registered or not permitted, options that do not fit them, components that the
// message has not or that are disabled, inputs that are left empty. The handle shows what the user sees from then on.
func (d *Discord) Interact(spec InteractionSpec) (*Interaction, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	u, data, err := d.prepareUse(spec)
	if err != nil {
		return nil, err
	}
	u.id, u.at = d.newID(), time.Now()
	u.token = newUseToken(u.id)
	d.addUse(u)
	d.emitTo(u.app.user.id, u.guild, "INTERACTION_CREATE", d.useEvent(u, spec, data))
	d.changed()
	return &Interaction{d: d, use: u}, nil
}

func (d *Discord) prepareUse(spec InteractionSpec) (*use, any, error) {
	a, g := d.apps[spec.App], d.guilds[spec.Guild]
	if a == nil || g == nil {
		return nil, nil, fmt.Errorf("sandbox: no application %s or no guild %s; nothing was used", spec.App, spec.Guild)
	}
	m, ch := g.members[spec.User], g.channels[spec.Channel]
	if m == nil || ch == nil || g.members[spec.App] == nil {
		return nil, nil, fmt.Errorf("sandbox: guild %s has no member %s, no channel %s or no bot %s; nothing was used", spec.Guild, spec.User, spec.Channel, spec.App)
	}
	if !g.channelPermissions(m, ch, time.Now()).Has(ViewChannel) {
		return nil, nil, fmt.Errorf("sandbox: %s does not see channel %s; nothing was used", spec.User, spec.Channel)
	}
	u := &use{app: a, user: m.user, guild: g.id, channel: ch.id}
	var data any
	var err error
	switch {
	case spec.Command != "" && spec.Target != 0 && spec.CustomID == "" && spec.Modal == nil:
		data, err = d.useOfMenu(g, m, ch, u, spec)
	case spec.Command != "" && spec.CustomID == "" && spec.Modal == nil:
		data, err = d.useOfCommand(g, m, ch, u, spec)
	case spec.CustomID != "" && spec.Modal == nil:
		data, err = d.useOfComponent(g, ch, u, spec)
	case spec.Modal != nil:
		data, err = d.useOfModal(u, spec)
	default:
		err = errors.New("sandbox: an interaction is of one command, component or modal; nothing was used")
	}
	return u, data, err
}

// wireUse is INTERACTION_CREATE.
type wireUse struct {
	ID             ID            `json:"id"`
	ApplicationID  ID            `json:"application_id"`
	Type           int           `json:"type"`
	Data           any           `json:"data"`
	Guild          wireUseGuild  `json:"guild"`
	GuildID        ID            `json:"guild_id"`
	Channel        wireChannel   `json:"channel"`
	ChannelID      ID            `json:"channel_id"`
	Member         wireUseMember `json:"member"`
	Token          string        `json:"token"`
	Version        int           `json:"version"`
	Message        *wireMessage  `json:"message,omitempty"`
	AppPermissions Permissions   `json:"app_permissions"`
	Locale         string        `json:"locale"`
	GuildLocale    string        `json:"guild_locale"`
	Entitlements   []struct{}    `json:"entitlements"`
	Owners         useOwners     `json:"authorizing_integration_owners"`
	Context        int           `json:"context"`
	AttachmentSize int           `json:"attachment_size_limit"`
}

type wireUseGuild struct {
	ID       ID       `json:"id"`
	Locale   string   `json:"locale"`
	Features []string `json:"features"`
}

// wireUseMember is a member with what it may do in the channel.
type wireUseMember struct {
	wireMember
	Permissions Permissions `json:"permissions"`
}

func (d *Discord) useEvent(u *use, spec InteractionSpec, data any) wireUse {
	g := d.guilds[u.guild]
	ch, m, me := g.channels[u.channel], g.members[u.user.id], g.members[u.app.user.id]
	w := wireUse{
		ID: u.id, ApplicationID: u.app.user.id, Type: u.kind, Data: data,
		Guild:   wireUseGuild{g.id, g.set.locale, append([]string{}, g.set.features...)},
		GuildID: g.id, Channel: newWireChannel(g, ch), ChannelID: ch.id,
		Member: wireUseMember{newWireMember(m), g.channelPermissions(m, ch, u.at)}, Token: u.token, Version: 1,
		AppPermissions: g.channelPermissions(me, ch, u.at), Locale: cmp.Or(spec.Locale, "en-US"), GuildLocale: g.set.locale,
		Entitlements: []struct{}{}, Owners: useOwners{g.id}, AttachmentSize: maxFile,
	}
	if u.source != nil {
		source := newWireMessage(u.source)
		w.Message = &source
	}
	return w
}
