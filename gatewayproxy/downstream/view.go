package downstream

import (
	"encoding/json"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/guilds"
)

// view is what a session is entitled to see. It decides without looking at anything but
// the event.
type view struct {
	shard, shards int // what the bot counts
	upstream      int // how many shards we have with Discord
	intents       uint64
	version       int
	self          string // the bot's user id
	turned        bool   // our number of shards changed, or does so in what is to be read
}

// single says whether the bot's shard is one of ours, whole.
func (v view) single() bool { return v.shards == v.upstream }

// sources are our shards that have events for the bot's.
func (v view) sources() []int {
	if v.single() {
		return []int{v.shard}
	}
	all := make([]int, v.upstream)
	for i := range all {
		all[i] = i
	}
	return all
}

// filter takes what the sources bring.
func (v view) filter() bus.Filter[bus.Dispatch] {
	if v.single() && !v.turned {
		return bus.DispatchesOfShard(v.shard)
	}
	return bus.AllDispatches()
}

// ofShard says whether an event belongs to the bot's shard. Bots that count other shards
// than we do get the guilds that Discord would give them, and what belongs to no guild on
// their shard 0; only news about their own user come to each.
func (v view) ofShard(e *event) bool {
	if v.single() {
		return e.shard == v.shard
	}
	if e.guild != 0 {
		return guilds.ShardOf(e.guild, v.shards) == v.shard
	}
	return e.shard == 0 && (v.shard == 0 || e.name == "USER_UPDATE")
}

// ofGuild says whether a guild belongs to the bot's shard.
func (v view) ofGuild(id bus.GuildID) bool { return guilds.ShardOf(id, v.shards) == v.shard }

// show gives what the bot sees of an event of its shard; false when nothing.
func (v view) show(e *event) (d json.RawMessage, ok bool) {
	want := e.need.guild
	if e.guild == 0 {
		want = e.need.direct
	}
	if want != 0 && v.intents&want == 0 && !(e.need.guild == gateway.IntentGuildMembers && e.shape(v.self).own) {
		return nil, false
	}
	switch e.name {
	case "MESSAGE_CREATE", "MESSAGE_UPDATE", "AUTO_MODERATION_ACTION_EXECUTION":
		// Version 9 shows content to who does not ask for it.
		if v.version >= 10 && v.intents&gateway.IntentMessageContent == 0 {
			return e.shape(v.self).redacted, true
		}
	case "GUILD_CREATE":
		if v.intents&gateway.IntentGuildPresences == 0 {
			return e.shape(v.self).bare, true
		}
	}
	return e.d, true
}
