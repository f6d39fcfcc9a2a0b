// Package rest passes REST requests of any bot library on to Discord, and lets each wait
// for its turn, so that Discord never has to refuse one for being too many.
//
// What comes in: requests below /api, of any version, from bots that changed only their
// base address; each brings its own token. What goes out: the same request to Discord and
// its answer, both streamed and unchanged. GET /gateway and /gateway/bot are answered
// here, with the address of our own gateway. Who would have to wait too long gets the
// same 429 as from Discord, marked with HeaderLimited.
//
// Read this file first; forward.go is the way of one request, answer.go what we say
// ourselves, gateway.go the two emulated routes.
package rest

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"

	"splashtail/internal/discord"
)

// HeaderLimited is on every answer that is ours and not Discord's; its value is one of
// the Reason constants of internal/discord, or one of those below.
const HeaderLimited = "X-Splashtail-Limited"

// Values of HeaderLimited besides the limiter's reasons.
const (
	reasonTimeout     = "upstream_timeout" // Discord did not answer before the deadline
	reasonUnreachable = "upstream_failed"  // no connection, or it broke
	reasonBadPath     = "bad_path"
	reasonNoToken     = "unauthorized"
)

// Config says where requests go. API and Limiter are needed.
type Config struct {
	// API is the base address of Discord's REST interface, as discord.DefaultAPI; its
	// version does not matter, since each request names its own.
	API string
	// Limiter is shared with everything else that sends from this address.
	Limiter *discord.Limiter
	// MaxWait is how long a request may wait for its turn; default 10 s. Who would wait
	// longer is told so at once.
	MaxWait time.Duration
	// Deadline is how long a request may take in all; default 60 s.
	Deadline time.Duration

	// GatewayURL and Shards answer the two gateway routes. Without GatewayURL these go to
	// Discord like all others; without Shards there is one.
	GatewayURL func(*http.Request) string
	Shards     func() int
	// Authorize says whether a token (without "Bot ") may ask for /gateway/bot; nil: any.
	Authorize func(token string) bool

	// Transport carries the requests; nil: discord.NewTransport, without compression of
	// its own.
	Transport http.RoundTripper
	// Log receives failures; nil means silence.
	Log *slog.Logger
}

// Proxy is the pass-through, an http.Handler for everything below /api/.
type Proxy struct {
	cfg     Config
	log     *slog.Logger
	forward *httputil.ReverseProxy
}

// New checks a config and makes a proxy. It opens nothing.
func New(cfg Config) (*Proxy, error) {
	u, err := url.Parse(cfg.API)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the address of Discord's API %q is not an http or https URL with a host", cfg.API)
	}
	if cfg.Limiter == nil {
		return nil, errors.New("the REST pass-through needs a limiter")
	}
	cfg.MaxWait = cmp.Or(cfg.MaxWait, 10*time.Second)
	cfg.Deadline = cmp.Or(cfg.Deadline, time.Minute)
	if cfg.MaxWait < 0 || cfg.Deadline < cfg.MaxWait {
		return nil, fmt.Errorf("a request cannot wait %s for its turn and take %s in all", cfg.MaxWait, cfg.Deadline)
	}
	if cfg.Transport == nil {
		t := discord.NewTransport()
		t.DisableCompression = true // clients get what Discord sent, compressed or not
		cfg.Transport = t
	}
	p := &Proxy{cfg: cfg, log: cfg.Log}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	prefix, _, _ := strings.Cut(u.Path, "/api")
	p.forward = p.reverse(&url.URL{Scheme: u.Scheme, Host: u.Host}, strings.TrimSuffix(prefix, "/"))
	return p, nil
}

// apiPath strips /api or /api/vN from an escaped path. It refuses what is not below it,
// and what a server behind us might read as another path than we do.
func apiPath(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/api/")
	if !ok {
		return "", false
	}
	version, tail, more := strings.Cut(rest, "/")
	if digits, isVersion := strings.CutPrefix(version, "v"); more && isVersion && digits != "" && strings.Trim(digits, "0123456789") == "" {
		rest = tail
	}
	for _, part := range strings.Split(rest, "/") {
		plain, err := url.PathUnescape(part)
		if err != nil || part == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, "/\\") {
			return "", false
		}
	}
	return "/" + rest, true
}
