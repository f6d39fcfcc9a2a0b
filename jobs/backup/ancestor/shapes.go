package ancestor

import (
	"encoding/json"
	"strings"
	"time"

	"splashtail/jobs/backup/model"
)

// The shapes of Discord's objects as the ancestor's library held them: "" stands for nothing, permissions are numbers.

type guild struct {
	ID                    model.ID  `json:"id"`
	Name                  string    `json:"name"`
	Description           string    `json:"description"`
	OwnerID               model.ID  `json:"owner_id"`
	MemberCount           int       `json:"member_count"`
	PremiumTier           int       `json:"premium_tier"`
	VerificationLevel     int       `json:"verification_level"`
	DefaultNotifications  int       `json:"default_message_notifications"`
	ExplicitContentFilter int       `json:"explicit_content_filter"`
	PreferredLocale       string    `json:"preferred_locale"`
	AFKTimeout            int       `json:"afk_timeout"`
	AFKChannel            string    `json:"afk_channel_id"`
	SystemChannel         string    `json:"system_channel_id"`
	SystemChannelFlags    int       `json:"system_channel_flags"`
	RulesChannel          string    `json:"rules_channel_id"`
	UpdatesChannel        string    `json:"public_updates_channel_id"`
	WidgetEnabled         bool      `json:"widget_enabled"`
	WidgetChannel         string    `json:"widget_channel_id"`
	MFALevel              int       `json:"mfa_level"`
	Features              []string  `json:"features"`
	Roles                 []role    `json:"roles"`
	Channels              []channel `json:"channels"`
	Emojis                []struct {
		ID       model.ID   `json:"id"`
		Name     string     `json:"name"`
		Roles    []model.ID `json:"roles"`
		Managed  bool       `json:"managed"`
		Animated bool       `json:"animated"`
	} `json:"emojis"`
	Stickers []struct {
		ID          model.ID `json:"id"`
		Name        string   `json:"name"`
		Description string   `json:"description"`
		Tags        string   `json:"tags"`
		Format      int      `json:"format_type"`
	} `json:"stickers"`
}

type role struct {
	ID          model.ID    `json:"id"`
	Name        string      `json:"name"`
	Permissions json.Number `json:"permissions"`
	Position    int         `json:"position"`
	Color       int         `json:"color"`
	Hoist       bool        `json:"hoist"`
	Mentionable bool        `json:"mentionable"`
	Emoji       string      `json:"unicode_emoji"`
	Managed     bool        `json:"managed"`
}

type channel struct {
	ID         model.ID `json:"id"`
	Type       int      `json:"type"`
	Name       string   `json:"name"`
	Position   int      `json:"position"`
	Parent     string   `json:"parent_id"`
	Topic      string   `json:"topic"`
	NSFW       bool     `json:"nsfw"`
	Slowmode   int      `json:"rate_limit_per_user"`
	Bitrate    int      `json:"bitrate"`
	UserLimit  int      `json:"user_limit"`
	Overwrites []struct {
		ID    model.ID    `json:"id"`
		Type  int         `json:"type"`
		Allow json.Number `json:"allow"`
		Deny  json.Number `json:"deny"`
	} `json:"permission_overwrites"`
	Tags []struct {
		ID        model.ID `json:"id"`
		Name      string   `json:"name"`
		Moderated bool     `json:"moderated"`
		EmojiID   string   `json:"emoji_id"`
		EmojiName string   `json:"emoji_name"`
	} `json:"available_tags"`
	Reaction struct {
		EmojiID   string `json:"emoji_id"`
		EmojiName string `json:"emoji_name"`
	} `json:"default_reaction_emoji"`
	ThreadSlowmode int  `json:"default_thread_rate_limit_per_user"`
	SortOrder      *int `json:"default_sort_order"`
	Layout         int  `json:"default_forum_layout"`
	Flags          int  `json:"flags"`
}

// kept is a message with what the ancestor knew of its attachments.
type kept struct {
	Message message      `json:"message"`
	Files   []attachment `json:"attachment_metadata"`
}

type message struct {
	ID       model.ID   `json:"id"`
	Type     int        `json:"type"`
	Content  string     `json:"content"`
	At       time.Time  `json:"timestamp"`
	EditedAt *time.Time `json:"edited_timestamp"`
	Pinned   bool       `json:"pinned"`
	TTS      bool       `json:"tts"`
	Flags    int        `json:"flags"`
	Webhook  model.ID   `json:"webhook_id"`
	Author   *struct {
		ID         model.ID `json:"id"`
		Name       string   `json:"username"`
		GlobalName string   `json:"global_name"`
		Avatar     string   `json:"avatar"`
		Bot        bool     `json:"bot"`
	} `json:"author"`
	Embeds   []map[string]any       `json:"embeds"`
	Stickers []model.MessageSticker `json:"sticker_items"`
	Reply    *model.Reply           `json:"message_reference"`
}

type attachment struct {
	ID          model.ID `json:"id"`
	Name        string   `json:"name"`
	ContentType string   `json:"content_type"`
	Storage     string   `json:"storage_format"`
	Size        int64    `json:"size"`
	Errors      []string `json:"errors"`
}

// opt is nil for "", which is how the ancestor wrote nothing.
func opt[T ~string](s string) *T {
	if s == "" {
		return nil
	}
	v := T(s)
	return &v
}

func bits(n json.Number) model.Bits {
	if n == "" {
		return "0"
	}
	return model.Bits(n)
}

func (g *guild) settings() model.Guild {
	return model.Guild{Name: g.Name, Description: opt[string](g.Description), VerificationLevel: g.VerificationLevel,
		DefaultNotifications: g.DefaultNotifications, ExplicitContentFilter: g.ExplicitContentFilter,
		PreferredLocale: g.PreferredLocale, AFKTimeout: g.AFKTimeout, AFKChannel: opt[model.ID](g.AFKChannel),
		SystemChannel: opt[model.ID](g.SystemChannel), SystemChannelFlags: g.SystemChannelFlags,
		RulesChannel: opt[model.ID](g.RulesChannel), UpdatesChannel: opt[model.ID](g.UpdatesChannel),
		WidgetEnabled: g.WidgetEnabled, WidgetChannel: opt[model.ID](g.WidgetChannel), MFALevel: g.MFALevel, Features: g.Features}
}

func (r *role) role() model.Role {
	return model.Role{ID: r.ID, Name: r.Name, Permissions: bits(r.Permissions), Position: r.Position, Color: r.Color,
		Colors: model.RoleColors{Primary: r.Color}, Hoist: r.Hoist, Mentionable: r.Mentionable, Emoji: opt[string](r.Emoji), Managed: r.Managed}
}

func (c *channel) channel() model.Channel {
	to := model.Channel{ID: c.ID, Type: c.Type, Name: c.Name, Position: c.Position, Parent: opt[model.ID](c.Parent),
		Topic: opt[string](c.Topic), NSFW: c.NSFW, Slowmode: c.Slowmode, Bitrate: c.Bitrate, UserLimit: c.UserLimit,
		ThreadSlowmode: c.ThreadSlowmode, SortOrder: c.SortOrder, Layout: c.Layout, Flags: c.Flags}
	for _, o := range c.Overwrites {
		to.Overwrites = append(to.Overwrites, model.Overwrite{ID: o.ID, Type: o.Type, Allow: bits(o.Allow), Deny: bits(o.Deny)})
	}
	for _, t := range c.Tags {
		to.Tags = append(to.Tags, model.ForumTag{ID: t.ID, Name: t.Name, Moderated: t.Moderated, EmojiID: opt[model.ID](t.EmojiID), EmojiName: opt[string](t.EmojiName)})
	}
	if c.Reaction.EmojiID != "" || c.Reaction.EmojiName != "" {
		to.Reaction = &model.ReactionEmoji{EmojiID: opt[model.ID](c.Reaction.EmojiID), EmojiName: opt[string](c.Reaction.EmojiName)}
	}
	return to
}

func (m *message) message() model.Message {
	to := model.Message{ID: m.ID, Type: m.Type, Webhook: m.Webhook, Content: m.Content, At: m.At, EditedAt: m.EditedAt,
		Pinned: m.Pinned, TTS: m.TTS, Flags: m.Flags, Stickers: m.Stickers, Reply: m.Reply}
	if a := m.Author; a != nil {
		to.Author = model.Author{ID: a.ID, Name: a.Name, GlobalName: opt[string](a.GlobalName), Avatar: opt[string](a.Avatar), Bot: a.Bot}
	}
	var rich []map[string]any
	for _, e := range m.Embeds {
		if e["type"] == "rich" {
			rich = append(rich, bare(e))
		}
	}
	if len(rich) > 0 {
		to.Embeds, _ = json.Marshal(rich) // it came from JSON
	}
	return to
}

// bare leaves out what the ancestor's library wrote for nothing.
func bare(m map[string]any) map[string]any {
	for k, v := range m {
		if v == nil || v == "" {
			delete(m, k)
		} else if inner, ok := v.(map[string]any); ok {
			bare(inner)
		}
	}
	return m
}

// jpegName gives a picture that was kept as JPEG the name that fits.
func jpegName(name string) string {
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	return name + ".jpg"
}
