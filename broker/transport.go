package broker

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/zishang520/engine.io-go-parser/packet"
	"github.com/zishang520/engine.io/v2/transports"
	"github.com/zishang520/engine.io/v2/types"
)

// wsTransport is the websocket of one connection, in place of the library's own, which
// has no write deadline, keeps descriptors until the garbage collector comes, loses
// what a client sends before the session is set up (or dies of it), and takes the whole
// process down when anything panics on its goroutine.
//
// Nothing is read and nothing is reported, not even a failed write, before begin.
type wsTransport struct {
	transports.Transport // the library's base: parser, state, listeners

	ws    *websocket.Conn
	idle  time.Duration // a client is gone when no frame came for so long
	write time.Duration // how long one frame may take to be written

	began   chan struct{}
	over    chan struct{} // closed with the websocket
	once    sync.Once
	writing sync.Mutex
	owner   atomic.Pointer[sock] // whose connection it is, once known
	// probing: the client still talks by polling and tries this websocket. Its failure
	// must then only end the attempt.
	probing atomic.Bool
	probe   sync.Mutex // held while the library works on a probe
	aborted bool       // under probe: the session has ended, the library hears no more
}

var (
	errNotEngine = errors.New("the frame is no Engine.IO packet in text")
	errPanic     = errors.New("a panic while a frame was worked on")
)

// newWSTransport wraps an upgraded websocket. ctx is the request it came with.
func newWSTransport(ctx *types.HttpContext, ws *websocket.Conn, cfg frontConfig) *wsTransport {
	t := &wsTransport{
		Transport: transports.MakeTransport(), ws: ws,
		idle: cfg.pingTimeout, write: cfg.writeTimeout,
		began: make(chan struct{}), over: make(chan struct{}),
	}
	t.Prototype(t)
	t.Construct(ctx)
	ws.SetReadLimit(cfg.maxFrame)
	var lastPong time.Time
	ws.SetPingHandler(func(data string) error { // of the websocket itself; Engine.IO has its own
		if now := time.Now(); now.Sub(lastPong) >= time.Second {
			lastPong = now
			// A client that cannot be answered is found by the next write that matters.
			_ = ws.WriteControl(websocket.PongMessage, []byte(data), now.Add(time.Second))
		}
		return nil
	})
	t.SetWritable(true)
	return t
}

// Name is what the library knows the transport by.
func (t *wsTransport) Name() string { return transports.WEBSOCKET }

// HandlesUpgrades tells the library that a polling session may move here.
func (t *wsTransport) HandlesUpgrades() bool { return true }

// begin starts reading. A probe, or any other unfinished attempt to move here, ends
// when probeFor has passed.
func (t *wsTransport) begin(probeFor time.Duration) {
	close(t.began)
	go t.read(time.Now().Add(probeFor))
}

// read hands frames to the library until the websocket ends, then tells it.
func (t *wsTransport) read(probeEnds time.Time) {
	defer t.ended()
	for {
		if s := t.owner.Load(); s != nil {
			s.heard()
		}
		deadline := time.Now().Add(t.idle)
		if t.probing.Load() {
			deadline = probeEnds
		}
		if t.ws.SetReadDeadline(deadline) != nil {
			return
		}
		kind, data, err := t.ws.ReadMessage()
		if err == nil && !isEngineText(kind, data) {
			err = errNotEngine
		}
		if err == nil {
			err = t.hand(data)
		}
		if err != nil {
			t.note(endOf(err))
			return
		}
	}
}

// isEngineText says whether a frame is an Engine.IO packet in text. Capture clients send
// no binary, so neither a binary frame nor base64 passes.
func isEngineText(kind int, frame []byte) bool {
	return kind == websocket.TextMessage && len(frame) > 0 && frame[0] >= '0' && frame[0] <= '6'
}

// hand gives one frame to the library.
func (t *wsTransport) hand(frame []byte) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanic
		}
	}()
	if !t.probing.Load() {
		t.OnData(types.NewStringBuffer(frame))
		return nil
	}
	t.probe.Lock()
	defer t.probe.Unlock()
	if t.aborted {
		return net.ErrClosed
	}
	t.OnData(types.NewStringBuffer(frame))
	return nil
}

// abort ends a probe whose session has ended. When it returns the library works on no
// packet of the probe, nor will it: its path for a session that ends during a probe
// shares a variable with the one for packets, and dies when they meet.
func (t *wsTransport) abort() {
	t.cut()
	_ = t.hand([]byte{'6'}) // no answer to a probe: the library lets go of it
	t.probe.Lock()
	defer t.probe.Unlock()
	t.aborted = true
}

// start makes the library listen to a probe, unless its session has ended.
func (t *wsTransport) start(s *sock) bool {
	t.probe.Lock()
	defer t.probe.Unlock()
	select {
	case <-s.isOver:
		return false
	default:
	}
	s.eng.MaybeUpgrade(t)
	return true
}

func (t *wsTransport) note(end string) {
	if s := t.owner.Load(); s != nil {
		s.note(end)
	}
}

// endOf names the end of a connection after the error that its reader got.
func endOf(err error) string {
	var timeout net.Error
	switch {
	case errors.Is(err, websocket.ErrReadLimit):
		return endTooLarge
	case errors.Is(err, errNotEngine):
		return endBadFrame
	case errors.Is(err, errPanic):
		return endPanic
	case errors.As(err, &timeout) && timeout.Timeout():
		return endSilent
	}
	return endLeft
}

// ended closes the websocket and tells the library once. During a probe it tells a
// packet that is no answer to a probe instead, which ends the attempt and nothing else.
func (t *wsTransport) ended() {
	t.cut()
	if t.probing.Load() {
		// The outcome does not matter: the probe is over in any case.
		_ = t.hand([]byte{'6'})
		t.owner.Load().endProbe(t)
		return
	}
	defer func() { _ = recover() }()
	t.OnClose()
}

// cut closes the descriptor at once, whatever is still unsent.
func (t *wsTransport) cut() {
	t.once.Do(func() {
		close(t.over)
		_ = t.ws.Close() // nothing is left to do about an error
	})
}

// Send writes packets in order, without blocking the caller.
func (t *wsTransport) Send(packets []*packet.Packet) {
	t.SetWritable(false)
	go t.send(packets)
}

func (t *wsTransport) send(packets []*packet.Packet) {
	defer func() {
		if recover() != nil {
			t.cut()
		}
	}()
	select {
	case <-t.began:
	case <-t.over:
		return
	}
	if !t.writeAll(packets) {
		t.note(endUnread)
		t.cut() // the reader notices and tells
		return
	}
	t.Emit("drain")
	t.SetWritable(true)
	t.Emit("ready")
}

func (t *wsTransport) writeAll(packets []*packet.Packet) bool {
	t.writing.Lock()
	defer t.writing.Unlock()
	for _, p := range packets {
		data, err := t.Parser().EncodePacket(p, false)
		if err != nil {
			return false
		}
		if t.ws.SetWriteDeadline(time.Now().Add(t.write)) != nil {
			return false
		}
		if t.ws.WriteMessage(websocket.TextMessage, data.Bytes()) != nil {
			return false
		}
	}
	return true
}

// DoClose is the library's wish to end the transport.
func (t *wsTransport) DoClose(then types.Callable) {
	t.cut()
	if then != nil {
		then()
	}
}
