package bus

import (
	"encoding/json"
	"strconv"
	"time"
)

// What gatewayproxy keeps so that a gateway session outlives the process that held it.

// UpstreamSession is a session with Discord's gateway, up to what the stream has
// acknowledged, under UpstreamKey in SESSIONS.
type UpstreamSession struct {
	V         int       `json:"v"`
	Session   string    `json:"session"`
	ResumeURL string    `json:"resume_url"`
	Seq       int64     `json:"seq"` // every dispatch up to here is in DISPATCH
	At        time.Time `json:"at"`

	Taken *UpstreamTaken `json:"taken,omitempty"` // of a session that took over from others, for a while
}

// ShardReady is what Discord's READY of a shard said, under UpstreamKey.
type ShardReady struct {
	V      int             `json:"v"`
	Epoch  string          `json:"epoch"` // the life of DISPATCH that Stream counts in
	Stream uint64          `json:"stream"`
	Data   json.RawMessage `json:"data"` // READY's d, as it came
	At     time.Time       `json:"at"`
}

// IdentifyBudget counts the IDENTIFYs of an application, whose limit per day is followed
// by a reset of its token. It is kept under the application's token hash.
type IdentifyBudget struct {
	V              int       `json:"v"`
	Total          int       `json:"total"`     // per day, as Discord told
	Remaining      int       `json:"remaining"` // as Discord told, less what we used since
	ResetAt        time.Time `json:"reset_at"`
	MaxConcurrency int       `json:"max_concurrency"`
}

// DownstreamSession is a session of a bot with our gateway. A RESUME is answered from it
// and from DISPATCH alone, by whatever process the bot comes to.
//
// Its numbers (the s of a frame) count like this: READY and the guilds behind it take 1
// to Burst. Of a session that sees one shard, the events go on in Discord's own counting,
// see Parts: the newest events of DISPATCH can be lost with a process and stored anew at
// other places, their numbers stay. Of a session over several shards, the event at place
// p of DISPATCH has the number p - Base + Burst; when its newest places were lost, Order
// tells what was there, and the numbers go on from Turn.
type DownstreamSession struct {
	V       int       `json:"v"`
	Shard   int       `json:"shard"`
	Shards  int       `json:"shards"`
	Ours    int       `json:"ours"` // how many shards we had with Discord when it began
	Intents uint64    `json:"intents"`
	Version int       `json:"version"` // of the gateway protocol: 9 or 10
	Token   string    `json:"token"`   // SHA-256 of the bot's token
	Epoch   string    `json:"epoch"`   // the life of DISPATCH that Base counts in
	Base    uint64    `json:"base"`    // the place in DISPATCH up to which its guilds were shown
	Since   time.Time `json:"since"`

	Burst uint64           `json:"burst"`
	Parts []DownstreamPart `json:"parts,omitempty"` // oldest first
	Mark  DownstreamMark   `json:"mark,omitzero"`
	Turn  DownstreamTurn   `json:"turn,omitzero"`
	Order *DownstreamOrder `json:"order,omitempty"` // of a session over several shards

	// Had says per upstream session up to which sequence the bot had events that are
	// behind Turn: they were lost with the server, and stored again in another order.
	Had map[string]int64 `json:"had,omitempty"`

	Voice []GuildID         `json:"voice,omitempty"` // where it asked for a voice state
	Asked []DownstreamNonce `json:"asked,omitempty"` // its latest member requests, oldest first
}

// DownstreamNonce is what a member request was called: by us towards Discord, and by the
// bot, which may have left it out.
type DownstreamNonce struct {
	Ours   string `json:"ours"`
	Theirs string `json:"theirs,omitempty"`
}

// DownstreamPart is a stretch of a session's numbers: the event Seq of the upstream
// session has the number Base + Seq - From.
type DownstreamPart struct {
	Session string `json:"session"`
	From    int64  `json:"from"`
	Base    uint64 `json:"base"`
}

// DownstreamTurn is where the numbers of a session begin to follow the places: the event at
// a place p behind Place has the number p - Place + Number. That is where a session that
// saw one shard of ours came to see several, since our number of shards changed, or where
// one over several shards goes on after the newest places were lost.
type DownstreamTurn struct {
	Place  uint64 `json:"place"`
	Number uint64 `json:"number"`
}

// DownstreamOrder is the order in which a session had the newest events of DISPATCH, oldest
// first: some more than a crash of the server can take.
type DownstreamOrder struct {
	After    uint64    `json:"after,omitempty"` // the place before the first event; 0: older events were known once
	Sessions []string  `json:"sessions"`
	Events   []Ordered `json:"events"`
}

// Ordered is an event by its place, the index of its upstream session in Sessions, and its
// sequence there.
type Ordered [3]uint64

// DownstreamMark is where reading begins again for a bot that has confirmed the number
// Sent: between that event and Place nothing was for it. Number is that of Place.
type DownstreamMark struct {
	Sent   uint64 `json:"sent"`
	Number uint64 `json:"number"`
	Place  uint64 `json:"place"`
}

// GuildSnapshot is the state of a guild as GUILD_CREATE shows it, patched by the events
// up to Stream, under the guild's id in GUILDS.
type GuildSnapshot struct {
	V           int    `json:"v"`
	Shard       int    `json:"shard"`
	Epoch       string `json:"epoch"`
	Stream      uint64 `json:"stream"`
	Created     uint64 `json:"created,omitempty"`     // the place of the GUILD_CREATE that it began with; 0: not known in this life of the stream
	Unavailable bool   `json:"unavailable,omitempty"` // an outage; Data is what was known before, or empty
	Data        []byte `json:"data"`                  // zstd-compressed JSON of GUILD_CREATE's d
	Gone        []byte `json:"gone,omitempty"`        // zstd-compressed JSON of what was deleted lately, as guilds.Remains
	Roster      []byte `json:"roster,omitempty"`      // zstd-compressed JSON of who has which roles; see internal/guilds
}

// UpstreamKey names a shard's records: <number of shards>.<shard>.
func UpstreamKey(shards, shard int) string { return join(strconv.Itoa(shards), strconv.Itoa(shard)) }

// UpstreamSessions holds sessions with Discord.
func UpstreamSessions() Kept[UpstreamSession] {
	return Kept[UpstreamSession]{bucket: bucketSessions, prefix: "upstream."}
}

// ShardReadies holds what READY said per shard.
func ShardReadies() Kept[ShardReady] {
	return Kept[ShardReady]{bucket: bucketSessions, prefix: "ready."}
}

// IdentifyBudgets holds the IDENTIFY budget of an application.
func IdentifyBudgets() Kept[IdentifyBudget] {
	return Kept[IdentifyBudget]{bucket: bucketSessions, prefix: "identify."}
}

// DownstreamSessions holds the sessions of bots, under their ids; they end by themselves
// when PutFor does not renew them.
func DownstreamSessions() Kept[DownstreamSession] {
	return Kept[DownstreamSession]{bucket: bucketSessions, prefix: "downstream."}
}

// GuildSnapshots holds the guilds, under their ids.
func GuildSnapshots() Kept[GuildSnapshot] { return Kept[GuildSnapshot]{bucket: bucketGuilds} }
