package downstream

import (
	"strings"

	"splashtail/internal/gateway"
	"splashtail/internal/rawjson"
)

// need says which intents let an event through; any one of them does. Zero: it comes to
// everybody. direct is for an event that belongs to no guild.
type need struct{ guild, direct uint64 }

// everywhere is the need of an event whose intent is the same with and without a guild.
func everywhere(bits uint64) need { return need{bits, bits} }

// needOf is Discord's table of intents. An event that is not in it passes: it is either
// for everybody, or newer than this table.
func needOf(event string) need {
	if n, ok := needs[event]; ok {
		return n
	}
	for _, p := range needsByPrefix {
		if strings.HasPrefix(event, p.prefix) {
			return p.need
		}
	}
	return need{}
}

var needs = map[string]need{
	"GUILD_CREATE": everywhere(gateway.IntentGuilds), "GUILD_UPDATE": everywhere(gateway.IntentGuilds), "GUILD_DELETE": everywhere(gateway.IntentGuilds),
	"CHANNEL_PINS_UPDATE":              {gateway.IntentGuilds, gateway.IntentDirectMessages},
	"VOICE_CHANNEL_STATUS_UPDATE":      everywhere(gateway.IntentGuilds),
	"VOICE_CHANNEL_START_TIME_UPDATE":  everywhere(gateway.IntentGuilds),
	"THREAD_MEMBERS_UPDATE":            everywhere(gateway.IntentGuildMembers), // and see ownEvent
	"GUILD_MEMBER_ADD":                 everywhere(gateway.IntentGuildMembers),
	"GUILD_MEMBER_UPDATE":              everywhere(gateway.IntentGuildMembers), // and see ownEvent
	"GUILD_MEMBER_REMOVE":              everywhere(gateway.IntentGuildMembers),
	"GUILD_AUDIT_LOG_ENTRY_CREATE":     everywhere(gateway.IntentGuildModeration),
	"GUILD_EMOJIS_UPDATE":              everywhere(gateway.IntentGuildExpressions),
	"GUILD_STICKERS_UPDATE":            everywhere(gateway.IntentGuildExpressions),
	"GUILD_INTEGRATIONS_UPDATE":        everywhere(gateway.IntentGuildIntegrations),
	"WEBHOOKS_UPDATE":                  everywhere(gateway.IntentGuildWebhooks),
	"VOICE_STATE_UPDATE":               everywhere(gateway.IntentGuildVoiceStates),
	"VOICE_CHANNEL_EFFECT_SEND":        everywhere(gateway.IntentGuildVoiceStates),
	"PRESENCE_UPDATE":                  everywhere(gateway.IntentGuildPresences),
	"MESSAGE_CREATE":                   {gateway.IntentGuildMessages, gateway.IntentDirectMessages},
	"MESSAGE_UPDATE":                   {gateway.IntentGuildMessages, gateway.IntentDirectMessages},
	"MESSAGE_DELETE":                   {gateway.IntentGuildMessages, gateway.IntentDirectMessages},
	"MESSAGE_DELETE_BULK":              everywhere(gateway.IntentGuildMessages),
	"TYPING_START":                     {gateway.IntentGuildTyping, gateway.IntentDirectTyping},
	"AUTO_MODERATION_ACTION_EXECUTION": everywhere(gateway.IntentAutoModExecution),
}

// needsByPrefix is tried in order after needs.
var needsByPrefix = []struct {
	prefix string
	need   need
}{
	{"GUILD_ROLE_", everywhere(gateway.IntentGuilds)},
	{"CHANNEL_CREATE", everywhere(gateway.IntentGuilds)}, {"CHANNEL_UPDATE", everywhere(gateway.IntentGuilds)}, {"CHANNEL_DELETE", everywhere(gateway.IntentGuilds)},
	{"THREAD_", everywhere(gateway.IntentGuilds)},
	{"STAGE_INSTANCE_", everywhere(gateway.IntentGuilds)},
	{"GUILD_BAN_", everywhere(gateway.IntentGuildModeration)},
	{"GUILD_SOUNDBOARD_", everywhere(gateway.IntentGuildExpressions)},
	{"INTEGRATION_", everywhere(gateway.IntentGuildIntegrations)},
	{"INVITE_", everywhere(gateway.IntentGuildInvites)},
	{"MESSAGE_REACTION_", need{gateway.IntentGuildReactions, gateway.IntentDirectReactions}},
	{"MESSAGE_POLL_VOTE_", need{gateway.IntentGuildPolls, gateway.IntentDirectPolls}},
	{"GUILD_SCHEDULED_EVENT_", everywhere(gateway.IntentScheduledEvents)},
	{"AUTO_MODERATION_RULE_", everywhere(gateway.IntentAutoModConfiguration)},
}

// ownEvent says whether an event that the members intent guards is about the bot itself:
// such ones come without it.
func ownEvent(event string, d []byte, self string) bool {
	switch event {
	case "GUILD_MEMBER_UPDATE":
		return rawjson.Text(rawjson.Get(rawjson.Get(d, "user"), "id")) == self
	case "THREAD_MEMBERS_UPDATE":
		for m := range rawjson.Elements(rawjson.Get(d, "added_members")) {
			if rawjson.Text(rawjson.Get(m, "user_id")) == self {
				return true
			}
		}
		for id := range rawjson.Elements(rawjson.Get(d, "removed_member_ids")) {
			if rawjson.Text(id) == self {
				return true
			}
		}
	}
	return false
}
