package model

import (
	"encoding/json"
	"iter"
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
	Snapshots   []Snapshotted    `json:"message_snapshots,omitempty"` // what a forward shows; Discord sends one
	Poll        *Poll            `json:"poll,omitempty"`
	Reactions   []Reaction       `json:"reactions,omitempty"` // counted for reading; nobody can react for others
}

// MaxSnapshots bounds what is kept of one forward.
const MaxSnapshots = 4

// Files lists the attachments of a message and of what it forwards.
func (m *Message) Files() iter.Seq[*Attachment] {
	return func(yield func(*Attachment) bool) {
		for i := range m.Attachments {
			if !yield(&m.Attachments[i]) {
				return
			}
		}
		for i := range m.Snapshots {
			list := m.Snapshots[i].Message.Attachments
			for j := range list {
				if !yield(&list[j]) {
					return
				}
			}
		}
	}
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
	Skipped     string  `json:"skipped,omitempty"`       // a sentence for people
	Seconds     float64 `json:"duration_secs,omitempty"` // of a sound; with a Waveform it is a voice message
	Waveform    string  `json:"waveform,omitempty"`
}

// MessageSticker names a sticker in a message.
type MessageSticker struct {
	ID     ID     `json:"id"`
	Name   string `json:"name"`
	Format int    `json:"format_type"`
}

// Forwarding is the Type of a Reply of a message that forwards another one; an answer has 0.
const Forwarding = 1

// Reply names the message that one answers or forwards.
type Reply struct {
	Type    int `json:"type,omitempty"`
	Message ID  `json:"message_id,omitempty"`
	Channel ID  `json:"channel_id,omitempty"`
	Guild   ID  `json:"guild_id,omitempty"`
}

// Snapshotted is a message as it was when it was forwarded. Who wrote it Discord does not tell.
type Snapshotted struct {
	Message Forwarded `json:"message"`
}

// Forwarded is what a forward shows of a message.
type Forwarded struct {
	Content     string           `json:"content"`
	At          time.Time        `json:"timestamp"`
	Flags       int              `json:"flags,omitempty"`
	Embeds      json.RawMessage  `json:"embeds,omitempty"` // as those of a Message
	Attachments []Attachment     `json:"attachments,omitempty"`
	Stickers    []MessageSticker `json:"sticker_items,omitempty"`
}

// Poll is a question with its answers. Nobody can vote for others: it is kept for reading.
type Poll struct {
	Question PollMedia    `json:"question"`
	Answers  []PollAnswer `json:"answers"`
	Expiry   *time.Time   `json:"expiry"`
	Multiple bool         `json:"allow_multiselect,omitempty"`
	Results  *PollResults `json:"results,omitempty"` // nil: Discord did not count yet
}

// PollAnswer is one answer that can be chosen.
type PollAnswer struct {
	ID    int       `json:"answer_id"`
	Media PollMedia `json:"poll_media"`
}

// PollMedia is a text with an emoji, or one of them.
type PollMedia struct {
	Text  string     `json:"text,omitempty"`
	Emoji *PollEmoji `json:"emoji,omitempty"`
}

// PollEmoji is a character, or an emoji of a server.
type PollEmoji struct {
	ID   ID     `json:"id,omitempty"`
	Name string `json:"name,omitempty"`
}

// PollResults are the votes when the backup was made. An answer without an entry has none.
type PollResults struct {
	Final  bool        `json:"is_finalized,omitempty"` // they do not change any more
	Counts []PollCount `json:"answer_counts,omitempty"`
}

// PollCount is how many chose an answer.
type PollCount struct {
	ID    int `json:"id"`
	Count int `json:"count"`
}

// Reaction is how often a message was answered with an emoji.
type Reaction struct {
	Emoji string `json:"emoji"` // a character, or name:id
	Count int    `json:"count"`
}
