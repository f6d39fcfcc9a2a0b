package upstream

import "splashtail/internal/gateway"

// defaultIntents are what the components and most bots need: everything that is free,
// and members and what messages say where the application may see them. Presences are
// most of the traffic and nobody here reads them. It also names what is left out.
func defaultIntents(appFlags uint64) (intents uint64, without []string) {
	intents = gateway.FreeIntents
	if appFlags&gateway.MayMembers != 0 {
		intents |= gateway.IntentGuildMembers
	} else {
		without = append(without, "server members")
	}
	if appFlags&gateway.MayMessageContent != 0 {
		intents |= gateway.IntentMessageContent
	} else {
		without = append(without, "message content")
	}
	return intents, without
}
