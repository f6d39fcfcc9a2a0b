package bus

import (
	"encoding/json"
	"time"
)

// What the processes that hold shards agree on about how many there are, and about the
// moment at which another number takes over.

// ShardPlan is how many shards the bot has with Discord, when an operator chose that with
// the verb reshard. There is one, under ShardPlanKey.
type ShardPlan struct {
	V      int `json:"v"`
	Shards int `json:"shards"`
	// Configured is what NUM_SHARDS was when the number was chosen. A setting that has been
	// changed since wins over the plan.
	Configured int `json:"configured"`
	// Next is the number that is about to take over; 0: none. While it is set nobody holds
	// a shard, and one that was left so by a process that died is taken back.
	Next  int         `json:"next,omitempty"`
	Turns []ShardTurn `json:"turns,omitempty"` // the latest, oldest first
	At    time.Time   `json:"at"`
}

// ShardTurn is the moment at which one number of shards followed another: in DISPATCH
// every event before Place is of the old sessions and every one behind it of the new.
type ShardTurn struct {
	ID      string    `json:"id"`
	From    int       `json:"from"`
	To      int       `json:"to"`
	Epoch   string    `json:"epoch"`             // the life of DISPATCH that the places count in
	Place   uint64    `json:"place,omitempty"`   // of EventShardsChanged; 0: it is not stored yet
	Through uint64    `json:"through,omitempty"` // of the READY of the last new session, which follow it
	At      time.Time `json:"at"`
}

// EventShardsChanged marks a ShardTurn in DISPATCH. It is no event of Discord; what it
// carries is a ShardsChanged, and its session the turn's ID.
const EventShardsChanged = "SHARDS_CHANGED"

// ShardsChanged is the payload of EventShardsChanged. The READYs of the named sessions
// follow it; they change nothing that bots should hear of.
type ShardsChanged struct {
	V        int      `json:"v"`
	From     int      `json:"from"`
	To       int      `json:"to"`
	Sessions []string `json:"sessions"` // by shard
}

// UpstreamTaken says what of a session was in DISPATCH already when it took over, brought
// by another session that had the same events.
type UpstreamTaken struct {
	From int64     `json:"from"` // Seq at the turn
	Skip []Skipped `json:"skip,omitempty"`
	At   time.Time `json:"at"`
}

// Skipped is an event of a session that is not to be stored: its Seq, and the place of its
// double in DISPATCH. It counts only while the stream has that place; 0: always.
type Skipped [2]uint64

// ShardPlanKey is the key of the only ShardPlan.
const ShardPlanKey = "shards"

// ShardPlans holds the ShardPlan.
func ShardPlans() Kept[ShardPlan] { return Kept[ShardPlan]{bucket: bucketSessions, prefix: "plan."} }

// ReshardLease is the right to change the number of shards.
func ReshardLease() LeaseKey { return LeaseKey{join(leaseShard, "plan")} }

// ShardsChangedOf makes the dispatch that marks a turn.
func ShardsChangedOf(t ShardTurn, sessions []string) (Dispatch, error) {
	d, err := json.Marshal(ShardsChanged{V: 1, From: t.From, To: t.To, Sessions: sessions})
	return Dispatch{Event: EventShardsChanged, Session: t.ID, Seq: 1, Data: d}, err
}
