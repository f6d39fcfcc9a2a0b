package downstream

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"splashtail/bus"
)

// Server is the gateway for bots. It is an http.Handler for every path that is not the
// API's.
type Server struct {
	cfg   Config
	b     *bus.Bus
	log   *slog.Logger
	m     *meters
	token string // its SHA-256, as records have it

	tail     *tail
	records  *bus.Records[bus.DownstreamSession]
	attempts *attempts
	bursts   chan struct{}
	presence *presence
	voice    *voiceAskers
	full     *fullRequests
	gather   *sync.Pool

	ready chan struct{} // closed when bots are served
	stop  chan struct{} // closed when bots are asked to leave

	waiting atomic.Int64 // requests that came before ready

	counted atomic.Int64 // our shards before the first turn that the tail knows of; 0: not asked yet

	mu       sync.Mutex
	life     context.Context // of all connections; nil before Run and after
	conns    map[*conn]bool
	sessions map[string]*conn
	open     sync.WaitGroup
}

// New checks the config. It does no I/O.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Server, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("the gateway for bots cannot be made: %w", err)
	}
	s := &Server{
		cfg: cfg, b: b, log: log, token: cfg.Token.Hash(),
		tail: newTail(b, log, cfg.Limits), attempts: newAttempts(), bursts: make(chan struct{}, cfg.Limits.Bursts),
		voice: &voiceAskers{last: map[bus.GuildID]string{}}, full: &fullRequests{last: map[bus.GuildID]time.Time{}},
		gather: newGatherPool(), ready: make(chan struct{}), stop: make(chan struct{}),
		conns: map[*conn]bool{}, sessions: map[string]*conn{},
	}
	s.presence = newPresence(s.sendPresence)
	var err error
	if s.m, err = newMeters(cfg.Metrics, s); err != nil {
		return nil, fmt.Errorf("the metrics of the gateway for bots cannot be registered: %w", err)
	}
	return s, nil
}

// Ready is closed when bots are served; before, they are told to come back.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// Run serves until ctx ends. Then bots are asked to reconnect, and those that have not
// gone within Config.Drain are cut; all can resume, here or elsewhere. Errors: the bus
// cannot be used.
func (s *Server) Run(ctx context.Context) error {
	// Connections outlive ctx until their bots have gone.
	life, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	var err error
	if s.records, err = bus.OpenRecords(ctx, s.b, bus.DownstreamSessions()); err != nil {
		return fmt.Errorf("the sessions of bots cannot be kept: %w", err)
	}
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cut()
	failed := make(chan error, 1)
	parts.Go(func() {
		if err := s.tail.run(life, s.cutAll); err != nil {
			failed <- fmt.Errorf("bots cannot be served, the stream of events cannot be read: %w", err)
		}
	})
	parts.Go(func() { s.presence.run(life) })
	select {
	case <-s.tail.started:
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
	s.mu.Lock()
	s.life = life
	s.mu.Unlock()
	close(s.ready)
	<-ctx.Done()
	s.drain(cut)
	return nil
}

// drain asks the bots to leave and waits for them.
func (s *Server) drain(cut func()) {
	close(s.stop)
	s.mu.Lock()
	n := len(s.conns)
	s.mu.Unlock()
	s.log.Info("bots are asked to reconnect", "connections", n)
	// Each is closed in good order when its time is over; who does not answer is cut.
	end := time.AfterFunc(s.cfg.Drain+closeTime, cut)
	defer end.Stop()
	s.open.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.life = nil
}

// closeTime is how long the last bots have for the closing handshake.
const closeTime = 7 * time.Second

func (s *Server) stopping() bool {
	select {
	case <-s.stop:
		return true
	default:
		return false
	}
}

// isToken compares in constant time, whatever the length.
func (s *Server) isToken(text string) bool {
	sum := sha256.Sum256([]byte(text))
	return subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(s.token)) == 1
}

// ServeHTTP makes a request a connection, or says in words why not.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	refuse := func(reason string, no refusal) {
		s.m.refused.WithLabelValues(reason).Inc()
		http.Error(w, no.text, no.status)
	}
	want, no := readWish(r)
	if no != nil {
		refuse("bad_request", *no)
		return
	}
	s.awaitReady(r.Context())
	c := s.admitConn(r)
	if c == nil {
		w.Header().Set("Retry-After", "5")
		refuse("not_now", refusal{http.StatusServiceUnavailable, "no more bots can be served now; come back in some seconds"})
		return
	}
	// permessage-deflate is not taken up: compression is what the query asks for.
	up := &upgrader{ResponseWriter: w, limit: s.cfg.Write, pool: s.gather}
	ws, err := websocket.Accept(up, r, nil)
	if err != nil {
		s.m.refused.WithLabelValues("handshake").Inc()
		c.cancel()
		s.leave(c)
		return // Accept has answered
	}
	ws.SetReadLimit(1 << 20) // far above Discord's limit, which is answered with its code
	c.wire = up.wire
	context.AfterFunc(c.ctx, func() { _ = c.wire.Close() }) // ends a write that is under way
	c.ws, c.version, c.resumeURL = ws, want.version, resumeURL(s.cfg.PublicURL, r)
	if c.codec, err = newCodec(want.compress); err != nil {
		s.log.Error("a connection's compression cannot be set up", "err", err)
		_ = ws.CloseNow()
		c.cancel()
		s.leave(c)
		return
	}
	c.serve()
}

// readyLimit is how long a bot waits for a process that has just started. Some libraries
// give their session up after ten refusals, which take a moment.
const readyLimit = 15 * time.Second

// awaitReady returns when bots are served, or after a while.
func (s *Server) awaitReady(ctx context.Context) {
	if s.waiting.Add(1) > int64(s.cfg.Limits.Connections) {
		s.waiting.Add(-1)
		return
	}
	defer s.waiting.Add(-1)
	late := time.NewTimer(readyLimit)
	defer late.Stop()
	select {
	case <-s.ready:
	case <-s.stop:
	case <-late.C:
	case <-ctx.Done():
	}
}

// admitConn counts a connection in; nil when there is no room or nobody serves.
func (s *Server) admitConn(r *http.Request) *conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == nil || s.stopping() || len(s.conns) >= s.cfg.Limits.Connections {
		return nil
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	c := &conn{s: s, log: s.log, addr: host, frames: make(chan frame, 4), answers: make(chan answer, 4), stop: s.stop}
	c.ctx, c.cancel = context.WithCancel(s.life)
	c.heard.Store(time.Now().UnixNano())
	s.conns[c] = true
	s.open.Add(1)
	return c
}

// leave counts a connection out.
func (s *Server) leave(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	if c.sess != nil && s.sessions[c.sess.id] == c {
		delete(s.sessions, c.sess.id)
	}
	s.open.Done()
}

// serveSession notes who serves a session.
func (s *Server) serveSession(id string, c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sessions[id] = c
}

// displace cuts the connection that serves a session, which is dead to the bot since it
// came over another one.
func (s *Server) displace(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.sessions[id]; c != nil {
		c.lost.Store(true)
		c.cancel()
		delete(s.sessions, id)
	}
}

// cutAll ends every connection, so that each bot resumes.
func (s *Server) cutAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.cancel()
	}
}

// SessionStatus is how one connection of a bot is.
type SessionStatus struct {
	Session string    `json:"session,omitempty"` // short name; empty before IDENTIFY
	Shard   int       `json:"shard"`
	Shards  int       `json:"shards"`
	Addr    string    `json:"addr"`
	Since   time.Time `json:"since,omitzero"`
	Number  uint64    `json:"number"` // of the last event that was sent
	Behind  uint64    `json:"behind"` // places in the stream that it has not come to
}

// Sessions gives every open connection.
func (s *Server) Sessions() []SessionStatus {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]SessionStatus, 0, len(s.conns))
	for c := range s.conns {
		st := SessionStatus{Addr: c.addr}
		if p := c.status.Load(); p != nil {
			st = *p
		}
		all = append(all, st)
	}
	return all
}
