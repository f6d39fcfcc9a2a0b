package bus

import (
	"encoding/json"
	"strconv"
	"time"
)

// What the processes that hold Discord's gateway agree on.

// The kinds of leases that only they take; the first token of their keys.
const (
	leaseGateway  = "gateway"
	leaseIdentify = "identify"
	leaseGuilds   = "guilds"
)

// GatewayLease is held by a gatewayproxy process while it lives, so that the others know
// how many share the shards.
func GatewayLease(instance string) LeaseKey { return LeaseKey{join(leaseGateway, instance)} }

// LiveGateways holds the leases of gatewayproxy processes, under the instance.
func LiveGateways() Kept[LeaseHolder] {
	return Kept[LeaseHolder]{bucket: bucketLeases, prefix: leaseGateway + "."}
}

// IdentifyLease is the right to send the next IDENTIFY of a bucket of max_concurrency.
// app is a hash of the token: processes for other bots do not wait for each other.
func IdentifyLease(app string, bucket int) LeaseKey {
	return LeaseKey{join(leaseIdentify, app, strconv.Itoa(bucket))}
}

// GuildsLease is the right to write the snapshots of guilds.
func GuildsLease() LeaseKey { return LeaseKey{join(leaseGuilds, "writer")} }

// ShardChange says what became of a shard's session with Discord.
type ShardChange string

// The changes. A new one must be added to ShardChanges.
const (
	ShardIdentified   ShardChange = "identified"   // a new session; what happened since the last one was missed
	ShardResumed      ShardChange = "resumed"      // the same session goes on; nothing was missed
	ShardDisconnected ShardChange = "disconnected" // it will be tried again
	ShardStopped      ShardChange = "stopped"      // Discord refuses it for good; somebody must act
	ShardWaiting      ShardChange = "waiting"      // the budget of IDENTIFYs is spent; nothing is sent until it is reset
)

// ShardChanges lists every ShardChange.
var ShardChanges = [...]ShardChange{ShardIdentified, ShardResumed, ShardDisconnected, ShardStopped, ShardWaiting}

// ShardEvent reports a change of a shard's session, as event.shard.<change>.<shard>.
type ShardEvent struct {
	V        int         `json:"v"`
	Shard    int         `json:"shard"`
	Shards   int         `json:"shards"`
	Change   ShardChange `json:"change"`
	Instance string      `json:"instance"`
	Code     int         `json:"code,omitempty"` // with which Discord closed
	Reason   string      `json:"reason,omitempty"`
	Until    time.Time   `json:"until,omitzero"` // of ShardWaiting
	At       time.Time   `json:"at"`
}

// ShardSubject is where a change of a shard is reported: event.shard.<change>.<shard>.
func ShardSubject(c ShardChange, shard int) Subject[ShardEvent] {
	return Subject[ShardEvent]{join(rootEvent, "shard", string(c), strconv.Itoa(shard))}
}

// ParseShardSubject is the inverse of ShardSubject.
func ParseShardSubject(s string) (ShardChange, int, error) {
	t, err := split(s, 4, rootEvent, "shard")
	if err != nil {
		return "", 0, err
	}
	shard, err := strconv.Atoi(t[3])
	if err != nil || shard < 0 || strconv.Itoa(shard) != t[3] {
		return "", 0, Errorf(CodeInvalid, "bad_subject", "%q is no shard number", t[3])
	}
	for _, c := range ShardChanges {
		if t[2] == string(c) {
			return c, shard, nil
		}
	}
	return "", 0, Errorf(CodeInvalid, "bad_subject", "%q is no change of a shard", t[2])
}

// AllShardEvents takes every change of every shard.
func AllShardEvents() Filter[ShardEvent] {
	return filterOf[ShardEvent](streamEvents, join(rootEvent, "shard", "*", "*"))
}

// ShardOrder is what an operator asks of the process that holds a shard.
type ShardOrder struct {
	// Verb is "restart" (a new connection that resumes the session), "identify" (a new
	// session, although what happens in between is missed) or "release" (let another
	// process take the shard).
	Verb   string `json:"verb"`
	Actor  string `json:"actor"`
	Reason string `json:"reason"`
}

// ShardCall reaches the process that holds a shard: gateway.shard.<shards>.<shard>. Only
// that one serves it, so that "nobody holds it" is known at once.
func ShardCall(shards, shard int) Call[ShardOrder, json.RawMessage] {
	return Call[ShardOrder, json.RawMessage]{join(rootGateway, "shard", UpstreamKey(shards, shard))}
}

// ShardProof answers ShardProofCall.
type ShardProof struct {
	V int `json:"v"`
	// Stopped says why nothing can be proven: Discord refuses the shard for good, and sends it nothing.
	Stopped string `json:"stopped,omitempty"`
}

// ShardProofCall asks the process that holds a shard to prove that the stream has everything
// that Discord sent the shard's session before the call: gateway.proof.<shards>.<shard>. The
// answer comes when it has. CodeUnavailable: within 30 s, or on the connection of now, it
// could not be proven; nothing was changed, and a later call may succeed.
func ShardProofCall(shards, shard int) Call[struct{}, ShardProof] {
	return Call[struct{}, ShardProof]{join(rootGateway, "proof", UpstreamKey(shards, shard))}
}
