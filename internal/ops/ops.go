// Package ops serves what operators and their tools ask a running process: is it alive, can it work, what does it count.
//
// What comes in: conditions that components and main put on a Board, and a metrics registry. What goes out over HTTP:
//
//	GET /healthz   200 while the process answers at all: restart it when this fails
//	GET /readyz    200 when every condition holds, else 503; the JSON body lists each one: send no work while it fails
//	GET /metrics   Prometheus text format
//
// The listener is plain HTTP without a login and is meant for loopback or a private network. board.go holds the conditions.
package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// checkTime is how long one round of conditions may take; a condition that has not answered by then does not hold.
const checkTime = 2 * time.Second

// Config says where to listen and what to show.
type Config struct {
	Addr    string              // host:port; port 0 takes a free one
	Version string              // shown by /healthz
	Board   *Board              // the conditions of /readyz
	Metrics prometheus.Gatherer // the numbers of /metrics
}

// Server is the ops listener.
type Server struct {
	cfg   Config
	log   *slog.Logger
	began time.Time
	ready chan struct{}
	addr  net.Addr // valid once ready is closed
}

// New checks cfg and makes a server that listens to nothing yet.
func New(cfg Config, log *slog.Logger) (*Server, error) {
	if cfg.Board == nil || cfg.Metrics == nil {
		return nil, errors.New("ops: a board and a metrics registry are required")
	}
	return &Server{cfg: cfg, log: log, began: time.Now(), ready: make(chan struct{})}, nil
}

// Ready closes when the listener accepts connections.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Addr is the address it listens on; valid after Ready.
func (s *Server) Addr() net.Addr { return s.addr }

// Run serves until ctx ends. It fails at once when the address is taken.
func (s *Server) Run(ctx context.Context) error {
	l, err := net.Listen("tcp", s.cfg.Addr)
	if err != nil {
		return err
	}
	s.addr = l.Addr()
	srv := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	close(s.ready)
	select {
	case err := <-ended:
		return fmt.Errorf("the listener on %s ended: %w", s.addr, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
	defer cancel()
	if srv.Shutdown(stop) != nil {
		srv.Close() // a scrape that outlives the process helps nobody
	}
	<-ended
	return nil
}

func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", s.health)
	mux.HandleFunc("GET /readyz", s.readiness)
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.cfg.Metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: 4,
		Timeout:             20 * time.Second,
	}))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "splashtail %s\n/healthz  /readyz  /metrics\n", s.cfg.Version)
	})
	return mux
}

func (s *Server) health(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, struct {
		Status  string `json:"status"`
		Version string `json:"version"`
		Up      string `json:"up"`
	}{"ok", s.cfg.Version, time.Since(s.began).Round(time.Second).String()})
}

func (s *Server) readiness(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), checkTime)
	defer cancel()
	rep := s.cfg.Board.Check(ctx)
	code := http.StatusOK
	if !rep.Ready {
		code = http.StatusServiceUnavailable
	}
	answer(w, code, rep)
}

func answer(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.Encode(v) // the caller may have gone away; nobody is left to tell
}
