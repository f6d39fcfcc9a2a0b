package sandbox

import (
	"cmp"
	"encoding/json"
	"slices"
)

// History is what was said in a guild: the messages of every channel and of every thread, by the names of the places. Times
// and ids are not in it, since nobody can bring those back.
type History struct {
	Channels map[string][]MessageSnapshot `json:"channels"`
	Threads  []ThreadSnapshot             `json:"threads,omitempty"`
}

// ThreadSnapshot is a thread without its id.
type ThreadSnapshot struct {
	Channel  string            `json:"channel"`
	Name     string            `json:"name"`
	Type     int               `json:"type"`
	Archived bool              `json:"archived,omitempty"`
	Locked   bool              `json:"locked,omitempty"`
	Pinned   bool              `json:"pinned,omitempty"`
	Slowmode int               `json:"slowmode,omitempty"`
	Archive  int               `json:"archive,omitempty"`
	Tags     []string          `json:"tags,omitempty"`
	Messages []MessageSnapshot `json:"messages,omitempty"`
}

// MessageSnapshot is a message without its id and time. What a webhook wrote again looks as the original where both show the
// same name; Reply and Reactions cannot come back that way.
type MessageSnapshot struct {
	Author    string          `json:"author"` // as shown: nickname, global name or name
	Kind      int             `json:"kind,omitempty"`
	Text      string          `json:"text,omitempty"` // with names in place of ids
	Embeds    json.RawMessage `json:"embeds,omitempty"`
	Files     []FileSnapshot  `json:"files,omitempty"`
	Pinned    bool            `json:"pinned,omitempty"`
	Reply     int             `json:"reply,omitempty"` // how many messages before it the one is that it answers
	Reactions json.RawMessage `json:"reactions,omitempty"`
}

// FileSnapshot is an attachment.
type FileSnapshot struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	File        string `json:"file"` // hash of its bytes
}

// History copies what was said in a guild; false for an unknown one. A large one takes a second or so.
func (d *Discord) History(guildID ID) (History, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[guildID]
	if g == nil {
		return History{}, false
	}
	names := newLabels(g)
	h := History{Channels: map[string][]MessageSnapshot{}}
	for id, ch := range g.channels {
		if len(ch.messages) > 0 {
			h.Channels[names.channels[id]] = snapshotMessages(g, ch, names)
		}
	}
	for _, ch := range g.threads {
		h.Threads = append(h.Threads, snapshotThread(g, ch, names))
	}
	slices.SortFunc(h.Threads, func(a, b ThreadSnapshot) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Name, b.Name), cmp.Compare(string(rawJSON(a)), string(rawJSON(b))))
	})
	return h, true
}

func snapshotThread(g *guild, ch *channel, names *labels) ThreadSnapshot {
	t := ch.thread
	s := ThreadSnapshot{
		Channel: names.channels[ch.parent], Name: ch.name, Type: ch.kind, Archived: t.archived, Locked: t.locked,
		Pinned: ch.flags&flagPinnedPost != 0, Slowmode: ch.slowmode, Archive: t.archive, Messages: snapshotMessages(g, ch, names),
	}
	if forum := g.channels[ch.parent]; forum != nil {
		for _, tag := range forum.tags {
			if slices.Contains(t.tags, tag.ID) {
				s.Tags = append(s.Tags, tag.Name)
			}
		}
	}
	return s
}

func snapshotMessages(g *guild, ch *channel, names *labels) []MessageSnapshot {
	list := make([]MessageSnapshot, 0, len(ch.messages))
	for at, m := range ch.messages {
		s := MessageSnapshot{Author: g.shownName(m), Kind: m.kind, Text: names.text(m.content), Pinned: !m.pinned.IsZero()}
		if len(m.embeds) > 0 {
			s.Embeds = rawJSON(names.embeds(m.embeds))
		}
		for _, a := range m.attachments {
			s.Files = append(s.Files, FileSnapshot{a.Filename, a.Description, a.digest()})
		}
		if m.answered != nil && !m.answered.deleted && m.answered.channel == ch.id {
			s.Reply = at - ch.below(m.answered.id)
		}
		if len(m.reactions) > 0 {
			var all []wireReacted
			for _, r := range m.reactions {
				all = append(all, r.wire())
			}
			s.Reactions = rawJSON(all)
		}
		list = append(list, s)
	}
	return list
}

// shownName is how the app names the author of a message.
func (g *guild) shownName(m *chatMessage) string {
	if member := g.members[m.author.id]; member != nil && m.webhook == 0 && member.nick != "" {
		return member.nick
	}
	return cmp.Or(m.author.globalName, m.author.name)
}
