package incident

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"

	"splashtail/bus"
)

// The two who act on the model. The first one's deeds are taken back.
const bad, good = bus.UserID(1), bus.UserID(2)

// value is a place in the model that holds something: a key of a channel or role, one
// half of an overwrite, a ban, a member's role.
type value struct{ object, key string }

// model is a guild of which we know who wrote what, last.
type model struct {
	State
	r       *rand.Rand
	next    int
	deeds   []bus.Deed
	first   map[value]string
	writes  map[value][]write
	madeBy  map[string]bus.UserID
	goneBy  map[string]bus.UserID
	objects map[string]bool // id -> it is a role
}

type write struct {
	by bus.UserID
	is string
}

func newModel(seed uint64) *model {
	m := &model{r: rand.New(rand.NewPCG(seed, 7)), next: 100, first: map[value]string{}, writes: map[value][]write{},
		madeBy: map[string]bus.UserID{}, goneBy: map[string]bus.UserID{}, objects: map[string]bool{},
		State: State{guild: object{}, roles: map[string]object{}, channels: map[string]object{}, members: map[string]member{}, bans: map[string]bool{}, webhooks: map[string]bool{}}}
	for range 4 {
		m.create(0)
	}
	for u := range 3 {
		m.members[strconv.Itoa(50+u)] = member{keys: object{}}
	}
	m.deeds = nil
	return m
}

func (m *model) id() string { m.next++; return strconv.Itoa(m.next) }

func (m *model) deed(by bus.UserID, kind int, target string, d bus.Deed) {
	d.ID, d.Actor, d.Type, d.Target = uint64(m.next), by, kind, target
	m.next++
	m.deeds = append(m.deeds, d)
}

func encode(v any) json.RawMessage { raw, _ := json.Marshal(v); return raw }

func (m *model) create(by bus.UserID) {
	id, name := m.id(), m.id()
	isRole := m.r.IntN(2) == 0
	o := object{"id": quote(id), "name": quote("n" + name), "position": encode(m.next)}
	m.objects[id], m.madeBy[id] = isRole, by
	m.first[value{id, "name"}] = string(o["name"])
	if isRole {
		m.roles[id], m.roleOrder = o, append(m.roleOrder, id)
		m.deed(by, typeRoleCreate, id, bus.Deed{})
		return
	}
	m.channels[id], m.channelOrder = o, append(m.channelOrder, id)
	m.deed(by, typeChannelCreate, id, bus.Deed{})
}

func (m *model) all(isRole bool) map[string]object {
	if isRole {
		return m.roles
	}
	return m.channels
}

// some picks an id of a set in a fixed order; empty of an empty one.
func some[T any](m *model, set map[string]T) string {
	ids := sorted(set)
	if len(ids) == 0 {
		return ""
	}
	return ids[m.r.IntN(len(ids))]
}

func (m *model) note(by bus.UserID, v value, was, is string) {
	if _, known := m.first[v]; !known {
		m.first[v] = was
	}
	m.writes[v] = append(m.writes[v], write{by, is})
}

func (m *model) edit(by bus.UserID) {
	isRole := m.r.IntN(2) == 0
	id := some(m, m.all(isRole))
	if id == "" {
		return
	}
	kind, key := typeChannelUpdate, "topic"
	if isRole {
		kind, key = typeRoleUpdate, "unicode_emoji"
	}
	if m.r.IntN(2) == 0 {
		key = "name"
	}
	o := m.all(isRole)[id]
	was, is := o[key], quote("v"+m.id())
	m.note(by, value{id, key}, string(was), string(is))
	o[key] = is
	change := map[string]json.RawMessage{"key": quote(key), "new_value": is}
	if was != nil {
		change["old_value"] = was
	}
	m.deed(by, kind, id, bus.Deed{Changes: encode([]any{change})})
}

func (m *model) destroy(by bus.UserID) {
	isRole := m.r.IntN(2) == 0
	all := m.all(isRole)
	id := some(m, all)
	if id == "" {
		return
	}
	m.goneBy[id] = by
	d := bus.Deed{Before: encode(all[id])}
	if isRole {
		d.Order = slices.Clone(m.roleOrder)
		for user, who := range m.members {
			if slices.Contains(who.roles, id) {
				d.Members = append(d.Members, user)
				who.roles = without(who.roles, id)
				m.members[user] = who
			}
		}
		slices.Sort(d.Members)
		m.roleOrder = without(m.roleOrder, id)
		m.deed(by, typeRoleDelete, id, d)
	} else {
		d.Order = slices.Clone(m.channelOrder)
		m.channelOrder = without(m.channelOrder, id)
		m.deed(by, typeChannelDelete, id, d)
	}
	delete(all, id)
}

func (m *model) ban(by bus.UserID) {
	user := strconv.Itoa(70 + m.r.IntN(3))
	was := m.bans[user]
	m.bans[user] = !was
	m.note(by, value{user, "ban"}, fmt.Sprint(was), fmt.Sprint(!was))
	m.deed(by, map[bool]int{true: typeUnban, false: typeBan}[was], user, bus.Deed{})
}

func (m *model) give(by bus.UserID) {
	user, role := some(m, m.members), some(m, m.roles)
	if role == "" {
		return
	}
	who := m.members[user]
	has := slices.Contains(who.roles, role)
	who.roles = set(who.roles, role, !has)
	m.members[user] = who
	m.note(by, value{user, role}, fmt.Sprint(has), fmt.Sprint(!has))
	key := map[bool]string{true: "$remove", false: "$add"}[has]
	m.deed(by, typeMemberRoles, user, bus.Deed{Changes: encode([]any{map[string]any{"key": key, "new_value": []any{map[string]string{"id": role}}}})})
}

// carry does the steps of a plan to the model. What is made again keeps its id here.
func (m *model) carry(t *testing.T, p Plan) {
	for _, s := range p.Steps {
		switch s.Do {
		case CreateRole, EditRole, CreateChannel, EditChannel:
			all := m.all(s.Do == CreateRole || s.Do == EditRole)
			if all[s.ID] == nil {
				all[s.ID] = object{}
			}
			maps.Copy(all[s.ID], s.Set)
		case DeleteRole:
			delete(m.roles, s.ID)
		case DeleteChannel:
			delete(m.channels, s.ID)
		case Ban, Unban:
			m.bans[s.ID] = s.Do == Ban
		case GiveRole, TakeRole:
			for _, user := range s.IDs {
				who := m.members[user]
				who.roles = set(who.roles, s.ID, s.Do == GiveRole)
				m.members[user] = who
			}
		case SortRoles, SortChannels:
		default:
			t.Errorf("a plan of these deeds has the step %+v", s)
		}
	}
}

// wanted is what a place shall hold: what the other one wrote last; what was there
// before the actor's writes since then.
func (m *model) wanted(v value) string {
	w := m.writes[v]
	for len(w) > 0 && w[len(w)-1].by == bad {
		w = w[:len(w)-1]
	}
	if len(w) == 0 {
		return m.first[v]
	}
	return w[len(w)-1].is
}

// TestUndoKeepsWhatOthersDid lets two people do random things to a guild and takes back
// what one of them did.
func TestUndoKeepsWhatOthersDid(t *testing.T) {
	for seed := range uint64(400) {
		m := newModel(seed)
		for range 5 + m.r.IntN(40) {
			by := []bus.UserID{bad, good}[m.r.IntN(2)]
			[]func(bus.UserID){m.create, m.edit, m.edit, m.destroy, m.ban, m.give}[m.r.IntN(6)](by)
		}
		p := MakePlan(bad, m.deeds, m.State)
		m.carry(t, p)
		for id, isRole := range m.objects {
			is := m.all(isRole)[id] != nil
			if want := m.madeBy[id] != bad && m.goneBy[id] != good; is != want {
				t.Fatalf("seed %d: %s made by %d and deleted by %d is there: %t", seed, id, m.madeBy[id], m.goneBy[id], is)
			}
		}
		for v := range m.writes {
			m.check(t, seed, v)
		}
		if again := MakePlan(bad, m.deeds, m.State); again.Counts()[EditRole]+again.Counts()[EditChannel]+again.Counts()[Ban] > 0 {
			t.Fatalf("seed %d: after the undo there is more to undo: %+v", seed, again.Counts())
		}
	}
}

func (m *model) check(t *testing.T, seed uint64, v value) {
	t.Helper()
	want, is := m.wanted(v), ""
	switch isRole, isObject := m.objects[v.object]; {
	case v.key == "ban":
		is = fmt.Sprint(m.bans[v.object])
	case isObject:
		o := m.all(isRole)[v.object]
		if o == nil {
			return
		}
		if is = string(o[v.key]); same(json.RawMessage(is), json.RawMessage(want)) {
			return
		}
	default:
		if m.roles[v.key] == nil {
			return
		}
		is = fmt.Sprint(slices.Contains(m.members[v.object].roles, v.key))
	}
	if is != want {
		t.Fatalf("seed %d: %v is %s, not %s; writes %v", seed, v, is, want, m.writes[v])
	}
}
