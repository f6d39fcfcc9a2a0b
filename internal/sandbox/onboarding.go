package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"
)

// What onboarding needs before it can be on: so many channels that all members get, and so many in which all may write.
const (
	onboardingChannels = 7
	onboardingWritable = 5
)

// onboarding is what new members of a community choose from.
type onboarding struct {
	enabled  bool
	mode     int // 1: channels of prompts count, too
	channels []ID
	prompts  []wirePrompt
}

type wirePrompt struct {
	ID       ID                 `json:"id"`
	Title    string             `json:"title"`
	Options  []wirePromptOption `json:"options"`
	Single   bool               `json:"single_select"`
	Required bool               `json:"required"`
	Shown    bool               `json:"in_onboarding"`
	Type     int                `json:"type"`
}

type wirePromptOption struct {
	ID          ID              `json:"id"`
	Title       string          `json:"title"`
	Description string          `json:"description"`
	Emoji       wirePromptEmoji `json:"emoji"`
	Roles       []ID            `json:"role_ids"`
	Channels    []ID            `json:"channel_ids"`
}

type wirePromptEmoji struct {
	ID       nullableID `json:"id"`
	Name     *string    `json:"name"`
	Animated bool       `json:"animated"`
}

type wireOnboarding struct {
	GuildID  ID           `json:"guild_id"`
	Prompts  []wirePrompt `json:"prompts"`
	Channels []ID         `json:"default_channel_ids"`
	Enabled  bool         `json:"enabled"`
	Mode     int          `json:"mode"`
}

func newWireOnboarding(g *guild) wireOnboarding {
	o := &g.onboarding
	return wireOnboarding{g.id, append([]wirePrompt{}, o.prompts...), append([]ID{}, o.channels...), o.enabled, o.mode}
}

func (o *onboarding) auditKeys() []auditKey {
	return []auditKey{{"enabled", o.enabled}, {"mode", o.mode}, {"default_channel_ids", o.channels}, {"prompts", o.prompts}}
}

func getOnboarding(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	return newWireOnboarding(g), nil
}

// putOnboarding replaces what was sent: prompts as a whole. Ids that are not known are those of new prompts and options, which
// get their own.
func putOnboarding(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild | ManageRoles)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	next := g.onboarding
	var b struct {
		enabled  field[bool]
		mode     field[int]
		channels field[[]ID]
		prompts  field[[]wirePrompt]
	}
	var bad formErrors
	read(&bad, keys, "enabled", &b.enabled, asBool)
	read(&bad, keys, "mode", &b.mode, asChoice(0, 1))
	read(&bad, keys, "default_channel_ids", &b.channels, asFewIDs(500))
	read(&bad, keys, "prompts", &b.prompts, func(bad *formErrors, key string, raw json.RawMessage) []wirePrompt {
		return c.asPrompts(bad, g, key, raw)
	})
	for i, id := range b.channels.value {
		if g.channels[id] == nil {
			bad.add("CHANNEL_DOES_NOT_EXIST", "Channel does not exist", "default_channel_ids", strconv.Itoa(i))
		}
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	set(&next.enabled, b.enabled)
	set(&next.mode, b.mode)
	set(&next.channels, b.channels)
	set(&next.prompts, b.prompts)
	if next.enabled && !next.enough(g) {
		return nil, onboardingNotReady(g.onboarding.enabled)
	}
	before := g.onboarding.auditKeys()
	g.onboarding = next
	c.audit(g, AuditEntry{Action: AuditOnboardingUpdate, Target: g.id, Changes: between(before, g.onboarding.auditKeys())})
	c.d.changed()
	return newWireOnboarding(g), nil
}

// enough says whether a community has the channels that onboarding needs.
func (o *onboarding) enough(g *guild) bool {
	ids := slices.Clone(o.channels)
	if o.mode == 1 {
		for _, p := range o.prompts {
			for _, option := range p.Options {
				ids = append(ids, option.Channels...)
			}
		}
	}
	slices.Sort(ids)
	seen, writable := 0, 0
	for _, id := range slices.Compact(ids) {
		ch := g.channels[id]
		if ch == nil {
			continue
		}
		p := g.everyoneIn(ch)
		if p.Has(ViewChannel) {
			seen++
		}
		if p.Has(ViewChannel | SendMessages) {
			writable++
		}
	}
	return g.community() && seen >= onboardingChannels && writable >= onboardingWritable
}

// everyoneIn is what members without any role may do in a channel.
func (g *guild) everyoneIn(ch *channel) Permissions {
	o := ch.overwrites[g.id]
	return g.roles[g.id].permissions&^o.Deny | o.Allow
}

func (c *call) asPrompts(bad *formErrors, g *guild, key string, raw json.RawMessage) []wirePrompt {
	items := asItems(15)(bad, key, raw)
	list := make([]wirePrompt, len(items))
	for i, item := range items {
		bad.nest([]string{key, strconv.Itoa(i)}, func(bad *formErrors) {
			if keys, ok := asObject(bad, item); ok {
				list[i] = c.readPrompt(bad, g, keys)
			}
		})
	}
	return list
}

func (c *call) readPrompt(bad *formErrors, g *guild, keys map[string]json.RawMessage) wirePrompt {
	var id field[ID]
	var kind field[int]
	var single, must, shown field[bool]
	read(bad, keys, "id", &id, asID)
	read(bad, keys, "type", &kind, asChoice(0, 1))
	read(bad, keys, "single_select", &single, asBool)
	read(bad, keys, "required", &must, asBool)
	read(bad, keys, "in_onboarding", &shown, asBool)
	required(bad, "id", id)
	p := wirePrompt{ID: id.value, Title: readText(bad, keys, "title", 1, 100), Type: kind.value, Single: single.value, Required: must.value, Shown: shown.value}
	if p.Title == "" {
		bad.add("BASE_TYPE_REQUIRED", "This field is required", "title")
	}
	var had []wirePromptOption
	at := slices.IndexFunc(g.onboarding.prompts, func(o wirePrompt) bool { return o.ID == p.ID })
	if at < 0 {
		p.ID = c.d.newID()
	} else {
		had = g.onboarding.prompts[at].Options
	}
	items := asItems(50)(bad, "options", keys["options"])
	if len(items) == 0 {
		bad.add("BASE_TYPE_MIN_LENGTH", "Must be 1 or more in length.", "options")
	}
	for i, item := range items {
		bad.nest([]string{"options", strconv.Itoa(i)}, func(bad *formErrors) {
			if keys, ok := asObject(bad, item); ok {
				p.Options = append(p.Options, c.readPromptOption(bad, g, keys, had))
			}
		})
	}
	return p
}

func (c *call) readPromptOption(bad *formErrors, g *guild, keys map[string]json.RawMessage, had []wirePromptOption) wirePromptOption {
	var id, emoji field[ID]
	var name field[string]
	var animated field[bool]
	var roles, channels field[[]ID]
	read(bad, keys, "id", &id, asID)
	read(bad, keys, "emoji_id", &emoji, asID)
	read(bad, keys, "emoji_name", &name, asText(0, 100))
	read(bad, keys, "emoji_animated", &animated, asBool)
	read(bad, keys, "role_ids", &roles, asFewIDs(50))
	read(bad, keys, "channel_ids", &channels, asFewIDs(50))
	o := wirePromptOption{
		ID: id.value, Title: readText(bad, keys, "title", 1, 50), Description: readText(bad, keys, "description", 0, 100),
		Emoji: wirePromptEmoji{ID: nullableID(emoji.value), Animated: animated.value},
		Roles: append([]ID{}, roles.value...), Channels: append([]ID{}, channels.value...),
	}
	if name.value != "" {
		o.Emoji.Name = &name.value
	}
	if !slices.ContainsFunc(had, func(h wirePromptOption) bool { return h.ID == o.ID }) {
		o.ID = c.d.newID()
	}
	if o.Title == "" {
		bad.add("BASE_TYPE_REQUIRED", "This field is required", "title")
	}
	if len(o.Roles)+len(o.Channels) == 0 {
		bad.add("ONBOARDING_OPTION_EMPTY", "An option gives a role or a channel", "role_ids")
	}
	for i, id := range o.Roles {
		if r := g.roles[id]; r == nil || r.managed {
			bad.add("ROLE_DOES_NOT_EXIST", "Role does not exist", "role_ids", strconv.Itoa(i))
		}
	}
	for i, id := range o.Channels {
		if g.channels[id] == nil {
			bad.add("CHANNEL_DOES_NOT_EXIST", "Channel does not exist", "channel_ids", strconv.Itoa(i))
		}
	}
	return o
}
