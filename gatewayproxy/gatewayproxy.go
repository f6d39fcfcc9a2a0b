// Package gatewayproxy holds Discord's gateway for everybody: one session per shard with
// Discord, every event on the bus, and a door for bots of any library that looks like
// Discord itself.
//
// Four parts, each a package: upstream holds the sessions with Discord and stores what
// it sends; guilds keeps the state of every guild in step with that; downstream is the
// gateway server that bots connect to; rest forwards their other requests. This file
// puts them together. Between them is only the bus, so that every part, and every
// process, can be restarted without losing an event.
package gatewayproxy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
	"splashtail/gatewayproxy/downstream"
	"splashtail/gatewayproxy/rest"
	"splashtail/gatewayproxy/upstream"
	"splashtail/internal/discord"
	"splashtail/internal/gateway"
	"splashtail/internal/guilds"
	"splashtail/internal/secret"
)

// Config says how a gateway proxy runs. A zero field means its default, except for Addr
// and Token, which must be set.
type Config struct {
	Addr   string       // where bots connect, host:port; port 0 picks one
	Token  secret.Value // of the bot; those who connect present it
	APIURL string       // of Discord; empty: discord.DefaultAPI

	GatewayURL string // of Discord's gateway; empty: what the API says
	Shards     int    // how many there are; 0: as many as Discord recommends
	Only       []int  // the shards that this process may hold; empty: all
	Intents    uint64 // 0: see upstream.Config
	Compress   string // of what Discord sends: "zstd", which is the default, "zlib" or "none"

	RedisAddr string // of an AutoMuteUs that uses the same token; empty: none
	RedisUser string
	RedisPass secret.Value

	Instance string // names this process
	Version  string
	Metrics  prometheus.Registerer // nil: a registry of its own
	Limiter  *discord.Limiter      // the line of all requests of this process to Discord's API; nil: one of its own
}

// Proxy is the component.
type Proxy struct {
	cfg    Config
	b      *bus.Bus
	log    *slog.Logger
	client *discord.Client
	store  *guilds.Store
	up     *upstream.Upstream
	down   *downstream.Server
	rest   *rest.Proxy

	ready chan struct{}
	mu    sync.Mutex
	addr  net.Addr
}

// New checks the config and puts the parts together. It does no I/O.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Proxy, error) {
	cfg.APIURL = cmp.Or(cfg.APIURL, discord.DefaultAPI)
	cfg.Instance = cmp.Or(cfg.Instance, componentName)
	cfg.Metrics = cmp.Or(cfg.Metrics, prometheus.Registerer(prometheus.NewRegistry()))
	cfg.Limiter = cmp.Or(cfg.Limiter, discord.NewLimiter(discord.LimiterConfig{}))
	if _, _, err := net.SplitHostPort(cfg.Addr); err != nil {
		return nil, fmt.Errorf("the address for bots is not host:port: %w", err)
	}
	if !slices.Contains([]string{"", "zstd", "zlib", "none"}, cfg.Compress) {
		return nil, fmt.Errorf("what Discord sends can be compressed with zstd, zlib or none, not with %q", cfg.Compress)
	}
	client, err := discord.NewLimitedClient(cfg.APIURL, cfg.Limiter)
	if err != nil {
		return nil, err
	}
	p := &Proxy{cfg: cfg, b: b, log: log, client: client, ready: make(chan struct{})}
	p.store = guilds.New(guilds.Config{Instance: cfg.Instance, Ask: p.askMembers}, b, log)
	p.up, err = upstream.New(upstream.Config{
		Token: cfg.Token, Client: client, GatewayURL: cfg.GatewayURL, Shards: cfg.Shards, Only: cfg.Only, Intents: cfg.Intents,
		Plain: cfg.Compress == "none", Zlib: cfg.Compress == "zlib",
		RedisAddr: cfg.RedisAddr, RedisUser: cfg.RedisUser, RedisPass: cfg.RedisPass,
		Component: componentName, Instance: cfg.Instance, Metrics: cfg.Metrics,
	}, b, log)
	if err != nil {
		return nil, err
	}
	p.down, err = downstream.New(downstream.Config{
		Token: cfg.Token, Shards: p.up.AwaitShards, Guilds: p.store, Intents: p.up.Intents, Metrics: cfg.Metrics,
	}, b, log)
	if err != nil {
		return nil, err
	}
	p.rest, err = rest.New(rest.Config{
		API: cfg.APIURL, Limiter: cfg.Limiter, GatewayURL: gatewayURL, Shards: p.up.Shards, Authorize: cfg.Token.Equal, Log: log,
	})
	if err != nil {
		return nil, err
	}
	return p, nil
}

// askMembers sends a request for the members of a guild, by whichever process holds the
// shard. Without the members intent Discord would end the session.
func (p *Proxy) askMembers(ctx context.Context, shard int, request json.RawMessage) error {
	shards := p.up.Shards()
	if shards == 0 || p.up.Intents()&gateway.IntentGuildMembers == 0 {
		return bus.Errorf(bus.CodeDenied, "no_intent", "the bot is not known to be allowed to list members; nothing was asked")
	}
	_, err := bus.Do(ctx, p.b, bus.GatewaySendCall(shards, shard), bus.GatewaySend{V: 1, Op: gateway.OpRequestGuildMembers, Data: request, From: "guilds"})
	return err
}

// gatewayURL is where the sender of a request finds our gateway: where it sent it to.
func gatewayURL(r *http.Request) string {
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		return "wss://" + r.Host
	}
	return "ws://" + r.Host
}

// componentName is what the component is called on the bus.
const componentName = "gatewayproxy"

// Ready is closed when bots can connect. Whether Discord's events come is another
// question, see Check: a bot may be shown what is known, and events wait for nobody.
func (p *Proxy) Ready() <-chan struct{} { return p.ready }

// Check says why no events come from Discord and somebody must act; nil otherwise.
func (p *Proxy) Check(ctx context.Context) error { return p.up.Check(ctx) }

// Addr is where bots connect; valid once Ready is closed.
func (p *Proxy) Addr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.addr == nil {
		return ""
	}
	return p.addr.String()
}

// Run serves until ctx ends. Sessions with Discord and of bots are left so that they can
// be resumed. Errors: the address cannot be listened on, or the bus cannot be used.
func (p *Proxy) Run(ctx context.Context) error {
	defer p.client.Close()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", p.cfg.Addr)
	if err != nil {
		return fmt.Errorf("bots cannot connect (GATEWAYPROXY_ADDR): %w", err)
	}
	p.mu.Lock()
	p.addr = ln.Addr()
	p.mu.Unlock()
	service, err := p.serveStatus()
	if err != nil {
		return errors.Join(fmt.Errorf("the gateway proxy cannot be made visible: %w", err), ln.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	failed := make(chan error, 3)
	part := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	part("guilds", p.store.Run)
	part("upstream", p.up.Run)
	part("downstream", p.down.Run)
	server := &http.Server{Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	var door sync.WaitGroup
	door.Go(func() {
		if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("bots cannot connect any more: %w", err)
		}
	})
	err = p.serve(ctx, failed)
	cancel()
	parts.Wait() // the bots that are connected leave meanwhile
	closeDoor(server)
	door.Wait()
	return errors.Join(err, service.Stop())
}

// serve says when bots can connect and waits for the end, or for a part that fails.
func (p *Proxy) serve(ctx context.Context, failed <-chan error) error {
	for _, ready := range []<-chan struct{}{p.store.Ready(), p.down.Ready()} {
		select {
		case <-ready:
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
	close(p.ready)
	p.log.Info("bots can connect", "addr", p.Addr())
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

// drainTime is how long a stop waits for requests of bots that are under way.
const drainTime = 3 * time.Second

func closeDoor(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		_ = server.Close() // what is left is cut
	}
}

// handler tells the two kinds of request apart by their path. It is no ServeMux: that
// one would answer an odd path with a redirect.
func (p *Proxy) handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/api/") {
			p.rest.ServeHTTP(w, r)
		} else {
			p.down.ServeHTTP(w, r)
		}
	})
}

// Status is what the component answers on its control subject.
type Status struct {
	Addr        string          `json:"addr"`
	Upstream    upstream.Status `json:"upstream"`
	Guilds      int             `json:"guilds"`
	Unavailable int             `json:"unavailable"`
}

func (p *Proxy) serveStatus() (*bus.Service, error) {
	s, err := bus.NewService(p.b, bus.ServiceInfo{
		Component: componentName, Instance: p.cfg.Instance, Version: p.cfg.Version,
		Description: "Discord's gateway, for every component and for bots of any library",
		Status: func(ctx context.Context) (bool, any) {
			s := Status{Addr: p.Addr(), Upstream: p.up.Status()}
			s.Guilds, s.Unavailable = p.store.Counts()
			return p.Check(ctx) == nil, s
		},
	})
	if err != nil {
		return nil, err
	}
	return s, errors.Join(
		s.Verb("reshard", "Changes the number of shards to target, with no event missed", func(ctx context.Context, q bus.VerbRequest) (any, error) {
			to, err := strconv.Atoi(q.Target)
			if err != nil {
				return nil, bus.Errorf(bus.CodeInvalid, "bad_count", "the target is to be the new number of shards, not %q; nothing was changed", q.Target)
			}
			return p.up.Reshard(ctx, to, q)
		}),
		s.Verb("rolling-restart", "Connects one shard after the other anew and resumes its session", func(_ context.Context, q bus.VerbRequest) (any, error) {
			return p.up.RollingRestart(q)
		}))
}
