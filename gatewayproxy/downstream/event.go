package downstream

import (
	"encoding/json"
	"sync"

	"splashtail/bus"
)

// event is one of Discord's events as the sessions of this process share it.
type event struct {
	place   uint64 // in DISPATCH
	shard   int    // of the connection that brought it
	guild   bus.GuildID
	name    string
	session string // with Discord, that brought it
	seq     int64  // in that session
	d       json.RawMessage
	need    need
	quiet   bool          // a READY of a session that took over from others: bots need not know
	gone    []bus.GuildID // with READY: guilds that there were before and are not any more

	once   sync.Once // guards what follows, which is worked out for the first who asks
	shaped shaped
}

// shaped is what depends on the bot, which is the same for all sessions.
type shaped struct {
	own      bool            // about the bot itself
	redacted json.RawMessage // without message content; d itself when there is none
	bare     json.RawMessage // without presences; d itself when there are none
}

func newEvent(m bus.Delivery[bus.Dispatch]) *event {
	v := m.Value
	return &event{place: m.Seq, shard: v.Shard, guild: v.Guild, name: v.Event, session: v.Session, seq: v.Seq, d: v.Data, need: needOf(v.Event)}
}

// size is about what the event takes in memory.
func (e *event) size() int { return len(e.d) + 256 }

// shape works out once what the bot with the id self may see of the event.
func (e *event) shape(self string) *shaped {
	e.once.Do(func() {
		e.shaped = shaped{redacted: e.d, bare: e.d}
		switch e.name {
		case "GUILD_MEMBER_UPDATE", "THREAD_MEMBERS_UPDATE":
			e.shaped.own = ownEvent(e.name, e.d, self)
		case "GUILD_CREATE":
			e.shaped.bare = withoutPresences(e.d)
		default:
			e.shaped.redacted = redact(e.name, e.d, self, e.guild == 0)
		}
	})
	return &e.shaped
}

// withoutPresences gives a guild as a bot without the presences intent sees it.
func withoutPresences(guild []byte) []byte {
	if !has(guild, "presences") {
		return guild
	}
	return with(guild, member{"presences", json.RawMessage(`[]`)})
}
