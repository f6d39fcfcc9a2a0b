package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
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
	beatSent  time.Time // of the first heartbeat that is not acknowledged; zero: none
	beats     int       // heartbeats sent
	answers   int       // and acknowledged
	proofs    []proof   // that wait for an acknowledgement
	sent      sendBudget
	skipped   int  // frames that could not be read
	begins    bool // the shard's beginning is held
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
	defer l.unproven()
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
		case p := <-l.asked():
			if e, over := l.prove(ctx, p); over {
				return e
			}
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
		l.acknowledged(ctx, in.at)
	case gateway.OpReconnect:
		return end{cause: causeReconnect}, true
	case gateway.OpInvalidSession:
		return end{cause: causeInvalid, keep: string(in.d) == "true"}, true
	}
	return end{}, false
}

func (l *link) acknowledged(ctx context.Context, at time.Time) {
	l.answers++
	l.proven(ctx)
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
