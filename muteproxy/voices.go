package muteproxy

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"splashtail/bus"
	"splashtail/internal/guilds"
)

// voices knows how members really stand in voice, from the gateway's events. Without a
// gateway it knows nothing, and muteproxy works as it does without one: by what Discord
// confirmed to it.
//
// A guild begins with a GUILD_CREATE of the stream, or, when its last one is older than the
// stream, with the guild that gatewayproxy has stored (learn). What is believed of it can
// be wrong only as long as an event travels, since all of this must hold:
//   - every voice event behind the guild's place is still in the stream (guilds.Reader
//     refuses otherwise), and those that were there when we began are taken (reached);
//   - the guild was shown in the session that the shard holds now: what changed between
//     two sessions is in no event (shown);
//   - a gateway that lives holds the shard (trusted).
type voices struct {
	bus    *bus.Bus
	log    *slog.Logger
	notice func(member) // told when a member's voice state was seen to change
	stored *guilds.Reader

	knows  chan struct{} // closed once all that was stored at the start is known
	starts atomic.Int32  // how many of the parts of that are left

	mu       sync.Mutex
	epoch    string
	taken    uint64 // every voice event up to here is taken
	newest   uint64 // the newest voice event that was there when following began
	guilds   map[bus.GuildID]*guildVoices
	learning map[bus.GuildID]*meanwhile
	learned  map[bus.GuildID]time.Time // when it was last tried to learn a guild
	shards   map[int]connection
	sessions map[session]uint64         // where the newest of each began in the stream
	alive    map[string]bus.LeaseHolder // processes that hold shards, by their lease
}

// session names a shard's sessions of one life of the stream.
type session struct {
	epoch string
	shard int
}

// connection is what the gateway told last about a shard.
type connection struct {
	up       bool
	instance string // the process that told
	at       time.Time
}

// guildVoices is a guild as the gateway showed it. It exists once the whole guild was
// seen, so that a member who is not in it is not in voice.
type guildVoices struct {
	shard   int
	created uint64 // place of the GUILD_CREATE that it began with
	place   uint64 // it began with what the stream had up to here
	members map[bus.UserID]seen
}

// seen is a voice state, and the place of the event that told it.
type seen struct {
	bus.VoiceState
	inVoice bool
	place   uint64
}

// maxVoiceGuilds bounds the guilds that are kept; past it muteproxy works without.
const maxVoiceGuilds = 50_000

func newVoices(b *bus.Bus, log *slog.Logger, notice func(member)) *voices {
	v := &voices{bus: b, log: log, notice: notice, stored: guilds.NewReader(b, nil), knows: make(chan struct{}),
		shards: map[int]connection{}, sessions: map[session]uint64{}, alive: map[string]bus.LeaseHolder{}}
	v.starts.Store(4) // events, shards, sessions, processes
	v.reset("", 0)
	return v
}

// part gives what is called, as often as one likes, when one part of what was stored at
// the start is known.
func (v *voices) part() func() {
	return sync.OnceFunc(func() {
		if v.starts.Add(-1) == 0 {
			close(v.knows)
		}
	})
}

// reached notes that every voice event up to a place is taken, and says whether those are
// that were there when following began: between them and the GUILD_CREATE at their beginning
// an hour may lie.
func (v *voices) reached(place uint64) (caughtUp bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.taken = max(v.taken, place)
	return v.taken >= v.newest
}

// reset forgets everything: what is read next begins at the oldest event.
func (v *voices) reset(epoch string, newest uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.epoch, v.taken, v.newest = epoch, 0, newest
	v.guilds, v.learning, v.learned = map[bus.GuildID]*guildVoices{}, map[bus.GuildID]*meanwhile{}, map[bus.GuildID]time.Time{}
}

func (v *voices) began(s session, place uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sessions[s] = max(v.sessions[s], place)
}

// life names the life of the stream that is followed.
func (v *voices) life() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.epoch
}

// look says how a member stands in voice; ok is false when that is not known now.
func (v *voices) look(who member) (s seen, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	g := v.guilds[who.guild]
	if g == nil || v.taken < v.newest || !v.shown(g) || !v.trusted(g.shard) {
		return seen{}, false
	}
	return g.members[who.user], true
}

// shown says whether a guild was shown in the session that its shard holds now.
func (v *voices) shown(g *guildVoices) bool { return g.created > v.sessions[session{v.epoch, g.shard}] }

// trusted says whether a shard shows its guilds as they are. A process that was killed has
// not said that its connection is lost: only what one that lives has told since its start
// counts, and only when what it made up for has had the time to come in.
func (v *voices) trusted(shard int) bool {
	c := v.shards[shard]
	if !c.up || time.Since(c.at) <= settleTime {
		return false
	}
	for _, p := range v.alive {
		if p.Holder == c.instance && !c.at.Before(p.Since) {
			return true
		}
	}
	return false
}

// settleTime is how long after a change of ours the gateway may still tell of the time
// before it.
const settleTime = 2 * time.Second

// stands says whether a member surely stands as wished. applied is the last state that
// Discord confirmed to us: until the gateway has had the time to follow, it counts more
// than what was seen, and without a gateway it counts for a while.
func (v *voices) stands(who member, wish bus.VoiceState, applied *bus.VoiceApplied, now time.Time) bool {
	s, known := v.look(who)
	switch {
	case known && (applied == nil || now.Sub(applied.At) > settleTime):
		return s.inVoice && s.VoiceState == wish
	case applied == nil:
		return false
	}
	return applied.VoiceState == wish && now.Sub(applied.At) < sameFor
}
