package sandbox

import (
	"cmp"
	"slices"
)

// wireChannel is a channel of a guild. What its type has not is left out.
type wireChannel struct {
	ID           ID              `json:"id"`
	Type         int             `json:"type"`
	GuildID      ID              `json:"guild_id"`
	Name         string          `json:"name"`
	Position     int             `json:"position"`
	Flags        int             `json:"flags"`
	ParentID     nullableID      `json:"parent_id"`
	Overwrites   []wireOverwrite `json:"permission_overwrites"`
	NSFW         bool            `json:"nsfw"`
	LastMessage  *nullableID     `json:"last_message_id,omitempty"`
	Slowmode     *int            `json:"rate_limit_per_user,omitempty"`
	Topic        *nullableText   `json:"topic,omitempty"`
	Archive      int             `json:"default_auto_archive_duration,omitempty"`
	ThreadSlow   int             `json:"default_thread_rate_limit_per_user,omitempty"`
	Bitrate      int             `json:"bitrate,omitempty"`
	UserLimit    *int            `json:"user_limit,omitempty"`
	Region       *nullableText   `json:"rtc_region,omitempty"`
	Quality      int             `json:"video_quality_mode,omitempty"`
	Tags         *[]wireTag      `json:"available_tags,omitempty"`
	Reaction     *wireReaction   `json:"default_reaction_emoji,omitempty"`
	SortOrder    *int            `json:"default_sort_order,omitempty"`
	Layout       *int            `json:"default_forum_layout,omitempty"`
	LastPinnedAt *wireTime       `json:"last_pin_timestamp,omitempty"`
}

// nullableText is a text that is null on the wire when it is nil, inside a field that is left out when it is nil itself.
type nullableText struct{ text *string }

func (t nullableText) MarshalJSON() ([]byte, error) { return rawJSON(t.text), nil }

type wireOverwrite struct {
	ID    ID          `json:"id"`
	Type  int         `json:"type"`
	Allow Permissions `json:"allow"`
	Deny  Permissions `json:"deny"`
}

// wireReaction is an emoji by id or by name.
type wireReaction struct {
	EmojiID   nullableID `json:"emoji_id"`
	EmojiName *string    `json:"emoji_name"`
}

// wireTag is a tag of a forum.
type wireTag struct {
	ID        ID     `json:"id"`
	Name      string `json:"name"`
	Moderated bool   `json:"moderated"`
	wireReaction
}

func newWireChannel(g *guild, ch *channel) wireChannel {
	w := wireChannel{
		ID: ch.id, Type: ch.kind, GuildID: g.id, Name: ch.name, Position: ch.position, Flags: ch.flags,
		ParentID: nullableID(ch.parent), Overwrites: wireOverwrites(g, ch), NSFW: ch.nsfw,
	}
	last, slow := nullableID(ch.last), ch.slowmode
	if ch.kind != CategoryChannel {
		w.LastMessage, w.Slowmode = &last, &slow
	}
	if ch.voice() {
		limit := ch.userLimit
		w.Bitrate, w.UserLimit, w.Quality, w.Region = ch.bitrate, &limit, ch.quality, &nullableText{ch.region}
	} else if ch.kind != CategoryChannel {
		w.Topic, w.Archive, w.ThreadSlow = &nullableText{ch.topic}, ch.archive, ch.threadSlow
	}
	w.LastPinnedAt = ch.lastPinned()
	if ch.postable() {
		tags, layout := append([]wireTag{}, ch.tags...), ch.layout
		w.Tags, w.Layout, w.SortOrder, w.Reaction = &tags, &layout, ch.sortOrder, ch.reaction
	}
	return w
}

func wireOverwrites(g *guild, ch *channel) []wireOverwrite {
	list := make([]wireOverwrite, 0, len(ch.overwrites))
	for _, id := range sortedIDs(ch.overwrites) {
		o := ch.overwrites[id]
		list = append(list, wireOverwrite{id, g.overwriteKind(id), o.Allow, o.Deny})
	}
	return list
}

// wireChannels lists the channels of a guild by position.
func wireChannels(g *guild) []wireChannel {
	list := make([]wireChannel, 0, len(g.channels))
	for _, id := range sortedIDs(g.channels) {
		list = append(list, newWireChannel(g, g.channels[id]))
	}
	slices.SortStableFunc(list, func(a, b wireChannel) int { return cmp.Compare(a.Position, b.Position) })
	return list
}

// wireDirect is a direct channel as one of its ends sees it.
type wireDirect struct {
	ID          ID         `json:"id"`
	Type        int        `json:"type"`
	LastMessage nullableID `json:"last_message_id"`
	Flags       int        `json:"flags"`
	Recipients  []wireUser `json:"recipients"`
}

func newWireDirect(ch *channel, me *user) wireDirect {
	w := wireDirect{ID: ch.id, Type: DMChannel, LastMessage: nullableID(ch.last), Recipients: []wireUser{}}
	for _, u := range ch.ends {
		if u != me {
			w.Recipients = append(w.Recipients, newWireUser(u))
		}
	}
	return w
}
