package guilds

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"splashtail/internal/rawjson"
)

// Remains is what a role or channel was just before it was deleted, for who was not there
// to see it.
type Remains struct {
	Stream uint64          `json:"stream"` // the place of the event that told the deletion
	At     time.Time       `json:"at"`     // when that came
	ID     string          `json:"id"`
	Role   bool            `json:"role,omitempty"` // it was a role; else a channel
	Object json.RawMessage `json:"object"`         // as Discord showed it last
	// Members are those who had the role, as far as the guild's roster is whole (maxRoster).
	Members []string `json:"members,omitempty"`
	// Overwrites are the role's, by channel; Children the channels of a category; Settings
	// the keys of the guild that named the channel.
	Overwrites map[string]json.RawMessage `json:"overwrites,omitempty"`
	Children   []string                   `json:"children,omitempty"`
	Settings   []string                   `json:"settings,omitempty"`
}

// Bounds of what is kept of deleted things. An attack deletes the 250 roles and 500
// channels that a guild can have at most; whoever was not there reads of it within the
// time that DISPATCH keeps its events. Past a bound the oldest goes.
const (
	maxRemains    = 1000
	maxRemainSize = 1 << 20 // bytes of all of a guild, before compression
	remainFor     = 2 * time.Hour
)

// losses is what a guild lost lately. Discord may tell what else a deletion changed, such
// as the overwrites of a role, before it tells the deletion itself: what things lost waits
// in the maps until then. Only remains are stored; between the two there are milliseconds.
type losses struct {
	remains    []Remains // oldest first
	size       int
	overwrites map[string]map[string]json.RawMessage // role -> channel -> overwrite
	children   map[string][]string                   // category -> channels
	settings   map[string][]string                   // channel -> keys
	waiting    int
}

// note looks at an event before the guild is patched with it.
func (l *losses) note(e *entry, event string, d json.RawMessage, seq uint64, at time.Time) {
	g := e.g
	switch event {
	case "CHANNEL_UPDATE":
		channels := g.list("channels")
		if i := channels.find(id(d)); i >= 0 {
			l.ofChannel(id(d), channels.items[i].raw, d)
		}
	case "GUILD_UPDATE":
		for key, was := range g.channelSettings() {
			if is := rawjson.Get(d, key); is != nil && rawjson.IsNull(is) {
				l.make()
				l.settings[was] = append(l.settings[was], key)
			}
		}
	case "GUILD_ROLE_DELETE":
		role := rawjson.Text(rawjson.Get(d, "role_id"))
		r := g.remainsOfRole(role, l)
		r.Members = e.roster.with(role)
		l.add(r, seq, at)
	case "CHANNEL_DELETE":
		l.add(g.remainsOfChannel(id(d), l), seq, at)
	}
}

// ofChannel notes the overwrites and the category that a channel is about to lose.
func (l *losses) ofChannel(channel string, was, is json.RawMessage) {
	now := map[string]bool{}
	for o := range rawjson.Elements(rawjson.Get(is, "permission_overwrites")) {
		now[id(o)] = true
	}
	for o := range rawjson.Elements(rawjson.Get(was, "permission_overwrites")) {
		if target := id(o); !now[target] {
			l.make()
			if l.overwrites[target] == nil {
				l.overwrites[target] = map[string]json.RawMessage{}
			}
			l.overwrites[target][channel] = o
		}
	}
	if parent := rawjson.Text(rawjson.Get(was, "parent_id")); parent != "" && rawjson.Text(rawjson.Get(is, "parent_id")) == "" {
		l.make()
		l.children[parent] = append(l.children[parent], channel)
	}
}

// make makes room for one more loss.
func (l *losses) make() {
	if l.waiting++; l.overwrites == nil || l.waiting > maxRemains {
		l.waiting = 1
		l.overwrites, l.children, l.settings = map[string]map[string]json.RawMessage{}, map[string][]string{}, map[string][]string{}
	}
}

// add keeps remains and lets the oldest go that are too old or too much.
func (l *losses) add(r Remains, seq uint64, at time.Time) {
	if len(r.Object) == 0 {
		return // never seen, or told before
	}
	delete(l.overwrites, r.ID)
	delete(l.children, r.ID)
	delete(l.settings, r.ID)
	r.Stream, r.At = seq, at
	r.Object = slices.Clone(r.Object) // and lets go of the message that brought it
	for channel, o := range r.Overwrites {
		r.Overwrites[channel] = slices.Clone(o)
	}
	l.remains = append(l.remains, r)
	l.size += r.bytes()
	for len(l.remains) > 0 && (len(l.remains) > maxRemains || l.size > maxRemainSize || at.Sub(l.remains[0].At) > remainFor) {
		l.size -= l.remains[0].bytes()
		l.remains = l.remains[1:]
	}
}

// bytes is about how long remains are as JSON.
func (r Remains) bytes() int {
	const each = 24 // an id in quotes, and some of what is around it
	n := 100 + len(r.Object) + each*(len(r.Members)+len(r.Children)+len(r.Settings))
	for _, o := range r.Overwrites {
		n += each + len(o)
	}
	return n
}

func (g *guild) remainsOfRole(role string, l *losses) Remains {
	r := Remains{ID: role, Role: true, Overwrites: l.overwrites[role]}
	roles := g.list("roles")
	i := roles.find(role)
	if i < 0 {
		return r
	}
	r.Object = roles.items[i].raw
	for _, c := range g.list("channels").items {
		for o := range rawjson.Elements(rawjson.Get(c.raw, "permission_overwrites")) {
			if id(o) == role {
				if r.Overwrites == nil {
					r.Overwrites = map[string]json.RawMessage{}
				}
				r.Overwrites[c.id] = o
			}
		}
	}
	return r
}

func (g *guild) remainsOfChannel(channel string, l *losses) Remains {
	r := Remains{ID: channel, Children: l.children[channel], Settings: l.settings[channel]}
	channels := g.list("channels")
	i := channels.find(channel)
	if i < 0 {
		return r
	}
	r.Object = channels.items[i].raw
	for _, c := range channels.items {
		if rawjson.Text(rawjson.Get(c.raw, "parent_id")) == channel {
			r.Children = append(r.Children, c.id)
		}
	}
	for key, names := range g.channelSettings() {
		if names == channel {
			r.Settings = append(r.Settings, key)
		}
	}
	return r
}

// channelSettings gives the guild's own members that name a channel.
func (g *guild) channelSettings() map[string]string {
	out := map[string]string{}
	for _, f := range g.fields {
		if strings.HasSuffix(f.key, "_channel_id") {
			if channel := rawjson.Text(f.raw); channel != "" {
				out[f.key] = channel
			}
		}
	}
	return out
}
