package broker

import (
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zishang520/engine.io-go-parser/packet"
	"github.com/zishang520/engine.io/v2/engine"
	"github.com/zishang520/socket.io/v2/socket"
)

// How a connection ended; a closed list, for metrics and logs.
const (
	endLeft     = "left"      // the client left, or its connection broke
	endSilent   = "silent"    // nothing came for the ping timeout
	endUnread   = "unread"    // it does not read what it is sent
	endBadFrame = "bad_frame" // not Engine.IO or Socket.IO, or binary
	endTooLarge = "too_large"
	endPanic    = "panic"    // our fault, kept to this connection
	endShutdown = "shutdown" // we are stopping
	endNoJoin   = "no_join"  // it did not finish the handshake
	endClosed   = "closed"   // by its session
)

var errNotJoined = errors.New("the client is not connected yet; nothing was sent")

// sock is one connection: an engine socket with what we know about it.
type sock struct {
	f    *front
	eng  engine.Socket
	addr string

	isJoined chan struct{} // closed when the client was told that it is connected
	isOver   chan struct{} // closed when the engine socket has ended
	overOnce sync.Once
	lastIn   atomic.Int64 // UnixNano of the last sign of life
	queued   atomic.Int64 // packets that wait in the library for the transport
	end      atomic.Pointer[string]
	busy     atomic.Bool                 // a packet is being worked on
	probe    atomic.Pointer[wsTransport] // the websocket that a polling client tries
	sio      atomic.Pointer[socket.Socket]

	in      sync.Mutex // one packet at a time; held while a client works on an event
	pace    pace
	echo    string // of the ping that is being answered
	asked   bool   // protocol 4: the client has sent its CONNECT
	opened  client // nil before the handshake and after the end
	isEnded bool
}

func newSock(f *front, eng engine.Socket, addr string) *sock {
	s := &sock{
		f: f, eng: eng, addr: addr,
		isJoined: make(chan struct{}), isOver: make(chan struct{}),
		pace: newPace(f.cfg.eventRate, f.cfg.eventBurst),
	}
	s.heard()
	return s
}

// listen takes the engine's events, before the library's own listeners.
func (s *sock) listen() {
	listen(s.eng.On("packet", func(a ...any) { s.packet(a[0].(*packet.Packet)) }))
	listen(s.eng.On("packetCreate", func(a ...any) { s.created(a[0].(*packet.Packet)) }))
	listen(s.eng.On("flush", func(a ...any) { s.queued.Add(-int64(len(a[0].([]*packet.Packet)))) }))
	listen(s.eng.On("upgrade", func(...any) { s.upgraded() }))
	listen(s.eng.Once("close", func(...any) { s.gone(endLeft) }))
}

// Addr is the client's address.
func (s *sock) Addr() string { return s.addr }

// Emit sends an event with one argument.
func (s *sock) Emit(event string, arg any) error {
	so := s.sio.Load()
	if so == nil {
		return errNotJoined
	}
	return so.Emit(event, arg)
}

// Close ends the connection.
func (s *sock) Close() { s.close(endClosed) }

func (s *sock) heard() { s.lastIn.Store(time.Now().UnixNano()) }

// silent is how long nothing came. A client whose event is being worked on is not
// silent: we are slow.
func (s *sock) silent(now time.Time) time.Duration {
	if s.busy.Load() {
		return 0
	}
	return now.Sub(time.Unix(0, s.lastIn.Load()))
}

// note remembers how the connection ends; the first one told is the cause.
func (s *sock) note(end string) { s.end.CompareAndSwap(nil, &end) }

// close ends the connection. It never waits for the client.
func (s *sock) close(end string) {
	s.note(end)
	s.eng.Close(true)
}

// guard ends the connection after a panic, and only the connection.
func (s *sock) guard() {
	if recover() != nil {
		s.close(endPanic)
	}
}

// opening tells the session of the connection, before the client is told that it is
// connected. A connection that has ended already is not opened at all.
func (s *sock) opening() {
	s.in.Lock()
	defer s.in.Unlock()
	defer s.guard()
	if !s.isEnded && s.opened == nil {
		s.opened = s.f.cfg.open(s)
	}
}

// join lets events through.
func (s *sock) join(so *socket.Socket) {
	s.sio.Store(so)
	close(s.isJoined)
}

// gone runs when the engine socket has ended, from any goroutine, perhaps more than
// once, perhaps while an event is worked on.
func (s *sock) gone(end string) {
	s.note(end)
	s.overOnce.Do(func() {
		close(s.isOver)
		if t := s.probe.Load(); t != nil {
			t.abort()
		}
		go s.tellGone()
	})
}

// tellGone waits for the event that is worked on and tells the session.
func (s *sock) tellGone() {
	s.in.Lock()
	defer s.in.Unlock()
	s.f.mu.Lock()
	delete(s.f.socks, s.eng.Id())
	s.f.mu.Unlock()
	s.isEnded = true
	end := *s.end.Load()
	defer s.f.cfg.ended(s.addr, end)
	defer s.guard()
	if c := s.opened; c != nil {
		s.opened = nil
		c.Gone(end)
	}
}

// beginProbe takes a websocket that the client wants to move to. One at a time, and
// none when it has moved already.
func (s *sock) beginProbe(t *wsTransport) bool {
	t.probing.Store(true)
	t.owner.Store(s)
	if s.eng.Upgraded() || !s.probe.CompareAndSwap(nil, t) {
		return false
	}
	if !t.start(s) {
		s.endProbe(t)
		return false
	}
	return true
}

// endProbe forgets a websocket that came to nothing.
func (s *sock) endProbe(t *wsTransport) { s.probe.CompareAndSwap(t, nil) }

// upgraded runs on the new websocket's reader when the client has moved to it.
func (s *sock) upgraded() {
	if t := s.probe.Swap(nil); t != nil {
		t.probing.Store(false)
	}
}
