package create

import (
	"bytes"
	"encoding/json"
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
	Reactions   []struct {
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

// message is what a backup keeps of a message; its attachments are the caller's affair.
func (w *wireMessage) message() model.Message {
	m := w.Message
	m.Components = unlessNull(m.Components)
	if m.Type != replyType {
		m.Reply = nil
	}
	var rich []json.RawMessage
	for _, e := range w.Embeds {
		var kind struct{ Type string }
		if json.Unmarshal(e, &kind) == nil && (kind.Type == "rich" || kind.Type == "") {
			rich = append(rich, e)
		}
	}
	if len(rich) > 0 {
		m.Embeds, _ = json.Marshal(rich) // parts of valid JSON
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

// unlessNull drops JSON that says nothing.
func unlessNull(raw json.RawMessage) json.RawMessage {
	t := bytes.TrimSpace(raw)
	if len(t) == 0 || string(t) == "null" || string(t) == "[]" || string(t) == "{}" {
		return nil
	}
	return raw
}
