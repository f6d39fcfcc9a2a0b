package bot

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// How events are consumed.
const (
	shardTTL = 4 * time.Second // how long a shard waits for another process after kill -9
	workers  = 16              // guilds that are worked on at a time, per shard
)

// events follows which shards there are and acts for those that nobody else acts for.
func (t *Bot) events(ctx context.Context) error {
	ready, err := bus.OpenRecords(ctx, t.b, bus.ShardReadies())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	known := map[int]bool{}
	begin := func(shard int) {
		if !known[shard] {
			known[shard] = true
			running.Go(func() { t.shard(ctx, shard) })
		}
	}
	begin(0) // there is always one
	for ctx.Err() == nil {
		err := ready.Watch(ctx, ">", func(e bus.Entry[bus.ShardReady], live bool) error {
			if shard, ok := shardOf(e.Key); ok && !live && !e.Deleted {
				begin(shard)
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			t.log.Warn("which shards there are cannot be watched; trying again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
	return nil
}

// shardOf reads the shard in bus.UpstreamKey.
func shardOf(key string) (int, bool) {
	_, text, ok := strings.Cut(key, ".")
	shard, err := strconv.Atoi(text)
	return shard, ok && err == nil && shard >= 0
}

// shard acts for a shard whenever its lease is ours, until ctx ends.
func (t *Bot) shard(ctx context.Context, shard int) {
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, t.b, bus.BotLease(shard), shardTTL, t.cfg.Instance)
		if err != nil {
			return // only ctx ends the wait
		}
		held, cancel := lease.Context(ctx)
		t.hold(shard, true)
		err = t.consume(held, shard)
		t.hold(shard, false)
		cancel()
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			t.log.Debug("a lease was not released; it ends by itself", "err", err)
		}
		if err != nil && ctx.Err() == nil {
			t.log.Error("the events of a shard cannot be read; trying again", "shard", shard, "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

// consume hands the events of a shard to the parts: those of a guild one after the other,
// those of different guilds side by side.
func (t *Bot) consume(ctx context.Context, shard int) error {
	if err := t.parts.restore(ctx); err != nil {
		return fmt.Errorf("what was counted before could not be read: %w", err)
	}
	// The place is kept, not acknowledged: a process that follows one that died goes on with the oldest that was not done.
	d := bus.Durable{Name: "bot-events-" + strconv.Itoa(shard), Workers: workers}
	key := func(d bus.Delivery[bus.Dispatch]) string { return d.Value.Guild.String() }
	return bus.FollowKept(ctx, t.b, d, bus.DispatchesOfShard(shard, t.parts.wanted()...), key, t.parts.handle)
}

func (t *Bot) hold(shard int, held bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if held {
		t.shards[shard] = true
	} else {
		delete(t.shards, shard)
	}
}

// Shards lists the shards that this process acts for.
func (t *Bot) Shards() []int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Sorted(maps.Keys(t.shards))
}
