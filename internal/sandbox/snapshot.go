package sandbox

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// Snapshot is what a guild consists of, without the ids of what can be made again: two snapshots are equal when nobody could
// tell the guilds apart, what was said in them aside (see History). Things are in the order in which the app shows them, or by
// name where it shows none; users keep their ids, files count by their bytes. Invites are not in it: their codes cannot come back.
type Snapshot struct {
	Settings   json.RawMessage      `json:"settings"` // with channels by name
	Roles      []RoleSnapshot       `json:"roles"`    // from @everyone up
	Channels   []ChannelSnapshot    `json:"channels"` // categories with what is in them
	Members    map[ID][]string      `json:"members"`  // the names of their roles, from the bottom up
	Nicks      map[ID]string        `json:"nicks,omitempty"`
	Bans       map[ID]string        `json:"bans,omitempty"` // with the reason
	Webhooks   []WebhookSnapshot    `json:"webhooks,omitempty"`
	Incident   map[string]bool      `json:"incident,omitempty"` // what is switched off for a time
	Timeouts   map[ID]bool          `json:"timeouts,omitempty"` // who is timed out now
	Emojis     []ExpressionSnapshot `json:"emojis,omitempty"`
	Stickers   []ExpressionSnapshot `json:"stickers,omitempty"`
	Sounds     []ExpressionSnapshot `json:"sounds,omitempty"`
	Automod    []json.RawMessage    `json:"automod,omitempty"`    // rules by name, with channels and roles by name
	Welcome    json.RawMessage      `json:"welcome,omitempty"`    // the same
	Onboarding json.RawMessage      `json:"onboarding,omitempty"` // the same
	Events     []json.RawMessage    `json:"events,omitempty"`     // by name
}

// RoleSnapshot is a role without its id.
type RoleSnapshot struct {
	Name        string      `json:"name"`
	Permissions Permissions `json:"permissions"`
	Color       int         `json:"color"`
	Gradient    *wireColors `json:"gradient,omitempty"` // when it has more than one colour
	Hoist       bool        `json:"hoist"`
	Mentionable bool        `json:"mentionable"`
	Managed     bool        `json:"managed"`
	Emoji       string      `json:"emoji,omitempty"`
	Icon        string      `json:"icon,omitempty"` // hash of its bytes
}

// WebhookSnapshot is a webhook without its id and token.
type WebhookSnapshot struct {
	Name    string `json:"name"`
	Channel string `json:"channel"`
	Avatar  string `json:"avatar,omitempty"` // hash of its bytes
}

// ExpressionSnapshot is an emoji, a sticker or a sound without its id.
type ExpressionSnapshot struct {
	Name     string   `json:"name"`
	File     string   `json:"file"`            // hash of its bytes
	Roles    []string `json:"roles,omitempty"` // that may use an emoji
	Tags     string   `json:"tags,omitempty"`  // of a sticker
	About    string   `json:"about,omitempty"` // the description of a sticker
	Volume   float64  `json:"volume,omitempty"`
	Emoji    string   `json:"emoji,omitempty"` // of a sound
	Animated bool     `json:"animated,omitempty"`
}

// Snapshot copies a guild; false for an unknown one.
func (d *Discord) Snapshot(guildID ID) (Snapshot, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[guildID]
	if g == nil {
		return Snapshot{}, false
	}
	names := newLabels(g)
	s := Snapshot{
		Settings: snapshotSettings(g, names), Members: map[ID][]string{}, Nicks: map[ID]string{}, Bans: map[ID]string{},
		Incident: map[string]bool{}, Timeouts: map[ID]bool{},
	}
	for _, r := range g.ranked() {
		s.Roles = append(s.Roles, snapshotRole(r))
	}
	for _, ch := range g.shownChannels() {
		s.Channels = append(s.Channels, snapshotChannel(g, ch, names))
	}
	snapshotMembers(g, &s, names)
	for id, b := range g.bans {
		s.Bans[id] = b.reason
	}
	for _, h := range g.webhooks {
		s.Webhooks = append(s.Webhooks, WebhookSnapshot{h.name, names.channels[h.channel], h.avatar.digest()})
	}
	slices.SortFunc(s.Webhooks, func(a, b WebhookSnapshot) int {
		return cmp.Or(cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Name, b.Name), cmp.Compare(a.Avatar, b.Avatar))
	})
	snapshotExpressions(g, &s, names)
	snapshotCommunity(g, &s, names)
	return s, true
}

func snapshotRole(r *role) RoleSnapshot {
	s := RoleSnapshot{
		Name: r.name, Permissions: r.permissions, Color: r.color, Gradient: r.gradient(), Hoist: r.hoist, Mentionable: r.mentionable,
		Managed: r.managed, Icon: r.icon.digest(),
	}
	if r.emoji != nil {
		s.Emoji = *r.emoji
	}
	return s
}

func snapshotMembers(g *guild, s *Snapshot, names *labels) {
	now := time.Now()
	ranking := g.ranked()
	at := map[ID]int{}
	for i, r := range ranking {
		at[r.id] = i
	}
	for id, m := range g.members {
		mine := slices.Clone(m.roles)
		slices.SortFunc(mine, func(a, b ID) int { return cmp.Compare(at[a], at[b]) })
		list := []string{}
		for _, role := range mine {
			list = append(list, names.roles[role])
		}
		s.Members[id] = list
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
func snapshotSettings(g *guild, names *labels) json.RawMessage {
	settings := map[string]any{"owner": g.owner, "mfa": g.mfa, "premium_tier": g.tier}
	for _, k := range g.auditKeys() {
		if id, ok := k.value.(nullableID); ok {
			k.value = names.channels[ID(id)]
		}
		settings[k.key] = k.value
	}
	return rawJSON(settings)
}

func snapshotExpressions(g *guild, s *Snapshot, names *labels) {
	for _, e := range g.emojis {
		s.Emojis = append(s.Emojis, ExpressionSnapshot{Name: e.name, File: e.digest(), Roles: names.listOf(names.roles, e.roles), Animated: e.animated})
	}
	for _, k := range g.stickers {
		s.Stickers = append(s.Stickers, ExpressionSnapshot{Name: k.name, File: k.digest(), Tags: k.tags, About: k.description})
	}
	for _, o := range g.sounds {
		s.Sounds = append(s.Sounds, ExpressionSnapshot{Name: o.name, File: o.digest(), Volume: o.volume, Emoji: names.emoji(nullableID(o.emoji), o.emojiName)})
	}
	for _, list := range [][]ExpressionSnapshot{s.Emojis, s.Stickers, s.Sounds} {
		slices.SortFunc(list, func(a, b ExpressionSnapshot) int { return cmp.Compare(string(rawJSON(a)), string(rawJSON(b))) })
	}
}
