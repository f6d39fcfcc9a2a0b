package broker

import (
	"context"
	"encoding/json"
	"log/slog"
	"strconv"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// session is what one connection has told us. Its methods are called one at a time, by
// the connection; only seats look at it from outside, and only at id and conn.
type session struct {
	h    *hub
	conn conn
	id   string // random; in events, for tracing; not the Socket.IO id, which is a key
	n    uint64 // numbers its events

	code   bus.ConnectCode // zero until it said one that was accepted
	seat   *seat
	hasBot bool // it has a Discord bot; may be told before the code
}

func (h *hub) newSession(c conn) *session {
	return &session{h: h, conn: c, id: newID()}
}

func (s *session) log() *slog.Logger {
	return s.h.log.With("session", s.id, "addr", s.conn.Addr(), "code", s.code)
}

// Event takes one event of the client.
func (s *session) Event(name string, args []json.RawMessage) bool {
	result, label := s.take(name, args), name
	if result == dropUnknown {
		label = "other" // a stranger must not make metrics
	}
	s.h.m.events.WithLabelValues(label, result).Inc()
	return result == accepted
}

func (s *session) take(name string, args []json.RawMessage) string {
	switch name {
	case "connectCode":
		return s.connectCode(args)
	case "botID":
		return s.botID(args)
	case "taskComplete", "taskFailed":
		return s.taskDone(args, name == "taskComplete")
	}
	if e, ok := gameEventOf(name); ok {
		return s.gameEvent(e, args)
	}
	return dropUnknown
}

// connectCode binds the socket to a game. A malformed code leaves the socket open and
// idle: a client that is closed comes back at once with the same code.
func (s *session) connectCode(args []json.RawMessage) string {
	text, ok := textArg(args)
	if !ok {
		return dropArgument
	}
	code, err := bus.ParseConnectCode(text)
	if err != nil {
		s.h.gate.tryCode(s.conn.Addr(), bus.ConnectCode{})
		return dropBadCode
	}
	if !s.h.gate.tryCode(s.conn.Addr(), code) {
		s.log().Warn("an address tries too many connect codes; this one was not accepted and the socket stays open", "code", code)
		return dropCodeLimit
	}
	if code != s.code {
		s.forgetCode()
	} else if s.seat.owns(s) {
		return accepted // said again
	}
	if !s.h.claim(s, code) {
		return dropStopping
	}
	if s.hasBot {
		s.seat.ready(s.h.ctx, s)
	}
	return accepted
}

// forgetCode is what a second, different code means first.
func (s *session) forgetCode() {
	if s.seat == nil {
		return
	}
	s.seat.leave(s.h.ctx, s)
	s.h.coded.Add(-1)
	s.seat, s.code = nil, bus.ConnectCode{}
}

// botID tells that the client has a Discord bot that takes mute tasks. Clients repeat it
// whenever that bot reconnects.
func (s *session) botID(args []json.RawMessage) string {
	if !botIDArg(args) {
		return dropArgument
	}
	s.hasBot = true
	if s.seat == nil {
		return accepted // remembered until the code comes
	}
	if !s.seat.ready(s.h.ctx, s) {
		return dropNotOwner
	}
	return accepted
}

func (s *session) taskDone(args []json.RawMessage, done bool) string {
	id, ok := textArg(args)
	if !ok {
		return dropArgument
	}
	if s.seat == nil {
		return dropNoCode
	}
	if !s.seat.answer(s, id, done) {
		return dropNotAsked
	}
	return accepted
}

// gameEvent stores an event for AutoMuteUs, word for word. It returns when the event is
// stored; until then nothing more is read from this socket.
func (s *session) gameEvent(e gameEvent, args []json.RawMessage) string {
	text, ok := textArg(args)
	switch {
	case !ok:
		return dropArgument
	case len(text) > maxEventPayload:
		return dropTooLarge
	case s.seat == nil:
		return dropNoCode
	case !s.seat.owns(s):
		return dropNotOwner
	}
	room, ok := e.check(text)
	if !ok {
		return dropContent
	}
	s.n++
	ev := bus.CaptureEvent{V: 1, Code: s.code, Kind: e.kind, Payload: text, Room: room, Session: s.id, At: time.Now().UTC()}
	return s.h.store(s.h.ctx, s.id+"-"+strconv.FormatUint(s.n, 10), ev)
}

// Gone is the end of the connection.
func (s *session) Gone(end string) {
	if s.seat != nil {
		s.log().Info("a capture client is gone", "err", end)
	}
	s.forgetCode()
}

// store appends an event to the stream, however long that takes, and says what became
// of it.
func (h *hub) store(ctx context.Context, id string, ev bus.CaptureEvent) string {
	subject := bus.CaptureSubject(ev.Code, ev.Kind)
	gap := 50 * time.Millisecond
	for {
		_, err := h.events.Append(ctx, subject, id, ev)
		switch {
		case err == nil:
			return accepted
		case ctx.Err() != nil:
			return dropStopping
		case bus.IsCode(err, bus.CodeInvalid):
			h.log.Error("an event cannot be stored; it is dropped", "code", ev.Code, "session", ev.Session, "err", err)
			return dropUnreadable
		}
		h.log.Warn("an event was refused by the bus; trying again", "code", ev.Code, "session", ev.Session, "err", err)
		if !pause.For(ctx, gap) {
			return dropStopping
		}
		gap = min(2*gap, 2*time.Second)
	}
}
