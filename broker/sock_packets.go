package broker

import (
	"strings"
	"time"

	"github.com/zishang520/engine.io-go-parser/packet"
	"github.com/zishang520/engine.io/v2/types"
)

// maxPingEcho bounds what a client may have echoed by a pong.
const maxPingEcho = 128

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
