// Package sandbox is a Discord on loopback: it keeps guilds with all that is in them, answers the REST calls that this
// program makes as strictly as Discord does, rate limits, error codes and permissions included, and tells what happens over
// a gateway that identifies, resumes, compresses, filters and refuses as Discord's. People act in it, too: As gives them the
// same routes under the same rules, Interact lets them use a bot, attack.go lets them attack a guild, and Snapshot says
// whether a guild is as it was.
//
// What comes in: HTTP requests of bots under /api and /api/vN, WebSockets on /gateway and the root, scripted changes through
// the methods of Discord or, from other processes, through JSON under /sandbox/. What goes out: the answers and events, a
// log of requests, an audit log, what users see, and a feed of voice-state changes that tests read. It needs no network and
// no account, so tests, benchmarks and `make run` share it.
//
// It has everything that a backup reads and a restore writes: settings, roles, channels, threads, messages with files, pins,
// emojis, stickers, sounds, automod rules, welcome screen, onboarding, events, webhooks, bans. Generate makes guilds of any size
// from a seed, Wreck damages them, Snapshot and History say what is in them. Files are on the same listener under the paths
// of Discord's CDN (cdn.go). What it has not: routes that give reactions, polls, templates, what costs money, and archiving of
// threads by time.
//
// Read first: this file for what it consists of, routes.go for what it serves, serve.go for the way of one request
// (latency, faults, limits, authorisation, handler), memberpatch.go for the call that mutes people, dispatch.go for who gets
// an event, gatewaysession.go for the log that is queue and replay at once. Numbers and texts that Discord documents are
// kept; what is only observed or guessed is said so where it stands.
package sandbox

import (
	"log/slog"
	"net/http"
	"sync"
	"time"
)

// Bounds of what a sandbox keeps. They are far above what a test or a bench needs; a script that runs away gets an error.
const (
	maxApplications = 1_000
	maxGuilds       = 10_000
	maxUsers        = 1_000_000
	maxRoles        = 250 // per guild, as Discord (30005)
	maxChannels     = 500 // per guild, as Discord (30013)
	maxFaults       = 1_000
	maxBody         = 1 << 20
	maxPictureBody  = 48 << 20 // of requests that carry pictures: three of them, as text
	maxLoggedBody   = 4 << 10
)

// Config says how a sandbox behaves. The zero value is a Discord with its usual limits, no latency, on a free port.
type Config struct {
	// Addr is the listening address for Run, host:port; empty means 127.0.0.1:0. Run refuses what is not loopback.
	Addr string
	// Limits are the rate limits; zero fields mean the defaults of DefaultLimits.
	Limits Limits
	// Latency is how long an answer takes to come back, and Jitter how much more it may take at random. See SetLatency.
	Latency, Jitter time.Duration
	// RequestLog, ChangeLog and AuditLog say how many requests, voice changes and audit entries (per guild) are kept;
	// zero means 16384, 65536 and 4096. Older ones are forgotten, the counters go on.
	RequestLog, ChangeLog, AuditLog int
	// Gateway says how the gateway counts and how fast it is; see SetGateway.
	Gateway GatewaySettings
	// CDN is the base of the URLs of files; empty means the listener's own address.
	CDN string
	// Log receives start, stop and control changes; nil means silence.
	Log *slog.Logger
}

// Discord is the sandbox. It is an http.Handler at once and a server while Run runs. All methods may be called from any
// number of goroutines; each is one atomic step.
type Discord struct {
	cfg   Config
	log   *slog.Logger
	ready chan struct{}
	stop  chan struct{} // closed when Run ends: releases requests that a fault holds
	addr  string        // valid once ready is closed

	control http.Handler
	routes  []route
	runOnce sync.Once

	mu       sync.Mutex // guards everything below; held for computing only, never for I/O or waiting
	lastID   ID
	apps     map[ID]*application
	tokens   map[tokenHash]*application
	users    map[ID]*user
	guilds   map[ID]*guild
	places   map[ID]ID       // of every channel and webhook: the guild that it is in
	codes    map[string]ID   // of every invite: the guild that it leads to
	direct   map[ID]*channel // direct channels
	uses     map[string]*use // interactions, by token
	given    []attachment    // to commands, the newest last
	cdn      *cdn
	limits   limiter
	invalid  invalidCounter
	faults   []*activeFault
	latency  latency
	requests ring[Request]
	counts   counts
	changes  ring[VoiceChange]
	subs     map[*subscription]struct{}
	gateway  gatewayState
	wake     chan struct{} // closed and replaced after every change: what Await waits for
}

// New makes an empty sandbox: no applications, no guilds. It opens nothing.
func New(cfg Config) *Discord {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	d := &Discord{
		cfg:      cfg,
		log:      log.With("component", "sandbox"),
		ready:    make(chan struct{}),
		stop:     make(chan struct{}),
		apps:     map[ID]*application{},
		tokens:   map[tokenHash]*application{},
		users:    map[ID]*user{},
		guilds:   map[ID]*guild{},
		places:   map[ID]ID{},
		codes:    map[string]ID{},
		direct:   map[ID]*channel{},
		uses:     map[string]*use{},
		cdn:      newCDN(cfg.CDN),
		limits:   newLimiter(cfg.Limits),
		latency:  latency{base: max(cfg.Latency, 0), jitter: max(cfg.Jitter, 0)},
		requests: newRing[Request](orDefault(cfg.RequestLog, 16384)),
		changes:  newRing[VoiceChange](orDefault(cfg.ChangeLog, 65536)),
		subs:     map[*subscription]struct{}{},
		gateway:  newGateway(cfg.Gateway),
		wake:     make(chan struct{}),
	}
	d.control, d.routes = d.controlRoutes(), allRoutes()
	d.counts = counts{status: map[int]uint64{}, limited: map[string]uint64{}}
	return d
}

func orDefault(n, fallback int) int {
	if n <= 0 {
		return fallback
	}
	return n
}

// changed wakes everyone who waits for a change. Call it with the lock held, after the change.
func (d *Discord) changed() {
	close(d.wake)
	d.wake = make(chan struct{})
}
