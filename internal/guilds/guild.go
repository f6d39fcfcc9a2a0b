package guilds

import (
	"encoding/json"
	"slices"

	"splashtail/internal/rawjson"
)

// guild is the d of a GUILD_CREATE, taken apart only as far as events patch it: the
// lists into elements, everything else into members of the object, all of it raw.
type guild struct {
	fields []field // in Discord's order; a list has its place here too, without a value
	lists  map[string]*list
}

type field struct {
	key string
	raw json.RawMessage
}

// list is one list of a guild. Its elements are few enough to be searched one by one.
type list struct{ items []item }

type item struct {
	id  string
	raw json.RawMessage
}

// keyOf says where the elements of each list have their id, as a way of keys.
var keyOf = map[string][]string{
	"channels": {"id"}, "threads": {"id"}, "roles": {"id"}, "emojis": {"id"}, "stickers": {"id"},
	"members": {"user", "id"}, "voice_states": {"user_id"}, "stage_instances": {"id"},
	"guild_scheduled_events": {"id"}, "soundboard_sounds": {"sound_id"},
}

// at follows a way of keys into an object.
func at(object json.RawMessage, way ...string) json.RawMessage {
	for _, key := range way {
		object = rawjson.Get(object, key)
	}
	return object
}

// parse takes a guild apart. d must be valid JSON; of anything but an object it makes an
// empty guild.
func parse(d json.RawMessage) *guild {
	g := &guild{lists: map[string]*list{}}
	for key, raw := range rawjson.Fields(d) {
		way, isList := keyOf[key]
		if !isList || len(raw) == 0 || raw[0] != '[' {
			g.set(key, raw)
			continue
		}
		g.set(key, nil)
		g.lists[key] = readList(raw, way)
	}
	return g
}

func readList(raw json.RawMessage, way []string) *list {
	l := &list{}
	for e := range rawjson.Elements(raw) {
		l.items = append(l.items, item{rawjson.Text(at(e, way...)), e})
	}
	return l
}

// set writes a member of the object that is no list.
func (g *guild) set(key string, raw json.RawMessage) {
	if i := slices.IndexFunc(g.fields, func(f field) bool { return f.key == key }); i >= 0 {
		g.fields[i].raw = raw
		return
	}
	g.fields = append(g.fields, field{key, raw})
}

// get reads a member of the object that is no list.
func (g *guild) get(key string) json.RawMessage {
	for _, f := range g.fields {
		if f.key == key {
			return f.raw
		}
	}
	return nil
}

// list gives a list, making it when GUILD_CREATE had none.
func (g *guild) list(key string) *list {
	l := g.lists[key]
	if l == nil {
		l = &list{}
		g.set(key, nil)
		g.lists[key] = l
	}
	return l
}

// replace puts a whole list in the place of another. What is no array changes nothing.
func (g *guild) replace(key string, raw json.RawMessage) {
	if len(raw) > 0 && raw[0] == '[' {
		g.list(key).items = readList(raw, keyOf[key]).items
	}
}

// render writes the guild as the d of a GUILD_CREATE.
func (g *guild) render() []byte {
	size := 2
	for _, f := range g.fields {
		size += len(f.key) + len(f.raw) + 6
	}
	for _, l := range g.lists {
		for _, e := range l.items {
			size += len(e.raw) + 1
		}
	}
	out := append(make([]byte, 0, size), '{')
	for i, f := range g.fields {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(appendKey(out, f.key), ':')
		l := g.lists[f.key]
		if l == nil {
			out = append(out, f.raw...)
			continue
		}
		out = append(out, '[')
		for k, e := range l.items {
			if k > 0 {
				out = append(out, ',')
			}
			out = append(out, e.raw...)
		}
		out = append(out, ']')
	}
	return append(out, '}')
}

func appendKey(out []byte, key string) []byte {
	quoted, _ := json.Marshal(key) // a string always encodes
	return append(out, quoted...)
}

func (l *list) find(id string) int {
	return slices.IndexFunc(l.items, func(e item) bool { return e.id == id })
}

// upsert writes an element whole.
func (l *list) upsert(id string, raw json.RawMessage) {
	if id == "" {
		return
	}
	if i := l.find(id); i >= 0 {
		l.items[i].raw = raw
		return
	}
	l.items = append(l.items, item{id, raw})
}

// patch writes the given members of an element over those it has, and keeps the rest:
// some that GUILD_CREATE brings are in no update.
func (l *list) patch(id string, raw json.RawMessage) {
	if i := l.find(id); i >= 0 {
		raw = merge(l.items[i].raw, raw)
	}
	l.upsert(id, raw)
}

func (l *list) remove(id string) {
	if i := l.find(id); i >= 0 {
		l.items = slices.Delete(l.items, i, i+1)
	}
}

// merge writes the members of over into object.
func merge(object, over json.RawMessage) json.RawMessage {
	var fields []field
	for k, v := range rawjson.Fields(object) {
		fields = append(fields, field{k, v})
	}
	for k, v := range rawjson.Fields(over) {
		if i := slices.IndexFunc(fields, func(f field) bool { return f.key == k }); i >= 0 {
			fields[i].raw = v
		} else {
			fields = append(fields, field{k, v})
		}
	}
	return (&guild{fields: fields}).render()
}

// without leaves members out of an object.
func without(object json.RawMessage, keys ...string) json.RawMessage {
	var g guild
	for k, v := range rawjson.Fields(object) {
		if !slices.Contains(keys, k) {
			g.fields = append(g.fields, field{k, v})
		}
	}
	return g.render()
}
