package downstream

import (
	"strings"

	"splashtail/internal/rawjson"
)

// The intents of Discord's gateway, by bit.
const (
	guildsIntent         = 1 << 0
	membersIntent        = 1 << 1
	moderationIntent     = 1 << 2
	expressionsIntent    = 1 << 3
	integrationsIntent   = 1 << 4
	webhooksIntent       = 1 << 5
	invitesIntent        = 1 << 6
	voiceStatesIntent    = 1 << 7
	presencesIntent      = 1 << 8
	messagesIntent       = 1 << 9
	reactionsIntent      = 1 << 10
	typingIntent         = 1 << 11
	directMessagesIntent = 1 << 12
	directReactionIntent = 1 << 13
	directTypingIntent   = 1 << 14
	contentIntent        = 1 << 15
	scheduledIntent      = 1 << 16
	autoModConfigIntent  = 1 << 20
	autoModActionIntent  = 1 << 21
	pollsIntent          = 1 << 24
	directPollsIntent    = 1 << 25
)

// knownIntents are all that exist; a bot that asks for another is refused as Discord does.
const knownIntents = guildsIntent | membersIntent | moderationIntent | expressionsIntent | integrationsIntent | webhooksIntent |
	invitesIntent | voiceStatesIntent | presencesIntent | messagesIntent | reactionsIntent | typingIntent | directMessagesIntent |
	directReactionIntent | directTypingIntent | contentIntent | scheduledIntent | autoModConfigIntent | autoModActionIntent |
	pollsIntent | directPollsIntent

// The flags of an application that say which privileged intents it has: in full, or
// limited to some guilds.
const (
	mayPresences = 1<<12 | 1<<13
	mayMembers   = 1<<14 | 1<<15
	mayContent   = 1<<18 | 1<<19
)

// privilegedWithout gives the privileged ones of the intents that an application with
// these flags may not use.
func privilegedWithout(intents, flags uint64) uint64 {
	var refused uint64
	for _, p := range []struct{ intent, flags uint64 }{{presencesIntent, mayPresences}, {membersIntent, mayMembers}, {contentIntent, mayContent}} {
		if intents&p.intent != 0 && flags&p.flags == 0 {
			refused |= p.intent
		}
	}
	return refused
}

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
	"GUILD_CREATE": everywhere(guildsIntent), "GUILD_UPDATE": everywhere(guildsIntent), "GUILD_DELETE": everywhere(guildsIntent),
	"CHANNEL_PINS_UPDATE":              {guildsIntent, directMessagesIntent},
	"VOICE_CHANNEL_STATUS_UPDATE":      everywhere(guildsIntent),
	"VOICE_CHANNEL_START_TIME_UPDATE":  everywhere(guildsIntent),
	"THREAD_MEMBERS_UPDATE":            everywhere(membersIntent), // and see ownEvent
	"GUILD_MEMBER_ADD":                 everywhere(membersIntent),
	"GUILD_MEMBER_UPDATE":              everywhere(membersIntent), // and see ownEvent
	"GUILD_MEMBER_REMOVE":              everywhere(membersIntent),
	"GUILD_AUDIT_LOG_ENTRY_CREATE":     everywhere(moderationIntent),
	"GUILD_EMOJIS_UPDATE":              everywhere(expressionsIntent),
	"GUILD_STICKERS_UPDATE":            everywhere(expressionsIntent),
	"GUILD_INTEGRATIONS_UPDATE":        everywhere(integrationsIntent),
	"WEBHOOKS_UPDATE":                  everywhere(webhooksIntent),
	"VOICE_STATE_UPDATE":               everywhere(voiceStatesIntent),
	"VOICE_CHANNEL_EFFECT_SEND":        everywhere(voiceStatesIntent),
	"PRESENCE_UPDATE":                  everywhere(presencesIntent),
	"MESSAGE_CREATE":                   {messagesIntent, directMessagesIntent},
	"MESSAGE_UPDATE":                   {messagesIntent, directMessagesIntent},
	"MESSAGE_DELETE":                   {messagesIntent, directMessagesIntent},
	"MESSAGE_DELETE_BULK":              everywhere(messagesIntent),
	"TYPING_START":                     {typingIntent, directTypingIntent},
	"AUTO_MODERATION_ACTION_EXECUTION": everywhere(autoModActionIntent),
}

// needsByPrefix is tried in order after needs.
var needsByPrefix = []struct {
	prefix string
	need   need
}{
	{"GUILD_ROLE_", everywhere(guildsIntent)},
	{"CHANNEL_CREATE", everywhere(guildsIntent)}, {"CHANNEL_UPDATE", everywhere(guildsIntent)}, {"CHANNEL_DELETE", everywhere(guildsIntent)},
	{"THREAD_", everywhere(guildsIntent)},
	{"STAGE_INSTANCE_", everywhere(guildsIntent)},
	{"GUILD_BAN_", everywhere(moderationIntent)},
	{"GUILD_SOUNDBOARD_", everywhere(expressionsIntent)},
	{"INTEGRATION_", everywhere(integrationsIntent)},
	{"INVITE_", everywhere(invitesIntent)},
	{"MESSAGE_REACTION_", need{reactionsIntent, directReactionIntent}},
	{"MESSAGE_POLL_VOTE_", need{pollsIntent, directPollsIntent}},
	{"GUILD_SCHEDULED_EVENT_", everywhere(scheduledIntent)},
	{"AUTO_MODERATION_RULE_", everywhere(autoModConfigIntent)},
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
