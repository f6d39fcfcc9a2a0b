package sandbox

import "time"

// The objects of Discord's API as the sandbox sends them, every required key included. What a sandbox has no state for
// carries the value that a fresh guild or account has.

// wireTime is how Discord writes times: microseconds and a numeric zone.
type wireTime time.Time

func (t wireTime) MarshalText() ([]byte, error) {
	return time.Time(t).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000000-07:00"), nil
}

type wireUser struct {
	ID            ID      `json:"id"`
	Username      string  `json:"username"`
	Discriminator string  `json:"discriminator"`
	GlobalName    *string `json:"global_name"`
	Avatar        *string `json:"avatar"`
	PublicFlags   int     `json:"public_flags"`
	Flags         int     `json:"flags"`
	Bot           bool    `json:"bot,omitempty"`
	Banner        *string `json:"banner"`
	AccentColor   *int    `json:"accent_color"`
	Decoration    *string `json:"avatar_decoration_data"`
	PrimaryGuild  *string `json:"primary_guild"`
}

// wireSelf is what a bot sees of itself.
type wireSelf struct {
	wireUser
	MFAEnabled bool   `json:"mfa_enabled"`
	Locale     string `json:"locale"`
	Verified   bool   `json:"verified"`
}

func newWireUser(u *user) wireUser {
	w := wireUser{ID: u.id, Username: u.name, Discriminator: "0", Bot: u.bot, Avatar: u.avatar}
	if u.globalName != "" {
		name := u.globalName // a copy: answers are written after the lock is gone
		w.GlobalName = &name
	}
	return w
}

type wireMember struct {
	User         wireUser  `json:"user"`
	Nick         *string   `json:"nick"`
	Avatar       *string   `json:"avatar"`
	Banner       *string   `json:"banner"`
	Roles        []ID      `json:"roles"`
	JoinedAt     wireTime  `json:"joined_at"`
	PremiumSince *wireTime `json:"premium_since"`
	Deaf         bool      `json:"deaf"`
	Mute         bool      `json:"mute"`
	Flags        int       `json:"flags"`
	Pending      bool      `json:"pending"`
	Timeout      *wireTime `json:"communication_disabled_until"`
}

func newWireMember(m *member) wireMember {
	w := wireMember{
		User: newWireUser(m.user), Roles: append([]ID{}, m.roles...), JoinedAt: wireTime(m.joined),
		Deaf: m.deaf, Mute: m.mute, Flags: m.flags,
	}
	if m.nick != "" {
		nick := m.nick
		w.Nick = &nick
	}
	if !m.timeout.IsZero() {
		t := wireTime(m.timeout)
		w.Timeout = &t
	}
	return w
}

type wireVoiceState struct {
	GuildID       ID         `json:"guild_id"`
	ChannelID     nullableID `json:"channel_id"`
	UserID        ID         `json:"user_id"`
	Member        wireMember `json:"member"`
	SessionID     string     `json:"session_id"`
	Deaf          bool       `json:"deaf"`
	Mute          bool       `json:"mute"`
	SelfDeaf      bool       `json:"self_deaf"`
	SelfMute      bool       `json:"self_mute"`
	SelfStream    bool       `json:"self_stream"`
	SelfVideo     bool       `json:"self_video"`
	Suppress      bool       `json:"suppress"`
	RequestSpeech *wireTime  `json:"request_to_speak_timestamp"`
}

type wireRole struct {
	ID           ID          `json:"id"`
	Name         string      `json:"name"`
	Permissions  Permissions `json:"permissions"`
	Position     int         `json:"position"`
	Color        int         `json:"color"`
	Colors       wireColors  `json:"colors"`
	Hoist        bool        `json:"hoist"`
	Managed      bool        `json:"managed"`
	Mentionable  bool        `json:"mentionable"`
	Icon         *string     `json:"icon"`
	UnicodeEmoji *string     `json:"unicode_emoji"`
	Flags        int         `json:"flags"`
	Tags         *wireTags   `json:"tags,omitempty"`
}

// wireTags says what a managed role belongs to.
type wireTags struct {
	BotID ID `json:"bot_id"`
}

type wireColors struct {
	Primary   int  `json:"primary_color"`
	Secondary *int `json:"secondary_color"`
	Tertiary  *int `json:"tertiary_color"`
}

type wireGuild struct {
	ID                ID            `json:"id"`
	Name              string        `json:"name"`
	Icon              *string       `json:"icon"`
	Description       *string       `json:"description"`
	HomeHeader        *string       `json:"home_header"`
	Splash            *string       `json:"splash"`
	DiscoverySplash   *string       `json:"discovery_splash"`
	Features          []string      `json:"features"`
	Banner            *string       `json:"banner"`
	OwnerID           ID            `json:"owner_id"`
	ApplicationID     nullableID    `json:"application_id"`
	Region            string        `json:"region"`
	AFKChannelID      nullableID    `json:"afk_channel_id"`
	AFKTimeout        int           `json:"afk_timeout"`
	SystemChannelID   nullableID    `json:"system_channel_id"`
	SystemFlags       int           `json:"system_channel_flags"`
	WidgetEnabled     bool          `json:"widget_enabled"`
	WidgetChannelID   nullableID    `json:"widget_channel_id"`
	Verification      int           `json:"verification_level"`
	Roles             []wireRole    `json:"roles"`
	Notifications     int           `json:"default_message_notifications"`
	MFALevel          int           `json:"mfa_level"`
	ExplicitFilter    int           `json:"explicit_content_filter"`
	MaxPresences      *int          `json:"max_presences"`
	MaxMembers        int           `json:"max_members"`
	MaxStageVideo     int           `json:"max_stage_video_channel_users"`
	MaxVideo          int           `json:"max_video_channel_users"`
	VanityCode        *string       `json:"vanity_url_code"`
	PremiumTier       int           `json:"premium_tier"`
	PremiumCount      int           `json:"premium_subscription_count"`
	PreferredLocale   string        `json:"preferred_locale"`
	RulesChannelID    nullableID    `json:"rules_channel_id"`
	SafetyChannelID   nullableID    `json:"safety_alerts_channel_id"`
	UpdatesChannelID  nullableID    `json:"public_updates_channel_id"`
	PremiumBarEnabled bool          `json:"premium_progress_bar_enabled"`
	NSFW              bool          `json:"nsfw"`
	NSFWLevel         int           `json:"nsfw_level"`
	Emojis            []wireEmoji   `json:"emojis"`
	Stickers          []wireSticker `json:"stickers"`
	Incidents         *incidents    `json:"incidents_data"`
	Members           *int          `json:"approximate_member_count,omitempty"`
	Presences         *int          `json:"approximate_presence_count,omitempty"`
}

func newWireRole(r *role) wireRole {
	w := wireRole{
		ID: r.id, Name: r.name, Permissions: r.permissions, Position: r.position, Managed: r.managed, Color: r.color,
		Colors: wireColors{r.color, r.secondary, r.tertiary}, Hoist: r.hoist, Mentionable: r.mentionable, UnicodeEmoji: r.emoji,
		Icon: r.icon.wire(),
	}
	if r.bot != 0 {
		w.Tags = &wireTags{r.bot}
	}
	return w
}

func wireRoles(g *guild) []wireRole {
	list := make([]wireRole, 0, len(g.roles))
	for _, id := range sortedIDs(g.roles) {
		list = append(list, newWireRole(g.roles[id]))
	}
	return list
}

func newWireGuild(g *guild) wireGuild {
	s := &g.set
	w := wireGuild{
		ID: g.id, Name: g.name, Icon: s.icon.wire(), Description: s.description, HomeHeader: s.header,
		Splash: s.splash.wire(), DiscoverySplash: s.discovery.wire(), Banner: s.banner.wire(),
		Features: append([]string{}, s.features...), OwnerID: g.owner, Region: "deprecated", AFKChannelID: nullableID(s.afk),
		AFKTimeout: s.afkTimeout, SystemChannelID: nullableID(s.system), SystemFlags: s.systemFlags, Verification: s.verification,
		Roles: wireRoles(g), Notifications: s.notifications, ExplicitFilter: s.filter, MaxMembers: 500_000, MaxStageVideo: 50,
		MaxVideo: 25, PreferredLocale: s.locale, RulesChannelID: nullableID(s.rules), SafetyChannelID: nullableID(s.safety),
		UpdatesChannelID: nullableID(s.updates), WidgetEnabled: g.widget.Enabled, WidgetChannelID: g.widget.Channel,
		PremiumBarEnabled: s.premiumBar, Emojis: wireEmojis(g, false),
		Stickers: wireStickers(g, false), PremiumTier: g.tier, PremiumCount: g.boosts(),
	}
	if g.mfa {
		w.MFALevel = 1
	}
	if g.incident != (incidents{}) {
		i := g.incident
		w.Incidents = &i
	}
	return w
}
