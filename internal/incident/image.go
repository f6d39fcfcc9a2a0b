package incident

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// object is one of Discord's objects, of which we know few keys.
type object map[string]json.RawMessage

func parseObject(data json.RawMessage) object {
	var o object
	if json.Unmarshal(data, &o) != nil {
		return nil
	}
	return o
}

// text gives a key that is a string; empty for anything else.
func (o object) text(key string) string {
	var s string
	_ = json.Unmarshal(o[key], &s) // what is no string is as good as none
	return s
}

func (o object) number(key string) int {
	var n int
	_ = json.Unmarshal(o[key], &n) // as above
	return n
}

// overwrites gives a channel's overwrites by the id of the role or member.
func (o object) overwrites() map[string]json.RawMessage {
	var list []json.RawMessage
	_ = json.Unmarshal(o["permission_overwrites"], &list) // as above
	out := map[string]json.RawMessage{}
	for _, raw := range list {
		if id := parseObject(raw).text("id"); id != "" {
			out[id] = raw
		}
	}
	return out
}

// image is what a guild looked like after the last event, as far as undoing needs it. It
// belongs to whoever handles the guild's events.
type image struct {
	guild           object
	roles, channels map[string]object
	members         map[string][]string // roles by user
	gone            map[string]remains  // of what was deleted a moment ago, by id
	goneLine        []string            // oldest first
	// What Discord took away because something else was deleted, by that thing's id:
	// the events can come before the deletion itself.
	lostOverwrites map[string]map[string]json.RawMessage // role -> channel -> overwrite
	lostChildren   map[string][]string                   // category -> channels
	lostSettings   map[string][]string                   // channel -> settings that named it
}

// remains is what a deleted thing was.
type remains struct {
	object     object
	members    []string
	overwrites map[string]json.RawMessage
	children   []string
	settings   []string
	order      []string
}

// Bounds of an image. A guild of more members than that loses who had a deleted role.
const (
	maxImageMembers = 100_000
	maxGone         = 1000
)

func newImage() *image {
	return &image{
		roles: map[string]object{}, channels: map[string]object{}, members: map[string][]string{}, gone: map[string]remains{},
		lostOverwrites: map[string]map[string]json.RawMessage{}, lostChildren: map[string][]string{},
		lostSettings: map[string][]string{}, guild: object{},
	}
}

// imageOf reads a guild as GUILD_CREATE shows it.
func imageOf(data json.RawMessage) *image {
	var g struct {
		Roles, Channels []json.RawMessage
		Members         []json.RawMessage
	}
	im := newImage()
	if json.Unmarshal(data, &g) != nil {
		return im
	}
	im.setGuild(parseObject(data))
	for _, raw := range g.Roles {
		im.setRole(raw)
	}
	for _, raw := range g.Channels {
		im.setChannel(raw)
	}
	for _, raw := range g.Members {
		im.setMember(raw)
	}
	return im
}

// setGuild keeps which settings name channels.
func (im *image) setGuild(o object) {
	for key := range guildKeys {
		if !strings.HasSuffix(key, "_channel_id") {
			continue
		}
		was, is := im.guild.text(key), o.text(key)
		if was != "" && is == "" && len(im.lostSettings) < maxGone {
			im.lostSettings[was] = append(im.lostSettings[was], key)
		}
		im.guild[key] = o[key]
	}
}

func (im *image) setRole(raw json.RawMessage) {
	if o := parseObject(raw); o.text("id") != "" {
		im.roles[o.text("id")] = o
	}
}

func (im *image) setChannel(raw json.RawMessage) {
	o := parseObject(raw)
	id := o.text("id")
	if id == "" {
		return
	}
	if before, known := im.channels[id]; known {
		im.noteLosses(id, before, o)
	}
	im.channels[id] = o
}

// noteLosses remembers what a channel lost with this change, in case it was because its
// role or its category was deleted.
func (im *image) noteLosses(id string, before, after object) {
	now := after.overwrites()
	for target, raw := range before.overwrites() {
		if _, still := now[target]; !still {
			if im.lostOverwrites[target] == nil {
				im.lostOverwrites[target] = map[string]json.RawMessage{}
			}
			im.lostOverwrites[target][id] = raw
		}
	}
	if parent := before.text("parent_id"); parent != "" && after.text("parent_id") == "" {
		im.lostChildren[parent] = append(im.lostChildren[parent], id)
	}
	if len(im.lostOverwrites)+len(im.lostChildren) > maxGone {
		clear(im.lostOverwrites)
		clear(im.lostChildren)
	}
}

func (im *image) setMember(raw json.RawMessage) {
	var m struct {
		User  struct{ ID string }
		Roles []string
	}
	if json.Unmarshal(raw, &m) != nil || m.User.ID == "" {
		return
	}
	if _, known := im.members[m.User.ID]; known || len(im.members) < maxImageMembers {
		im.members[m.User.ID] = m.Roles
	}
}

func (im *image) setMembers(chunk json.RawMessage) {
	var list []json.RawMessage
	_ = json.Unmarshal(parseObject(chunk)["members"], &list) // what is no list is as good as none
	for _, raw := range list {
		im.setMember(raw)
	}
}

// deleted moves a channel or role to what is gone. data is what the event says of it.
func (im *image) deleted(id string, isRole bool, data object) {
	if _, done := im.gone[id]; !done {
		r := im.remainsOf(id, isRole)
		if data != nil && r.object == nil {
			r.object = data
		}
		im.keep(id, r)
	}
	delete(im.roles, id)
	delete(im.channels, id)
	delete(im.lostOverwrites, id)
	delete(im.lostChildren, id)
	delete(im.lostSettings, id)
}

func (im *image) keep(id string, r remains) {
	if len(im.goneLine) >= maxGone {
		delete(im.gone, im.goneLine[0])
		im.goneLine = im.goneLine[1:]
	}
	im.gone[id], im.goneLine = r, append(im.goneLine, id)
}

// remainsOf is what a channel or role is at this moment, or was when it was deleted.
func (im *image) remainsOf(id string, isRole bool) remains {
	if r, gone := im.gone[id]; gone {
		return r
	}
	if !isRole {
		r := remains{object: im.channels[id], order: order(im.channels, compareIDs), children: im.lostChildren[id], settings: im.lostSettings[id]}
		for key := range im.guild {
			if im.guild.text(key) == id {
				r.settings = append(r.settings, key)
			}
		}
		slices.Sort(r.settings)
		for child, c := range im.channels {
			if c.text("parent_id") == id && !slices.Contains(r.children, child) {
				r.children = append(r.children, child)
			}
		}
		slices.Sort(r.children)
		return r
	}
	r := remains{object: im.roles[id], order: order(im.roles, newerFirst), overwrites: map[string]json.RawMessage{}}
	for channel, raw := range im.lostOverwrites[id] {
		r.overwrites[channel] = raw
	}
	for channel, c := range im.channels {
		if raw, ok := c.overwrites()[id]; ok {
			r.overwrites[channel] = raw
		}
	}
	for user, roles := range im.members {
		if slices.Contains(roles, id) {
			r.members = append(r.members, user)
		}
	}
	slices.Sort(r.members)
	return r
}

// order gives ids from the lowest position up; same decides between things of one
// position.
func order(all map[string]object, same func(a, b string) int) []string {
	ids := make([]string, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b string) int {
		return cmp.Or(cmp.Compare(all[a].number("position"), all[b].number("position")), same(a, b))
	})
	return ids
}

// compareIDs puts the older of two snowflakes first, as Discord sorts channels of one
// position.
func compareIDs(a, b string) int {
	x, _ := strconv.ParseUint(a, 10, 64) // Discord's ids are numbers
	y, _ := strconv.ParseUint(b, 10, 64)
	return cmp.Compare(x, y)
}

// newerFirst puts the newer of two snowflakes first: of two roles of one position the
// older one stands above.
func newerFirst(a, b string) int { return compareIDs(b, a) }
