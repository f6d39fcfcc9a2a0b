package guilds

import (
	"context"
	"fmt"
	"slices"

	"github.com/klauspost/compress/zstd"

	"splashtail/bus"
)

// load fills the store from the bus and says from where to follow the stream.
func (s *Store) load(ctx context.Context) (*keeper, uint64, error) {
	fail := func(err error) (*keeper, uint64, error) {
		return nil, 0, fmt.Errorf("the guilds cannot be loaded: %w", err)
	}
	k, err := newKeeper(ctx, s)
	if err != nil {
		return fail(err)
	}
	info, err := bus.InfoOf(ctx, s.b, bus.AllDispatches())
	if err != nil {
		return fail(err)
	}
	stored, err := k.records.All(ctx, ">")
	if err != nil {
		return fail(err)
	}
	readies, err := bus.OpenRecords(ctx, s.b, bus.ShardReadies())
	if err != nil {
		return fail(err)
	}
	known, err := readies.All(ctx, ">")
	if err != nil {
		return fail(err)
	}
	if k.through, err = k.position(ctx, info.Epoch); err != nil {
		return fail(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epoch, s.applied = info.Epoch, k.through
	for _, r := range stored {
		k.put(r, info.Epoch)
	}
	s.putReadies(known, info.Epoch)
	if k.through > 0 && k.through+1 < info.First {
		for _, e := range s.guilds {
			e.created, e.roster.whole = 0, false
		}
		s.log.Warn("events left the stream before the guilds were brought up to date; what they changed shows again with the next new session", "missed", info.First-k.through-1)
	}
	return k, k.through + 1, nil
}

// putReadies takes over what is known of the shards, of every shard the newest.
func (s *Store) putReadies(known []bus.Entry[bus.ShardReady], epoch string) {
	slices.SortFunc(known, func(a, b bus.Entry[bus.ShardReady]) int { return a.Value.At.Compare(b.Value.At) })
	for _, r := range known {
		var shards, number int
		if _, err := fmt.Sscanf(r.Key, "%d.%d", &shards, &number); err != nil {
			continue
		}
		place := r.Value.Stream
		if r.Value.Epoch != epoch {
			place = 0 // of another life of the stream
		}
		delete(s.shards, number)
		s.ready(place, number, r.Value.Data)
	}
}

func newKeeper(ctx context.Context, s *Store) (*keeper, error) {
	k := &keeper{s: s, tooLarge: map[bus.GuildID]bool{}, asked: map[bus.GuildID]asked{}}
	var err error
	if k.records, err = bus.OpenRecords(ctx, s.b, bus.GuildSnapshots()); err != nil {
		return nil, err
	}
	if k.positions, err = bus.OpenRecords(ctx, s.b, bus.Positions()); err != nil {
		return nil, err
	}
	if k.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest)); err != nil {
		return nil, err
	}
	k.dec, err = newDecoder()
	return k, err
}

func (k *keeper) position(ctx context.Context, epoch string) (uint64, error) {
	return positionOf(ctx, k.positions, epoch)
}

// positionOf gives the place up to which every stored guild is up to date; 0 when none is
// known in this life of the stream.
func positionOf(ctx context.Context, positions *bus.Records[bus.Position], epoch string) (uint64, error) {
	p, err := positions.Get(ctx, positionKey)
	if bus.IsCode(err, bus.CodeNotFound) || err == nil && p.Value.Epoch != epoch {
		return 0, nil
	}
	return p.Value.Seq, err
}

// put takes a stored guild into the store.
func (k *keeper) put(r bus.Entry[bus.GuildSnapshot], epoch string) {
	id, err := bus.ParseGuildID(r.Key)
	if err != nil {
		k.s.log.Error("a stored guild has a key that is no id; it is passed over", "key", r.Key)
		return
	}
	e, err := unpack(k.dec, r.Value, epoch)
	if err != nil {
		k.s.log.Error("a stored guild cannot be read; it comes back with the next new session", "guild", r.Key, "err", err)
		return
	}
	k.s.guilds[id] = e
}
