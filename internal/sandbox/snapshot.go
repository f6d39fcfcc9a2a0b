package sandbox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Snapshot is what a guild consists of, without the ids of what can be made again: two snapshots are equal when nobody could
// tell the guilds apart. Things are in the order in which the app shows them; users keep their ids.
type Snapshot struct {
	Settings json.RawMessage   `json:"settings"` // with channels by name
	Roles    []RoleSnapshot    `json:"roles"`    // from @everyone up
	Channels []ChannelSnapshot `json:"channels"` // categories with what is in them
	Members  map[ID][]string   `json:"members"`  // the names of their roles, from the bottom up
	Nicks    map[ID]string     `json:"nicks,omitempty"`
	Bans     map[ID]string     `json:"bans,omitempty"` // with the reason
	Webhooks []WebhookSnapshot `json:"webhooks,omitempty"`
	Incident map[string]bool   `json:"incident,omitempty"` // what is switched off for a time
	Timeouts map[ID]bool       `json:"timeouts,omitempty"` // who is timed out now
}

// RoleSnapshot is a role without its id.
type RoleSnapshot struct {
	Name        string      `json:"name"`
	Permissions Permissions `json:"permissions"`
	Color       int         `json:"color"`
	Hoist       bool        `json:"hoist"`
	Mentionable bool        `json:"mentionable"`
	Managed     bool        `json:"managed"`
}

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
	Tags       []string             `json:"tags,omitempty"`
}

// WebhookSnapshot is a webhook without its id and token.
type WebhookSnapshot struct {
	Name    string `json:"name"`
	Channel string `json:"channel"`
}

// Snapshot copies a guild; false for an unknown one.
func (d *Discord) Snapshot(guildID ID) (Snapshot, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[guildID]
	if g == nil {
		return Snapshot{}, false
	}
	s := Snapshot{
		Settings: snapshotSettings(g), Members: map[ID][]string{}, Nicks: map[ID]string{}, Bans: map[ID]string{},
		Incident: map[string]bool{}, Timeouts: map[ID]bool{},
	}
	for _, r := range g.ranked() {
		s.Roles = append(s.Roles, RoleSnapshot{r.name, r.permissions, r.color, r.hoist, r.mentionable, r.managed})
	}
	for _, ch := range g.shownChannels() {
		s.Channels = append(s.Channels, snapshotChannel(g, ch))
	}
	snapshotMembers(g, &s)
	for id, b := range g.bans {
		s.Bans[id] = b.reason
	}
	for _, h := range g.webhooks {
		s.Webhooks = append(s.Webhooks, WebhookSnapshot{h.name, g.channelLabel(h.channel)})
	}
	slices.SortFunc(s.Webhooks, func(a, b WebhookSnapshot) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Name, b.Name))
	})
	return s, true
}

func snapshotMembers(g *guild, s *Snapshot) {
	now := time.Now()
	ranking := g.ranked()
	for id, m := range g.members {
		names := []string{}
		for _, r := range ranking {
			if slices.Contains(m.roles, r.id) {
				names = append(names, r.name)
			}
		}
		s.Members[id] = names
		if m.nick != "" {
			s.Nicks[id] = m.nick
		}
		if m.timeout.After(now) {
			s.Timeouts[id] = true
		}
	}
	if g.incident.Invites.After(now) {
		s.Incident["invites"] = true
	}
	if g.incident.DMs.After(now) {
		s.Incident["dms"] = true
	}
}

// snapshotSettings is the guild's own part of its audit keys, with the names of channels.
func snapshotSettings(g *guild) json.RawMessage {
	settings := map[string]any{"owner": g.owner, "mfa": g.mfa}
	for _, k := range g.auditKeys() {
		if id, ok := k.value.(nullableID); ok {
			k.value = g.channelLabel(ID(id))
		}
		settings[k.key] = k.value
	}
	return rawJSON(settings)
}

// channelLabel names a channel so that two of one name in different categories differ.
func (g *guild) channelLabel(id ID) string {
	ch := g.channels[id]
	if ch == nil {
		return ""
	}
	if p := g.channels[ch.parent]; p != nil {
		return p.name + "/" + ch.name
	}
	return ch.name
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

func snapshotChannel(g *guild, ch *channel) ChannelSnapshot {
	s := ChannelSnapshot{
		Name: ch.name, Type: ch.kind, NSFW: ch.nsfw, Slowmode: ch.slowmode, Bitrate: ch.bitrate, UserLimit: ch.userLimit,
		Overwrites: map[string]Overwrite{},
	}
	if p := g.channels[ch.parent]; p != nil {
		s.Parent = p.name
	}
	if ch.topic != nil {
		s.Topic = *ch.topic
	}
	if ch.region != nil {
		s.Region = *ch.region
	}
	for _, t := range ch.tags {
		s.Tags = append(s.Tags, t.Name)
	}
	for id, o := range ch.overwrites {
		name := "member " + id.String()
		if r := g.roles[id]; r != nil {
			name = "role " + r.name
		}
		s.Overwrites[name] = o
	}
	return s
}

// Diff says in lines where two snapshots differ; nothing when they are equal. It is for the message of a failed test.
func (s Snapshot) Diff(other Snapshot) []string {
	var lines []string
	was, is := flatten(s), flatten(other)
	for _, key := range sortedKeys(was) {
		if now, ok := is[key]; !ok {
			lines = append(lines, fmt.Sprintf("- %s: %s", key, was[key]))
		} else if now != was[key] {
			lines = append(lines, fmt.Sprintf("~ %s: %s became %s", key, was[key], now))
		}
	}
	for _, key := range sortedKeys(is) {
		if _, ok := was[key]; !ok {
			lines = append(lines, fmt.Sprintf("+ %s: %s", key, is[key]))
		}
	}
	return lines
}

// flatten gives every value of a snapshot a key that names what it is of.
func flatten(s Snapshot) map[string]string {
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				walk(path+"."+key, child)
			}
		case []any:
			for i, child := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), child)
			}
		default:
			out[strings.TrimPrefix(path, ".")] = string(rawJSON(v))
		}
	}
	var tree any
	if json.Unmarshal(rawJSON(s), &tree) == nil {
		walk("", tree)
	}
	return out
}
