// Package muteproxy applies mutes and deafens for AutoMuteUs.
//
// What comes in: POST /modify/{guild}/{code} with the wished voice state of many
// members. What goes out: one PATCH per member to Discord, over every token and
// capture client that may be used at that moment, and the counts that AutoMuteUs
// expects. Between the two stands the wish: it is stored per member before it is sent,
// the newest wins, and whoever owns the guild works until Discord confirmed it.
//
// Read in this order: door.go (HTTP), wishes.go (storing and waiting), guild.go (the
// one goroutine that works for a guild), plan.go (who is served by which lane next),
// lane.go and call.go (sending), verdict.go (what a refusal means), tokens.go. What the
// gateway tells of members is in voices.go.
package muteproxy

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/secret"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what muteproxy needs to know. Its zero fields mean the defaults of
// galactus, except where noted.
type Config struct {
	Addr   string       // of the HTTP door, host:port
	Secret secret.Value // callers must present it as a bearer token; empty: no check

	Primary secret.Value   // the token that AutoMuteUs itself uses; the last lane
	Workers []secret.Value // worker tokens
	APIURL  string         // of Discord; empty: discord.DefaultAPI

	// MaxReq5Sec is how many changes a token may make per guild and 5 s before
	// Discord's headers have told its limit; 0: 7. Never more than 5 are sent before
	// that, since 5 is the smallest limit seen and a refusal costs more than one round
	// trip.
	MaxReq5Sec int
	// AckTimeout bounds how long a capture client's broker may take to accept a task,
	// TaskTimeout how long the client may work on it; 0: 2 s and 1 s.
	AckTimeout, TaskTimeout time.Duration
	// MaxWorkers bounds the requests that are on their way to Discord for one guild;
	// 0: no bound besides the budgets.
	MaxWorkers int

	RedisAddr string // of AutoMuteUs' Redis; empty: no migration of tokens, no check for ended games
	RedisUser string
	RedisPass secret.Value

	SealKey secret.Value // 32 bytes in base64 or hexadecimal; empty: DataDir/seal.key
	DataDir string

	Instance string // names this process
	Version  string
	Metrics  prometheus.Registerer // nil: none
}

const (
	defaultPerWindow   = 7
	safeColdStart      = 5
	defaultAckTimeout  = 2 * time.Second
	defaultTaskTimeout = time.Second
)

func (c Config) withDefaults() Config {
	c.APIURL = cmp.Or(c.APIURL, discord.DefaultAPI)
	c.MaxReq5Sec = cmp.Or(c.MaxReq5Sec, defaultPerWindow)
	c.AckTimeout = cmp.Or(c.AckTimeout, defaultAckTimeout)
	c.TaskTimeout = cmp.Or(c.TaskTimeout, defaultTaskTimeout)
	c.Metrics = cmp.Or(c.Metrics, prometheus.Registerer(prometheus.NewRegistry()))
	c.Instance = cmp.Or(c.Instance, "muteproxy")
	return c
}

// coldStart is how many changes a token makes per window before it knows its limit.
func (c Config) coldStart() int { return min(c.MaxReq5Sec, safeColdStart) }

// Muteproxy is the component.
type Muteproxy struct {
	cfg     Config
	bus     *bus.Bus
	log     *slog.Logger
	api     *discord.Client
	tokens  *tokens
	metrics *metrics
	voices  *voices
	ready   chan struct{}
	stopped chan struct{} // closed when nothing more comes of the wishes that callers wait for

	mu     sync.Mutex
	addr   net.Addr
	wishes *wishes
}

// New checks the config. It does no I/O.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Muteproxy, error) {
	cfg = cfg.withDefaults()
	if cfg.Primary.IsZero() {
		return nil, fmt.Errorf("muteproxy has no primary token; set DISCORD_BOT_TOKEN")
	}
	if cfg.MaxReq5Sec < 0 || cfg.MaxWorkers < 0 {
		return nil, fmt.Errorf("MAX_REQ_5_SEC and MAX_WORKERS must not be negative")
	}
	api, err := discord.NewClient(cfg.APIURL)
	if err != nil {
		return nil, err
	}
	m := &Muteproxy{cfg: cfg, bus: b, log: log, api: api, metrics: newMetrics(cfg.Metrics),
		ready: make(chan struct{}), stopped: make(chan struct{})}
	m.tokens = newTokens(cfg, log)
	m.voices = newVoices(b, log, m.voiceSeen)
	return m, nil
}

// Ready is closed once the door is open and the wishes of before are known.
func (m *Muteproxy) Ready() <-chan struct{} { return m.ready }

// Addr is where the door listens; valid once Ready is closed.
func (m *Muteproxy) Addr() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.addr == nil {
		return ""
	}
	return m.addr.String()
}

// How long a stop waits: for the wishes of callers, whose work goes on; then for calls to
// Discord that are under way; then for the answers to callers.
const (
	graceTime  = 2 * time.Second
	drainTime  = 3 * time.Second
	answerTime = time.Second
)

// Run opens the door, then works until ctx ends. Wishes that are not applied by then
// stay stored and are taken up by the next instance.
func (m *Muteproxy) Run(ctx context.Context) error {
	defer m.api.Close()
	// The door stands before any slow work: AutoMuteUs ends itself when it finds none.
	ln, err := net.Listen("tcp", m.cfg.Addr)
	if err != nil {
		return fmt.Errorf("the door for AutoMuteUs cannot listen (GALACTUS_BIND, GALACTUS_PORT): %w", err)
	}
	m.mu.Lock()
	m.addr = ln.Addr()
	m.mu.Unlock()
	if m.cfg.Secret.IsZero() && !loopback(ln.Addr()) {
		m.log.Warn("the door for AutoMuteUs can be reached from other machines without a secret; set GALACTUS_SECRET or bind it to loopback", "addr", ln.Addr().String())
	}

	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	var running sync.WaitGroup
	door := newDoor(m)
	running.Go(func() { door.serve(ln) })

	if err := m.start(ctx, work, &running); err != nil {
		close(m.stopped)
		<-door.close(ln, answerTime)
		stopWork()
		running.Wait()
		return err
	}
	door.open(m.wishes)
	close(m.ready)
	m.log.Info("muteproxy is ready", "addr", ln.Addr().String(), "lanes", m.tokens.count())

	<-ctx.Done()
	served := door.close(ln, graceTime+drainTime+answerTime)
	select {
	case <-served:
	case <-time.After(graceTime):
	}
	m.wishes.drain(drainTime)
	close(m.stopped)
	<-served
	stopWork()
	running.Wait()
	return nil
}

// start loads what is stored and starts everything that works in the background.
func (m *Muteproxy) start(ctx, work context.Context, running *sync.WaitGroup) error {
	if err := m.tokens.open(ctx, m.bus); err != nil {
		return err
	}
	w, err := openWishes(ctx, m)
	if err != nil {
		return err
	}
	svc, err := bus.NewService(m.bus, bus.ServiceInfo{Component: "muteproxy", Instance: m.cfg.Instance, Version: m.cfg.Version,
		Description: "Applies mutes and deafens for AutoMuteUs", Status: m.status})
	if err != nil {
		w.cut()
		return err // before anything runs that would have to be drained
	}
	m.mu.Lock()
	m.wishes = w
	m.mu.Unlock()
	running.Go(func() { m.tokens.follow(work) })
	running.Go(func() { w.run(work) })
	running.Go(func() { m.voices.run(work) })
	if m.cfg.RedisAddr != "" {
		r := newRedisEdge(m)
		running.Go(func() { r.run(work) })
	}
	running.Go(func() {
		<-work.Done()
		if err := svc.Stop(); err != nil {
			m.log.Debug("the service did not stop", "err", err)
		}
	})
	select {
	case <-w.caughtUp:
	case <-ctx.Done():
		return nil
	}
	// Without it members are called for nothing, which is worth a moment and no more.
	patience := time.NewTimer(knowWithin)
	defer patience.Stop()
	select {
	case <-m.voices.knows:
	case <-patience.C:
	case <-ctx.Done():
	}
	return nil
}

// knowWithin bounds how long the start waits for how members stand in voice.
const knowWithin = time.Second

// voiceSeen is told of every voice state that the gateway shows.
func (m *Muteproxy) voiceSeen(who member) {
	m.mu.Lock()
	w := m.wishes
	m.mu.Unlock()
	if w != nil {
		w.seen(who)
	}
}

func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
