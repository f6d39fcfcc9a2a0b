package upstream

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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
	// ProveWithin is how long each session may take, before the number of shards changes, to
	// prove that everything is stored that Discord sent it until then; 0: 2 min. A
	// connection that is dead is noticed after one and a half heartbeats, a minute, and
	// resumed.
	ProveWithin time.Duration
	// IdentifyGap is how long a bucket of max_concurrency rests after an IDENTIFY; 0:
	// 5.5 s, Discord's 5 s and some slack.
	IdentifyGap time.Duration
}

func (cfg *Config) check() error {
	switch {
	case cfg.Token.IsZero():
		return errors.New("the gateway needs the token of a bot; set DISCORD_BOT_TOKEN")
	case cfg.Client == nil:
		return errors.New("the gateway needs a client of Discord's API")
	case cfg.Shards < 0:
		return errors.New("NUM_SHARDS must not be negative")
	}
	for _, n := range cfg.Only {
		if n < 0 || n >= cfg.Shards {
			return fmt.Errorf("shard %d does not exist: NUM_SHARDS is %d", n, cfg.Shards)
		}
	}
	return nil
}

// fill puts the defaults in.
func (cfg *Config) fill() {
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
	if cfg.ProveWithin == 0 {
		cfg.ProveWithin = 2 * time.Minute
	}
	if cfg.IdentifyGap == 0 {
		cfg.IdentifyGap = identifyGap
	}
}
