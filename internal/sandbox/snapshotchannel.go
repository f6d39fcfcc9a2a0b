package sandbox

import (
	"cmp"
	"slices"
)

// ChannelSnapshot is a channel without its id.
type ChannelSnapshot struct {
	Name       string               `json:"name"`
	Type       int                  `json:"type"`
	Parent     string               `json:"parent,omitempty"`
	Overwrites map[string]Overwrite `json:"overwrites,omitempty"` // by "role NAME" or "member ID"
	Topic      string               `json:"topic,omitempty"`
	NSFW       bool                 `json:"nsfw,omitempty"`
	Slowmode   int                  `json:"slowmode,omitempty"`
	Bitrate    int                  `json:"bitrate,omitempty"`
	UserLimit  int                  `json:"user_limit,omitempty"`
	Region     string               `json:"region,omitempty"`
	Quality    int                  `json:"quality,omitempty"`
	Flags      int                  `json:"flags,omitempty"`
	Archive    int                  `json:"archive,omitempty"`     // minutes until threads archive
	ThreadSlow int                  `json:"thread_slow,omitempty"` // seconds between messages in threads
	Sort       string               `json:"sort,omitempty"`        // of posts; empty: none was chosen
	Layout     int                  `json:"layout,omitempty"`
	Reaction   string               `json:"reaction,omitempty"` // that posts get by default
	Tags       []TagSnapshot        `json:"tags,omitempty"`
}

// TagSnapshot is a tag of a forum without its id.
type TagSnapshot struct {
	Name      string `json:"name"`
	Moderated bool   `json:"moderated,omitempty"`
	Emoji     string `json:"emoji,omitempty"`
}

// shownChannels lists channels as the app does: those without a category first, then each category and its own; voice
// channels below the others.
func (g *guild) shownChannels() []*channel {
	list := make([]*channel, 0, len(g.channels))
	for _, id := range sortedIDs(g.channels) {
		list = append(list, g.channels[id])
	}
	group := func(ch *channel) (int, ID) {
		if p := g.channels[ch.parent]; p != nil {
			return p.position + 1, p.id
		}
		if ch.kind == CategoryChannel {
			return ch.position + 1, ch.id
		}
		return 0, 0
	}
	rank := func(ch *channel) int {
		switch {
		case ch.kind == CategoryChannel:
			return 0
		case ch.voice():
			return 2
		}
		return 1
	}
	slices.SortStableFunc(list, func(a, b *channel) int {
		ga, ia := group(a)
		gb, ib := group(b)
		return cmp.Or(cmp.Compare(ga, gb), cmp.Compare(ia, ib), cmp.Compare(rank(a), rank(b)), cmp.Compare(a.position, b.position), cmp.Compare(a.id, b.id))
	})
	return list
}

func snapshotChannel(g *guild, ch *channel, names *labels) ChannelSnapshot {
	s := ChannelSnapshot{
		Name: ch.name, Type: ch.kind, NSFW: ch.nsfw, Slowmode: ch.slowmode, Bitrate: ch.bitrate, UserLimit: ch.userLimit,
		Quality: ch.quality, Flags: ch.flags, Archive: ch.archive, ThreadSlow: ch.threadSlow, Layout: ch.layout,
		Parent: names.channels[ch.parent], Overwrites: map[string]Overwrite{},
	}
	if ch.topic != nil {
		s.Topic = names.text(*ch.topic)
	}
	if ch.region != nil {
		s.Region = *ch.region
	}
	if ch.sortOrder != nil {
		s.Sort = []string{"activity", "creation"}[*ch.sortOrder&1]
	}
	if ch.reaction != nil {
		s.Reaction = names.emoji(ch.reaction.EmojiID, ch.reaction.EmojiName)
	}
	for _, t := range ch.tags {
		s.Tags = append(s.Tags, TagSnapshot{t.Name, t.Moderated, names.emoji(t.EmojiID, t.EmojiName)})
	}
	for id, o := range ch.overwrites {
		name := "member " + id.String()
		if g.roles[id] != nil {
			name = "role " + names.roles[id]
		}
		s.Overwrites[name] = o
	}
	return s
}
