package guilds

import (
	"encoding/json"
	"slices"
	"strconv"

	"splashtail/internal/rawjson"
)

// memberCap is how many members of a guild are kept whole besides the bot itself and those
// in voice: what Discord sends at most for a large_threshold of 250. Who has which roles is
// known of more, see maxRoster.
const memberCap = 250

// made makes a guild of the d of a GUILD_CREATE, with its members bounded and without
// presences, which are old at once. The copy lets go of the message that brought it.
func made(d json.RawMessage, self string) *guild {
	g := parse(d)
	g.set("unavailable", json.RawMessage("false"))
	if g.get("presences") != nil {
		g.set("presences", json.RawMessage("[]"))
	}
	members, kept := g.list("members"), 0
	members.items = slices.DeleteFunc(members.items, func(m item) bool {
		if m.id == self || g.inVoice(m.id) {
			return false
		}
		kept++
		return kept > memberCap
	})
	return parse(g.render())
}

func (g *guild) inVoice(user string) bool { return g.list("voice_states").find(user) >= 0 }

// apply patches the guild with an event and says whether it changed. An event that is
// not in the table changes nothing of what GUILD_CREATE shows.
func (g *guild) apply(event string, d json.RawMessage, self string) bool {
	patch := patches[event]
	if patch == nil {
		return false
	}
	patch(g, d, self)
	return true
}

// patches says what each event changes. GUILD_CREATE and GUILD_DELETE are not here:
// they concern the guild as a whole.
var patches = map[string]func(g *guild, d json.RawMessage, self string){
	"GUILD_UPDATE": func(g *guild, d json.RawMessage, _ string) { g.update(d) },

	"CHANNEL_CREATE":       inList("channels"),
	"CHANNEL_UPDATE":       inList("channels"),
	"CHANNEL_DELETE":       func(g *guild, d json.RawMessage, _ string) { g.dropChannel(id(d)) },
	"CHANNEL_PINS_UPDATE":  ofChannel("channel_id", "last_pin_timestamp"),
	"THREAD_CREATE":        func(g *guild, d json.RawMessage, _ string) { g.thread(d) },
	"THREAD_UPDATE":        func(g *guild, d json.RawMessage, _ string) { g.thread(d) },
	"THREAD_DELETE":        outOf("threads", "id"),
	"THREAD_LIST_SYNC":     func(g *guild, d json.RawMessage, _ string) { g.syncThreads(d) },
	"THREAD_MEMBER_UPDATE": func(g *guild, d json.RawMessage, _ string) { g.ownThread(d) },
	"THREAD_MEMBERS_UPDATE": func(g *guild, d json.RawMessage, _ string) {
		g.threadField(id(d), "member_count", rawjson.Get(d, "member_count"))
	},
	"VOICE_CHANNEL_STATUS_UPDATE":     ofChannel("id", "status"),
	"VOICE_CHANNEL_START_TIME_UPDATE": ofChannel("id", "voice_start_time"),

	"GUILD_ROLE_CREATE": func(g *guild, d json.RawMessage, _ string) { g.role(d) },
	"GUILD_ROLE_UPDATE": func(g *guild, d json.RawMessage, _ string) { g.role(d) },
	"GUILD_ROLE_DELETE": func(g *guild, d json.RawMessage, _ string) { g.dropRole(rawjson.Text(rawjson.Get(d, "role_id"))) },

	"GUILD_EMOJIS_UPDATE":   wholeList("emojis"),
	"GUILD_STICKERS_UPDATE": wholeList("stickers"),

	"GUILD_SOUNDBOARD_SOUND_CREATE":  inList("soundboard_sounds"),
	"GUILD_SOUNDBOARD_SOUND_UPDATE":  inList("soundboard_sounds"),
	"GUILD_SOUNDBOARD_SOUND_DELETE":  outOf("soundboard_sounds", "sound_id"),
	"GUILD_SOUNDBOARD_SOUNDS_UPDATE": wholeList("soundboard_sounds"),

	"STAGE_INSTANCE_CREATE":        inList("stage_instances"),
	"STAGE_INSTANCE_UPDATE":        inList("stage_instances"),
	"STAGE_INSTANCE_DELETE":        outOf("stage_instances", "id"),
	"GUILD_SCHEDULED_EVENT_CREATE": inList("guild_scheduled_events"),
	"GUILD_SCHEDULED_EVENT_UPDATE": inList("guild_scheduled_events"),
	"GUILD_SCHEDULED_EVENT_DELETE": outOf("guild_scheduled_events", "id"),

	"GUILD_MEMBER_ADD": func(g *guild, d json.RawMessage, self string) { g.member(d, self); g.count(1) },
	"GUILD_MEMBER_UPDATE": func(g *guild, d json.RawMessage, self string) {
		g.member(d, self)
	},
	"GUILD_MEMBER_REMOVE": func(g *guild, d json.RawMessage, _ string) { g.dropMember(rawjson.Text(at(d, "user", "id"))) },
	"GUILD_MEMBERS_CHUNK": func(g *guild, d json.RawMessage, self string) {
		for m := range rawjson.Elements(rawjson.Get(d, "members")) {
			g.member(m, self)
		}
	},
	"VOICE_STATE_UPDATE": func(g *guild, d json.RawMessage, self string) { g.voice(d, self) },
}

func id(d json.RawMessage) string { return rawjson.Text(rawjson.Get(d, "id")) }

// inList patches the element of a list that d is.
func inList(key string) func(*guild, json.RawMessage, string) {
	return func(g *guild, d json.RawMessage, _ string) {
		g.list(key).patch(rawjson.Text(at(d, keyOf[key]...)), without(d, "guild_id"))
	}
}

// outOf removes an element that d names.
func outOf(key, name string) func(*guild, json.RawMessage, string) {
	return func(g *guild, d json.RawMessage, _ string) { g.list(key).remove(rawjson.Text(rawjson.Get(d, name))) }
}

// wholeList replaces a list by the one that d brings under its name.
func wholeList(key string) func(*guild, json.RawMessage, string) {
	return func(g *guild, d json.RawMessage, _ string) { g.replace(key, rawjson.Get(d, key)) }
}

// ofChannel copies one member of d into the channel that d names.
func ofChannel(name, key string) func(*guild, json.RawMessage, string) {
	return func(g *guild, d json.RawMessage, _ string) {
		channel, v := rawjson.Text(rawjson.Get(d, name)), rawjson.Get(d, key)
		for _, l := range []*list{g.list("channels"), g.list("threads")} {
			if v != nil && l.find(channel) >= 0 {
				l.patch(channel, object(key, v))
			}
		}
	}
}

func object(key string, v json.RawMessage) json.RawMessage {
	return (&guild{fields: []field{{key, v}}}).render()
}

// update writes what GUILD_UPDATE brings; what only GUILD_CREATE has stays.
func (g *guild) update(d json.RawMessage) {
	for key, raw := range rawjson.Fields(d) {
		switch _, isList := keyOf[key]; {
		case isList:
			g.replace(key, raw)
		case key != "unavailable":
			g.set(key, raw)
		}
	}
}

func (g *guild) dropChannel(channel string) {
	g.list("channels").remove(channel)
	threads := g.list("threads")
	threads.items = slices.DeleteFunc(threads.items, func(t item) bool {
		return rawjson.Text(rawjson.Get(t.raw, "parent_id")) == channel
	})
}

// thread keeps active threads only, as GUILD_CREATE does.
func (g *guild) thread(d json.RawMessage) {
	if string(at(d, "thread_metadata", "archived")) == "true" {
		g.list("threads").remove(id(d))
		return
	}
	g.list("threads").patch(id(d), without(d, "guild_id", "newly_created"))
}

func (g *guild) threadField(thread, key string, v json.RawMessage) {
	if threads := g.list("threads"); v != nil && threads.find(thread) >= 0 {
		threads.patch(thread, object(key, v))
	}
}

// ownThread keeps what the bot itself is in a thread.
func (g *guild) ownThread(d json.RawMessage) {
	g.threadField(id(d), "member", without(d, "guild_id"))
}

// syncThreads replaces the threads of the named channels, or of all.
func (g *guild) syncThreads(d json.RawMessage) {
	var parents []string
	for c := range rawjson.Elements(rawjson.Get(d, "channel_ids")) {
		parents = append(parents, rawjson.Text(c))
	}
	threads := g.list("threads")
	threads.items = slices.DeleteFunc(threads.items, func(t item) bool {
		return parents == nil || slices.Contains(parents, rawjson.Text(rawjson.Get(t.raw, "parent_id")))
	})
	for t := range rawjson.Elements(rawjson.Get(d, "threads")) {
		g.thread(t)
	}
	for m := range rawjson.Elements(rawjson.Get(d, "members")) {
		g.ownThread(m)
	}
}

func (g *guild) role(d json.RawMessage) {
	role := rawjson.Get(d, "role")
	g.list("roles").patch(id(role), role)
}

// dropRole removes a role, also from the members that are kept: Discord sends no update
// for them.
func (g *guild) dropRole(role string) {
	g.list("roles").remove(role)
	members := g.list("members")
	for i, m := range members.items {
		var left []json.RawMessage
		had := false
		for r := range rawjson.Elements(rawjson.Get(m.raw, "roles")) {
			if rawjson.Text(r) == role {
				had = true
			} else {
				left = append(left, r)
			}
		}
		if had {
			members.items[i].raw = merge(m.raw, object("roles", array(left)))
		}
	}
}

func array(elements []json.RawMessage) json.RawMessage {
	out := []byte{'['}
	for i, e := range elements {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, e...)
	}
	return append(out, ']')
}

// member keeps a member that is kept already, is needed, or for whom there is room.
func (g *guild) member(d json.RawMessage, self string) {
	user := rawjson.Text(at(d, "user", "id"))
	members := g.list("members")
	if members.find(user) >= 0 || user == self || g.inVoice(user) || len(members.items) < memberCap {
		members.patch(user, without(d, "guild_id", "presence"))
	}
}

func (g *guild) dropMember(user string) {
	g.list("members").remove(user)
	g.list("voice_states").remove(user)
	g.count(-1)
}

// count changes member_count, which is never below what is kept.
func (g *guild) count(by int) {
	if n, err := strconv.Atoi(string(g.get("member_count"))); err == nil {
		g.set("member_count", strconv.AppendInt(nil, int64(max(n+by, 0)), 10))
	}
}

// voice keeps who is in voice, and the member with them: libraries pass over a voice
// state whose member they do not know.
func (g *guild) voice(d json.RawMessage, self string) {
	user := rawjson.Text(rawjson.Get(d, "user_id"))
	if rawjson.IsNull(rawjson.Get(d, "channel_id")) {
		g.list("voice_states").remove(user)
		if members := g.list("members"); len(members.items) > memberCap && user != self {
			members.remove(user)
		}
		return
	}
	g.list("voice_states").upsert(user, without(d, "guild_id", "member"))
	if m := rawjson.Get(d, "member"); len(m) > 0 && m[0] == '{' {
		g.list("members").patch(user, without(m, "guild_id"))
	}
}
