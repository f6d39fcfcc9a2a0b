package guilds

import (
	"encoding/json"
	"iter"
	"maps"
	"slices"

	"splashtail/bus"
)

// View is a guild as it was after one event of the stream. It does not change. Its JSON is
// shared with whoever reads the guild too and must not be changed.
type View struct {
	Shard int
	// Place is the newest event of the guild that is in the view, as a place in DISPATCH.
	Place uint64
	// Created is the place of the GUILD_CREATE that the view began with. A session of the
	// shard that began behind it has not shown the guild yet: what happened in between is
	// not in the view. 0: not known.
	Created uint64
	// Remains is what was deleted in the last hours, oldest first; not more than maxRemains.
	Remains []Remains

	g     *guild
	who   map[string]json.RawMessage // of the roster
	whole bool
}

// view copies what events change, which are the lists and not their elements.
func (e *entry) view(place uint64) View {
	g := &guild{fields: slices.Clone(e.g.fields), lists: maps.Clone(e.g.lists)}
	for key, l := range g.lists {
		g.lists[key] = &list{slices.Clone(l.items)}
	}
	e.roster.shared = true
	return View{Shard: e.shard, Place: place, Created: e.created, Remains: slices.Clone(e.lost.remains), g: g, who: e.roster.who, whole: e.roster.whole}
}

// JSON gives the guild as the d of a GUILD_CREATE, without the named lists.
func (v View) JSON(without ...string) json.RawMessage {
	g := &guild{lists: v.g.lists}
	for _, f := range v.g.fields {
		if !slices.Contains(without, f.key) {
			g.fields = append(g.fields, f)
		}
	}
	return g.render()
}

// List gives the elements of a list of GUILD_CREATE, such as voice_states or roles.
func (v View) List(name string) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		l := v.g.lists[name]
		if l == nil {
			return
		}
		for _, e := range l.items {
			if !yield(e.raw) {
				return
			}
		}
	}
}

// Member gives a member, perhaps with id and roles alone; false when the view does not have
// them. Unless it has everybody with a role, that says nothing about whether they are in
// the guild.
func (v View) Member(user bus.UserID) (m json.RawMessage, known bool) {
	id := user.String()
	if l := v.g.lists["members"]; l != nil {
		if i := l.find(id); i >= 0 {
			return l.items[i].raw, true
		}
	}
	if !v.whole {
		return nil, false
	}
	m, known = v.who[id]
	return m, known
}

// WithRoles gives id and roles of every member who has a role, as Discord's objects, and
// whether those are all: they are in guilds of up to 5000 members once Discord has answered
// who is in them: after a new session that is not before 45 s, and takes a minute per 60
// guilds.
func (v View) WithRoles() (members iter.Seq[json.RawMessage], all bool) {
	return maps.Values(v.who), v.whole
}
