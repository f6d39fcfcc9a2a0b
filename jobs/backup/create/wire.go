package create

import (
	"bytes"
	"encoding/json"
	"iter"
	"time"

	"splashtail/jobs/backup/model"
)

// The shapes of this file are Discord's answers where they differ from what a backup keeps. A field here wins over the one of
// the same key in the model that it embeds.

// wireGuild is a guild; its fields of files hold Discord's hashes.
type wireGuild struct {
	model.Guild
	ID         model.ID      `json:"id"`
	OwnerID    model.ID      `json:"owner_id"`
	Roles      []wireRole    `json:"roles"`
	Emojis     []model.Emoji `json:"emojis"`
	Stickers   []wireSticker `json:"stickers"`
	BoostLevel int           `json:"premium_tier"`
	Members    int           `json:"approximate_member_count"`
}

type wireRole struct {
	model.Role
	Tags *wireTags `json:"tags"`
}

type wireTags struct {
	Bot         model.ID        `json:"bot_id"`
	Integration model.ID        `json:"integration_id"`
	Booster     json.RawMessage `json:"premium_subscriber"` // its key is there, with null
}

// role is the role with its icon still as Discord's hash.
func (w wireRole) role() model.Role {
	r := w.Role
	if t := w.Tags; t != nil {
		r.Tags = &model.RoleTags{Bot: t.Bot, Integration: t.Integration, Booster: t.Booster != nil}
	}
	if r.Colors == (model.RoleColors{}) {
		r.Colors.Primary = r.Color // guilds of before there were several colours
	}
	return r
}

type wireSticker struct {
	model.Sticker
	Available *bool `json:"available"`
}

type wireChannel struct {
	model.Channel
	LastPin *string `json:"last_pin_timestamp"`
}

type wireThread struct {
	model.Thread
	LastPin *string `json:"last_pin_timestamp"`
	State   struct {
		Archived    bool       `json:"archived"`
		ArchivedAt  string     `json:"archive_timestamp"`
		AutoArchive int        `json:"auto_archive_duration"`
		Locked      bool       `json:"locked"`
		Invitable   bool       `json:"invitable"`
		CreatedAt   *time.Time `json:"create_timestamp"`
	} `json:"thread_metadata"`
}

func (w wireThread) thread() model.Thread {
	t := w.Thread
	t.Archived, t.AutoArchive, t.Locked, t.Invitable = w.State.Archived, w.State.AutoArchive, w.State.Locked, w.State.Invitable
	if w.State.CreatedAt != nil {
		t.CreatedAt = *w.State.CreatedAt
	}
	return t
}

type wireThreads struct {
	Threads []wireThread `json:"threads"`
	More    bool         `json:"has_more"`
}

type wireEvent struct {
	model.Event
	Where *struct {
		Location string `json:"location"`
	} `json:"entity_metadata"`
}

func (w wireEvent) event() model.Event {
	e := w.Event
	if w.Where != nil {
		e.Location = w.Where.Location
	}
	e.Recurrence = unlessNull(e.Recurrence)
	return e
}

type wireOnboarding struct {
	model.Onboarding
	Prompts []struct {
		model.Prompt
		Options []struct {
			model.PromptOption
			Emoji *struct {
				ID       *model.ID `json:"id"`
				Name     *string   `json:"name"`
				Animated bool      `json:"animated"`
			} `json:"emoji"`
		} `json:"options"`
	} `json:"prompts"`
}

func (w wireOnboarding) onboarding() *model.Onboarding {
	o := w.Onboarding
	o.Prompts = nil
	for _, wp := range w.Prompts {
		p := wp.Prompt
		p.Options = nil
		for _, wo := range wp.Options {
			option := wo.PromptOption
			if e := wo.Emoji; e != nil {
				option.EmojiID, option.EmojiName, option.EmojiAnimated = e.ID, e.Name, e.Animated
			}
			p.Options = append(p.Options, option)
		}
		o.Prompts = append(o.Prompts, p)
	}
	return &o
}

type wireUser struct {
	ID model.ID `json:"id"`
}

type wireBan struct {
	User   wireUser `json:"user"`
	Reason *string  `json:"reason"`
}

type wireMember struct {
	User  wireUser   `json:"user"`
	Nick  *string    `json:"nick"`
	Roles []model.ID `json:"roles"`
}

type wirePins struct {
	Items []struct {
		At      time.Time `json:"pinned_at"`
		Message struct {
			ID model.ID `json:"id"`
		} `json:"message"`
	} `json:"items"`
	More bool `json:"has_more"`
}

type wireMessage struct {
	model.Message
	Embeds      []json.RawMessage `json:"embeds"`
	Attachments []wireAttachment  `json:"attachments"`
	Snapshots   []struct {
		Message struct {
			model.Forwarded
			Embeds      []json.RawMessage `json:"embeds"`
			Attachments []wireAttachment  `json:"attachments"`
		} `json:"message"`
	} `json:"message_snapshots"`
	Reactions []struct {
		Count int `json:"count"`
		Emoji struct {
			ID   *model.ID `json:"id"`
			Name *string   `json:"name"`
		} `json:"emoji"`
	} `json:"reactions"`
}

type wireAttachment struct {
	model.Attachment
	URL string `json:"url"`
}

// replyType is the type of a message that answers another.
const replyType = 19

// files lists the files of a message and of what it forwards, in the order of model.Message.Files.
func (w *wireMessage) files() iter.Seq[*wireAttachment] {
	return func(yield func(*wireAttachment) bool) {
		for i := range w.Attachments {
			if !yield(&w.Attachments[i]) {
				return
			}
		}
		for i := range w.Snapshots[:min(len(w.Snapshots), model.MaxSnapshots)] {
			list := w.Snapshots[i].Message.Attachments
			for j := range list {
				if !yield(&list[j]) {
					return
				}
			}
		}
	}
}

// named are attachments before their bytes are fetched.
func named(all []wireAttachment) []model.Attachment {
	var list []model.Attachment
	for _, w := range all {
		a := w.Attachment
		a.File, a.Skipped = "", ""
		list = append(list, a)
	}
	return list
}

// message is what a backup keeps of a message, without the bytes of its files.
func (w *wireMessage) message() model.Message {
	m := w.Message
	m.Components = unlessNull(m.Components)
	if m.Type != replyType && (m.Reply == nil || m.Reply.Type != model.Forwarding) {
		m.Reply = nil
	}
	m.Embeds, m.Attachments, m.Snapshots = rich(w.Embeds), named(w.Attachments), nil
	for _, s := range w.Snapshots[:min(len(w.Snapshots), model.MaxSnapshots)] {
		f := s.Message.Forwarded
		f.Embeds, f.Attachments = rich(s.Message.Embeds), named(s.Message.Attachments)
		m.Snapshots = append(m.Snapshots, model.Snapshotted{Message: f})
	}
	for _, r := range w.Reactions {
		var name string
		if r.Emoji.Name != nil {
			name = *r.Emoji.Name
		}
		if r.Emoji.ID != nil {
			name += ":" + string(*r.Emoji.ID)
		}
		m.Reactions = append(m.Reactions, model.Reaction{Emoji: name, Count: r.Count})
	}
	return m
}

// rich are the embeds that somebody made; nil when there are none. Previews of links come by themselves.
func rich(all []json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	for _, e := range all {
		var kind struct{ Type string }
		if json.Unmarshal(e, &kind) == nil && (kind.Type == "rich" || kind.Type == "") {
			list = append(list, e)
		}
	}
	if len(list) == 0 {
		return nil
	}
	raw, _ := json.Marshal(list) // parts of valid JSON
	return raw
}

// unlessNull drops JSON that says nothing.
func unlessNull(raw json.RawMessage) json.RawMessage {
	t := bytes.TrimSpace(raw)
	if len(t) == 0 || string(t) == "null" || string(t) == "[]" || string(t) == "{}" {
		return nil
	}
	return raw
}
