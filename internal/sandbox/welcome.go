package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"
	"time"
)

// welcomeScreen is what new members of a community see first.
type welcomeScreen struct {
	description *string
	channels    []wireWelcomeChannel
}

type wireWelcomeChannel struct {
	ChannelID   ID         `json:"channel_id"`
	Description string     `json:"description"`
	EmojiID     nullableID `json:"emoji_id"`
	EmojiName   *string    `json:"emoji_name"`
}

type wireWelcomeScreen struct {
	Description *string              `json:"description"`
	Channels    []wireWelcomeChannel `json:"welcome_channels"`
}

func (g *guild) wireWelcome() wireWelcomeScreen {
	return wireWelcomeScreen{g.welcome.description, append([]wireWelcomeChannel{}, g.welcome.channels...)}
}

// welcomeOn is the feature that says that the screen is shown.
const welcomeOn = "WELCOME_SCREEN_ENABLED"

// greetingRoutes are the routes of what new members and visitors see: welcome screen, onboarding, widget, vanity address.
func greetingRoutes() []route {
	const guild = "/guilds/{guild_id}"
	limit := per(5, 5*time.Second)
	return []route{
		{method: "GET", pattern: guild + "/welcome-screen", bucket: "welcome", limit: limit, handle: getWelcome},
		{method: "PATCH", pattern: guild + "/welcome-screen", bucket: "welcome-patch", limit: limit, handle: patchWelcome},
		{method: "GET", pattern: guild + "/onboarding", bucket: "onboarding", limit: limit, handle: getOnboarding},
		{method: "PUT", pattern: guild + "/onboarding", bucket: "onboarding-put", limit: limit, handle: putOnboarding},
		{method: "GET", pattern: guild + "/widget", bucket: "widget", limit: limit, handle: getWidget},
		{method: "PATCH", pattern: guild + "/widget", bucket: "widget", limit: limit, handle: patchWidget},
		{method: "GET", pattern: guild + "/vanity-url", bucket: "vanity", limit: limit, handle: getVanity},
		{method: "GET", pattern: guild + "/templates", bucket: "templates", limit: limit, handle: listTemplates},
	}
}

// getWelcome shows the screen; one that is off only to those who manage the guild.
func getWelcome(c *call) (any, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	if !g.has(welcomeOn) && !g.basePermissions(me, c.now).Has(ManageGuild) {
		return nil, missingPermissions()
	}
	if !g.community() {
		return nil, unknownWelcome()
	}
	return g.wireWelcome(), nil
}

// patchWelcome changes the screen and whether it is shown, which only communities can.
func patchWelcome(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	if !g.community() {
		return nil, unknownWelcome()
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var description field[string]
	var enabled field[bool]
	var channels field[[]wireWelcomeChannel]
	var bad formErrors
	read(&bad, keys, "description", &description, asText(0, 140))
	read(&bad, keys, "enabled", &enabled, asBool)
	read(&bad, keys, "welcome_channels", &channels, func(bad *formErrors, key string, raw json.RawMessage) []wireWelcomeChannel {
		return g.asWelcomeChannels(bad, key, raw)
	})
	if err := bad.err(); err != nil {
		return nil, err
	}
	before := g.auditKeys()
	setPointer(&g.welcome.description, description)
	set(&g.welcome.channels, channels)
	if enabled.set {
		g.set.features = slices.DeleteFunc(slices.Clone(g.set.features), func(f string) bool { return f == welcomeOn })
		if enabled.value {
			g.set.features = slices.Sorted(slices.Values(append(g.set.features, welcomeOn)))
		}
	}
	c.d.emit(g.id, "GUILD_UPDATE", newWireGuild(g))
	c.audit(g, AuditEntry{Action: AuditGuildUpdate, Target: g.id, Changes: between(before, g.auditKeys())})
	return g.wireWelcome(), nil
}

func (g *guild) asWelcomeChannels(bad *formErrors, key string, raw json.RawMessage) []wireWelcomeChannel {
	items := asItems(5)(bad, key, raw)
	list := make([]wireWelcomeChannel, len(items))
	for i, item := range items {
		bad.nest([]string{key, strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, item)
			if !ok {
				return
			}
			var channel field[ID]
			read(bad, keys, "channel_id", &channel, asID)
			required(bad, "channel_id", channel)
			if ch := g.channels[channel.value]; channel.value != 0 && (ch == nil || ch.kind == CategoryChannel) {
				bad.add("CHANNEL_DOES_NOT_EXIST", "Channel does not exist", "channel_id")
			}
			list[i] = wireWelcomeChannel{ChannelID: channel.value, Description: readText(bad, keys, "description", 1, 50)}
			var r wireReaction
			r.read(bad, keys)
			list[i].EmojiID, list[i].EmojiName = r.EmojiID, r.EmojiName
		})
	}
	return list
}

type wireWidget struct {
	Enabled bool       `json:"enabled"`
	Channel nullableID `json:"channel_id"`
}

func getWidget(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	return g.widget, nil
}

func patchWidget(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var enabled field[bool]
	var channel field[ID]
	var bad formErrors
	read(&bad, keys, "enabled", &enabled, asBool)
	read(&bad, keys, "channel_id", &channel, asID)
	if channel.value != 0 && g.channels[channel.value] == nil {
		bad.add("CHANNEL_DOES_NOT_EXIST", "Channel does not exist", "channel_id")
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	before := g.auditKeys()
	set(&g.widget.Enabled, enabled)
	if channel.set {
		g.widget.Channel = nullableID(channel.value)
	}
	if changes := between(before, g.auditKeys()); len(changes) > 0 {
		c.d.emit(g.id, "GUILD_UPDATE", newWireGuild(g))
		c.audit(g, AuditEntry{Action: AuditGuildUpdate, Target: g.id, Changes: changes})
	}
	return g.widget, nil
}

// getVanity shows the address of a guild that has one; no route sets it here.
func getVanity(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	if !g.has("VANITY_URL") {
		return nil, missingAccess()
	}
	return map[string]any{"code": nil, "uses": 0}, nil
}

// listTemplates is always empty: bots cannot make guilds of them any more, and the sandbox has none.
func listTemplates(c *call) (any, *apiError) {
	if _, _, err := c.guildWith(ManageGuild); err != nil {
		return nil, err
	}
	return []struct{}{}, nil
}
