package muteproxy

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"splashtail/bus"
)

// voices knows how members really stand in voice, from the gateway's events. Without a
// gateway it knows nothing, and muteproxy works as it does without one: by what Discord
// confirmed to it.
type voices struct {
	bus    *bus.Bus
	log    *slog.Logger
	notice func(member) // told when a member's voice state was seen to change

	mu     sync.Mutex
	epoch  string
	guilds map[bus.GuildID]*guildVoices
	shards map[int]connection
	alive  map[string]bus.LeaseHolder // processes that hold shards, by their lease
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
	members map[bus.UserID]seen
}

// seen is a voice state at a moment.
type seen struct {
	bus.VoiceState
	inVoice bool
	at      time.Time
}

// maxVoiceGuilds bounds the guilds that are kept; past it muteproxy works without.
const maxVoiceGuilds = 50_000

func newVoices(b *bus.Bus, log *slog.Logger, notice func(member)) *voices {
	return &voices{bus: b, log: log, notice: notice, guilds: map[bus.GuildID]*guildVoices{}, shards: map[int]connection{}, alive: map[string]bus.LeaseHolder{}}
}

// run follows the gateway until ctx ends.
func (v *voices) run(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	running.Go(func() { v.followShards(ctx) })
	running.Go(func() { v.followGateways(ctx) })
	for ctx.Err() == nil {
		info, err := bus.InfoOf(ctx, v.bus, bus.AllDispatches())
		if err != nil {
			pause(ctx, time.Second)
			continue
		}
		v.reset(info.Epoch)
		unreadable := func(subject string, seq uint64, err error) {
			v.log.Warn("a stored event of the gateway cannot be read; it is passed over", "subject", subject, "seq", seq, "err", err)
		}
		err = bus.Follow(ctx, v.bus, bus.Follower{Unreadable: unreadable},
			bus.DispatchesNamed("GUILD_CREATE", "GUILD_DELETE", "VOICE_STATE_UPDATE"), info.First, v.take)
		if err != nil && ctx.Err() == nil {
			v.log.Warn("the gateway's voice states cannot be followed; beginning again", "err", err)
			pause(ctx, time.Second)
		}
	}
}

// reset forgets everything: what is read next begins at the oldest event.
func (v *voices) reset(epoch string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.epoch, v.guilds = epoch, map[bus.GuildID]*guildVoices{}
}

// followShards learns which shards are connected. What a shard showed before it lost its
// connection is not trusted until it is back.
func (v *voices) followShards(ctx context.Context) {
	for ctx.Err() == nil {
		info, err := bus.InfoOf(ctx, v.bus, bus.AllShardEvents())
		if err == nil {
			err = bus.Follow(ctx, v.bus, bus.Follower{}, bus.AllShardEvents(), info.First, func(_ context.Context, events []bus.Delivery[bus.ShardEvent]) error {
				v.mu.Lock()
				defer v.mu.Unlock()
				for _, e := range events {
					up := e.Value.Change == bus.ShardIdentified || e.Value.Change == bus.ShardResumed
					v.shards[e.Value.Shard] = connection{up: up, instance: e.Value.Instance, at: e.Value.At}
				}
				return nil
			})
		}
		if err != nil && ctx.Err() == nil {
			v.log.Warn("the gateway's shards cannot be followed; beginning again", "err", err)
			pause(ctx, time.Second)
		}
	}
}

// followGateways learns which processes hold shards: one that was killed says nothing
// more about its connections.
func (v *voices) followGateways(ctx context.Context) {
	for ctx.Err() == nil {
		live, err := bus.OpenRecords(ctx, v.bus, bus.LiveGateways())
		if err == nil {
			err = live.Watch(ctx, "*", func(e bus.Entry[bus.LeaseHolder], caughtUp bool) error {
				v.mu.Lock()
				defer v.mu.Unlock()
				switch {
				case caughtUp:
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
			pause(ctx, time.Second)
		}
	}
}

// take learns from a group of events.
func (v *voices) take(_ context.Context, events []bus.Delivery[bus.Dispatch]) error {
	for _, e := range events {
		switch e.Value.Event {
		case "GUILD_CREATE":
			v.whole(e)
		case "GUILD_DELETE":
			v.mu.Lock()
			delete(v.guilds, e.Value.Guild)
			v.mu.Unlock()
		case "VOICE_STATE_UPDATE":
			v.one(e)
		}
	}
	return nil
}

// wireVoice is the part of Discord's voice state that is read here.
type wireVoice struct {
	Channel *string `json:"channel_id"` // null: not in voice
	User    string  `json:"user_id"`
	Mute    bool    `json:"mute"`
	Deaf    bool    `json:"deaf"`
}

func (w wireVoice) seen(at time.Time) seen {
	return seen{VoiceState: bus.VoiceState{Mute: w.Mute, Deaf: w.Deaf}, inVoice: w.Channel != nil, at: at}
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
	all := &guildVoices{shard: e.Value.Shard, members: map[bus.UserID]seen{}}
	for _, w := range g.Voices {
		if user, err := bus.ParseUserID(w.User); err == nil {
			all.members[user] = w.seen(e.Time)
		}
	}
	v.mu.Lock()
	if v.guilds[e.Value.Guild] == nil && len(v.guilds) >= maxVoiceGuilds {
		v.mu.Unlock()
		return
	}
	v.guilds[e.Value.Guild] = all
	v.mu.Unlock()
	for user := range all.members {
		v.notice(member{e.Value.Guild, user})
	}
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
	if g != nil {
		if w.Channel == nil {
			delete(g.members, user)
		} else {
			g.members[user] = w.seen(e.Time)
		}
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
	if g == nil || !v.trusted(g.shard) {
		return seen{}, false
	}
	return g.members[who.user], true
}

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
