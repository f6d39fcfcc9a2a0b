package bus

import (
	"encoding/json"
	"strconv"
)

// GatewaySend is a command that a bot gave to our gateway and that only Discord can carry
// out: opcode 3 (presence), 4 (voice state), 8 (members), 31 (soundboard) or 43 (channel
// info). It is checked, and its ids are decimal strings, when it comes here.
type GatewaySend struct {
	V    int             `json:"v"`
	Op   int             `json:"op"`
	Data json.RawMessage `json:"data"`           // the frame's d
	From string          `json:"from,omitempty"` // short name of the asking session, for logs
}

// GatewaySent says that the command was written to the connection with Discord. What
// Discord answers comes as events.
type GatewaySent struct {
	V int `json:"v"`
}

// GatewaySendCall asks the process that holds a shard to send a command: only that one
// serves it. Its errors: CodeLimited with RetryAfter when the connection's budget of
// frames is used up, CodeUnavailable while it has no session; nothing was sent then.
func GatewaySendCall(shards, shard int) Call[GatewaySend, GatewaySent] {
	return Call[GatewaySend, GatewaySent]{join(rootGateway, "send", strconv.Itoa(shards), strconv.Itoa(shard))}
}

// ParseGatewaySendCall is the inverse of GatewaySendCall.
func ParseGatewaySendCall(s string) (shards, shard int, err error) {
	t, err := split(s, 4, rootGateway, "send")
	if err != nil {
		return 0, 0, err
	}
	shards, err1 := strconv.Atoi(t[2])
	shard, err2 := strconv.Atoi(t[3])
	if err1 != nil || err2 != nil || GatewaySendCall(shards, shard).name != s || shard < 0 || shard >= shards {
		return 0, 0, Errorf(CodeInvalid, "bad_subject", "%q names no shard", s)
	}
	return shards, shard, nil
}
