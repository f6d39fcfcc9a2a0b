package gateway

// The intents, as bits: which events a session asks for.
const (
	IntentGuilds               = 1 << 0
	IntentGuildMembers         = 1 << 1 // privileged
	IntentGuildModeration      = 1 << 2
	IntentGuildExpressions     = 1 << 3
	IntentGuildIntegrations    = 1 << 4
	IntentGuildWebhooks        = 1 << 5
	IntentGuildInvites         = 1 << 6
	IntentGuildVoiceStates     = 1 << 7
	IntentGuildPresences       = 1 << 8 // privileged
	IntentGuildMessages        = 1 << 9
	IntentGuildReactions       = 1 << 10
	IntentGuildTyping          = 1 << 11
	IntentDirectMessages       = 1 << 12
	IntentDirectReactions      = 1 << 13
	IntentDirectTyping         = 1 << 14
	IntentMessageContent       = 1 << 15 // privileged; it shows content in events and lets none through
	IntentScheduledEvents      = 1 << 16
	IntentAutoModConfiguration = 1 << 20
	IntentAutoModExecution     = 1 << 21
	IntentGuildPolls           = 1 << 24
	IntentDirectPolls          = 1 << 25

	// PrivilegedIntents need a switch in Discord's developer portal.
	PrivilegedIntents = IntentGuildMembers | IntentGuildPresences | IntentMessageContent
	// FreeIntents are all the others: every bot may have them.
	FreeIntents = IntentGuilds | IntentGuildModeration | IntentGuildExpressions | IntentGuildIntegrations | IntentGuildWebhooks |
		IntentGuildInvites | IntentGuildVoiceStates | IntentGuildMessages | IntentGuildReactions | IntentGuildTyping |
		IntentDirectMessages | IntentDirectReactions | IntentDirectTyping | IntentScheduledEvents |
		IntentAutoModConfiguration | IntentAutoModExecution | IntentGuildPolls | IntentDirectPolls
	// KnownIntents are all that exist.
	KnownIntents = FreeIntents | PrivilegedIntents
)

// The flags of an application that say that it may have a privileged intent: each in full,
// or limited because the application is small.
const (
	MayPresences      = 1<<12 | 1<<13
	MayMembers        = 1<<14 | 1<<15
	MayMessageContent = 1<<18 | 1<<19
)

// Without gives the privileged ones of intents that an application with these flags may
// not use.
func Without(intents, flags uint64) uint64 {
	var refused uint64
	for _, p := range []struct{ intent, may uint64 }{
		{IntentGuildPresences, MayPresences}, {IntentGuildMembers, MayMembers}, {IntentMessageContent, MayMessageContent},
	} {
		if intents&p.intent != 0 && flags&p.may == 0 {
			refused |= p.intent
		}
	}
	return refused
}
