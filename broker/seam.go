package broker

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/zishang520/engine.io-go-parser/packet"
	"github.com/zishang520/engine.io/v2/engine"
	"github.com/zishang520/engine.io/v2/types"
	"github.com/zishang520/socket.io/v2/socket"
)

// This file, sock*.go, transport.go and engine_server.go are the seam over
// zishang520/socket.io: nothing else imports it, and nothing of it shows outside. The library keeps the protocol's
// state (handshake, upgrade, pings, namespace); the seam takes packets from it before it
// dispatches them, because it would run one client's events concurrently and out of
// order, on goroutines that nobody may panic on.

// frontConfig is what the seam needs to know.
type frontConfig struct {
	pingInterval time.Duration
	pingTimeout  time.Duration // a client is gone after this much silence; more than pingInterval
	writeTimeout time.Duration
	joinTimeout  time.Duration // for the handshake, and for a move from polling to websocket
	maxFrame     int64         // bytes of one frame or one polling body
	eventRate    float64       // packets per second that one connection may send; faster ones are read later
	eventBurst   int

	// admit says whether one more connection from this address may be opened; what it
	// admitted is given back by ended, once.
	admit func(addr string) bool
	// open is told of a connection before the client is told. It must not emit.
	open func(conn) client
	// ended is told of every admitted connection when it is over, and how it ended.
	ended func(addr, end string)
}

// conn is a connection as its session sees it.
type conn interface {
	Addr() string // the client's address, for limits and logs
	// Emit sends an event with one argument. It queues and does not block; a client
	// that does not read is cut.
	Emit(event string, arg any) error
	Close() // ends the connection; the client is told nothing
}

// client is what a connection tells. Calls come one at a time.
type client interface {
	// Event takes one event; its arguments are raw JSON. What it returns decides
	// whether an acknowledgement that the client asked for is sent. While it blocks,
	// nothing more is read from this connection, and only from this one.
	Event(name string, args []json.RawMessage) (accepted bool)
	// Gone is called once, after the last Event.
	Gone(end string)
}

// front is the Socket.IO server.
type front struct {
	cfg      frontConfig
	eio      *engineServer
	io       *socket.Server
	upgrader websocket.Upgrader

	mu      sync.Mutex
	socks   map[string]*sock // by Engine.IO session
	closing bool
}

// maxQueue is how many packets may wait for a client that does not read.
const maxQueue = 1024

func newFront(cfg frontConfig) *front {
	f := &front{cfg: cfg, socks: map[string]*sock{}}
	opts := socket.DefaultServerOptions()
	opts.SetAllowEIO3(true)
	opts.SetPingInterval(cfg.pingInterval)
	// The library's own timer may fire falsely when it is not longer than the interval;
	// silence is judged by the seam, which tells clients the true value.
	opts.SetPingTimeout(cfg.pingInterval + cfg.pingTimeout)
	opts.SetMaxHttpBufferSize(cfg.maxFrame)
	opts.SetTransports(types.NewSet("polling", "websocket"))
	opts.SetConnectTimeout(cfg.joinTimeout)
	opts.SetServeClient(false)
	opts.SetHttpCompression(&types.HttpCompression{Threshold: 1 << 30})
	// The library's timer for a move to websocket must not fire: see wsTransport.ended.
	opts.SetUpgradeTimeout(time.Hour)
	f.eio = newEngineServer(opts)
	f.io = socket.NewServer(nil, opts)
	// Before Bind ours comes before the library's own listener, after it behind.
	listen(f.eio.On("connection", func(a ...any) { f.attach(a[0].(engine.Socket)) }))
	f.io.Bind(f.eio)
	listen(f.eio.On("connection", func(a ...any) { f.attached(a[0].(engine.Socket)) }))
	listen(f.eio.On("flush", func(a ...any) { f.rewriteOpen(a[0].(engine.Socket), a[1].([]*packet.Packet)) }))
	f.io.Use(func(s *socket.Socket, next func(*socket.ExtendedError)) {
		if k := f.find(s.Conn().Id()); k != nil {
			k.opening()
		}
		next(nil)
	})
	listen(f.io.On("connection", func(a ...any) { f.joined(a[0].(*socket.Socket)) }))
	f.upgrader = websocket.Upgrader{
		ReadBufferSize: 1024, WriteBufferSize: 1024, WriteBufferPool: &sync.Pool{},
		HandshakeTimeout: cfg.joinTimeout,
		// The connect code is the credential, not a cookie: any origin may connect.
		CheckOrigin: func(*http.Request) bool { return true },
	}
	return f
}

// listen takes the error that the library's event emitter declares and never returns.
func listen(error) {}

// serve answers a request to /socket.io/ from the client at addr.
func (f *front) serve(w http.ResponseWriter, r *http.Request, addr string) {
	f.mu.Lock()
	closing := f.closing
	f.mu.Unlock()
	if closing {
		http.Error(w, "draining", http.StatusServiceUnavailable)
		return
	}
	tk := &ticket{addr: addr}
	r = withTicket(r, tk)
	if websocket.IsWebSocketUpgrade(r) {
		f.serveWebsocket(w, r, tk)
		return
	}
	f.servePolling(w, r, tk)
}

func (f *front) serveWebsocket(w http.ResponseWriter, r *http.Request, tk *ticket) {
	q := r.URL.Query()
	if q.Get("transport") != "websocket" {
		refuse(w, engine.UNKNOWN_TRANSPORT)
		return
	}
	var target *sock // of the polling session that wants to move
	if sid := q.Get("sid"); sid != "" {
		if target = f.find(sid); target == nil {
			refuse(w, engine.UNKNOWN_SID)
			return
		}
	} else if !f.admit(w, tk) {
		return
	}
	defer f.giveBack(tk)
	ws, err := f.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // answered
	}
	ctx := types.NewHttpContext(newLateWriter(nil), r)
	t := newWSTransport(ctx, ws, f.cfg)
	defer t.begin(f.cfg.joinTimeout)
	if target != nil {
		if !target.beginProbe(t) {
			t.cut()
		}
		return
	}
	tk.transport = t
	if _, made := f.eio.Handshake("websocket", ctx); made == nil {
		t.cut()
	}
}

// admit asks whether the address may have one more connection, and answers if not.
func (f *front) admit(w http.ResponseWriter, tk *ticket) bool {
	if !f.cfg.admit(tk.addr) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many connections from this address", http.StatusTooManyRequests)
		return false
	}
	tk.admitted = true
	return true
}

// giveBack returns what was admitted for a handshake that made no connection.
func (f *front) giveBack(tk *ticket) {
	if tk.admitted && tk.sock == nil {
		f.cfg.ended(tk.addr, endNoJoin)
	}
}

func (f *front) servePolling(w http.ResponseWriter, r *http.Request, tk *ticket) {
	switch r.Method {
	case http.MethodGet:
		if r.URL.Query().Get("sid") == "" && !f.admit(w, tk) {
			return
		}
		defer f.giveBack(tk)
	case http.MethodPost:
		if !f.takeBody(w, r) {
			return
		}
	default:
		w.Header().Set("Allow", "GET, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	// A poll is answered at the latest by a pong or a ping; past that nobody waits.
	bounded, cancel := context.WithTimeout(r.Context(), f.cfg.pingInterval+f.cfg.pingTimeout)
	defer cancel()
	r = r.WithContext(bounded)
	lw := newLateWriter(w)
	defer lw.finish()
	ctx := types.NewHttpContext(lw, r)
	ctx.Cleanup = func() {} // the library may call it before it has set its own
	f.eio.HandleRequest(ctx)
}

// takeBody reads a polling body, bounded whatever its headers say, and puts it back in
// the form that the library's decoder is safe with. A session that sends what cannot be
// read is ended.
func (f *front) takeBody(w http.ResponseWriter, r *http.Request) bool {
	s := f.find(r.URL.Query().Get("sid"))
	if s == nil {
		refuse(w, engine.UNKNOWN_SID)
		return false
	}
	body, err := readBounded(w, r, f.cfg.maxFrame)
	if err != nil {
		s.close(endTooLarge)
		http.Error(w, "the body is too large or ended early; nothing was read", http.StatusRequestEntityTooLarge)
		return false
	}
	binary := strings.HasPrefix(r.Header.Get("Content-Type"), "application/octet-stream")
	body, err = rewritePayload(body, s.eng.Protocol(), binary)
	if err != nil {
		s.close(endBadFrame)
		refuse(w, engine.BAD_REQUEST)
		return false
	}
	replaceBody(r, body)
	return true
}

// refuse answers as Engine.IO servers do.
func refuse(w http.ResponseWriter, m *types.CodeMessage) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	// The client may be gone; there is nobody else to tell.
	_ = json.NewEncoder(w).Encode(m)
}

func (f *front) find(sid string) *sock {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.socks[sid]
}

// attach makes our connection for an engine socket that nobody else has seen yet.
func (f *front) attach(eng engine.Socket) {
	tk := ticketOf(eng.Request())
	s := newSock(f, eng, tk.addr)
	tk.sock = s
	if tk.transport != nil {
		tk.transport.owner.Store(s)
	}
	f.mu.Lock()
	f.socks[eng.Id()] = s
	f.mu.Unlock()
	s.listen()
}

// attached runs when the library has set its part up. A socket that closed meanwhile
// has left the library's map before it was entered, and would stay for ever.
func (f *front) attached(eng engine.Socket) {
	if eng.ReadyState() != "open" {
		f.eio.Clients().Delete(eng.Id())
		if s := f.find(eng.Id()); s != nil {
			s.gone(endLeft)
		}
	}
}

// joined runs when the client has been told that it is connected.
func (f *front) joined(so *socket.Socket) {
	s := f.find(so.Conn().Id())
	if s == nil || so.Conn().ReadyState() != "open" {
		so.Disconnect(true)
		return
	}
	s.join(so)
}

// rewriteOpen replaces the library's OPEN packet, whose keys come in alphabetical order:
// C# clients want it to begin with the session id and ignore it otherwise.
func (f *front) rewriteOpen(eng engine.Socket, packets []*packet.Packet) {
	if len(packets) == 0 || packets[0].Type != packet.OPEN {
		return
	}
	type open struct {
		SID          string   `json:"sid"`
		Upgrades     []string `json:"upgrades"`
		PingInterval int64    `json:"pingInterval"`
		PingTimeout  int64    `json:"pingTimeout"`
		MaxPayload   int64    `json:"maxPayload,omitempty"`
	}
	o := open{
		SID: eng.Id(), Upgrades: []string{},
		PingInterval: f.cfg.pingInterval.Milliseconds(), PingTimeout: f.cfg.pingTimeout.Milliseconds(),
	}
	if eng.Transport().Name() == "polling" {
		o.Upgrades = append(o.Upgrades, "websocket")
	}
	if eng.Protocol() == 4 {
		o.MaxPayload = f.cfg.maxFrame
	}
	data, err := json.Marshal(o)
	if err != nil {
		return // of strings and numbers: cannot happen, and the library's packet is there
	}
	packets[0].Data = types.NewStringBuffer(data)
}

// sweep ends connections that have been silent too long, whatever their transport, and
// sockets that the library forgot to end.
func (f *front) sweep(now time.Time) {
	for _, s := range f.all() {
		if s.silent(now) > f.cfg.pingTimeout {
			s.close(endSilent)
		}
	}
	f.io.Sockets().Sockets().Range(func(_ socket.SocketId, so *socket.Socket) bool {
		if so.Conn().ReadyState() != "open" {
			so.Disconnect(true)
		}
		return true
	})
}

func (f *front) all() []*sock {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := make([]*sock, 0, len(f.socks))
	for _, s := range f.socks {
		all = append(all, s)
	}
	return all
}

// refuseNew makes every further request fail; open connections go on.
func (f *front) refuseNew() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closing = true
}

// closeAll ends every connection. Clients see a lost connection, and come back.
func (f *front) closeAll() {
	f.refuseNew()
	for _, s := range f.all() {
		s.close(endShutdown)
	}
}
