package model

import (
	"encoding/json"
	"time"
)

// Message is a message as far as it can be said again in its author's name.
type Message struct {
	ID          ID               `json:"id"`
	Type        int              `json:"type"` // 0 and 19 (a reply) are people's words; the others are Discord's own
	Author      Author           `json:"author"`
	Webhook     ID               `json:"webhook_id,omitempty"`
	Content     string           `json:"content"` // up to 4000 characters
	At          time.Time        `json:"timestamp"`
	EditedAt    *time.Time       `json:"edited_timestamp"`
	Pinned      bool             `json:"pinned"`
	TTS         bool             `json:"tts,omitempty"`
	Flags       int              `json:"flags,omitempty"`
	Embeds      json.RawMessage  `json:"embeds,omitempty"`     // only those of type rich: link previews come by themselves
	Components  json.RawMessage  `json:"components,omitempty"` // kept for reading; a webhook of ours may send only what has no custom id
	Attachments []Attachment     `json:"attachments,omitempty"`
	Stickers    []MessageSticker `json:"sticker_items,omitempty"`
	Reply       *Reply           `json:"message_reference,omitempty"`
	Reactions   []Reaction       `json:"reactions,omitempty"` // counted for reading; nobody can react for others
}

// Author is who wrote a message.
type Author struct {
	ID         ID      `json:"id"`
	Name       string  `json:"username"`
	GlobalName *string `json:"global_name,omitempty"`
	Avatar     *string `json:"avatar,omitempty"` // Discord's hash: the picture stays where it is
	Bot        bool    `json:"bot,omitempty"`
}

// Attachment is a file of a message. Its bytes are in the archive under File unless Skipped says why they are not.
type Attachment struct {
	ID          ID      `json:"id"`
	Name        string  `json:"filename"`
	Description string  `json:"description,omitempty"`
	ContentType string  `json:"content_type,omitempty"`
	Size        int64   `json:"size"` // bytes
	File        FileKey `json:"file,omitempty"`
	Skipped     string  `json:"skipped,omitempty"` // a sentence for people
}

// MessageSticker names a sticker in a message.
type MessageSticker struct {
	ID     ID     `json:"id"`
	Name   string `json:"name"`
	Format int    `json:"format_type"`
}

// Reply names the message that one answers.
type Reply struct {
	Message ID `json:"message_id,omitempty"`
	Channel ID `json:"channel_id,omitempty"`
}

// Reaction is how often a message was answered with an emoji.
type Reaction struct {
	Emoji string `json:"emoji"` // a character, or name:id
	Count int    `json:"count"`
}
