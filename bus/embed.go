package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

// maxPayload is the largest message. Discord's GUILD_CREATE passes NATS's default
// of 1 MiB.
const maxPayload = 8 * mib

// startTimeout bounds the recovery of the store: a million messages take about a
// second, so this is for a very slow disk.
const startTimeout = 60 * time.Second

// embedded is a NATS server inside this process.
type embedded struct {
	srv  *server.Server
	lock *storeLock
	log  *natsLog

	stopOnce sync.Once
	stopErr  error
}

func startEmbedded(ctx context.Context, cfg Config, log *slog.Logger) (*embedded, error) {
	opts, err := serverOptions(cfg)
	if err != nil {
		return nil, err
	}
	lock, err := lockStore(cfg.StoreDir)
	if err != nil {
		return nil, err
	}
	e := &embedded{lock: lock, log: &natsLog{log: log}}
	if e.srv, err = server.NewServer(opts); err != nil {
		return nil, errors.Join(fmt.Errorf("the embedded NATS server refused its options: %w", err), lock.file.Close())
	}
	e.srv.SetLoggerV2(e.log, log.Enabled(ctx, slog.LevelDebug), false, false)
	go e.srv.Start()
	if err := e.await(ctx); err != nil {
		e.srv.Shutdown()
		e.srv.WaitForShutdown()
		return nil, errors.Join(err, lock.file.Close())
	}
	return e, nil
}

// await returns when clients can connect and JetStream has recovered.
func (e *embedded) await(ctx context.Context) error {
	deadline := time.Now().Add(startTimeout)
	for time.Now().Before(deadline) && ctx.Err() == nil {
		if fatal := e.log.lastFatal(); fatal != "" {
			return Errorf(CodeUnavailable, "nats_start", "the embedded NATS server did not start: %s; see NATS_ADDR and NATS_STORE_DIR", fatal)
		}
		if e.srv.ReadyForConnections(100*time.Millisecond) && e.healthy() == nil {
			return nil
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return Errorf(CodeUnavailable, "nats_start", "the embedded NATS server was not ready within %s: %s", startTimeout, e.log.lastFatal())
}

func (e *embedded) healthy() error {
	h := e.srv.Healthz(&server.HealthzOptions{})
	if h.Status == "ok" {
		return nil
	}
	return Errorf(CodeUnavailable, "nats_unhealthy", "the embedded NATS server is not healthy: %s", h.Error)
}

// stop shuts the server down and gives the store directory up. Connections must
// have been drained before.
func (e *embedded) stop() error {
	e.stopOnce.Do(func() {
		e.srv.Shutdown()
		e.srv.WaitForShutdown()
		e.stopErr = e.lock.release()
	})
	return e.stopErr
}

func serverOptions(cfg Config) (*server.Options, error) {
	host, portText, err := net.SplitHostPort(cfg.Addr)
	if err != nil {
		return nil, Errorf(CodeInvalid, "bad_address", "NATS_ADDR %q is not host:port", cfg.Addr)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 0 || port > 65535 {
		return nil, Errorf(CodeInvalid, "bad_address", "NATS_ADDR %q has no port between 0 and 65535", cfg.Addr)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	user, password := cfg.credentials()
	if !isLoopback(host) && password == "" {
		return nil, Errorf(CodeDenied, "open_address", "NATS_ADDR %q can be reached from other machines, and whoever reaches it rules everything; set NATS_USER and NATS_PASSWORD, or use a loopback address", cfg.Addr)
	}
	o := &server.Options{
		ServerName: cfg.name(),
		Host:       host, Port: port,
		Username: user, Password: password,
		NoSigs: true, NoLog: false,
		JetStream: true, StoreDir: cfg.StoreDir,
		JetStreamMaxMemory: 256 * mib,
		JetStreamMaxStore:  cfg.MaxStore,
		// What was acknowledged must survive a loss of power. Without it, a stream that
		// was made within the last two minutes would be lost whole.
		SyncAlways: true,
		MaxPayload: maxPayload,
		// The slowest consumer of ours is a paused process; it may take its time.
		WriteDeadline:          10 * time.Second,
		DisableJetStreamBanner: true,
	}
	o.JetStreamLimits.DefaultMaxConsumers = 4096
	return o, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// natsLog hands the server's lines to slog and remembers why it could not start.
// Fatalf must not end the process: the server calls it for a busy port and returns.
type natsLog struct {
	log   *slog.Logger
	mu    sync.Mutex
	fatal string
}

func (l *natsLog) lastFatal() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.fatal
}

func (l *natsLog) Noticef(f string, v ...any) { l.log.Debug(fmt.Sprintf(f, v...)) }
func (l *natsLog) Debugf(f string, v ...any)  { l.log.Debug(fmt.Sprintf(f, v...)) }
func (l *natsLog) Tracef(f string, v ...any)  { l.log.Debug(fmt.Sprintf(f, v...)) }

func (l *natsLog) Warnf(f string, v ...any) {
	text := fmt.Sprintf(f, v...)
	if strings.HasPrefix(text, "Plaintext passwords detected") {
		return // it lives in this process's memory only, as it came from the environment
	}
	l.log.Warn(text)
}

func (l *natsLog) Errorf(f string, v ...any) { l.log.Error(fmt.Sprintf(f, v...)) }

func (l *natsLog) Fatalf(f string, v ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fatal = fmt.Sprintf(f, v...)
}

// absStore gives the directory as an absolute path, for messages and the lock.
func absStore(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
