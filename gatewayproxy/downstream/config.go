package downstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/internal/guilds"
	"splashtail/internal/secret"
)

// Guilds is the state of every guild, in step with DISPATCH; *guilds.Store is one.
type Guilds interface {
	// Await returns when the shard can be shown, or ctx's error.
	Await(ctx context.Context, shard int) error
	// Snapshot gives a shard's guilds as they are after every event up to place.
	Snapshot(shard int) (all []guilds.Guild, place uint64)
	// READY gives what Discord's READY of a shard said.
	READY(shard int) (d json.RawMessage, known bool)
}

// Config says how bots are served. A zero field means its default, except for Token,
// Shards and Guilds, which must be set.
type Config struct {
	Token secret.Value // of the bot; those who connect present it
	// Shards gives how many shards we have with Discord. It may wait until that is known,
	// and returns ctx's error when ctx ends first.
	Shards func(ctx context.Context) (int, error)
	Guilds Guilds
	// Intents gives the intents that we have with Discord, to warn of a bot that asks for
	// more; 0 when they are not known. nil: never known.
	Intents func() uint64

	// PublicURL is where bots reach us, ws:// or wss://, for their RESUME. Empty: the
	// address that each one connected to.
	PublicURL string

	// Heartbeat is how often bots must send one. Default 41.25 s, Discord's. One that
	// sends no frame for 1.75 times as long is cut and may resume.
	Heartbeat time.Duration
	// Keep is how long a session can be resumed after its connection ended. Default 10
	// min; more than DISPATCH keeps is of no use.
	Keep time.Duration
	// Cold is how long an IDENTIFY waits for a shard that is not known yet. Default 8 s;
	// libraries give up after 15 s.
	Cold time.Duration
	// Write is how long a bot may take to receive one frame. Default 30 s.
	Write time.Duration
	// Drain is how long bots have to leave by themselves at a stop. Default 5 s.
	Drain time.Duration

	Limits  Limits
	Metrics prometheus.Registerer // nil: a registry of its own
}

// Limits bound what bots can use up. Zero fields mean the defaults.
type Limits struct {
	Connections int // at a time; default 5000
	// Window is how much of the newest of DISPATCH is kept in memory for all sessions
	// together, in bytes and events. Who is further behind reads the stream. Defaults 64
	// MiB and 65536.
	WindowBytes, WindowEvents int
	// Bursts is how many bots may be shown their guilds at a time; a burst holds all
	// guilds of a shard in memory. Default 16.
	Bursts int
	// Identifies is how many IDENTIFYs of one shard are answered at once, default 1200;
	// after that 20 a second.
	Identifies int
	// Resumes is how often one session is resumed at once, default 8; after that once a
	// second. Some libraries try hundreds of times a second.
	Resumes int
}

func (c Config) withDefaults() Config {
	for d, v := range map[*time.Duration]time.Duration{
		&c.Heartbeat: 41250 * time.Millisecond, &c.Keep: 10 * time.Minute, &c.Cold: 8 * time.Second,
		&c.Write: 30 * time.Second, &c.Drain: 5 * time.Second,
	} {
		if *d == 0 {
			*d = v
		}
	}
	for n, v := range map[*int]int{
		&c.Limits.Connections: 5000, &c.Limits.WindowBytes: 64 << 20, &c.Limits.WindowEvents: 65536,
		&c.Limits.Bursts: 16, &c.Limits.Identifies: 1200, &c.Limits.Resumes: 8,
	} {
		if *n == 0 {
			*n = v
		}
	}
	if c.Intents == nil {
		c.Intents = func() uint64 { return 0 }
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	return c
}

// check reports every fault at once.
func (c Config) check() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	if c.Token.IsZero() {
		fault("bots are recognised by the bot's token, and there is none; set DISCORD_BOT_TOKEN")
	}
	if c.Shards == nil || c.Guilds == nil {
		fault("the server for bots needs to know shards and guilds")
	}
	if c.PublicURL != "" {
		if u, err := url.Parse(c.PublicURL); err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
			fault("the public address for bots is not a ws:// or wss:// URL")
		}
	}
	for name, d := range map[string]time.Duration{"Heartbeat": c.Heartbeat, "Keep": c.Keep, "Cold": c.Cold, "Write": c.Write, "Drain": c.Drain} {
		if d < 0 {
			fault("%s is negative", name)
		}
	}
	l := c.Limits
	if min(l.Connections, l.WindowBytes, l.WindowEvents, l.Bursts, l.Identifies, l.Resumes) < 0 {
		fault("a limit is negative")
	}
	return errors.Join(faults...)
}
