package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/secret"
)

// The events that begin and resume a session.
const (
	eventReady   = "READY"
	eventResumed = "RESUMED"
)

const (
	helloTimeout    = 20 * time.Second
	defaultInterval = 41250 * time.Millisecond
	largeThreshold  = 250
)

// link is one connection of a shard. One goroutine has all of it.
type link struct {
	s        *shard
	wire     *wire
	interval time.Duration

	opened    time.Time // when HELLO came
	lastFrame time.Time
	liveSince time.Time // zero: neither READY nor RESUMED yet
	beat      *time.Timer
	beatSent  time.Time // of a heartbeat that is not acknowledged; zero: none
	sent      sendBudget
	skipped   int  // frames that could not be read
	begins    bool // the shard's beginning is held
}

// begun says that the session can be resumed by others, or is none.
func (l *link) begun() {
	if l.begins {
		l.begins = false
		l.s.beginning.Unlock()
	}
}

// connect opens a connection, begins or resumes the session, and stays until the end.
func (s *shard) connect(ctx context.Context) end {
	var p *permit
	resume := s.mem.session != nil
	if !resume {
		s.show(stateWaiting, "")
		var err error
		if p, err = s.u.gate.permit(ctx, s.number, s.count); err != nil {
			return s.noPermit(ctx, err)
		}
	}
	e := s.open(ctx, p)
	e.resume = resume
	return e
}

func (s *shard) noPermit(ctx context.Context, err error) end {
	if ctx.Err() != nil {
		return end{cause: causeStop}
	}
	var limited *bus.Error
	if errors.As(err, &limited) && limited.Code == bus.CodeLimited {
		return end{cause: causeBudget, until: time.Now().Add(limited.RetryAfter), err: err}
	}
	return end{cause: causeDial, err: err}
}

// open dials, and with a permit identifies; without one it resumes.
func (s *shard) open(ctx context.Context, p *permit) end {
	used := false
	defer func() {
		if p != nil && !used {
			p.cancel(ctx)
		}
	}()
	s.show(stateConnecting, "")
	dialCtx, cancel := context.WithTimeout(ctx, helloTimeout)
	defer cancel()
	address, err := s.address(dialCtx)
	if err != nil {
		return s.ended(ctx, end{cause: causeDial, err: fmt.Errorf("how to connect is not known: %w", err)})
	}
	w, err := dialWire(dialCtx, address, s.u.cfg.compress())
	if err != nil {
		return s.ended(ctx, end{cause: causeDial, err: err})
	}
	defer s.wires.Go(w.gone)
	defer w.leave()
	l := &link{s: s, wire: w, lastFrame: time.Now()}
	if e, ok := l.hello(dialCtx); !ok {
		return s.ended(ctx, e)
	}
	if p == nil {
		s.show(stateResuming, "")
		err = l.resume(ctx)
	} else {
		s.show(stateIdentifying, "")
		s.beginning.Lock()
		l.begins = true
		defer l.begun()
		if ctx.Err() != nil {
			return end{cause: causeStop}
		}
		if err := p.spend(ctx, s.count); err != nil {
			return s.noPermit(ctx, err)
		}
		used = true
		err = l.identify(ctx)
		s.u.resting.Go(func() { p.sent(s.u.work) })
	}
	if err != nil {
		return s.ended(ctx, end{cause: causeClosed, err: err})
	}
	e := l.run(ctx)
	if !l.liveSince.IsZero() {
		e.live, e.lasted = true, time.Since(l.liveSince)
	}
	return s.ended(ctx, e)
}

func (s *shard) ended(ctx context.Context, e end) end {
	if ctx.Err() != nil {
		return end{cause: causeStop}
	}
	return e
}

// hello waits for HELLO. Discord may say op 7 instead.
func (l *link) hello(ctx context.Context) (end, bool) {
	for {
		select {
		case in, ok := <-l.wire.frames:
			switch {
			case !ok:
				return end{cause: causeClosed, code: l.wire.code(), err: l.wire.err}, false
			case in.err != nil:
				l.skip(in)
			case in.op == gateway.OpReconnect:
				return end{cause: causeReconnect}, false
			case in.op == gateway.OpHello:
				l.greet(in)
				return end{}, true
			}
		case <-ctx.Done():
			return end{cause: causeDial, err: errors.New("the gateway did not say HELLO")}, false
		}
	}
}

func (l *link) greet(in incoming) {
	var d struct {
		Interval int64 `json:"heartbeat_interval"`
	}
	l.interval = defaultInterval
	if json.Unmarshal(in.d, &d) == nil && d.Interval > 0 {
		l.interval = time.Duration(d.Interval) * time.Millisecond
	}
	l.opened, l.lastFrame = in.at, in.at
	l.beat = time.NewTimer(time.Duration(rand.Float64() * float64(l.interval)))
}

func (l *link) identify(ctx context.Context) error {
	l.s.received = 0
	w, err := l.s.u.greeting(ctx)
	if err != nil {
		return err
	}
	return l.send(ctx, gateway.OpIdentify, identify{
		Token: reveal{l.s.u.cfg.Token}, Intents: w.intents, Shard: [2]int{l.s.number, l.s.count}, LargeThreshold: largeThreshold,
		Properties: map[string]string{"os": "linux", "browser": "splashtail", "device": "splashtail"},
	})
}

type identify struct {
	Token          reveal            `json:"token"`
	Properties     map[string]string `json:"properties"`
	Shard          [2]int            `json:"shard"`
	Intents        uint64            `json:"intents"`
	LargeThreshold int               `json:"large_threshold"`
}

// reveal is a secret on its way to Discord.
type reveal struct{ secret.Value }

// MarshalJSON gives the secret itself.
func (r reveal) MarshalJSON() ([]byte, error) { return json.Marshal(r.Reveal()) }

// MarshalText would otherwise be taken for it.
func (r reveal) MarshalText() ([]byte, error) { return []byte(r.Reveal()), nil }

func (l *link) resume(ctx context.Context) error {
	return l.send(ctx, gateway.OpResume, struct {
		Token   reveal `json:"token"`
		Session string `json:"session_id"`
		Seq     int64  `json:"seq"`
	}{reveal{l.s.u.cfg.Token}, l.s.mem.session.id, l.s.place.seq()})
}

// send writes a frame of ours.
func (l *link) send(ctx context.Context, op int, d any) error {
	data, err := json.Marshal(struct {
		Op int `json:"op"`
		D  any `json:"d"`
	}{op, d})
	if err != nil {
		return err
	}
	if len(data) > maxSend {
		return fmt.Errorf("a frame of op %d has %d bytes; Discord takes %d", op, len(data), maxSend)
	}
	l.sent.count(time.Now())
	return l.wire.send(ctx, data)
}

// run takes frames, beats and orders until the connection is over.
func (l *link) run(ctx context.Context) end {
	defer l.beat.Stop()
	for {
		select {
		case in, ok := <-l.wire.frames:
			if !ok {
				return l.closed()
			}
			if e, over := l.take(ctx, in); over {
				return e
			}
		case <-l.beat.C:
			if e, over := l.pulse(ctx, time.Now()); over {
				return e
			}
		case err := <-l.s.pub.failed():
			return end{cause: causeStore, err: err}
		case keep := <-l.s.orders:
			return end{cause: causeOrder, keep: keep}
		case o := <-l.s.sends:
			o.done <- l.pass(ctx, o.data)
		case <-ctx.Done():
			return end{cause: causeStop}
		}
	}
}

func (l *link) closed() end {
	e := end{cause: causeClosed, code: l.wire.code(), err: l.wire.err}
	if e.code == 0 && l.wire.err != nil && strings.Contains(l.wire.err.Error(), "compressed frame") {
		e.cause = causeCorrupt
	}
	return e
}

// skip passes over a frame that cannot be read: one odd frame is no reason to lose the
// others.
func (l *link) skip(in incoming) {
	l.s.u.m.dropped.WithLabelValues("unreadable").Inc()
	if l.skipped++; l.skipped <= 3 {
		l.s.log.Error("a frame of Discord cannot be read and is passed over", "bytes", in.size, "err", in.err)
	}
}

// take handles one frame; over says that the connection is.
func (l *link) take(ctx context.Context, in incoming) (e end, over bool) {
	l.lastFrame = in.at
	if in.err != nil {
		l.skip(in)
		return end{}, false
	}
	switch in.op {
	case gateway.OpDispatch:
		return l.dispatch(ctx, in)
	case gateway.OpHeartbeat:
		return l.heartbeat(ctx)
	case gateway.OpHeartbeatACK:
		l.acknowledged(in.at)
	case gateway.OpReconnect:
		return end{cause: causeReconnect}, true
	case gateway.OpInvalidSession:
		return end{cause: causeInvalid, keep: string(in.d) == "true"}, true
	}
	return end{}, false
}

func (l *link) acknowledged(at time.Time) {
	if !l.beatSent.IsZero() {
		l.s.u.m.beat.WithLabelValues(l.s.label).Set(at.Sub(l.beatSent).Seconds())
		l.beatSent = time.Time{}
	}
	if !l.liveSince.IsZero() {
		l.s.place.alive(at)
	}
}

func (l *link) dispatch(ctx context.Context, in incoming) (end, bool) {
	s := l.s
	if in.event == eventReady {
		s.mem.session = readSession(in.d)
	}
	if s.mem.session == nil {
		return end{cause: causeInvalid, err: errors.New("an event came before READY")}, true
	}
	s.events.Add(1)
	s.u.m.events.WithLabelValues(s.label).Inc()
	s.received = in.seq
	data, err := s.u.secrets.Hide(in.event, in.d)
	if err != nil {
		s.log.Error("what was typed into a form is not stored, so that no secret is; the bot does not get it", "err", err)
		data = json.RawMessage("null")
	}
	d := bus.Dispatch{Shard: s.number, Guild: in.guild, Event: in.event, Session: s.mem.session.id, Seq: in.seq, Data: data}
	if err := s.pub.publish(ctx, d, s.mem.session, in.at); err != nil {
		return end{cause: causeStore, err: err}, true
	}
	switch in.event {
	case eventReady:
		l.begun()
		l.isLive(bus.ShardIdentified)
	case eventResumed:
		l.isLive(bus.ShardResumed)
	}
	return end{}, false
}

func (l *link) isLive(how bus.ShardChange) {
	l.liveSince = time.Now()
	l.s.u.m.begins.WithLabelValues(string(how)).Inc()
	l.s.isLive(how)
}

// readSession reads what RESUME needs out of READY.
func readSession(d json.RawMessage) *session {
	var r struct {
		ID  string `json:"session_id"`
		URL string `json:"resume_gateway_url"`
	}
	if json.Unmarshal(d, &r) != nil || r.ID == "" {
		return nil
	}
	return &session{id: r.ID, url: r.URL}
}
