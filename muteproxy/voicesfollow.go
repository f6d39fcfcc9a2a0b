package muteproxy

import (
	"context"
	"fmt"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

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
		place, err := newestOf(ctx, v.bus, bus.DispatchesNamed(name))
		if err != nil {
			return err
		}
		newest = max(newest, place)
	}
	v.reset(info.Epoch, newest)
	unreadable := func(subject string, seq uint64, err error) {
		v.log.Warn("a stored event of the gateway cannot be read; it is passed over", "subject", subject, "seq", seq, "err", err)
		if v.reached(seq) {
			known()
		}
	}
	take := func(_ context.Context, events []bus.Delivery[bus.Dispatch]) error {
		if v.take(events) {
			known()
		}
		return nil
	}
	if newest == 0 {
		known()
	}
	return bus.Follow(ctx, v.bus, bus.Follower{Unreadable: unreadable}, bus.DispatchesNamed(voiceEvents()...), info.First, take)
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

// followShards learns which shards are connected. What a shard showed before it lost its
// connection is not trusted until it is back.
func (v *voices) followShards(ctx context.Context) {
	known := v.part()
	for ctx.Err() == nil {
		if err := v.connections(ctx, known); err != nil && ctx.Err() == nil {
			v.log.Warn("the gateway's shards cannot be followed; beginning again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

func (v *voices) connections(ctx context.Context, known func()) error {
	info, err := bus.InfoOf(ctx, v.bus, bus.AllShardEvents())
	if err != nil {
		return err
	}
	newest, err := newestOf(ctx, v.bus, bus.AllShardEvents())
	if err != nil {
		return err
	}
	reached := func(place uint64) {
		if place >= newest {
			known()
		}
	}
	reached(0)
	unreadable := func(_ string, seq uint64, err error) {
		v.log.Warn("what the gateway told of a shard cannot be read; it is passed over", "seq", seq, "err", err)
		reached(seq)
	}
	return bus.Follow(ctx, v.bus, bus.Follower{Unreadable: unreadable}, bus.AllShardEvents(), info.First, func(_ context.Context, events []bus.Delivery[bus.ShardEvent]) error {
		v.mu.Lock()
		for _, e := range events {
			up := e.Value.Change == bus.ShardIdentified || e.Value.Change == bus.ShardResumed
			v.shards[e.Value.Shard] = connection{up: up, instance: e.Value.Instance, at: e.Value.At}
		}
		v.mu.Unlock()
		reached(events[len(events)-1].Seq)
		return nil
	})
}

// newestOf gives the place of the newest stored message of a kind, 0 when there is none. One
// that cannot be read has a place, too.
func newestOf[T any](ctx context.Context, b *bus.Bus, f bus.Filter[T]) (uint64, error) {
	last, err := bus.Last(ctx, b, f)
	if last.Seq > 0 || bus.IsCode(err, bus.CodeNotFound) {
		return last.Seq, nil
	}
	return 0, err
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
