package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Config says which NATS server to use.
type Config struct {
	URL string // join this server; empty: embed one

	StoreDir string // of the embedded server; made if missing
	Addr     string // of the embedded server, host:port; port 0 picks one
	Name     string // stable name of the embedded server; empty: splashtail
	MaxStore int64  // bytes that JetStream may use on disk; 0: three quarters of what is free

	// Auth gives user and password, of the external server or for the embedded one;
	// nil: none. A function, so that a printed Config shows no password.
	Auth func() (user, password string)
	// Creds is the path of a credentials file for the external server.
	Creds string
	// Replicas of every stream on an external cluster; 0 means 1.
	Replicas int
	// Plan replaces Topology, for tests.
	Plan *Plan
}

func (c Config) credentials() (user, password string) {
	if c.Auth == nil {
		return "", ""
	}
	return c.Auth()
}

func (c Config) name() string {
	if c.Name == "" {
		return "splashtail"
	}
	return c.Name
}

// Bus is a connection to the bus. Each component has its own; they share one server.
type Bus struct {
	cfg      Config
	log      *slog.Logger
	srv      *embedded // nil with an external server
	owner    bool      // Close ends the server too
	nc       *nats.Conn
	js       jetstream.JetStream
	closed   chan struct{}
	replicas int
}

// connectTimeout bounds how long Open waits for an external server.
const connectTimeout = 20 * time.Second

// Open embeds a server or dials one, and makes it hold what the plan says. ctx
// bounds the start only. Errors: CodeConflict when the store directory is in use,
// CodeUnavailable when the server cannot be reached or started.
func Open(ctx context.Context, cfg Config, log *slog.Logger) (*Bus, error) {
	b := &Bus{cfg: cfg, log: log, owner: true, replicas: max(cfg.Replicas, 1)}
	if cfg.URL == "" {
		b.cfg.StoreDir = absStore(cfg.StoreDir)
		srv, err := startEmbedded(ctx, b.cfg, log)
		if err != nil {
			return nil, err
		}
		b.srv, b.replicas = srv, 1
	}
	if err := b.connect(ctx, "bus"); err != nil {
		return nil, errors.Join(err, b.stopServer())
	}
	plan := Topology()
	if cfg.Plan != nil {
		plan = *cfg.Plan
	}
	if err := b.ensure(ctx, plan); err != nil {
		b.nc.Close()
		return nil, errors.Join(err, b.stopServer())
	}
	return b, nil
}

// Component opens a connection of its own for one component; its Close leaves the
// server running.
func (b *Bus) Component(ctx context.Context, name string) (*Bus, error) {
	c := &Bus{cfg: b.cfg, log: b.log.With("component", name), srv: b.srv, replicas: b.replicas}
	if err := c.connect(ctx, name); err != nil {
		return nil, err
	}
	return c, nil
}

func (b *Bus) connect(ctx context.Context, name string) error {
	b.closed = make(chan struct{})
	opts := []nats.Option{
		nats.Name("splashtail " + name),
		nats.CustomInboxPrefix("_INBOX_" + name),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.Timeout(5 * time.Second),
		nats.ErrorHandler(func(_ *nats.Conn, s *nats.Subscription, err error) { b.asyncError(s, err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { b.noteDisconnect(err) }),
		nats.ReconnectHandler(func(*nats.Conn) { b.log.Info("the connection to NATS is back") }),
		nats.ClosedHandler(func(*nats.Conn) { close(b.closed) }),
	}
	if user, password := b.cfg.credentials(); password != "" {
		opts = append(opts, nats.UserInfo(user, password))
	}
	if b.cfg.Creds != "" {
		opts = append(opts, nats.UserCredentials(b.cfg.Creds))
	}
	url := b.cfg.URL
	if b.srv != nil {
		opts = append(opts, nats.InProcessServer(b.srv.srv))
	}
	var err error
	if b.nc, err = dial(ctx, url, opts); err != nil {
		return err
	}
	b.js, err = jetstream.New(b.nc,
		jetstream.WithPublishAsyncMaxPending(4096),
		jetstream.WithPublishAsyncErrHandler(func(_ jetstream.JetStream, m *nats.Msg, err error) {
			if IsCode(err, CodeConflict) {
				return // somebody else was first, as who wrote it is told
			}
			b.log.Warn("a message was not stored", "subject", m.Subject, "err", err)
		}))
	return err
}

// dial tries until the server answers: in a start of many processes it may be the
// last to come up.
func dial(ctx context.Context, url string, opts []nats.Option) (*nats.Conn, error) {
	deadline := time.Now().Add(connectTimeout)
	for {
		nc, err := nats.Connect(url, opts...)
		if err == nil {
			return nc, nil
		}
		final := errors.Is(err, nats.ErrAuthorization) || errors.Is(err, os.ErrNotExist)
		if final || time.Now().After(deadline) || ctx.Err() != nil {
			return nil, Errorf(CodeUnavailable, "nats_unreachable", "the NATS server that NATS_URL names cannot be used; nothing was started: %w", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(250 * time.Millisecond):
		}
	}
}

func (b *Bus) asyncError(s *nats.Subscription, err error) {
	subject := ""
	if s != nil {
		subject = s.Subject
	}
	b.log.Error("NATS reported an error", "subject", subject, "err", err)
}

func (b *Bus) noteDisconnect(err error) {
	if err != nil {
		b.log.Warn("the connection to NATS is lost; waiting for it", "err", err)
	}
}

// Close drains this connection, so that handlers that run come to their end, and
// then, for the Bus that Open gave, stops the embedded server and unlocks its
// store. ctx bounds the drain; past it the connection is cut.
func (b *Bus) Close(ctx context.Context) error {
	var err error
	if !b.nc.IsClosed() {
		if err = b.nc.Drain(); err != nil {
			b.nc.Close()
		}
		select {
		case <-b.closed:
		case <-ctx.Done():
			b.nc.Close()
			err = fmt.Errorf("the connection to NATS was cut before it was drained: %w", ctx.Err())
		}
	}
	if !b.owner {
		return err
	}
	return errors.Join(err, b.stopServer())
}

func (b *Bus) stopServer() error {
	if b.srv == nil || !b.owner {
		return nil
	}
	return b.srv.stop()
}

// Ready says whether messages can be stored now; nil means yes.
func (b *Bus) Ready(ctx context.Context) error {
	if b.srv != nil {
		return b.srv.healthy()
	}
	if !b.nc.IsConnected() {
		return Errorf(CodeUnavailable, "disconnected", "the NATS server does not answer")
	}
	_, err := b.js.AccountInfo(ctx)
	return err
}

// URL is where other processes and the nats CLI connect.
func (b *Bus) URL() string {
	if b.srv != nil {
		return b.srv.srv.ClientURL()
	}
	return b.cfg.URL
}

// Embedded says whether the server runs in this process and ends with it.
func (b *Bus) Embedded() bool { return b.embedded() }

func (b *Bus) embedded() bool { return b.srv != nil }

// UncleanStart says that the embedded server's last process was killed. Work queues
// may then hold messages that were acknowledged before; see RemoveFinished.
func (b *Bus) UncleanStart() bool { return b.srv != nil && b.srv.lock.Unclean }

// bound gives ctx a deadline if it has none, so that no call waits for ever.
func bound(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, d)
}

// callTimeout is the deadline of calls whose context has none.
const callTimeout = 5 * time.Second
