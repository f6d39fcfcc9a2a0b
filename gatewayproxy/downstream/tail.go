package downstream

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/guilds"
	"splashtail/internal/pause"
	"splashtail/internal/rawjson"
)

// tail is the newest of DISPATCH, read once for all sessions of the process. A session
// is a place in it; what left it is read from the stream.
type tail struct {
	b         *bus.Bus
	log       *slog.Logger
	maxBytes  int
	maxEvents int
	started   chan struct{} // closed when places mean something

	mu      sync.RWMutex
	events  []*event // by place
	bytes   int
	floor   uint64 // what is at or before this place is not here
	scanned uint64 // everything stored up to here was seen
	epoch   string
	news    chan struct{} // closed and replaced when scanned moves

	known map[int]map[bus.GuildID]bool // the guilds of each shard that bots know of; see seed
	turns []turn                       // at which our number of shards changed, oldest first
}

func newTail(b *bus.Bus, log *slog.Logger, l Limits) *tail {
	return &tail{b: b, log: log, maxBytes: l.WindowBytes, maxEvents: l.WindowEvents, started: make(chan struct{}), news: make(chan struct{}),
		known: map[int]map[bus.GuildID]bool{}}
}

// epochEvery is how often the stream is asked whether it is still the same.
const epochEvery = 5 * time.Second

// errOtherPast says that places that were seen mean something else now: the stream was
// made anew, or its server lost the newest events.
var errOtherPast = errors.New("the stream of events has another past than it had")

// run follows the stream until ctx ends. lost is called when its past changed: what
// sessions know of places is void then, and numbers decide.
func (t *tail) run(ctx context.Context, lost func()) error {
	for first := true; ctx.Err() == nil; first = false {
		info, err := bus.InfoOf(ctx, t.b, bus.AllDispatches())
		if err != nil {
			if first {
				return err
			}
			pause.For(ctx, time.Second)
			continue
		}
		turns, err := turnsBefore(ctx, t.b, info)
		if err != nil {
			if first {
				return err
			}
			pause.For(ctx, time.Second)
			continue
		}
		t.reset(info, turns)
		if first {
			close(t.started)
		} else {
			lost()
		}
		if err := t.follow(ctx, info); err != nil && ctx.Err() == nil {
			t.log.Warn("bots are asked to resume", "err", err)
		}
	}
	return nil
}

func (t *tail) reset(info bus.StreamInfo, turns []turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turns = turns
	t.events, t.bytes, t.floor, t.scanned, t.epoch = nil, 0, info.Last, info.Last, info.Epoch
	t.wake()
}

// follow reads on from where the stream stood until its past changes.
func (t *tail) follow(ctx context.Context, info bus.StreamInfo) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var watching sync.WaitGroup
	defer watching.Wait()
	watching.Go(func() { t.watchEpoch(ctx, info.Epoch, cancel) })
	err := bus.Follow(ctx, t.b, bus.Follower{Batch: 256, Unreadable: func(subject string, place uint64, err error) {
		t.log.Error("a stored event cannot be read; bots do not get it", "subject", subject, "seq", place, "err", err)
	}}, bus.AllDispatches(), info.Last+1, func(_ context.Context, ms []bus.Delivery[bus.Dispatch]) error { return t.add(ms) })
	if err == nil {
		err = context.Cause(ctx)
	}
	cancel(nil)
	return err
}

func (t *tail) watchEpoch(ctx context.Context, epoch string, stop context.CancelCauseFunc) {
	tick := time.NewTicker(epochEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if info, err := bus.InfoOf(ctx, t.b, bus.AllDispatches()); err == nil && info.Epoch != epoch {
			stop(errOtherPast)
			return
		}
	}
}

func (t *tail) add(ms []bus.Delivery[bus.Dispatch]) error {
	fresh := make([]*event, len(ms))
	for i, m := range ms {
		fresh[i] = newEvent(m)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range fresh {
		if e.place <= t.scanned {
			return errOtherPast
		}
		t.scanned = e.place
		t.census(e)
		t.events = append(t.events, e)
		t.bytes += e.size()
	}
	drop := 0
	for drop < len(t.events) && (t.bytes > t.maxBytes || len(t.events)-drop > t.maxEvents) {
		t.bytes -= t.events[drop].size()
		t.floor = t.events[drop].place
		t.events[drop] = nil
		drop++
	}
	t.events = t.events[drop:]
	t.wake()
	return nil
}

// seeded says whether the guilds of a shard are known.
func (t *tail) seeded(shard int) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.known[shard] != nil
}

// seed tells which guilds a shard has, once.
func (t *tail) seed(shard int, all []guilds.Guild) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.known[shard] != nil {
		return
	}
	t.known[shard] = map[bus.GuildID]bool{}
	for _, g := range all {
		t.known[shard][g.ID] = true
	}
}

// census keeps known up to date. A new session with Discord does not tell of guilds that
// the bot lost while there was none: they are noted at its READY.
func (t *tail) census(e *event) {
	if e.name == bus.EventShardsChanged {
		t.turnAt(e)
		return
	}
	if t.greets(e) {
		e.quiet = true
		t.known[e.shard] = guildsOfReady(e.d)
		return
	}
	known := t.known[e.shard]
	if known == nil {
		return
	}
	switch e.name {
	case "GUILD_CREATE":
		known[e.guild] = true
	case "GUILD_DELETE":
		if string(rawjson.Get(e.d, "unavailable")) != "true" {
			delete(known, e.guild)
		}
	case "READY":
		named := guildsOfReady(e.d)
		for id := range known {
			if !named[id] {
				e.gone = append(e.gone, id)
			}
		}
		t.known[e.shard] = named
	}
}

func (t *tail) wake() {
	close(t.news)
	t.news = make(chan struct{})
}

// glance is what the tail has for a session.
type glance struct {
	events []*event
	next   uint64          // the place after these events
	behind bool            // the session's place is not here any more; read the stream
	news   <-chan struct{} // closed when there is more
}

// after gives up to n events behind a place.
func (t *tail) after(place uint64, n int) glance {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if place < t.floor {
		return glance{behind: true}
	}
	i, found := slices.BinarySearchFunc(t.events, place, func(e *event, p uint64) int {
		switch {
		case e.place < p:
			return -1
		case e.place > p:
			return 1
		}
		return 0
	})
	if found {
		i++
	}
	g := glance{news: t.news, next: max(t.scanned, place)}
	if rest := t.events[i:]; len(rest) > n {
		g.events, g.next = slices.Clone(rest[:n]), rest[n-1].place
	} else {
		g.events = slices.Clone(rest)
	}
	return g
}

// at gives how far the stream was seen, and its epoch.
func (t *tail) at() (scanned uint64, epoch string) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.scanned, t.epoch
}
