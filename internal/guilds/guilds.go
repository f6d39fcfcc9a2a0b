// Package guilds keeps the state of every guild as GUILD_CREATE would show it now, raw, for
// every component: gatewayproxy writes it, bot and muteproxy read it.
//
// What comes in: the stream of dispatches, followed in order. What goes out: to the writer's
// own process (Store), snapshots for bots that connect, with the place in the stream up to
// which they hold, so that whoever reads on from there misses nothing and gets nothing
// twice; to any process (Reader), a guild as it is after an event that is being handled.
// One process at a time writes the guilds to the bus, and any process starts from there.
//
// Of members, a guild keeps whole at most 250 beside the bot and who is in voice, and of up
// to 10,000 who have a role their ids and roles (roster.go): a guild of 100,000 members
// takes about 1 MB of memory, and who is not kept has to be asked of Discord.
//
// It knows as little of Discord's objects as it can: guild.go takes a guild apart into raw
// elements, patch.go says which event touches which of them, entry.go puts a guild together
// with roster.go (who has which roles) and gone.go (what was deleted lately). store.go keeps
// all guilds in step with the stream, keep.go writes and loads, ask.go asks for members;
// reader.go reads one guild, view.go is what it gives.
package guilds

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"splashtail/bus"
)

// Guild is one guild of a snapshot.
type Guild struct {
	ID bus.GuildID
	// JSON is the d of a GUILD_CREATE with "unavailable":false. It is empty when the
	// guild was never seen available.
	JSON []byte
	// Unavailable says that Discord has an outage of the guild, or has not sent it yet.
	Unavailable bool
}

// Config says how a Store works.
type Config struct {
	Instance string // names this process when it writes
	// WriteEvery is how often guilds that changed are stored; 0: 2 s. Events of a burst
	// then change a guild once on disk.
	WriteEvery time.Duration
	// Ask sends the d of a request for guild members (opcode 8) over the session of a shard;
	// nil, or an error: nobody is asked, and only those members are known whom events show.
	Ask func(ctx context.Context, shard int, request json.RawMessage) error
	// AskAfter is how long after a guild is shown its members are asked for; 0: 45 s, so
	// that bots which ask when they start come first.
	AskAfter time.Duration
}

// Store is the state of every guild of every shard, up to a place in DISPATCH.
type Store struct {
	cfg Config
	b   *bus.Bus
	log *slog.Logger

	caught chan struct{} // closed when the stream of before is applied

	mu      sync.Mutex
	guilds  map[bus.GuildID]*entry
	shards  map[int]*shard
	applied uint64 // every event up to here is in guilds
	epoch   string // the life of DISPATCH that applied counts in
	news    chan struct{}
	removed map[bus.GuildID]bool // since the last write; nil while another process writes
}

// entry is a guild with its place.
type entry struct {
	g           *guild // nil: never seen available
	lost        losses
	roster      roster
	shard       int
	unavailable bool
	created     uint64 // place of the GUILD_CREATE that g began with
	changed     uint64 // by which event
}

// shard is what READY said.
type shard struct {
	ready json.RawMessage
	self  string // the bot's user id
	at    uint64 // place of READY in the stream
}

// New makes a store; it is empty until Run.
func New(cfg Config, b *bus.Bus, log *slog.Logger) *Store {
	if cfg.WriteEvery == 0 {
		cfg.WriteEvery = writeEvery
	}
	if cfg.AskAfter == 0 {
		cfg.AskAfter = askAfter
	}
	return &Store{cfg: cfg, b: b, log: log, caught: make(chan struct{}), news: make(chan struct{}),
		guilds: map[bus.GuildID]*entry{}, shards: map[int]*shard{}}
}

// Ready is closed once what the stream held at the start is applied.
func (s *Store) Ready() <-chan struct{} { return s.caught }

// Await returns when the shard can be shown: the stream of before is applied and READY
// of the shard is known. It returns ctx's error when that ends first.
func (s *Store) Await(ctx context.Context, shard int) error {
	select {
	case <-s.caught:
	case <-ctx.Done():
		return ctx.Err()
	}
	for {
		s.mu.Lock()
		known, news := s.shards[shard] != nil, s.news
		s.mu.Unlock()
		if known {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Snapshot gives the guilds of a shard as they are after every event up to seq in
// DISPATCH and before the one after it. They are ordered by id. Nothing of it is shared
// with the store.
func (s *Store) Snapshot(shard int) (guilds []Guild, seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.idsOf(shard) {
		e := s.guilds[id]
		g := Guild{ID: id, Unavailable: e.unavailable}
		if e.g != nil {
			g.JSON = e.g.render()
		}
		guilds = append(guilds, g)
	}
	return guilds, s.applied
}

// READY gives the d of Discord's READY of a shard, as it came; false when none is known.
func (s *Store) READY(shard int) (d json.RawMessage, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sh := s.shards[shard]; sh != nil {
		return sh.ready, true
	}
	return nil, false
}

// Epoch names the life of DISPATCH that places in it belong to; empty before Run.
func (s *Store) Epoch() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epoch
}

// Counts gives the number of guilds, and of those that are unavailable.
func (s *Store) Counts() (guilds, unavailable int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.guilds {
		if e.unavailable {
			unavailable++
		}
	}
	return len(s.guilds), unavailable
}
