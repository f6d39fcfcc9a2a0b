package guilds

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"splashtail/internal/rawjson"
)

// maxRoster is how many members with roles are kept of a guild, in about 100 bytes each: a
// quarter of what Discord sends of a member. Of a guild with more, the first that were
// seen are, and the roster is never whole.
const maxRoster = 10_000

// rosterNonce begins the names of our own requests for members.
const rosterNonce = "roster-"

// roster is who has which roles in a guild. GUILD_CREATE shows a bot that is not sent
// presences only itself and who is in voice, so Discord is asked for the others (ask.go)
// and answers with events. It lives on when the guild is shown again, not whole then.
type roster struct {
	who    map[string]json.RawMessage // {"user":{"id","bot"},"roles"} by user, of who has roles
	whole  bool                       // who is not in it has no role, or is no member
	full   bool                       // somebody found no room
	shared bool                       // a view has who, which must not change any more
}

// own makes who fit to be changed.
func (r *roster) own() {
	switch {
	case r.who == nil:
		r.who = map[string]json.RawMessage{}
	case r.shared:
		r.who = maps.Clone(r.who)
	}
	r.shared = false
}

// put takes a member as any event shows them.
func (r *roster) put(m json.RawMessage) {
	user, roles := rawjson.Get(m, "user"), rawjson.Get(m, "roles")
	id := rawjson.Text(rawjson.Get(user, "id"))
	if id == "" || len(roles) == 0 || roles[0] != '[' {
		return
	}
	some := false
	for range rawjson.Elements(roles) {
		some = true
		break
	}
	if !some {
		r.drop(id)
		return
	}
	if _, has := r.who[id]; !has && len(r.who) >= maxRoster {
		r.full, r.whole = true, false
		return
	}
	r.own()
	r.who[id] = slim(id, string(rawjson.Get(user, "bot")) == "true", roles)
}

func slim(id string, bot bool, roles json.RawMessage) json.RawMessage {
	var b strings.Builder
	b.WriteString(`{"user":{"id":"` + id + `"`)
	if bot {
		b.WriteString(`,"bot":true`)
	}
	b.WriteString(`},"roles":`)
	b.Write(roles)
	b.WriteString("}")
	return json.RawMessage(b.String())
}

func (r *roster) drop(user string) {
	if _, has := r.who[user]; has {
		r.own()
		delete(r.who, user)
	}
}

// dropRole takes a deleted role from everybody.
func (r *roster) dropRole(role string) {
	for _, user := range r.with(role) {
		r.put(withoutRole(r.who[user], role))
	}
}

// with lists who has a role.
func (r *roster) with(role string) (users []string) {
	for user, m := range r.who {
		if hasRole(m, role) {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users
}

// note follows an event that shows members. The answers to a request come one after the
// other; with the last of ours everybody was shown.
func (r *roster) note(event string, d json.RawMessage) {
	switch event {
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE":
		r.put(d)
	case "GUILD_MEMBER_REMOVE":
		r.drop(rawjson.Text(at(d, "user", "id")))
	case "GUILD_ROLE_DELETE":
		r.dropRole(rawjson.Text(rawjson.Get(d, "role_id")))
	case "GUILD_MEMBERS_CHUNK":
		for m := range rawjson.Elements(rawjson.Get(d, "members")) {
			r.put(m)
		}
		index, count := rawjson.Get(d, "chunk_index"), rawjson.Get(d, "chunk_count")
		if strings.HasPrefix(rawjson.Text(rawjson.Get(d, "nonce")), rosterNonce) && isLast(index, count) {
			r.whole = !r.full
		}
	}
}

func isLast(index, count json.RawMessage) bool {
	var i, n int
	return json.Unmarshal(index, &i) == nil && json.Unmarshal(count, &n) == nil && i == n-1
}

// hasRole says whether a member has a role.
func hasRole(m json.RawMessage, role string) bool {
	for r := range rawjson.Elements(rawjson.Get(m, "roles")) {
		if rawjson.Text(r) == role {
			return true
		}
	}
	return false
}

func withoutRole(m json.RawMessage, role string) json.RawMessage {
	var left []json.RawMessage
	for r := range rawjson.Elements(rawjson.Get(m, "roles")) {
		if rawjson.Text(r) != role {
			left = append(left, r)
		}
	}
	return merge(m, object("roles", array(left)))
}

// storedRoster is a roster in a record.
type storedRoster struct {
	Whole bool              `json:"whole"`
	Full  bool              `json:"full,omitempty"`
	Who   []json.RawMessage `json:"who"`
}

func (r *roster) stored() storedRoster {
	s := storedRoster{Whole: r.whole, Full: r.full}
	for _, user := range slices.Sorted(maps.Keys(r.who)) {
		s.Who = append(s.Who, r.who[user])
	}
	return s
}

func (s storedRoster) roster() roster {
	r := roster{}
	for _, m := range s.Who {
		r.put(m)
	}
	r.whole, r.full = s.Whole && !r.full, s.Full || r.full
	return r
}
