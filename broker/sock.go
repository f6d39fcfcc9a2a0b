package broker

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zishang520/engine.io-go-parser/packet"
	"github.com/zishang520/engine.io/v2/engine"
	"github.com/zishang520/engine.io/v2/types"
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

// maxPingEcho bounds what a client may have echoed by a pong.
const maxPingEcho = 128

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

// created sees every packet on its way out.
func (s *sock) created(p *packet.Packet) {
	if p.Type == packet.PONG && s.echo != "" {
		p.Data = strings.NewReader(s.echo)
	}
	if s.queued.Add(1) > maxQueue {
		s.close(endUnread)
	}
}

// packet sees every packet of the client before the library does and leaves it only
// those that it handles well. It runs on the connection's reader.
func (s *sock) packet(p *packet.Packet) {
	s.in.Lock()
	defer s.in.Unlock()
	defer s.guard()
	s.heard()
	s.busy.Store(true)
	defer s.busy.Store(false)
	if !s.wait(s.pace.take(time.Now())) || s.isEnded {
		ignore(p)
		return
	}
	switch p.Type {
	case packet.PING:
		s.echo = ""
		if b, ok := p.Data.(*types.StringBuffer); ok && b.Len() <= maxPingEcho {
			s.echo = b.String()
		}
		s.misdirected(3)
	case packet.PONG:
		s.misdirected(4)
	case packet.NOOP:
	case packet.CLOSE:
		s.close(endLeft)
	case packet.MESSAGE:
		if !s.message(p) {
			ignore(p)
		}
	default:
		s.close(endBadFrame)
	}
}

// misdirected names the cause when the library is about to end the connection because
// pings and pongs of the other protocol came.
func (s *sock) misdirected(protocol int) {
	if s.eng.Protocol() != protocol {
		s.note(endBadFrame)
	}
}

// guard ends the connection after a panic, and only the connection.
func (s *sock) guard() {
	if recover() != nil {
		s.close(endPanic)
	}
}

// ignore makes the library skip a packet. Its packet for undecodable frames is shared
// by all connections and stays as it is.
func ignore(p *packet.Packet) {
	if p.Type != packet.ERROR {
		p.Type = packet.NOOP
	}
}

// wait lets the pace of this connection pass; false when it ended meanwhile.
func (s *sock) wait(d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-s.isOver:
		return false
	}
}

// message works on a Socket.IO packet; true leaves it to the library.
func (s *sock) message(p *packet.Packet) bool {
	text, ok := p.Data.(*types.StringBuffer)
	if !ok {
		s.close(endBadFrame)
		return false
	}
	in, err := parsePacket(text.String())
	if err != nil {
		s.close(endBadFrame)
		return false
	}
	if in.namespace != "/" {
		s.refuseNamespace(in.namespace)
		return false
	}
	switch in.kind {
	case packetDisconnect:
		s.close(endLeft)
	case packetConnect:
		// A client of protocol 3 is connected without asking. C# clients ask all the
		// same; an answer would make them say everything twice.
		if s.eng.Protocol() == 4 && !s.asked {
			s.asked = true
			p.Data = types.NewStringBufferString(string(packetConnect))
			return true
		}
	case packetEvent:
		s.event(in)
	}
	return false
}

// event hands one event to the client and answers its acknowledgement.
func (s *sock) event(in packetIn) {
	if s.eng.Protocol() == 4 && !s.asked {
		s.close(endBadFrame)
		return
	}
	if !s.awaitJoined() {
		return
	}
	if s.opened == nil || !s.opened.Event(in.event, in.args) || in.ack == "" {
		return
	}
	s.eng.Send(types.NewStringBufferString("3"+in.ack+"[]"), nil, nil)
}

// awaitJoined holds events back until the client was told that it is connected, which
// the library does on a goroutine of its own.
func (s *sock) awaitJoined() bool {
	select {
	case <-s.isJoined:
		return true
	default:
	}
	t := time.NewTimer(s.f.cfg.joinTimeout)
	defer t.Stop()
	select {
	case <-s.isJoined:
		return true
	case <-s.isOver:
	case <-t.C:
		s.close(endNoJoin)
	}
	return false
}

// refuseNamespace answers a client whose configured URL has a path, which Socket.IO
// clients take for a namespace. Closing would make it come back at once, for ever.
func (s *sock) refuseNamespace(name string) {
	if len(name) > 64 {
		s.close(endBadFrame)
		return
	}
	reason := `"Invalid namespace"`
	if s.eng.Protocol() == 4 {
		reason = `{"message":"Invalid namespace"}`
	}
	s.eng.Send(types.NewStringBufferString("4"+name+","+reason), nil, nil)
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

func readBounded(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

func replaceBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
}
