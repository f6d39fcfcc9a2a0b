package upstream

import (
	"context"
	"errors"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
)

// pulse is due at every heartbeat: it notices a gateway that is dead, and beats.
func (l *link) pulse(ctx context.Context, now time.Time) (end, bool) {
	l.beat.Reset(l.interval)
	if cause, dead := l.dead(now); dead {
		return end{cause: cause}, true
	}
	// A heartbeat in the middle of a RESUME once broke sessions on Discord's side.
	if l.liveSince.IsZero() && now.Sub(l.opened) < l.interval {
		return end{}, false
	}
	return l.heartbeat(ctx)
}

// dead says whether a gateway that is due for a pulse is dead, and how.
func (l *link) dead(now time.Time) (cause, bool) {
	// A heartbeat between two pulses, which somebody asked for, has still time.
	open := !l.beatSent.IsZero() && now.Sub(l.beatSent) >= l.interval/2
	switch {
	case now.Sub(l.lastFrame) >= 2*l.interval, open && l.lastFrame.Before(l.beatSent):
		return causeSilent, true
	case open:
		return causeZombie, true
	}
	return 0, false
}

// heartbeat tells the newest sequence that came.
func (l *link) heartbeat(ctx context.Context) (end, bool) {
	var d any
	if l.s.received > 0 {
		d = l.s.received
	}
	if err := l.send(ctx, gateway.OpHeartbeat, d); err != nil {
		return end{cause: causeClosed, err: err}, true
	}
	l.beats++
	if l.beatSent.IsZero() {
		l.beatSent = time.Now()
	}
	return end{}, false
}

// What Discord takes from a connection, and what of it is kept for heartbeats.
const (
	sendWindow = time.Minute
	sendMost   = 110 // of 120
)

// sendBudget counts the frames of the last minute.
type sendBudget struct{ times []time.Time }

func (b *sendBudget) count(now time.Time) {
	b.trim(now)
	b.times = append(b.times, now)
}

func (b *sendBudget) trim(now time.Time) {
	for len(b.times) > 0 && now.Sub(b.times[0]) >= sendWindow {
		b.times = b.times[1:]
	}
}

// free says how long until another frame may be sent; zero: at once.
func (b *sendBudget) free(now time.Time) time.Duration {
	b.trim(now)
	if len(b.times) < sendMost {
		return 0
	}
	return sendWindow - now.Sub(b.times[len(b.times)-sendMost])
}

// passing is a frame of a bot that goes to Discord through this connection.
type passing struct {
	data []byte
	done chan error // has room for one
}

// errNotLive is the answer to a bot's frame while there is no session.
var errNotLive = errors.New("the session with Discord is not there now")

// pass sends a bot's frame.
func (l *link) pass(ctx context.Context, data []byte) error {
	if l.liveSince.IsZero() {
		return bus.Errorf(bus.CodeUnavailable, "not_live", "the frame was not sent: %w", errNotLive)
	}
	if len(data) > maxSend {
		return bus.Errorf(bus.CodeInvalid, "too_large", "the frame was not sent: it has %d bytes and Discord takes %d", len(data), maxSend)
	}
	if d := l.sent.free(time.Now()); d > 0 {
		return &bus.Error{Code: bus.CodeLimited, Reason: "gateway_frames", RetryAfter: d,
			Message: "the frame was not sent: this shard has sent as many in a minute as Discord takes"}
	}
	l.sent.count(time.Now())
	return l.wire.send(ctx, data)
}
