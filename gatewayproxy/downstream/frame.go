package downstream

import (
	"encoding/json"
	"errors"
	"strconv"

	"splashtail/internal/rawjson"
)

const (
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

// closing ends a connection with a close code and a reason that a person can read. Two
// codes of Discord are never used: most libraries answer 4007 and 4009 with the same
// RESUME again, some hundreds of times a second.
type closing struct {
	code   int
	reason string // at most 123 bytes
}

// Error gives the code and the reason.
func (c *closing) Error() string { return strconv.Itoa(c.code) + " " + c.reason }
