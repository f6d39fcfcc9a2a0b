package sandbox

import (
	"encoding/json"
	"slices"
	"time"
)

// guildSettings are the properties of a guild that PATCH /guilds/{guild_id} changes, names aside.
type guildSettings struct {
	description   *string
	icon          picture
	splash        picture
	discovery     picture
	banner        picture
	header        *string // of the home page; a hash that nothing is behind
	verification  int
	notifications int
	filter        int
	locale        string
	afkTimeout    int
	afk           ID
	system        ID
	systemFlags   int
	rules         ID
	updates       ID
	safety        ID
	premiumBar    bool
	features      []string // sorted
}

func freshSettings() guildSettings {
	return guildSettings{locale: "en-US", afkTimeout: 300, features: []string{}}
}

// forget takes a channel that is gone out of what names it; automod rules keep its id, as Discord's do.
func (g *guild) forget(channel ID) {
	s := &g.set
	for _, at := range []*ID{&s.afk, &s.system, &s.rules, &s.updates, &s.safety} {
		if *at == channel {
			*at = 0
		}
	}
	if ID(g.widget.Channel) == channel {
		g.widget.Channel = 0
	}
	g.welcome.channels = slices.DeleteFunc(slices.Clone(g.welcome.channels), func(w wireWelcomeChannel) bool { return w.ChannelID == channel })
	g.onboarding.channels = slices.DeleteFunc(slices.Clone(g.onboarding.channels), func(id ID) bool { return id == channel })
	for id, e := range g.scheduled {
		if e.channel == channel {
			delete(g.scheduled, id)
		}
	}
}

func (g *guild) community() bool { return g.has("COMMUNITY") }

func (g *guild) has(feature string) bool { return slices.Contains(g.set.features, feature) }

// auditKeys are the properties of a guild that the audit log shows. That features are among them is a guess.
func (g *guild) auditKeys() []auditKey {
	s := &g.set
	return []auditKey{
		{"name", g.name}, {"description", s.description}, {"icon_hash", s.icon.wire()}, {"splash_hash", s.splash.wire()},
		{"discovery_splash_hash", s.discovery.wire()}, {"home_header", s.header}, {"banner_hash", s.banner.wire()}, {"verification_level", s.verification}, {"default_message_notifications", s.notifications},
		{"explicit_content_filter", s.filter}, {"preferred_locale", s.locale}, {"afk_timeout", s.afkTimeout},
		{"afk_channel_id", nullableID(s.afk)}, {"system_channel_id", nullableID(s.system)}, {"system_channel_flags", s.systemFlags},
		{"rules_channel_id", nullableID(s.rules)}, {"public_updates_channel_id", nullableID(s.updates)},
		{"safety_alerts_channel_id", nullableID(s.safety)}, {"premium_progress_bar_enabled", s.premiumBar}, {"features", s.features},
		{"widget_enabled", g.widget.Enabled}, {"widget_channel_id", g.widget.Channel},
	}
}

// SetFeatures replaces the features of a guild: "COMMUNITY" is what news, stages and forums need.
func (d *Discord) SetFeatures(guildID ID, features ...string) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		g.set.features = slices.Sorted(slices.Values(features))
		d.emit(g.id, "GUILD_UPDATE", newWireGuild(g))
		return 0, nil
	})
	return err
}

// SetMFA makes a guild ask its moderators for a second factor (mfa_level 1), or not.
func (d *Discord) SetMFA(guildID ID, on bool) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		g.mfa = on
		d.emit(g.id, "GUILD_UPDATE", newWireGuild(g))
		return 0, nil
	})
	return err
}

// guildBody is the body of PATCH /guilds/{guild_id}.
type guildBody struct {
	name          field[string]
	owner         field[ID]
	description   field[string]
	icon          field[picture]
	splash        field[picture]
	discovery     field[picture]
	banner        field[picture]
	header        field[string]
	verification  field[int]
	notifications field[int]
	filter        field[int]
	locale        field[string]
	afkTimeout    field[int]
	afk           field[ID]
	system        field[ID]
	systemFlags   field[int]
	rules         field[ID]
	updates       field[ID]
	safety        field[ID]
	premiumBar    field[bool]
	features      field[[]string]
}

func parseGuild(keys map[string]json.RawMessage) (guildBody, *apiError) {
	var b guildBody
	var bad formErrors
	read(&bad, keys, "name", &b.name, asText(2, 100))
	read(&bad, keys, "owner_id", &b.owner, asID)
	read(&bad, keys, "description", &b.description, asText(0, 300))
	read(&bad, keys, "icon", &b.icon, asPicture)
	read(&bad, keys, "splash", &b.splash, asPicture)
	read(&bad, keys, "banner", &b.banner, asPicture)
	read(&bad, keys, "discovery_splash", &b.discovery, asPicture)
	read(&bad, keys, "home_header", &b.header, asText(0, 100))
	read(&bad, keys, "verification_level", &b.verification, asChoice(0, 1, 2, 3, 4))
	read(&bad, keys, "default_message_notifications", &b.notifications, asChoice(0, 1))
	read(&bad, keys, "explicit_content_filter", &b.filter, asChoice(0, 1, 2))
	read(&bad, keys, "preferred_locale", &b.locale, asLocale)
	read(&bad, keys, "afk_timeout", &b.afkTimeout, asChoice(60, 300, 900, 1800, 3600))
	read(&bad, keys, "afk_channel_id", &b.afk, asID)
	read(&bad, keys, "system_channel_id", &b.system, asID)
	read(&bad, keys, "system_channel_flags", &b.systemFlags, asInt)
	read(&bad, keys, "rules_channel_id", &b.rules, asID)
	read(&bad, keys, "public_updates_channel_id", &b.updates, asID)
	read(&bad, keys, "safety_alerts_channel_id", &b.safety, asID)
	read(&bad, keys, "premium_progress_bar_enabled", &b.premiumBar, asBool)
	read(&bad, keys, "features", &b.features, asFeatures)
	if b.name.null {
		required(&bad, "name", b.name)
	}
	return b, bad.err()
}

// changeableFeatures are those that a PATCH turns on and off; COMMUNITY is for administrators.
func changeableFeatures() []string {
	return []string{"COMMUNITY", "DISCOVERABLE", "INVITES_DISABLED", "RAID_ALERTS_DISABLED"}
}

// patchGuild changes all or nothing. The list of features is the whole wish; those that nobody can change stay.
func patchGuild(c *call) (any, *apiError) {
	g, me, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	b, err := parseGuild(keys)
	if err != nil {
		return nil, err
	}
	if b.owner.set && (me.user.id != g.owner || g.members[b.owner.value] == nil) {
		return nil, missingPermissions() // a guild is given away by its owner, to a member
	}
	next := g.set
	b.apply(&next)
	if b.features.set {
		next.features = mixFeatures(g.set.features, b.features.value)
	}
	if err := c.maySettle(g, me, &next); err != nil {
		return nil, err
	}
	before := g.auditKeys()
	if b.owner.set {
		g.owner = b.owner.value
	}
	set(&g.name, b.name)
	g.set = next
	if changes := between(before, g.auditKeys()); len(changes) > 0 || b.owner.set {
		c.d.emit(g.id, "GUILD_UPDATE", newWireGuild(g))
		c.audit(g, AuditEntry{Action: AuditGuildUpdate, Target: g.id, Changes: changes})
	}
	return newWireGuild(g), nil
}

func mixFeatures(have, wish []string) []string {
	fixed := slices.DeleteFunc(slices.Clone(have), func(f string) bool { return slices.Contains(changeableFeatures(), f) })
	for _, f := range wish {
		if slices.Contains(changeableFeatures(), f) {
			fixed = append(fixed, f)
		}
	}
	slices.Sort(fixed)
	return slices.Compact(fixed)
}

// maySettle checks what settings ask of the guild: channels that exist, and for a community its two channels, a
// verification level and an administrator.
func (c *call) maySettle(g *guild, me *member, next *guildSettings) *apiError {
	var bad formErrors
	for key, id := range map[string]ID{
		"afk_channel_id": next.afk, "system_channel_id": next.system, "rules_channel_id": next.rules,
		"public_updates_channel_id": next.updates, "safety_alerts_channel_id": next.safety,
	} {
		ch := g.channels[id]
		switch {
		case id == 0:
		case ch == nil:
			bad.add("CHANNEL_DOES_NOT_EXIST", "Channel does not exist", key)
		case (key == "afk_channel_id") != (ch.kind == VoiceChannel):
			bad.add("CHANNEL_INVALID_TYPE", "Invalid channel type", key)
		}
	}
	is, was := slices.Contains(next.features, "COMMUNITY"), g.community()
	if is && (next.rules == 0 || next.updates == 0) {
		bad.add("COMMUNITY_CHANNELS_REQUIRED", "A community needs a rules channel and one for updates", "features")
	}
	if is && next.verification == 0 {
		bad.add("COMMUNITY_VERIFICATION_REQUIRED", "A community needs a verification level", "verification_level")
	}
	if err := bad.err(); err != nil {
		return err
	}
	if !g.affords(next) {
		return boostsNeeded()
	}
	if is != was && g.rolePermissions(me) != AllPermissions {
		return missingPermissions()
	}
	return nil
}

// affords says whether the guild has the features that its new pictures need. An icon is free unless it moves.
func (g *guild) affords(next *guildSettings) bool {
	moving := func(p picture) bool { return p.kind == "image/gif" }
	for _, p := range []struct {
		was, is picture
		feature string
	}{
		{g.set.splash, next.splash, "INVITE_SPLASH"}, {g.set.banner, next.banner, "BANNER"},
		{g.set.discovery, next.discovery, "DISCOVERABLE"},
	} {
		if p.is.hash != "" && p.is.hash != p.was.hash && !g.has(p.feature) {
			return false
		}
	}
	return (!moving(next.icon) || g.has("ANIMATED_ICON")) && (!moving(next.banner) || g.has("ANIMATED_BANNER"))
}

func (b guildBody) apply(s *guildSettings) {
	setPointer(&s.description, b.description)
	set(&s.icon, b.icon)
	set(&s.splash, b.splash)
	set(&s.discovery, b.discovery)
	set(&s.banner, b.banner)
	setPointer(&s.header, b.header)
	set(&s.verification, b.verification)
	set(&s.notifications, b.notifications)
	set(&s.filter, b.filter)
	set(&s.systemFlags, b.systemFlags)
	set(&s.afk, b.afk)
	set(&s.system, b.system)
	set(&s.rules, b.rules)
	set(&s.updates, b.updates)
	set(&s.safety, b.safety)
	set(&s.premiumBar, b.premiumBar)
	if b.locale.set {
		s.locale = "en-US"
	}
	if b.locale.value != "" {
		s.locale = b.locale.value
	}
	if b.afkTimeout.set && !b.afkTimeout.null {
		s.afkTimeout = b.afkTimeout.value
	}
}

// guildRoutes are the routes of a guild itself and of lists about it.
func guildRoutes() []route {
	const one = "/guilds/{guild_id}"
	return []route{
		{method: "PATCH", pattern: one, bucket: "guild-patch", limit: per(5, 10*time.Second), body: maxPictureBody, handle: patchGuild},
		{method: "GET", pattern: one + "/audit-logs", bucket: "audit-log", limit: per(10, 10*time.Second), handle: listAuditLog},
		{method: "PUT", pattern: one + "/incident-actions", bucket: "incident-actions", limit: per(5, 10*time.Second), handle: putIncidentActions},
		{method: "GET", pattern: one + "/prune", bucket: "prune", limit: per(2, 10*time.Second), handle: countPrune},
		{method: "POST", pattern: one + "/prune", bucket: "prune", limit: per(2, 10*time.Second), handle: beginPrune},
	}
}

func asLocale(bad *formErrors, key string, raw json.RawMessage) string {
	s := asText(0, 10)(bad, key, raw)
	if s != "" && !slices.Contains(locales(), s) {
		bad.add("BASE_TYPE_CHOICES", "Value must be one of Discord's locales.", key)
	}
	return s
}

// locales are all that Discord has.
func locales() []string {
	return []string{
		"ar", "bg", "cs", "da", "de", "el", "en-GB", "en-US", "es-419", "es-ES", "fi", "fr", "he", "hi", "hr", "hu", "id", "it",
		"ja", "ko", "lt", "nl", "no", "pl", "pt-BR", "ro", "ru", "sv-SE", "th", "tr", "uk", "vi", "zh-CN", "zh-TW",
	}
}

func asFeatures(bad *formErrors, key string, raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) != nil {
		bad.add("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType", key)
	}
	return list
}
