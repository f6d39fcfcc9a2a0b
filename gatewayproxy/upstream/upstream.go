package upstream

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/formsecret"
)

// Upstream holds shards of one bot.
type Upstream struct {
	cfg   Config
	b     *bus.Bus
	log   *slog.Logger
	m     *meters
	api   *api
	gate  *gate
	slots chan struct{} // events on their way to the stream
	// secrets keeps what people type into secret inputs of our forms out of the stream.
	secrets formsecret.Keeper
	life    string // of this process, in keys of the bus

	sessions *bus.Records[bus.UpstreamSession]
	readies  *bus.Records[bus.ShardReady]
	gateways *bus.Records[bus.LeaseHolder]
	epoch    string // of DISPATCH
	plans    *bus.Records[bus.ShardPlan]
	work     context.Context // of Run
	resting  sync.WaitGroup  // buckets that rest after an IDENTIFY
	changing sync.WaitGroup  // a change of the number of shards
	planned  chan struct{}   // closed when shards is known

	asking sync.Mutex // held while Discord is asked for the greeting

	mu      sync.Mutex
	shards  int // 0: not known yet
	plan    bus.Entry[bus.ShardPlan]
	turned  chan struct{} // closed and replaced when plan changes
	change  string        // how far a change of the number of shards is
	greeted greeting
	trouble string // why the number of shards is not known yet
	refused bool   // the token was
	began   time.Time
	held    map[int]*shard
}

// New checks the config. It does no I/O.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Upstream, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	cfg.fill()
	m, err := newMeters(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("the gateway's metrics cannot be registered: %w", err)
	}
	u := &Upstream{cfg: cfg, b: b, log: log, m: m, api: &api{cfg.Client, cfg.Token}, slots: make(chan struct{}, underWay), secrets: formsecret.New(cfg.Token), life: newID(),
		trouble: "Discord has not been asked yet", planned: make(chan struct{}), turned: make(chan struct{}), held: map[int]*shard{}}
	u.gate = &gate{b: b, log: log, m: m, api: u.api, token: cfg.Token, instance: cfg.Instance, gap: cfg.IdentifyGap}
	if cfg.RedisAddr != "" {
		u.gate.lock = newIdentifyLock(cfg.RedisAddr, cfg.RedisUser, cfg.RedisPass, cfg.Token)
	}
	return u, nil
}

func newID() string { return strings.ToLower(rand.Text()) }

// Planned is closed when Shards is known.
func (u *Upstream) Planned() <-chan struct{} { return u.planned }

// Shards is how many shards the bot has in all processes; 0 until Planned.
func (u *Upstream) Shards() int {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.shards
}

// AwaitShards gives Shards as soon as that is known, or ctx's error.
func (u *Upstream) AwaitShards(ctx context.Context) (int, error) {
	select {
	case <-u.planned:
		return u.Shards(), nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Intents are those that Discord was asked for; 0 while no session was begun by this
// process and they are left to it.
func (u *Upstream) Intents() uint64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return max(u.greeted.intents, u.cfg.Intents)
}

// Run holds shards until ctx ends, and leaves their sessions so that they can be
// resumed. Errors: the bus cannot be used. That Discord cannot be reached or refuses us
// is no error: Check and the status say so.
func (u *Upstream) Run(ctx context.Context) error {
	u.work = ctx
	u.mu.Lock()
	u.began = time.Now()
	u.mu.Unlock()
	if u.gate.lock != nil {
		defer u.gate.lock.close()
	}
	if err := u.openRecords(ctx); err != nil {
		return fmt.Errorf("the gateway cannot use the bus: %w", err)
	}
	if !u.findPlan(ctx) {
		return nil
	}
	var parts sync.WaitGroup
	parts.Go(func() { u.watchPlan(ctx) })
	u.generations(ctx)
	parts.Wait()
	u.changing.Wait()
	u.resting.Wait()
	return nil
}

// holdAll holds shards of so many until ctx ends.
func (u *Upstream) holdAll(ctx context.Context, count int) {
	only := u.cfg.Only
	if len(only) == 0 {
		for n := range count {
			only = append(only, n)
		}
	}
	share := newShare(len(only), u.log)
	var parts sync.WaitGroup
	if len(u.cfg.Only) == 0 {
		parts.Go(func() { u.announce(ctx) })
		parts.Go(func() { u.watchShare(ctx, share) })
	}
	for _, n := range only {
		parts.Go(func() { u.keep(ctx, share, count, n) })
	}
	parts.Wait()
}

func (u *Upstream) openRecords(ctx context.Context) error {
	info, err := bus.InfoOf(ctx, u.b, bus.AllDispatches())
	if err != nil {
		return err
	}
	u.epoch = info.Epoch
	if u.sessions, err = bus.OpenRecords(ctx, u.b, bus.UpstreamSessions()); err != nil {
		return err
	}
	if u.readies, err = bus.OpenRecords(ctx, u.b, bus.ShardReadies()); err != nil {
		return err
	}
	if u.plans, err = bus.OpenRecords(ctx, u.b, bus.ShardPlans()); err != nil {
		return err
	}
	if u.gateways, err = bus.OpenRecords(ctx, u.b, bus.LiveGateways()); err != nil {
		return err
	}
	u.gate.budgets, err = bus.OpenRecords(ctx, u.b, bus.IdentifyBudgets())
	return err
}
