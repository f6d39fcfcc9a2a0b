package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/secret"
)

// Config is what upstream needs to know. Zero fields mean the defaults that are named.
type Config struct {
	Token  secret.Value // of the bot
	Client *discord.Client

	GatewayURL string // empty: what Discord's API says
	Shards     int    // how many there are; 0: as many as Discord recommends
	Only       []int  // the shards that this process may hold; empty: all
	Intents    uint64 // 0: all that are free, and members and message content where the application may
	Plain      bool   // no compression
	Zlib       bool   // zlib-stream in place of zstd-stream, and not Plain

	RedisAddr string // of an AutoMuteUs that uses the same token; empty: none
	RedisUser string
	RedisPass secret.Value

	Component string // in the log of commands; default "gatewayproxy"
	Instance  string // names this process
	Metrics   prometheus.Registerer

	// ResumeWithin is how long a shard may take to be live again in a rolling restart; 0:
	// 1 min.
	ResumeWithin time.Duration
	// IdentifyGap is how long a bucket of max_concurrency rests after an IDENTIFY; 0:
	// 5.5 s, Discord's 5 s and some slack.
	IdentifyGap time.Duration
}

// Upstream holds shards of one bot.
type Upstream struct {
	cfg   Config
	b     *bus.Bus
	log   *slog.Logger
	m     *meters
	api   *api
	gate  *gate
	slots chan struct{} // events on their way to the stream
	life  string        // of this process, in keys of the bus

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
	switch {
	case cfg.Token.IsZero():
		return nil, errors.New("the gateway needs the token of a bot; set DISCORD_BOT_TOKEN")
	case cfg.Client == nil:
		return nil, errors.New("the gateway needs a client of Discord's API")
	case cfg.Shards < 0:
		return nil, errors.New("NUM_SHARDS must not be negative")
	}
	for _, n := range cfg.Only {
		if n < 0 || n >= cfg.Shards {
			return nil, fmt.Errorf("shard %d does not exist: NUM_SHARDS is %d", n, cfg.Shards)
		}
	}
	if cfg.Component == "" {
		cfg.Component = "gatewayproxy"
	}
	if cfg.Instance == "" {
		cfg.Instance = cfg.Component
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	if cfg.ResumeWithin == 0 {
		cfg.ResumeWithin = time.Minute
	}
	if cfg.IdentifyGap == 0 {
		cfg.IdentifyGap = identifyGap
	}
	m, err := newMeters(cfg.Metrics)
	if err != nil {
		return nil, fmt.Errorf("the gateway's metrics cannot be registered: %w", err)
	}
	u := &Upstream{cfg: cfg, b: b, log: log, m: m, api: &api{cfg.Client, cfg.Token}, slots: make(chan struct{}, underWay), life: newID(),
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

// findPlan finds out how many shards there are: what is set, what the sessions of before
// say, or else Discord, which is asked until it answers. False when ctx ended first.
func (u *Upstream) findPlan(ctx context.Context) bool {
	for failures := 0; ctx.Err() == nil; failures++ {
		shards, err := u.countShards(ctx)
		if err == nil {
			u.mu.Lock()
			u.shards, u.trouble, u.refused = shards, "", false
			u.mu.Unlock()
			close(u.planned)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		var answer *discord.APIError
		refused := errors.As(err, &answer) && answer.Status == 401
		u.mu.Lock()
		u.trouble, u.refused = "Discord did not say how to connect: "+err.Error(), u.refused || refused
		u.mu.Unlock()
		if refused {
			u.log.Error("Discord refuses the bot's token; set DISCORD_BOT_TOKEN", "err", err)
			failures = max(failures, 6)
		} else {
			u.log.Warn("Discord did not say how to connect; trying again", "err", err)
		}
		wait(ctx, max(backoff(failures), 250*time.Millisecond))
	}
	return false
}

func (u *Upstream) countShards(ctx context.Context) (int, error) {
	if err := u.loadPlan(ctx); err != nil {
		return 0, err
	}
	if n := u.chosen(); n > 0 {
		return n, nil
	}
	if u.cfg.Shards > 0 {
		return u.cfg.Shards, nil
	}
	if n, err := u.countBefore(ctx); err != nil || n > 0 {
		return n, err
	}
	w, err := u.greeting(ctx)
	return w.shards, err
}

// greeting is what Discord must be asked before a session can begin. A session that is
// resumed needs nothing of it, so that an API that is away holds up no RESUME.
type greeting struct {
	url     string
	shards  int // as Discord recommends
	intents uint64
}

// greeting asks once and then knows.
func (u *Upstream) greeting(ctx context.Context) (greeting, error) {
	u.asking.Lock()
	defer u.asking.Unlock()
	u.mu.Lock()
	known := u.greeted
	u.mu.Unlock()
	if known.url != "" {
		return known, nil
	}
	info, err := u.api.gatewayBot(ctx)
	if err != nil {
		return greeting{}, err
	}
	u.gate.tell(info)
	w := greeting{url: u.cfg.GatewayURL, shards: max(info.Shards, 1), intents: u.cfg.Intents}
	if w.url == "" {
		w.url = info.URL
	}
	if w.intents == 0 {
		app, err := u.api.application(ctx)
		if err != nil {
			return greeting{}, err
		}
		var without []string
		if w.intents, without = defaultIntents(app.Flags); without != nil {
			u.log.Warn("the application may not see everything; allow it in Discord's developer portal", "without", strings.Join(without, ", "))
		}
	}
	u.mu.Lock()
	u.greeted = w
	u.mu.Unlock()
	return w, nil
}

// countBefore gives the number of shards of the sessions that can still be resumed, so
// that a recommendation that changed does not end them all, and processes that start at
// different times agree; 0 when there are none.
func (u *Upstream) countBefore(ctx context.Context) (int, error) {
	all, err := u.sessions.All(ctx, ">")
	if err != nil {
		return 0, err
	}
	count, newest := 0, time.Now().Add(-resumable)
	for _, e := range all {
		var shards, shard int
		if _, err := fmt.Sscanf(e.Key, "%d.%d", &shards, &shard); err == nil && e.Value.At.After(newest) {
			count, newest = shards, e.Value.At
		}
	}
	return count, nil
}
