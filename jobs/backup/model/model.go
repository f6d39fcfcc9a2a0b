// Package model is what a backup consists of: one guild as plain data, in Discord's own field names and codes, so that an
// answer of Discord decodes into it and a request body is cut from it without a table of translations in between.
//
// It holds exactly what a bot may set again and the ids that such things refer to each other by; what Discord only tells
// (member counts, boosts, the owner) is in About, for people. Every part imports this package and it imports none of ours.
// A field that Discord sends as null is a pointer. A field that is not here is not in a backup: add it here first, and the
// archive, the comparison and the restore say at compile time or in their tests what they lack.
//
// Read first: Snapshot here, then channel.go, expression.go, community.go and message.go; what the jobs are asked for and
// answer is in bus/backup.go (BackupArgs, BackupDone, PlanArgs, RestoreArgs …). Names and codes are those of
// Discord's OpenAPI description, v10.
package model

import "time"

// Version is the version of this schema as archives carry it. It grows when a field changes its meaning; a new field
// alone does not need it, since readers pass over what they do not know.
const Version = 1

// ID is a snowflake in decimal, as Discord writes it. Ids compare as numbers, not as texts: see Before.
type ID string

// Before tells whether a was made before b. Snowflakes carry their time, but texts of other lengths do not sort by it.
func (a ID) Before(b ID) bool {
	if len(a) != len(b) {
		return len(a) < len(b)
	}
	return a < b
}

// Snapshot is the structure of one guild at one moment: everything but messages and the bytes of files, which an archive
// streams beside it because they have no bound that fits into memory.
type Snapshot struct {
	About    About     `json:"about"`
	Guild    Guild     `json:"guild"`
	Roles    []Role    `json:"roles"`    // with @everyone, whose id is the guild's; from the lowest up
	Channels []Channel `json:"channels"` // without threads; categories and channels by position, then id
	Threads  []Thread  `json:"threads,omitempty"`

	Emojis   []Emoji   `json:"emojis,omitempty"`
	Stickers []Sticker `json:"stickers,omitempty"`
	Sounds   []Sound   `json:"sounds,omitempty"`

	AutoMod    []AutoModRule  `json:"auto_moderation,omitempty"`
	Welcome    *WelcomeScreen `json:"welcome_screen,omitempty"`
	Onboarding *Onboarding    `json:"onboarding,omitempty"`
	Events     []Event        `json:"scheduled_events,omitempty"`
	Webhooks   []Webhook      `json:"webhooks,omitempty"`

	Bans    []Ban    `json:"bans,omitempty"`
	Members []Member `json:"members,omitempty"`
	Pins    []Pins   `json:"pins,omitempty"`
}

// About is what a backup says of itself and of the guild, for people. Nothing of it is restored.
type About struct {
	GuildID    ID        `json:"guild_id"`
	TakenAt    time.Time `json:"taken_at"`
	TakenBy    ID        `json:"taken_by,omitempty"` // the user who asked for it; empty: a schedule
	Bot        ID        `json:"bot"`                // the application's user
	OwnerID    ID        `json:"owner_id"`
	Members    int       `json:"members,omitempty"`
	BoostLevel int       `json:"premium_tier"`
}

// Guild is the guild's settings. Files are named by the key under which the archive holds them, see File.
type Guild struct {
	Name                  string   `json:"name"`
	Description           *string  `json:"description"`
	Icon                  FileKey  `json:"icon,omitempty"`
	Splash                FileKey  `json:"splash,omitempty"`
	Banner                FileKey  `json:"banner,omitempty"`
	DiscoverySplash       FileKey  `json:"discovery_splash,omitempty"`
	VerificationLevel     int      `json:"verification_level"`
	DefaultNotifications  int      `json:"default_message_notifications"`
	ExplicitContentFilter int      `json:"explicit_content_filter"`
	PreferredLocale       string   `json:"preferred_locale"`
	AFKTimeout            int      `json:"afk_timeout"` // seconds
	AFKChannel            *ID      `json:"afk_channel_id"`
	SystemChannel         *ID      `json:"system_channel_id"`
	SystemChannelFlags    int      `json:"system_channel_flags"`
	RulesChannel          *ID      `json:"rules_channel_id"`
	UpdatesChannel        *ID      `json:"public_updates_channel_id"`
	SafetyAlertsChannel   *ID      `json:"safety_alerts_channel_id"`
	BoostBar              bool     `json:"premium_progress_bar_enabled"`
	WidgetEnabled         bool     `json:"widget_enabled"`
	WidgetChannel         *ID      `json:"widget_channel_id"`
	MFALevel              int      `json:"mfa_level"` // told only: just the owner may change it
	Features              []string `json:"features"`  // of these only COMMUNITY, DISCOVERABLE, INVITES_DISABLED and RAID_ALERTS_DISABLED can be set
}

// Community tells whether the guild has rules, updates and the channel types that come with them.
func (g Guild) Community() bool { return g.Has("COMMUNITY") }

// Has tells whether the guild has a feature.
func (g Guild) Has(feature string) bool {
	for _, f := range g.Features {
		if f == feature {
			return true
		}
	}
	return false
}

// Role is a role. One that is Managed belongs to a bot, to boosting or to a connection: it cannot be made or given, but
// what refers to it can be kept where the guild still has it.
type Role struct {
	ID          ID         `json:"id"`
	Name        string     `json:"name"`
	Permissions Bits       `json:"permissions"`
	Position    int        `json:"position"`
	Color       int        `json:"color"`
	Colors      RoleColors `json:"colors"`
	Hoist       bool       `json:"hoist"`
	Mentionable bool       `json:"mentionable"`
	Icon        FileKey    `json:"icon,omitempty"`
	Emoji       *string    `json:"unicode_emoji"`
	Managed     bool       `json:"managed,omitempty"`
	Tags        *RoleTags  `json:"tags,omitempty"`
}

// RoleColors are the colours of a role; the second and third need ENHANCED_ROLE_COLORS.
type RoleColors struct {
	Primary   int  `json:"primary_color"`
	Secondary *int `json:"secondary_color"`
	Tertiary  *int `json:"tertiary_color"`
}

// RoleTags say whose a managed role is.
type RoleTags struct {
	Bot         ID   `json:"bot_id,omitempty"`
	Integration ID   `json:"integration_id,omitempty"`
	Booster     bool `json:"booster,omitempty"` // Discord marks it with a key whose value is null
}

// Bits is a set of permissions, as Discord writes it: a decimal text of up to 64 bits.
type Bits string

// FileKey names a file in an archive, in the section of files: the hex SHA-256 of its bytes, so that equal files are kept
// once and a damaged one is known. Empty: there was none, or it could not be fetched and the manifest says why.
type FileKey string
