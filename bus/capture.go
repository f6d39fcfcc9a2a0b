package bus

import "time"

// CaptureKind is the kind of a CaptureEvent; it is the last token of its subject.
type CaptureKind string

// The kinds. The first five become elements of the job list that AutoMuteUs pops;
// CaptureReady only tells bots of 2026 that mute tasks have a taker.
const (
	CaptureConnection CaptureKind = "connection" // payload "true" or "false"
	CaptureLobby      CaptureKind = "lobby"      // payload: JSON object, as the client wrote it
	CaptureState      CaptureKind = "state"      // payload: decimal phase
	CapturePlayer     CaptureKind = "player"     // payload: JSON object, as the client wrote it
	CaptureGameOver   CaptureKind = "gameover"   // payload: JSON object, as the client wrote it
	CaptureReady      CaptureKind = "ready"      // payload "true": the client has a Discord bot that takes mute tasks
)

// CaptureKinds lists every kind.
var CaptureKinds = [...]CaptureKind{CaptureConnection, CaptureLobby, CaptureState, CapturePlayer, CaptureGameOver, CaptureReady}

// CaptureEvent is one accepted event of a capture client, or one fact about its
// connection, on its way to AutoMuteUs. Its order per code is its order in the
// stream.
type CaptureEvent struct {
	V       int         `json:"v"`
	Code    ConnectCode `json:"code"`
	Kind    CaptureKind `json:"kind"`
	Payload string      `json:"payload"`         // verbatim text; at most 64 KiB
	Room    string      `json:"room,omitempty"`  // CaptureLobby: the lobby code, already parsed
	Session string      `json:"session"`         // the client's session, for tracing; not a secret
	At      time.Time   `json:"at"`              // when it was read off the socket
	Cause   string      `json:"cause,omitempty"` // CaptureConnection: why, in one word
}

// ModifyTask asks a capture client to mute or deafen one member with its own bot.
// AutoMuteUs 8 and later publish the same object in Redis; there the ids are bare
// numbers and the keys are spelled as here.
type ModifyTask struct {
	Guild      GuildID    `json:"guildID"`
	User       UserID     `json:"userID"`
	Parameters VoiceState `json:"parameters"`
	TaskID     string     `json:"taskID"`
}

// VoiceState is the pair of flags that every mute is about. The key order is the
// one galactus writes.
type VoiceState struct {
	Deaf bool `json:"deaf"`
	Mute bool `json:"mute"`
}

// Free says whether neither flag is set.
func (s VoiceState) Free() bool { return !s.Deaf && !s.Mute }

// ModifyResult is a capture client's answer to a ModifyTask.
type ModifyResult struct {
	V    int  `json:"v"`
	Done bool `json:"done"` // false: the client could not; the fault is the member's, not the client's
}
