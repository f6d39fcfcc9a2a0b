package model

import "time"

// Types of channels, as Discord numbers them.
const (
	TypeText               = 0
	TypeVoice              = 2
	TypeCategory           = 4
	TypeAnnouncement       = 5
	TypeAnnouncementThread = 10
	TypePublicThread       = 11
	TypePrivateThread      = 12
	TypeStage              = 13
	TypeDirectory          = 14
	TypeForum              = 15
	TypeMedia              = 16
)

// Channel is a channel or category. What its type does not have is zero.
type Channel struct {
	ID         ID          `json:"id"`
	Type       int         `json:"type"`
	Name       string      `json:"name"`
	Position   int         `json:"position"`
	Parent     *ID         `json:"parent_id"`
	Topic      *string     `json:"topic"`
	NSFW       bool        `json:"nsfw"`
	Slowmode   int         `json:"rate_limit_per_user"` // seconds
	Overwrites []Overwrite `json:"permission_overwrites"`

	Bitrate      int     `json:"bitrate,omitempty"`    // bits a second
	UserLimit    int     `json:"user_limit,omitempty"` // 0: none
	Region       *string `json:"rtc_region,omitempty"` // nil: Discord chooses
	VideoQuality int     `json:"video_quality_mode,omitempty"`

	AutoArchive    int            `json:"default_auto_archive_duration,omitempty"` // minutes
	ThreadSlowmode int            `json:"default_thread_rate_limit_per_user,omitempty"`
	Tags           []ForumTag     `json:"available_tags,omitempty"`
	Reaction       *ReactionEmoji `json:"default_reaction_emoji,omitempty"`
	SortOrder      *int           `json:"default_sort_order,omitempty"`
	Layout         int            `json:"default_forum_layout,omitempty"`
	Flags          int            `json:"flags,omitempty"` // REQUIRE_TAG 1<<4, HIDE_MEDIA_DOWNLOAD_OPTIONS 1<<15
}

// Overwrite is what a channel allows and denies to a role (type 0) or a member (type 1).
type Overwrite struct {
	ID    ID   `json:"id"`
	Type  int  `json:"type"`
	Allow Bits `json:"allow"`
	Deny  Bits `json:"deny"`
}

// ForumTag is a tag of a forum. Its id changes when it is made again.
type ForumTag struct {
	ID        ID      `json:"id"`
	Name      string  `json:"name"`
	Moderated bool    `json:"moderated"`
	EmojiID   *ID     `json:"emoji_id"`
	EmojiName *string `json:"emoji_name"`
}

// ReactionEmoji is the reaction that a forum offers on a post: an emoji of the guild, or a character.
type ReactionEmoji struct {
	EmojiID   *ID     `json:"emoji_id"`
	EmojiName *string `json:"emoji_name"`
}

// Thread is a thread, or a post of a forum. In a forum, and where it was begun from a message, its first message has its id.
type Thread struct {
	ID          ID        `json:"id"`
	Type        int       `json:"type"`
	Parent      ID        `json:"parent_id"`
	Owner       ID        `json:"owner_id"`
	Name        string    `json:"name"`
	Slowmode    int       `json:"rate_limit_per_user"`
	Tags        []ID      `json:"applied_tags,omitempty"`
	Flags       int       `json:"flags,omitempty"` // PINNED 1<<1
	Archived    bool      `json:"archived"`
	Locked      bool      `json:"locked"`
	Invitable   bool      `json:"invitable,omitempty"`
	AutoArchive int       `json:"auto_archive_duration"` // minutes
	CreatedAt   time.Time `json:"create_timestamp,omitzero"`
}
