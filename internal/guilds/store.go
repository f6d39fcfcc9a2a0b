package guilds

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/rawjson"
)

// Run loads what is stored, follows the stream and, when it is this process's turn,
// writes, until ctx ends. Errors: the bus cannot be used.
func (s *Store) Run(ctx context.Context) error {
	k, from, err := s.load(ctx)
	if err != nil {
		return err
	}
	var parts sync.WaitGroup
	parts.Go(func() { s.watchCaughtUp(ctx) })
	parts.Go(func() { k.run(ctx) })
	err = bus.Follow(ctx, s.b, bus.Follower{Batch: 128, Unreadable: func(subject string, seq uint64, err error) {
		s.log.Error("a stored event cannot be read; it is passed over", "subject", subject, "seq", seq, "err", err)
	}}, bus.AllDispatches(), from, func(_ context.Context, events []bus.Delivery[bus.Dispatch]) error {
		s.apply(events)
		return nil
	})
	parts.Wait()
	return err
}

// watchCaughtUp closes caught when the newest stored event is applied. It asks again and
// again: the newest one may leave the stream before it was read.
func (s *Store) watchCaughtUp(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		last, err := bus.Last(ctx, s.b, bus.AllDispatches())
		s.mu.Lock()
		applied := s.applied
		s.mu.Unlock()
		if bus.IsCode(err, bus.CodeNotFound) || last.Seq > 0 && last.Seq <= applied {
			close(s.caught)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (s *Store) apply(events []bus.Delivery[bus.Dispatch]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		s.one(e)
		s.applied = max(s.applied, e.Seq)
	}
}

func (s *Store) one(d bus.Delivery[bus.Dispatch]) {
	v := d.Value
	if v.Event == "READY" {
		s.ready(d.Seq, v.Shard, v.Data)
		return
	}
	e := s.guilds[v.Guild]
	if v.Guild == 0 || e != nil && d.Seq <= e.changed {
		return // of no guild, or the snapshot that we began with has it
	}
	switch v.Event {
	case "GUILD_CREATE", "GUILD_DELETE":
		if e == nil {
			e = &entry{}
		}
		if e.take(d, s.self(v.Shard)) == gone {
			s.drop(v.Guild)
			return
		}
		s.guilds[v.Guild] = e
		delete(s.removed, v.Guild)
	default:
		if e != nil {
			e.take(d, s.self(v.Shard))
		}
	}
}

func (s *Store) self(shard int) string {
	if sh := s.shards[shard]; sh != nil {
		return sh.self
	}
	return ""
}

func (s *Store) drop(id bus.GuildID) {
	delete(s.guilds, id)
	if s.removed != nil {
		s.removed[id] = true
	}
}

// ready takes over what a new session begins with: the guilds that Discord names stay as
// they were known until their GUILD_CREATE comes, those of the shard that it does not
// name are gone.
func (s *Store) ready(seq uint64, number int, d json.RawMessage) {
	if sh := s.shards[number]; sh != nil && seq < sh.at {
		return // an older one, replayed
	}
	s.shards[number] = &shard{ready: d, self: rawjson.Text(at(d, "user", "id")), at: seq}
	named := map[bus.GuildID]bool{}
	for g := range rawjson.Elements(rawjson.Get(d, "guilds")) {
		id, err := bus.ParseGuildID(rawjson.Text(rawjson.Get(g, "id")))
		if err != nil {
			continue
		}
		named[id] = true
		if e := s.guilds[id]; e == nil {
			s.guilds[id] = &entry{shard: number, unavailable: true, changed: seq}
		} else if e.changed < seq {
			e.shard = number
		}
	}
	shards := shardCount(d)
	for id, e := range s.guilds {
		if !named[id] && e.changed < seq && ShardOf(id, shards) == number {
			s.drop(id)
		}
	}
	maps.DeleteFunc(s.shards, func(n int, _ *shard) bool { return n >= shards })
	close(s.news)
	s.news = make(chan struct{})
}

// shardCount reads how many shards a READY counts; one when it does not say.
func shardCount(ready json.RawMessage) int {
	n := 0
	for v := range rawjson.Elements(rawjson.Get(ready, "shard")) {
		n, _ = strconv.Atoi(string(v)) // the last of two
	}
	return max(n, 1)
}

// ShardOf says which of a number of shards gets a guild's events.
func ShardOf(id bus.GuildID, shards int) int { return int(uint64(id) >> 22 % uint64(shards)) }

func (s *Store) idsOf(shard int) []bus.GuildID {
	var ids []bus.GuildID
	for id, e := range s.guilds {
		if e.shard == shard {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}
