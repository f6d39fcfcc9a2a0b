package downstream

import (
	"encoding/json"
	"errors"
	"strconv"

	"splashtail/internal/rawjson"
)

// The opcodes of Discord's gateway.
const (
	opDispatch        = 0
	opHeartbeat       = 1
	opIdentify        = 2
	opPresence        = 3
	opVoiceState      = 4
	opResume          = 6
	opReconnect       = 7
	opMembers         = 8
	opInvalidSession  = 9
	opHello           = 10
	opHeartbeatAck    = 11
	opSoundboard      = 31
	opChannelInfo     = 43
	nullD             = "null"
	invalidForGood    = "false"
	emptyD            = "{}"
	maxClientFrame    = 4096 // Discord's limit, in bytes
	framesPerMinute   = 120  // Discord's limit, heartbeats included
	maxFrameKept      = 64 << 10
	highestShardCount = 16384
)

// appendDispatch writes a frame with an event: the keys in Discord's habitual order,
// since some clients find them by searching the text, and d as it came.
func appendDispatch(out []byte, event string, number uint64, d []byte) []byte {
	out = append(out, `{"t":"`...)
	out = append(out, event...) // a plain word, as the bus has checked
	out = append(out, `","s":`...)
	out = strconv.AppendUint(out, number, 10)
	out = append(out, `,"op":0,"d":`...)
	return append(append(out, d...), '}')
}

// appendControl writes a frame without an event.
func appendControl(out []byte, op int, d string) []byte {
	out = append(out, `{"t":null,"s":null,"op":`...)
	out = strconv.AppendInt(out, int64(op), 10)
	out = append(out, `,"d":`...)
	return append(append(out, d...), '}')
}

// frame is what a bot sent: an opcode, or why it must be refused.
type frame struct {
	op   int
	d    json.RawMessage
	fail *closing
}

var errNotFrame = errors.New("not a JSON object with an opcode")

// readFrame reads what a bot sent. It may come as text or binary; what counts is that it
// is JSON.
func readFrame(data []byte) (frame, error) {
	if !json.Valid(data) {
		return frame{}, errNotFrame
	}
	op, err := strconv.Atoi(string(rawjson.Get(data, "op")))
	if err != nil {
		return frame{}, errNotFrame
	}
	return frame{op: op, d: rawjson.Get(data, "d")}, nil
}

// closing ends a connection with a close code and a reason that a person can read.
type closing struct {
	code   int
	reason string // at most 123 bytes
}

// Error gives the code and the reason.
func (c *closing) Error() string { return strconv.Itoa(c.code) + " " + c.reason }

// The close codes of Discord's gateway that we use. 4007 and 4009 are missing on purpose:
// most libraries answer them with the same RESUME again, some hundreds of times a second.
const (
	closeUnknown       = 4000 // come back and resume
	closeUnknownOp     = 4001
	closeDecode        = 4002
	closeNotIdentified = 4003
	closeBadToken      = 4004
	closeIdentified    = 4005
	closeRateLimited   = 4008
	closeBadShard      = 4010
	closeBadIntents    = 4013
	closeNoIntents     = 4014
)
