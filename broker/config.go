package broker

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/internal/secret"
)

// Config says how a broker runs. A zero value of a field means its default, except for
// Addr and RedisAddr, which must be set.
type Config struct {
	Addr string // where capture clients connect, host:port; port 0 picks one

	RedisAddr string // the Redis of AutoMuteUs, host:port
	RedisUser string
	RedisPass secret.Value

	// PingInterval is how often a client of protocol 3 pings and one of protocol 4 is
	// pinged; PingTimeout is the silence after which a client is gone. Defaults 20 s and
	// 60 s, those of galactus. The timeout must be longer than the interval.
	PingInterval time.Duration
	PingTimeout  time.Duration

	// Grace is how long a game stays linked without its client, so that one that comes
	// back is not reported. Default 8 s.
	Grace time.Duration
	// AckTimeout is how long an asker waits for a mute task; one that waited longer in
	// line is not begun. Default 1 s.
	AckTimeout time.Duration
	// TaskTimeout is how long a client may take for one mute task. Default 1 s; real
	// clients take 50 to 200 ms.
	TaskTimeout time.Duration
	// Drain bounds the stop: clients are reported gone and Redis is brought up to date.
	// Default 5 s.
	Drain time.Duration

	Limits Limits

	Instance string                // name of this process in leases, status and logs; default "broker"
	Version  string                // of the program, for the status
	Metrics  prometheus.Registerer // nil: a registry of its own
}

// Limits keep strangers from using everything up.
type Limits struct {
	// Connections of all clients together, default 20000, and of one address, default
	// 1024. An IPv6 address stands for its /64. Loopback has no limit of its own: behind
	// it is a reverse proxy or a test.
	Connections           int
	ConnectionsPerAddress int
	// NewCodes is how many connect codes per minute one address may try that it has not
	// used before, well formed or not, with a burst of NewCodesBurst. Defaults 30 and
	// 120. Past it a code is not accepted and the socket stays open and idle, since a
	// client that is closed comes back at once.
	NewCodes      float64
	NewCodesBurst int
	// Events is how many packets per second one connection may send in the long run,
	// with a burst of EventsBurst. Faster ones are read later; none is lost. Defaults
	// 2000 and 4000; a real client sends a few.
	Events      float64
	EventsBurst int
	// TrustedProxies may tell the client's address in X-Forwarded-For. None by default.
	TrustedProxies []netip.Prefix
}

const (
	// maxFrame bounds one frame or polling body; the largest real event is some 2 KiB.
	maxFrame = 64 << 10
	// maxEventPayload bounds the text inside an event. Escaped as JSON in the worst way
	// it still fits a message of the stream.
	maxEventPayload = 16 << 10
	// writeTimeout is how long a client may take to receive one frame.
	writeTimeout = 10 * time.Second
	// joinTimeout bounds handshakes.
	joinTimeout = 10 * time.Second
)

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.PingInterval, 20*time.Second)
	def(&c.PingTimeout, 60*time.Second)
	def(&c.Grace, 8*time.Second)
	def(&c.AckTimeout, time.Second)
	def(&c.TaskTimeout, time.Second)
	def(&c.Drain, 5*time.Second)
	num := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	num(&c.Limits.Connections, 20_000)
	num(&c.Limits.ConnectionsPerAddress, 1024)
	num(&c.Limits.NewCodesBurst, 120)
	num(&c.Limits.EventsBurst, 4000)
	if c.Limits.NewCodes == 0 {
		c.Limits.NewCodes = 30
	}
	if c.Limits.Events == 0 {
		c.Limits.Events = 2000
	}
	if c.Instance == "" {
		c.Instance = "broker"
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
	for _, a := range []struct{ name, value string }{{"the address for capture clients", c.Addr}, {"the address of Redis", c.RedisAddr}} {
		if _, _, err := net.SplitHostPort(a.value); err != nil {
			fault("%s is not host:port: %w", a.name, err)
		}
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"PingInterval", c.PingInterval}, {"Grace", c.Grace}, {"AckTimeout", c.AckTimeout},
		{"TaskTimeout", c.TaskTimeout}, {"Drain", c.Drain},
	} {
		if d.value < 0 {
			fault("%s is negative", d.name)
		}
	}
	if c.PingTimeout <= c.PingInterval {
		fault("PingTimeout (%s) must be longer than PingInterval (%s), or every client would be cut", c.PingTimeout, c.PingInterval)
	}
	if c.Limits.Connections < 0 || c.Limits.ConnectionsPerAddress < 0 || c.Limits.NewCodes < 0 || c.Limits.Events < 0 {
		fault("a limit is negative")
	}
	return errors.Join(faults...)
}
