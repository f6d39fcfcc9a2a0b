package muteproxy

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"splashtail/bus"
	"splashtail/internal/guilds"
	"splashtail/internal/pause"
)

// voices knows how members really stand in voice, from the gateway's events. Without a
// gateway it knows nothing, and muteproxy works as it does without one: by what Discord
// confirmed to it.
//
// A guild begins with a GUILD_CREATE of the stream, or, when its last one is older than the
// stream, with the guild that gatewayproxy has stored (learn). What is believed of it can
// be wrong only as long as an event travels, since all of this must hold:
//   - every voice event behind the guild's place is still in the stream (guilds.Reader
//     refuses otherwise), and those that were there when we began are taken (caughtUp);
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

// run follows the gateway until ctx ends.
func (v *voices) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { v.followShards(ctx) })
	running.Go(func() { v.followGateways(ctx) })
	running.Go(func() { v.followSessions(ctx) })
	known := v.part()
	for ctx.Err() == nil {
		if err := v.follow(ctx, known); err != nil && ctx.Err() == nil {
			v.log.Warn("the gateway's voice states cannot be followed; beginning again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

// voiceEvents are the events that tell how members stand in voice.
func voiceEvents() []string {
	return []string{"GUILD_CREATE", "GUILD_DELETE", "VOICE_STATE_UPDATE", "READY"}
}

// follow takes the events from the oldest on, and says when it knows those that were there.
func (v *voices) follow(ctx context.Context, known func()) error {
	info, err := bus.InfoOf(ctx, v.bus, bus.AllDispatches())
	if err != nil {
		return err
	}
	newest := uint64(0)
	for _, name := range voiceEvents() {
		last, err := bus.Last(ctx, v.bus, bus.DispatchesNamed(name))
		if err != nil && !bus.IsCode(err, bus.CodeNotFound) && last.Seq == 0 { // with a place it cannot be read only
			return err
		}
		newest = max(newest, last.Seq)
	}
	v.reset(info.Epoch, newest)
	unreadable := func(subject string, seq uint64, err error) {
		v.log.Warn("a stored event of the gateway cannot be read; it is passed over", "subject", subject, "seq", seq, "err", err)
	}
	take := func(ctx context.Context, events []bus.Delivery[bus.Dispatch]) error {
		err := v.take(ctx, events)
		if v.caughtUp() {
			known()
		}
		return err
	}
	if newest == 0 {
		known()
	}
	return bus.Follow(ctx, v.bus, bus.Follower{Unreadable: unreadable}, bus.DispatchesNamed(voiceEvents()...), info.First, take)
}

// caughtUp says whether the events are taken that were there when following began: between
// them and the GUILD_CREATE at their beginning an hour may lie.
func (v *voices) caughtUp() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.taken >= v.newest
}

// reset forgets everything: what is read next begins at the oldest event.
func (v *voices) reset(epoch string, newest uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.epoch, v.taken, v.newest = epoch, 0, newest
	v.guilds, v.learning, v.learned = map[bus.GuildID]*guildVoices{}, map[bus.GuildID]*meanwhile{}, map[bus.GuildID]time.Time{}
}

// followSessions learns where the sessions of shards began that are older than the stream.
func (v *voices) followSessions(ctx context.Context) {
	known := v.part()
	for ctx.Err() == nil {
		readies, err := bus.OpenRecords(ctx, v.bus, bus.ShardReadies())
		if err == nil {
			err = readies.Watch(ctx, ">", func(e bus.Entry[bus.ShardReady], caughtUp bool) error {
				var shards, shard int
				if caughtUp {
					known()
				} else if _, err := fmt.Sscanf(e.Key, "%d.%d", &shards, &shard); err == nil && !e.Deleted {
					v.began(session{e.Value.Epoch, shard}, e.Value.Stream)
				}
				return nil
			})
		}
		if err != nil && ctx.Err() == nil {
			v.log.Warn("the gateway's sessions cannot be watched; beginning again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

func (v *voices) began(s session, place uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sessions[s] = max(v.sessions[s], place)
}

// followShards learns which shards are connected. What a shard showed before it lost its
// connection is not trusted until it is back.
func (v *voices) followShards(ctx context.Context) {
	known := v.part()
	for ctx.Err() == nil {
		info, err := bus.InfoOf(ctx, v.bus, bus.AllShardEvents())
		var last bus.Delivery[bus.ShardEvent]
		if err == nil {
			last, err = bus.Last(ctx, v.bus, bus.AllShardEvents())
		}
		if bus.IsCode(err, bus.CodeNotFound) {
			known()
			err = nil
		}
		if err == nil {
			err = bus.Follow(ctx, v.bus, bus.Follower{}, bus.AllShardEvents(), info.First, func(_ context.Context, events []bus.Delivery[bus.ShardEvent]) error {
				v.mu.Lock()
				defer v.mu.Unlock()
				for _, e := range events {
					up := e.Value.Change == bus.ShardIdentified || e.Value.Change == bus.ShardResumed
					v.shards[e.Value.Shard] = connection{up: up, instance: e.Value.Instance, at: e.Value.At}
					if e.Seq >= last.Seq {
						known()
					}
				}
				return nil
			})
		}
		if err != nil && ctx.Err() == nil {
			v.log.Warn("the gateway's shards cannot be followed; beginning again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

// followGateways learns which processes hold shards: one that was killed says nothing
// more about its connections.
func (v *voices) followGateways(ctx context.Context) {
	known := v.part()
	for ctx.Err() == nil {
		live, err := bus.OpenRecords(ctx, v.bus, bus.LiveGateways())
		if err == nil {
			err = live.Watch(ctx, "*", func(e bus.Entry[bus.LeaseHolder], caughtUp bool) error {
				v.mu.Lock()
				defer v.mu.Unlock()
				switch {
				case caughtUp:
					known()
				case e.Deleted:
					delete(v.alive, e.Key)
				default:
					v.alive[e.Key] = e.Value
				}
				return nil
			})
		}
		if err != nil && ctx.Err() == nil {
			v.log.Warn("the gateway's processes cannot be watched; beginning again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

// take learns from a group of events.
func (v *voices) take(_ context.Context, events []bus.Delivery[bus.Dispatch]) error {
	for _, e := range events {
		switch e.Value.Event {
		case "READY":
			v.began(session{v.life(), e.Value.Shard}, e.Seq)
		case "GUILD_CREATE":
			v.whole(e)
		case "GUILD_DELETE":
			v.deleted(e)
		case "VOICE_STATE_UPDATE":
			v.one(e)
		}
	}
	v.mu.Lock()
	v.taken = max(v.taken, events[len(events)-1].Seq)
	v.mu.Unlock()
	return nil
}

// wireVoice is the part of Discord's voice state that is read here.
type wireVoice struct {
	Channel *string `json:"channel_id"` // null: not in voice
	User    string  `json:"user_id"`
	Mute    bool    `json:"mute"`
	Deaf    bool    `json:"deaf"`
}

func (w wireVoice) seen(place uint64) seen {
	return seen{VoiceState: bus.VoiceState{Mute: w.Mute, Deaf: w.Deaf}, inVoice: w.Channel != nil, place: place}
}

// whole takes a guild as GUILD_CREATE shows it.
func (v *voices) whole(e bus.Delivery[bus.Dispatch]) {
	var g struct {
		Unavailable bool        `json:"unavailable"`
		Voices      []wireVoice `json:"voice_states"`
	}
	if err := json.Unmarshal(e.Value.Data, &g); err != nil || g.Unavailable || e.Value.Guild == 0 {
		return
	}
	all := &guildVoices{shard: e.Value.Shard, created: e.Seq, place: e.Seq, members: map[bus.UserID]seen{}}
	for _, w := range g.Voices {
		if user, err := bus.ParseUserID(w.User); err == nil {
			all.members[user] = w.seen(e.Seq)
		}
	}
	v.mu.Lock()
	had := v.guilds[e.Value.Guild]
	if had != nil && e.Seq < had.place || had == nil && len(v.guilds) >= maxVoiceGuilds {
		v.mu.Unlock()
		return
	}
	v.guilds[e.Value.Guild] = all
	v.mu.Unlock()
	for user := range all.members {
		v.notice(member{e.Value.Guild, user})
	}
}

func (v *voices) deleted(e bus.Delivery[bus.Dispatch]) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if g := v.guilds[e.Value.Guild]; g != nil && e.Seq > g.place {
		delete(v.guilds, e.Value.Guild)
	}
	if m := v.learning[e.Value.Guild]; m != nil {
		m.deleted = e.Seq
	}
}

// life names the life of the stream that is followed.
func (v *voices) life() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.epoch
}

// one takes a change of one member.
func (v *voices) one(e bus.Delivery[bus.Dispatch]) {
	var w wireVoice
	if err := json.Unmarshal(e.Value.Data, &w); err != nil {
		return
	}
	user, err := bus.ParseUserID(w.User)
	if err != nil {
		return
	}
	v.mu.Lock()
	g := v.guilds[e.Value.Guild]
	switch {
	case g == nil || e.Seq <= g.place: // it is in what the guild began with
	case w.Channel == nil:
		delete(g.members, user)
	default:
		g.members[user] = w.seen(e.Seq)
	}
	if m := v.learning[e.Value.Guild]; m != nil {
		m.members[user] = w.seen(e.Seq)
	}
	v.mu.Unlock()
	if g != nil {
		v.notice(member{e.Value.Guild, user})
	}
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
