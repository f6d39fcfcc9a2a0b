// Package jobs is the component that works on jobs: what takes longer than an answer may, and must survive the end of
// any process.
//
// What comes in: submissions of bot and api over the bus, schedules, and the HTTP door for clients of the earlier job
// server (ipc). What goes out: records, logs and files of jobs on the bus, and what their work does on Discord.
//
// Read first: kinds.go, the list of all kinds of work; work, the line between a kind and the engine; engine, which makes
// jobs survive. This file puts them together.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/seal"
	"splashtail/internal/secret"
	"splashtail/jobs/backup/create"
	"splashtail/jobs/engine"
	"splashtail/jobs/ipc"
)

// Config says how the component runs. A zero field means its default, except for Token, which must be set.
type Config struct {
	Token   secret.Value
	APIURL  string           // of Discord; empty: discord.DefaultAPI
	CDNURL  string           // where Discord's files are; empty: discord.DefaultCDN
	Limiter *discord.Limiter // the line of all requests of this process; nil: one of its own
	Backups create.Limits    // what one backup may hold

	Workers int          // jobs at a time; 0: 10
	SealKey secret.Value // for the secrets of jobs; empty: a file in DataDir
	DataDir string

	IPCAddr    string                  // the door for clients of the earlier job server
	IPCSecrets map[string]secret.Value // by client; without any the door stays shut

	Instance string
	Version  string
	Metrics  prometheus.Registerer // nil: a registry of its own
	Timing   engine.Timing         // for tests
}

// componentName is what the component is called on the bus.
const componentName = "jobs"

// Jobs is the component.
type Jobs struct {
	cfg    Config
	b      *bus.Bus
	log    *slog.Logger
	client *discord.Client
	cdn    *discord.CDN
	door   *ipc.Door // nil: shut
	ready  chan struct{}

	mu   sync.Mutex
	addr string
}

// New checks the config. It does no I/O.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Jobs, error) {
	if cfg.APIURL == "" {
		cfg.APIURL = discord.DefaultAPI
	}
	if cfg.Instance == "" {
		cfg.Instance = componentName
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	if cfg.Limiter == nil {
		cfg.Limiter = discord.NewLimiter(discord.LimiterConfig{})
	}
	if cfg.Token.IsZero() {
		return nil, errors.New("jobs has no token (DISCORD_BOT_TOKEN)")
	}
	client, err := discord.NewLimitedClient(cfg.APIURL, cfg.Limiter)
	if err != nil {
		return nil, err
	}
	cdn, err := cdnOf(cfg.CDNURL)
	if err != nil {
		return nil, err
	}
	j := &Jobs{cfg: cfg, b: b, log: log, client: client, cdn: cdn, ready: make(chan struct{})}
	if len(cfg.IPCSecrets) > 0 {
		j.door = ipc.New(cfg.IPCAddr, cfg.IPCSecrets, log)
	}
	return j, nil
}

// Ready is closed when jobs are taken and worked on.
func (j *Jobs) Ready() <-chan struct{} { return j.ready }

// Addr is where clients of the earlier job server connect; empty when that door is shut.
func (j *Jobs) Addr() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.addr
}

// Run works until ctx ends. Jobs that run then are handed back where they stand.
func (j *Jobs) Run(ctx context.Context) error {
	defer j.client.Close()
	defer j.cdn.Close()
	sealer, err := seal.Open(j.cfg.SealKey, j.cfg.DataDir)
	if err != nil {
		return err
	}
	facade, err := bus.OpenJobs(ctx, j.b)
	if err != nil {
		return err
	}
	tools := Tools{Bot: j.client.Bot(j.cfg.Token), CDN: j.cdn, Backups: j.cfg.Backups, Bus: j.b, Jobs: facade, Log: j.log}
	e, err := engine.New(engine.Config{Kinds: Kinds(tools), Workers: j.cfg.Workers, Instance: j.cfg.Instance, Version: j.cfg.Version,
		Sealer: sealer, Metrics: j.cfg.Metrics, Timing: j.cfg.Timing}, j.b, j.log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	parts := make(chan error, 2)
	running := 1
	go func() { parts <- e.Run(ctx) }()
	if j.door != nil {
		running++
		go func() { parts <- j.serveDoor(ctx, e, facade) }()
	} else {
		go j.becomeReady(ctx, e)
	}
	var all error
	for range running {
		if err := <-parts; err != nil {
			all = errors.Join(all, err)
		}
		stop() // one part that ends takes the other with it
	}
	return all
}

// becomeReady says so when the engine is.
func (j *Jobs) becomeReady(ctx context.Context, e *engine.Engine) bool {
	select {
	case <-e.Ready():
		close(j.ready)
		return true
	case <-ctx.Done():
		return false
	}
}

// serveDoor opens the door once jobs can be taken.
func (j *Jobs) serveDoor(ctx context.Context, e *engine.Engine, facade *bus.Jobs) error {
	select {
	case <-e.Ready():
	case <-ctx.Done():
		return nil
	}
	err := j.door.Run(ctx, facade, func(addr string) {
		j.mu.Lock()
		j.addr = addr
		j.mu.Unlock()
		close(j.ready)
	})
	if err != nil {
		return fmt.Errorf("the door for clients of the earlier job server: %w", err)
	}
	return nil
}
