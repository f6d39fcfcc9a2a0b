package sandbox

import (
	"strings"
	"time"

	"splashtail/internal/gateway"
)

// Intents say which events a session wants, with Discord's bits.
type Intents uint32

// The intents by the bit that the rules below need. The privileged ones are marked.
const (
	IntentGuilds               Intents = gateway.IntentGuilds
	IntentGuildMembers         Intents = gateway.IntentGuildMembers // privileged
	IntentGuildModeration      Intents = gateway.IntentGuildModeration
	IntentGuildExpressions     Intents = gateway.IntentGuildExpressions
	IntentGuildIntegrations    Intents = gateway.IntentGuildIntegrations
	IntentGuildWebhooks        Intents = gateway.IntentGuildWebhooks
	IntentGuildInvites         Intents = gateway.IntentGuildInvites
	IntentGuildVoiceStates     Intents = gateway.IntentGuildVoiceStates
	IntentGuildPresences       Intents = gateway.IntentGuildPresences // privileged
	IntentGuildMessages        Intents = gateway.IntentGuildMessages
	IntentGuildReactions       Intents = gateway.IntentGuildReactions
	IntentGuildTyping          Intents = gateway.IntentGuildTyping
	IntentDirectMessages       Intents = gateway.IntentDirectMessages
	IntentDirectReactions      Intents = gateway.IntentDirectReactions
	IntentDirectTyping         Intents = gateway.IntentDirectTyping
	IntentMessageContent       Intents = gateway.IntentMessageContent // privileged
	IntentScheduledEvents      Intents = gateway.IntentScheduledEvents
	IntentAutoModConfiguration Intents = gateway.IntentAutoModConfiguration
	IntentAutoModExecution     Intents = gateway.IntentAutoModExecution
	IntentGuildPolls           Intents = gateway.IntentGuildPolls
	IntentDirectPolls          Intents = gateway.IntentDirectPolls

	privilegedIntents Intents = gateway.PrivilegedIntents
	knownIntents      Intents = gateway.KnownIntents
)

// intentFor is the intent that an event needs, zero for those that come always. Events that the table does not know come
// always too, as new ones do from Discord.
func intentFor(event string, direct bool) Intents {
	switch event {
	case "GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "VOICE_CHANNEL_STATUS_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE":
		return IntentGuilds
	case "GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "THREAD_MEMBERS_UPDATE":
		return IntentGuildMembers
	case "GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE":
		return IntentGuildModeration
	case "GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE":
		return IntentGuildExpressions
	case "GUILD_INTEGRATIONS_UPDATE":
		return IntentGuildIntegrations
	case "WEBHOOKS_UPDATE":
		return IntentGuildWebhooks
	case "VOICE_STATE_UPDATE", "VOICE_CHANNEL_EFFECT_SEND":
		return IntentGuildVoiceStates
	case "PRESENCE_UPDATE":
		return IntentGuildPresences
	case "MESSAGE_DELETE_BULK":
		return IntentGuildMessages
	case "CHANNEL_PINS_UPDATE":
		return ifDirect(direct, IntentDirectMessages, IntentGuilds)
	case "MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE":
		return ifDirect(direct, IntentDirectMessages, IntentGuildMessages)
	case "TYPING_START":
		return ifDirect(direct, IntentDirectTyping, IntentGuildTyping)
	case "AUTO_MODERATION_ACTION_EXECUTION":
		return IntentAutoModExecution
	}
	return intentOfFamily(event, direct)
}

// intentOfFamily knows the events that share the beginning of their names.
func intentOfFamily(event string, direct bool) Intents {
	for _, f := range []struct {
		prefix        string
		guild, direct Intents
	}{
		{"GUILD_ROLE_", IntentGuilds, IntentGuilds},
		{"CHANNEL_INFO", 0, 0}, // an answer
		{"CHANNEL_", IntentGuilds, IntentGuilds},
		{"THREAD_", IntentGuilds, IntentGuilds},
		{"STAGE_INSTANCE_", IntentGuilds, IntentGuilds},
		{"GUILD_SOUNDBOARD_SOUND", IntentGuildExpressions, IntentGuildExpressions},
		{"INTEGRATION_", IntentGuildIntegrations, IntentGuildIntegrations},
		{"INVITE_", IntentGuildInvites, IntentGuildInvites},
		{"MESSAGE_REACTION_", IntentGuildReactions, IntentDirectReactions},
		{"MESSAGE_POLL_VOTE_", IntentGuildPolls, IntentDirectPolls},
		{"GUILD_SCHEDULED_EVENT_", IntentScheduledEvents, IntentScheduledEvents},
		{"AUTO_MODERATION_RULE_", IntentAutoModConfiguration, IntentAutoModConfiguration},
	} {
		if strings.HasPrefix(event, f.prefix) {
			return ifDirect(direct, f.direct, f.guild)
		}
	}
	return 0
}

func ifDirect(direct bool, yes, no Intents) Intents {
	if direct {
		return yes
	}
	return no
}

// looksInside says for which events the rules read the payload.
func looksInside(event string) bool {
	return event == "GUILD_MEMBER_UPDATE" || event == "THREAD_MEMBERS_UPDATE" || ofChannel(event) || event == "INVITE_CREATE" || event == "INVITE_DELETE"
}

// ofChannel are the events that only those get who see the channel.
func ofChannel(event string) bool {
	return event == "TYPING_START" || strings.HasPrefix(event, "MESSAGE_")
}

// mayReceive applies the permissions that Discord documents for single events.
func (g *guild) mayReceive(m *member, e *dispatch) bool {
	now := time.Now()
	switch e.name {
	case "GUILD_AUDIT_LOG_ENTRY_CREATE":
		return g.basePermissions(m, now).Has(ViewAuditLog)
	case "GUILD_BAN_ADD", "GUILD_BAN_REMOVE":
		p := g.basePermissions(m, now)
		return p.Has(BanMembers) || p.Has(ViewAuditLog)
	case "INVITE_CREATE", "INVITE_DELETE":
		c := g.place(e.about.ChannelID)
		return c == nil || g.channelPermissions(m, c, now).Has(ManageChannels)
	case "AUTO_MODERATION_ACTION_EXECUTION":
		return g.basePermissions(m, now).Has(ManageGuild)
	}
	if c := g.place(e.about.ChannelID); c != nil && ofChannel(e.name) {
		return g.sees(m, c, now)
	}
	return true
}
