package gateway

// The codes with which the gateway closes a connection. Those marked final tell the bot
// that the same IDENTIFY would be refused again.
const (
	CloseGoingAway            = 1001 // of WebSocket; from a bot it ends the session
	CloseUnknown              = 4000 // come back and resume; from a bot it keeps the session
	CloseUnknownOpcode        = 4001
	CloseDecode               = 4002 // the frame is malformed, or too large
	CloseNotAuthenticated     = 4003 // something came before IDENTIFY
	CloseAuthenticationFailed = 4004 // final
	CloseAlreadyAuthenticated = 4005
	CloseInvalidSeq           = 4007 // RESUME with a number that was never sent
	CloseRateLimited          = 4008
	CloseSessionTimedOut      = 4009
	CloseInvalidShard         = 4010 // final
	CloseShardingRequired     = 4011 // final
	CloseInvalidVersion       = 4012 // final
	CloseInvalidIntents       = 4013 // final: bits that do not exist
	CloseDisallowedIntents    = 4014 // final: intents that the application may not have
)
