package broker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"splashtail/bus"
)

// Broker is the door for capture clients and the edge towards AutoMuteUs.
type Broker struct {
	cfg   Config
	b     *bus.Bus
	log   *slog.Logger
	m     *meters
	redis *redisParts

	gate  *gatekeeper
	hub   *hub
	front *front
	door  *door
	edge  *edge

	ready chan struct{}
	addr  net.Addr
}

// appendBacklog is how many events may wait for one group to be stored before further
// clients wait at their sockets.
const appendBacklog = 4096

// New checks the configuration and puts the parts together. It connects to nothing.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Broker, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("the broker cannot be made: %w", err)
	}
	// Leases name a process, not a machine: a restart must not find itself alive.
	cfg.Instance = token(cfg.Instance) + "-" + newID()
	gate := newGatekeeper(cfg.Limits)
	m, err := newMeters(cfg.Metrics, func() float64 { return float64(gate.connections()) })
	if err != nil {
		return nil, fmt.Errorf("the broker's metrics cannot be registered: %w", err)
	}
	br := &Broker{cfg: cfg, b: b, log: log, m: m, gate: gate, ready: make(chan struct{})}
	br.redis = newRedisParts(cfg, log, m)
	br.hub = &hub{
		cfg: cfg, b: b, log: log, m: m, gate: gate, id: newID(),
		events:   bus.NewAppender(b, appendBacklog, bus.CaptureSharing()),
		channels: br.redis.channels, notes: br.redis.notes,
		seats: map[bus.ConnectCode]*seat{},
	}
	br.front = newFront(frontConfig{
		pingInterval: cfg.PingInterval, pingTimeout: cfg.PingTimeout,
		writeTimeout: writeTimeout, joinTimeout: joinTimeout, maxFrame: maxFrame,
		eventRate: cfg.Limits.Events, eventBurst: cfg.Limits.EventsBurst,
		admit: br.admit,
		open:  func(c conn) client { return br.hub.newSession(c) },
		ended: br.ended,
	})
	br.door = &door{
		front: br.front, gate: gate, m: m, log: log,
		trusted: func(r *http.Request) string { return clientAddr(r, cfg.Limits.TrustedProxies) },
		stats:   br.redis.stats, room: br.redis.room, coded: br.hub.coded.Load,
	}
	br.edge = newEdge(b, log, m, cfg.Instance, br.redis.edge)
	return br, nil
}

// token makes a name that can stand in a key of the bus.
func token(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_' {
			return r
		}
		return '-'
	}, s)
	return s[:min(len(s), 40)]
}

func (br *Broker) admit(addr string) bool {
	if br.gate.admit(addr) {
		return true
	}
	br.m.refused.WithLabelValues("too_many").Inc()
	br.log.Warn("a connection was refused: too many are open", "addr", addr)
	return false
}

func (br *Broker) ended(addr, end string) {
	br.gate.leave(addr)
	br.m.ends.WithLabelValues(end).Inc()
}

// Ready is closed when capture clients can connect.
func (br *Broker) Ready() <-chan struct{} { return br.ready }

// Addr is where capture clients connect; valid once Ready is closed.
func (br *Broker) Addr() string { return br.addr.String() }

// processLease is how long a dead process is taken for alive.
const processLease = 3 * time.Second

// Run serves until ctx ends, then reports its clients gone, brings Redis up to date and
// returns nil, within Config.Drain. Errors: the address cannot be listened on, or the
// bus cannot be used.
func (br *Broker) Run(ctx context.Context) error {
	// What stores and writes outlives ctx until everything is said.
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	br.hub.ctx = work
	if err := br.openRecords(ctx); err != nil {
		return fmt.Errorf("the broker cannot use the bus: %w", err)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", br.cfg.Addr)
	if err != nil {
		return fmt.Errorf("capture clients cannot connect: %w; set another BROKER_PORT or BROKER_BIND", err)
	}
	br.addr = listener.Addr()
	life, err := bus.Acquire(work, br.b, bus.BrokerLease(br.cfg.Instance), processLease, br.cfg.Instance)
	if err != nil {
		return errors.Join(fmt.Errorf("the broker cannot take its lease: %w", err), listener.Close())
	}
	service, err := br.serveStatus()
	if err != nil {
		return errors.Join(fmt.Errorf("the broker cannot be made visible: %w", err), listener.Close())
	}

	var parts sync.WaitGroup
	appendCtx, stopAppend := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAppend()
	var appender sync.WaitGroup
	appender.Go(func() { _ = br.hub.events.Run(appendCtx) }) // returns nil
	br.startParts(work, &parts, life)
	server := br.door.server()
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	close(br.ready)
	br.log.Info("capture clients can connect", "addr", br.addr.String(), "instance", br.cfg.Instance)

	select {
	case <-ctx.Done():
		err = nil
	case err = <-failed:
		err = fmt.Errorf("capture clients cannot connect any more: %w", err)
	}
	br.drain(context.WithoutCancel(ctx), server)
	stopWork()
	parts.Wait()
	stopAppend()
	appender.Wait()
	return errors.Join(err, service.Stop(), br.redis.close())
}

func (br *Broker) openRecords(ctx context.Context) error {
	records, err := bus.OpenRecords(ctx, br.b, bus.Owners())
	if err != nil {
		return err
	}
	live, err := bus.OpenRecords(ctx, br.b, bus.LiveBrokers())
	if err != nil {
		return err
	}
	br.hub.owners = &owners{records: records, live: live, instance: br.cfg.Instance, log: br.log}
	br.edge.positions, err = bus.OpenRecords(ctx, br.b, bus.Positions())
	return err
}

// startParts runs what serves until work ends.
func (br *Broker) startParts(work context.Context, parts *sync.WaitGroup, life *bus.Lease) {
	parts.Go(func() { br.redis.channels.run(work) })
	parts.Go(func() { br.redis.notes.run(work) })
	parts.Go(func() { br.edge.run(work) })
	parts.Go(func() { br.keepAlive(work, life) })
	parts.Go(func() {
		br.hub.owners.watch(work, func(code bus.ConnectCode, rev uint64) {
			if st := br.hub.find(code); st != nil {
				br.hub.run(func() { st.lost(rev) })
			}
		})
	})
	sweep := &sweeper{h: br.hub, log: br.log, grace: br.cfg.Grace, every: max(br.cfg.Grace/8, 50*time.Millisecond)}
	parts.Go(func() { sweep.run(work) })
	parts.Go(func() {
		tick := time.NewTicker(max(br.cfg.PingTimeout/8, 50*time.Millisecond))
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				br.front.sweep(now)
			case <-work.Done():
				return
			}
		}
	})
}

// keepAlive holds the lease that says that this process lives. When it was lost, others
// may have taken our clients for gone; they are claimed again.
func (br *Broker) keepAlive(ctx context.Context, life *bus.Lease) {
	for {
		select {
		case <-life.Lost():
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			if err := life.Release(release); err != nil {
				br.log.Debug("the lease of this process was not released; it expires", "err", err)
			}
			return
		}
		next, err := bus.AwaitLease(ctx, br.b, bus.BrokerLease(br.cfg.Instance), processLease, br.cfg.Instance)
		if err != nil {
			return // ctx has ended
		}
		life = next
		br.log.Warn("this process was cut off from the bus; its clients are claimed again")
		for _, st := range br.hub.all() {
			st.reassert(ctx)
		}
	}
}

// drain is the orderly stop: no new clients, everyone reported gone, sockets closed,
// Redis brought up to date.
func (br *Broker) drain(ctx context.Context, server *http.Server) {
	ctx, cancel := context.WithTimeout(ctx, br.cfg.Drain)
	defer cancel()
	br.door.draining.Store(true)
	br.front.refuseNew()
	codes := br.hub.vacateAll(ctx)
	if len(codes) > 0 {
		br.hub.notes.send(noticesChannel, shutdownNotice(codes))
	}
	br.front.closeAll()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // what is left is cut
	}
	info, err := bus.InfoOf(ctx, br.b, bus.AllCapture())
	if err == nil && br.edge.held.Load() {
		err = br.edge.flush(ctx, info.Last)
	}
	if err != nil {
		br.log.Warn("Redis was not brought up to date; the events wait on the bus", "err", err)
	}
}

// shutdownNotice tells bots which games end with us.
func shutdownNotice(codes []string) string {
	type list struct {
		ConnectCodes []string `json:"connectCodes"`
	}
	// Strings always encode.
	data, _ := json.Marshal(struct {
		Shutdown list `json:"shutdown"`
	}{list{codes}})
	return string(data)
}

// Status is what the broker answers to a status request.
type Status struct {
	Connections int    `json:"connections"`
	Owners      int    `json:"owners"`
	Ready       int    `json:"ready"` // owners with a Discord bot
	Redis       string `json:"redis"` // "ok" or what is wrong
	Edge        bool   `json:"edge"`  // this process writes to Redis
	EdgeAt      uint64 `json:"edge_at"`
	Draining    bool   `json:"draining"`
}

func (br *Broker) serveStatus() (*bus.Service, error) {
	return bus.NewService(br.b, bus.ServiceInfo{
		Component: "broker", Instance: br.cfg.Instance, Version: br.cfg.Version,
		Description: "Capture clients to AutoMuteUs",
		Status: func(ctx context.Context) (bool, any) {
			s := Status{
				Connections: br.gate.connections(), Redis: "ok",
				Edge: br.edge.held.Load(), EdgeAt: br.edge.caughtUp(), Draining: br.door.draining.Load(),
			}
			s.Owners, s.Ready = br.hub.counts()
			if err := br.redis.edge.ping(ctx); err != nil {
				s.Redis = err.Error()
			}
			return !s.Draining, s
		},
	})
}
