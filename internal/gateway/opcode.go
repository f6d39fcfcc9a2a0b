package gateway

// The opcodes, the member op of a frame. Whether a bot sends or receives one is said from
// the bot's side.
const (
	OpDispatch            = 0  // received: an event
	OpHeartbeat           = 1  // sent, and received when the gateway wants one at once
	OpIdentify            = 2  // sent: begins a session
	OpPresenceUpdate      = 3  // sent
	OpVoiceStateUpdate    = 4  // sent: joins, moves in or leaves voice
	OpResume              = 6  // sent: goes on with a session
	OpReconnect           = 7  // received: connect again and resume
	OpRequestGuildMembers = 8  // sent; answered by GUILD_MEMBERS_CHUNK or RATE_LIMITED
	OpInvalidSession      = 9  // received: d says whether the session can be resumed
	OpHello               = 10 // received first: how often to send heartbeats
	OpHeartbeatACK        = 11 // received
	OpRequestSoundboard   = 31 // sent; answered by SOUNDBOARD_SOUNDS
	OpRequestChannelInfo  = 43 // sent; answered by CHANNEL_INFO
)
