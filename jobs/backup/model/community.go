package model

import (
	"encoding/json"
	"time"
)

// AutoModRule is a rule of Discord's own moderation.
type AutoModRule struct {
	ID             ID              `json:"id"`
	Name           string          `json:"name"`
	EventType      int             `json:"event_type"`
	TriggerType    int             `json:"trigger_type"`               // cannot be changed once it is made
	Trigger        json.RawMessage `json:"trigger_metadata,omitempty"` // as Discord sent it: it names nothing of the guild
	Actions        []AutoModAction `json:"actions"`
	Enabled        bool            `json:"enabled"`
	ExemptRoles    []ID            `json:"exempt_roles"`
	ExemptChannels []ID            `json:"exempt_channels"`
}

// AutoModAction is what a rule does when it fires.
type AutoModAction struct {
	Type     int              `json:"type"` // 1 block, 2 alert, 3 timeout, 4 block interaction
	Metadata *AutoModMetadata `json:"metadata,omitempty"`
}

// AutoModMetadata is what an action needs to know.
type AutoModMetadata struct {
	Channel  ID     `json:"channel_id,omitempty"`
	Duration int    `json:"duration_seconds,omitempty"`
	Message  string `json:"custom_message,omitempty"`
}

// WelcomeScreen greets who joins a community.
type WelcomeScreen struct {
	Enabled     bool             `json:"enabled"`
	Description *string          `json:"description"`
	Channels    []WelcomeChannel `json:"welcome_channels"`
}

// WelcomeChannel is a channel on the welcome screen.
type WelcomeChannel struct {
	Channel     ID      `json:"channel_id"`
	Description string  `json:"description"`
	EmojiID     *ID     `json:"emoji_id"`
	EmojiName   *string `json:"emoji_name"`
}

// Onboarding is what a community asks who joins, and the channels it shows to begin with.
type Onboarding struct {
	Enabled         bool     `json:"enabled"`
	Mode            int      `json:"mode"`
	DefaultChannels []ID     `json:"default_channel_ids"`
	Prompts         []Prompt `json:"prompts"`
}

// Prompt is a question of the onboarding.
type Prompt struct {
	ID           ID             `json:"id"`
	Type         int            `json:"type"`
	Title        string         `json:"title"`
	Options      []PromptOption `json:"options"`
	SingleSelect bool           `json:"single_select"`
	Required     bool           `json:"required"`
	InOnboarding bool           `json:"in_onboarding"`
}

// PromptOption is an answer to a question, with the roles and channels that it gives. Discord answers with an emoji
// object and takes emoji_id, emoji_name and emoji_animated.
type PromptOption struct {
	ID            ID      `json:"id"`
	Title         string  `json:"title"`
	Description   *string `json:"description"`
	EmojiID       *ID     `json:"emoji_id"`
	EmojiName     *string `json:"emoji_name"`
	EmojiAnimated bool    `json:"emoji_animated,omitempty"`
	Roles         []ID    `json:"role_ids"`
	Channels      []ID    `json:"channel_ids"`
}

// Event is a scheduled event that has not ended. One that has begun or is past cannot be made again: Discord wants a
// start in the future.
type Event struct {
	ID          ID              `json:"id"`
	Name        string          `json:"name"`
	Description *string         `json:"description"`
	Start       time.Time       `json:"scheduled_start_time"`
	End         *time.Time      `json:"scheduled_end_time"`
	Privacy     int             `json:"privacy_level"`
	EntityType  int             `json:"entity_type"` // 1 stage, 2 voice, 3 elsewhere
	Channel     *ID             `json:"channel_id"`
	Location    string          `json:"location,omitempty"` // of one that is elsewhere; on the wire entity_metadata.location
	Status      int             `json:"status"`
	Recurrence  json.RawMessage `json:"recurrence_rule,omitempty"` // as Discord sent it: it names nothing of the guild
	Image       FileKey         `json:"image,omitempty"`
}

// Webhook is a webhook of a channel, never with its token: who has that can write.
type Webhook struct {
	ID      ID      `json:"id"`
	Type    int     `json:"type"` // 1 incoming; 2 follows an announcement channel elsewhere, 3 an application's: these cannot be made
	Channel ID      `json:"channel_id"`
	Name    *string `json:"name"`
	Avatar  FileKey `json:"avatar,omitempty"`
}

// Ban is a ban.
type Ban struct {
	User   ID      `json:"user"`
	Reason *string `json:"reason"`
}

// Member is who has which roles, for backups that were asked to keep it.
type Member struct {
	User  ID      `json:"user"`
	Nick  *string `json:"nick,omitempty"`
	Roles []ID    `json:"roles,omitempty"`
}

// Pins are the pinned messages of a channel or thread, the newest pin first.
type Pins struct {
	Channel  ID   `json:"channel_id"`
	Messages []ID `json:"messages"`
}
