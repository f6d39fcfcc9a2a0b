package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/logs"
	"splashtail/internal/ops"
	"splashtail/internal/sandbox"
	"splashtail/internal/supervise"
)

// stopBound is how long draining may take. A request of AutoMuteUs is answered within 9 s, so it can come to its end.
const stopBound = 15 * time.Second

// tierLast stops after every component: the bus, so that they can still store, and the ops listener, so that a probe
// sees the stop.
const tierLast = 100

// errForced ends the process at once.
var errForced = errors.New("forced to end by a second signal; what was not drained is redone at the next start")

// upCmd runs everything.
type upCmd struct {
	Scene bool `help:"Play a round of Among Us with made-up players, again and again. Only with the sandbox."`
}

// Run implements the command.
func (cmd upCmd) Run(c *call) error {
	c.bad = append(c.bad, c.set.checkStandIn()...)
	if cmd.Scene {
		c.bad = append(c.bad, c.set.checkScene()...)
	}
	return c.serve(plan{components: c.components, standIns: true, scene: cmd.Scene})
}

// brokerCmd runs the broker alone.
type brokerCmd struct{}

// Run implements the command.
func (brokerCmd) Run(c *call) error { return c.serveOne("broker") }

// muteproxyCmd runs the mute proxy alone.
type muteproxyCmd struct{}

// Run implements the command.
func (muteproxyCmd) Run(c *call) error { return c.serveOne("muteproxy") }

// gatewayproxyCmd runs the gateway proxy alone.
type gatewayproxyCmd struct{}

// Run implements the command.
func (gatewayproxyCmd) Run(c *call) error { return c.serveOne("gatewayproxy") }

// botCmd runs the bot alone.
type botCmd struct{}

// Run implements the command.
func (botCmd) Run(c *call) error { return c.serveOne("bot") }

// jobsCmd runs what works on jobs alone.
type jobsCmd struct{}

// Run implements the command.
func (jobsCmd) Run(c *call) error {
	collectSoon()
	return c.serveOne("jobs")
}

// collectSoon keeps a process that works on jobs small, unless GOGC says otherwise: what it waits for is Discord, and so it has
// the time to collect garbage when half as much has come as is in use, not as much again.
func collectSoon() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// natsCmd runs the bus alone.
type natsCmd struct{}

// Run implements the command.
func (natsCmd) Run(c *call) error {
	if c.set.NATSURL.Value != "" {
		c.bad = append(c.bad, fault{name: "NATS_URL", value: shown(&c.set.NATSURL), from: c.set.NATSURL.from,
			what: "is set; 'nats' is the server that others join with it, so it cannot join one itself"})
	}
	return c.serve(plan{})
}

func (c *call) serveOne(name string) error {
	at := slices.IndexFunc(c.components, func(k component) bool { return k.name == name })
	if at < 0 {
		return &usageError{fmt.Errorf("there is no component %q in this build", name)}
	}
	one := c.components[at]
	c.bad = append(c.bad, c.set.need(one.name, one.need...)...)
	return c.serve(plan{components: []component{one}})
}

// plan is what a command runs.
type plan struct {
	components []component
	standIns   bool // the sandbox for Discord and a Redis of our own where nothing is set
	scene      bool
}

// serve runs a plan until a signal comes or a part fails.
func (c *call) serve(p plan) error {
	if err := c.bad.asError(); err != nil {
		return err
	}
	log := logs.New(c.stderr, c.set.LogLevel.level(), c.set.LogFormat.format())
	catchRedisLines(log)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	bound := cmp.Or(c.bound, stopBound)
	ended := make(chan error, 1)
	go func() { ended <- c.live(ctx, p, log) }()
	for asked := false; ; asked = true {
		select {
		case err := <-ended:
			return err
		case sig := <-c.signals:
			if asked {
				return errForced
			}
			log.Info(fmt.Sprintf("draining, for at most %v; a second signal ends the process at once", bound), "signal", sig.String())
			cancel()
		}
	}
}

// live starts the parts, waits and stops them. It returns nil when ctx ended and everything drained.
func (c *call) live(ctx context.Context, p plan, log *slog.Logger) error {
	if err := c.portsFree(p); err != nil {
		return err
	}
	s := &site{call: c, plan: p, log: log, board: ops.NewBoard(), metrics: newRegistry(),
		group: supervise.New(log, supervise.Bounds{Stop: cmp.Or(c.bound, stopBound)})}
	defer s.tidy()
	err := s.start(ctx)
	if err == nil {
		s.announce()
		err = s.startScene(ctx)
	}
	if err == nil {
		err = s.group.Wait(ctx)
	}
	s.board.Fail("running", "the process is stopping")
	if err != nil && ctx.Err() == nil {
		log.Error("stopping, because a part failed", "err", err)
	} else {
		err = nil // an end that was asked for, in the middle of the start or later
	}
	if fault := s.group.Stop(); err == nil {
		err = fault
	} else if fault != nil {
		log.Warn("not everything stopped as it should", "err", fault)
	}
	if err == nil {
		log.Info("stopped; everything drained")
	}
	return err
}

// site is a plan that is being carried out.
type site struct {
	*call
	plan    plan
	log     *slog.Logger
	board   *ops.Board
	metrics *prometheus.Registry
	group   *supervise.Group
	bus     *bus.Bus
	house   house
	doors   []address
	opsURL  string

	discord   *sandbox.Discord      // nil with the real one
	bots      []sandbox.Application // of the sandbox, the primary first
	temporary string                // a data directory to remove at the end; empty: none
}

// start brings the parts up in order: ops first, so that a probe can watch, then the bus, then what stands in for the
// outside, then the components.
func (s *site) start(ctx context.Context) error {
	s.board.Fail("running", "the process is starting")
	s.house = house{Settings: s.set, redisAddr: s.set.RedisAddr.Value, discordAPI: s.set.DiscordAPIURL.Value, discordCDN: s.set.DiscordCDNURL.Value,
		primary: s.set.DiscordBotToken.first(), workers: s.set.WorkerBotTokens.Values, metrics: s.metrics,
		dataDir: s.set.NATSStoreDir.Value, instance: instance(), limiter: discord.NewLimiter(discord.LimiterConfig{})}
	if err := s.makeTemporary(); err != nil {
		return err
	}
	if err := s.startOps(ctx); err != nil {
		return err
	}
	if err := s.startBus(ctx); err != nil {
		return err
	}
	if err := s.startStandIns(ctx); err != nil {
		return err
	}
	for _, k := range s.plan.components {
		if err := s.startComponent(ctx, k); err != nil {
			return err
		}
	}
	if err := s.registerCommands(ctx); err != nil {
		return err
	}
	s.board.Set("running", func(context.Context) error { return nil })
	return nil
}

func (s *site) startOps(ctx context.Context) error {
	srv, err := ops.New(ops.Config{Addr: s.set.OpsAddr.Value, Version: buildVersion(), Board: s.board, Metrics: s.metrics},
		s.log.With("component", "ops"))
	if err != nil {
		return err
	}
	err = s.group.Start(ctx, supervise.Part{Name: "ops", Tier: tierLast, Run: srv.Run, Ready: srv.Ready()})
	if err != nil {
		return named(err, "OPS_ADDR", s.set.OpsAddr.Value)
	}
	s.opsURL = "http://" + srv.Addr().String()
	s.serves(address{"ops", s.opsURL, "/healthz /readyz /metrics (OPS_ADDR)"})
	return nil
}

// startBus opens the bus. It stays open until all components have stopped.
func (s *site) startBus(ctx context.Context) error {
	b, err := bus.Open(ctx, s.busConfig(), s.log.With("component", "bus"))
	if err != nil {
		return fmt.Errorf("bus: %w", err)
	}
	s.bus = b
	s.board.Set("bus", b.Ready)
	s.serves(s.busDoor())
	return s.group.Start(ctx, supervise.Part{Name: "bus", Tier: tierLast, Run: func(ctx context.Context) error {
		<-ctx.Done()
		return closeBus(ctx, b)
	}})
}

func (s *site) busConfig() bus.Config {
	cfg := bus.Config{URL: s.set.NATSURL.Value, StoreDir: s.house.dataDir, Addr: s.set.NATSAddr.Value}
	if len(s.plan.components) == 0 {
		cfg.Plan = sharedPlan()
	}
	if s.temporary != "" {
		cfg.MaxStore = 8 << 30 // what is reserved, not used; a small /tmp is enough for a scene
	}
	if !s.set.NATSPassword.Value.IsZero() {
		cfg.Auth = func() (string, string) {
			return cmp.Or(s.set.NATSUser.Value, "splashtail"), s.set.NATSPassword.Value.Reveal()
		}
	}
	return cfg
}

// sharedPlan is the topology of a server whose users are other processes and live on when it restarts: what would be in
// memory beside its users is on disk here. See docs/adr/0001.
func sharedPlan() *bus.Plan {
	p := bus.Topology()
	for i := range p.Buckets {
		if p.Buckets[i].Storage == bus.Volatile {
			p.Buckets[i].Storage = bus.Synced
		}
	}
	return &p
}

func (s *site) busDoor() address {
	url := maskURL(s.bus.URL())
	if !s.bus.Embedded() {
		return address{"nats", url, "the bus (NATS_URL)"}
	}
	return address{"nats", url, "the bus; look into it with: nats -s " + url + " stream ls (NATS_ADDR)"}
}

// closeBus drains a connection although the context that asked for the end has ended.
func closeBus(ctx context.Context, b *bus.Bus) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return b.Close(ctx)
}

// startComponent builds a component on a connection of its own and waits until it serves.
func (s *site) startComponent(ctx context.Context, k component) error {
	own, err := s.bus.Component(ctx, k.name)
	if err != nil {
		return fmt.Errorf("%s: %w", k.name, err)
	}
	log := s.log.With("component", k.name)
	svc, err := k.make(s.house, own, log)
	if err != nil {
		return errors.Join(fmt.Errorf("%s: %w", k.name, err), closeBus(ctx, own))
	}
	log.Debug("starting")
	s.board.Fail(k.name, "starting")
	part := supervise.Part{Name: k.name, Tier: k.tier, Ready: svc.Ready(), Run: func(ctx context.Context) error {
		err := svc.Run(ctx)
		s.board.Fail(k.name, "ended")
		return errors.Join(err, closeBus(ctx, own))
	}}
	if err := s.group.Start(ctx, part); err != nil {
		if k.door.addr == nil {
			return err
		}
		return named(err, k.door.setting, k.door.addr(s.set))
	}
	check := func(context.Context) error { return nil }
	if c, ok := svc.(checker); ok {
		check = c.Check
	}
	s.board.Set(k.name, check)
	if k.door.addr == nil || svc.Addr() == "" {
		return nil
	}
	s.serves(address{k.name, "http://" + svc.Addr(), k.door.whose + " (" + k.door.setting + ")"})
	return nil
}
