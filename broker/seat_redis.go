package broker

import (
	"context"
	"time"

	"splashtail/bus"
)

// ready makes mute tasks flow to the owner s; false when s does not own the code. Said
// again it only tells AutoMuteUs again, whose memory of it fades.
func (st *seat) ready(ctx context.Context, s *session) bool {
	st.turn.Lock()
	defer st.turn.Unlock()
	if !st.owns(s) {
		return false
	}
	if _, ready := st.state(); !ready {
		t := newTaker(st, s)
		st.mu.Lock()
		st.taker = t
		st.mu.Unlock()
		// Listening comes before telling, or the first tasks would find nobody.
		st.await(ctx,
			st.h.channels.want(oldTaskChannel(st.code), func(p string) { st.redisTask(p, true) }, nil),
			st.h.channels.want(taskChannel(st.code), func(p string) { st.redisTask(p, false) }, nil))
		t.start(ctx)
	}
	st.armed = true
	st.h.say(ctx, st.code, bus.CaptureReady, true, s.id, "bot")
	return true
}

// disarm tells AutoMuteUs that nobody takes mute tasks, if it was told the opposite.
func (st *seat) disarm(ctx context.Context) {
	if st.armed {
		st.unlisten()
		st.h.say(ctx, st.code, bus.CaptureReady, false, "", causeLeft)
	}
}

func (st *seat) unlisten() {
	if st.armed {
		st.armed = false
		st.h.channels.drop(oldTaskChannel(st.code))
		st.h.channels.drop(taskChannel(st.code))
	}
}

func (st *seat) tell(ctx context.Context, linked bool, session, cause string) {
	st.told = linked
	st.h.say(ctx, st.code, bus.CaptureConnection, linked, session, cause)
}

// await waits a bounded time for Redis to confirm subscriptions; with Redis away they
// are made when it is back.
func (st *seat) await(ctx context.Context, confirmed ...<-chan struct{}) {
	ctx, cancel := context.WithTimeout(ctx, subscribeTimeout)
	defer cancel()
	for _, c := range confirmed {
		select {
		case <-c:
		case <-ctx.Done():
			st.h.log.Warn("Redis has not confirmed a subscription yet; going on without", "code", st.code)
			return
		}
	}
}

// subscribeTimeout is how long a client waits for Redis before it is seated without.
const subscribeTimeout = 2 * time.Second

// maxAsked bounds the acks of AutoMuteUs that wait for an answer.
const maxAsked = 16

// onAck answers AutoMuteUs, which asks with an ack whether a client is there. It must
// not block: it is called by the one reader of all channels.
func (st *seat) onAck(string) {
	st.mu.Lock()
	start := st.asked == 0
	if st.asked < maxAsked {
		st.asked++
	}
	st.mu.Unlock()
	if start {
		st.h.run(st.answerAcks)
	}
}

func (st *seat) answerAcks() {
	for more := true; more; {
		st.turn.Lock()
		st.mu.Lock()
		s := st.owner
		st.mu.Unlock()
		if s != nil && !st.ended {
			st.tell(st.h.ctx, true, s.id, causeAsked)
		}
		st.turn.Unlock()
		st.mu.Lock()
		st.asked--
		more = st.asked > 0
		st.mu.Unlock()
	}
}

// nudge makes AutoMuteUs look into its list after Redis was away: it looks only when
// notified, and a notification that was sent meanwhile is lost.
func (st *seat) nudge() { st.h.notes.send(notifyChannel(st.code), "1") }
