package broker

import (
	"context"
	"sync"
	"time"

	"splashtail/bus"
)

// seat is the place of the one client that speaks for a connect code in this process.
//
// The last connection that names the code owns it. The one before stays connected, its
// events are dropped and it is told nothing: a real client that is closed comes back at
// once and would take over again, for ever. It may say the code once more to take over.
// When the owner leaves, the game stays linked for the grace and is then reported as
// unlinked, exactly once, unless somebody took over, here or at another broker.
type seat struct {
	h    *hub
	code bus.ConnectCode

	// turn is held by one change of ownership at a time, over everything that it stores
	// and asks, so that what AutoMuteUs is told comes in the order in which it happened.
	turn  sync.Mutex
	rev   uint64 // of our record of the ownership; 0: it is not ours
	told  bool   // AutoMuteUs was told that a client is there
	armed bool   // AutoMuteUs was told that mute tasks have a taker
	ended bool   // given up; the hub has or will have another seat for the code
	round int    // counts changes of ownership, so that an old grace ends nothing new
	grace *time.Timer

	mu    sync.Mutex // never held over anything that waits
	owner *session
	taker *taker // of an owner with a Discord bot
	asked int    // acks of AutoMuteUs that wait for an answer
	seen  recent
}

// anyRound ends a seat whatever happened to it.
const anyRound = -1

func newSeat(h *hub, code bus.ConnectCode) *seat {
	return &seat{h: h, code: code, seen: newRecent(time.Now)}
}

// owns says whether the session speaks for the code.
func (st *seat) owns(s *session) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.owner == s
}

func (st *seat) state() (owned, ready bool) {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.owner != nil, st.taker != nil
}

// sit puts s in the place of the owner and ends the tasks of the one before.
func (st *seat) sit(s *session) (before *session) {
	st.mu.Lock()
	before, st.owner = st.owner, s
	t := st.taker
	st.taker = nil
	st.mu.Unlock()
	switch {
	case before == nil && s != nil:
		st.h.m.owners.Inc()
	case before != nil && s == nil:
		st.h.m.owners.Dec()
	}
	if t != nil {
		t.stop()
	}
	return before
}

// claim makes s the owner; false when the seat was given up meanwhile.
func (st *seat) claim(ctx context.Context, s *session) bool {
	st.turn.Lock()
	defer st.turn.Unlock()
	if st.ended {
		return false
	}
	st.newRound()
	before := st.sit(s)
	elsewhere := false
	if st.rev == 0 {
		c, err := st.h.owners.claim(ctx, st.code, s.id)
		if err != nil { // ctx has ended
			st.sit(nil)
			return false
		}
		st.rev, elsewhere = c.rev, c.fromOther
	}
	st.await(ctx, st.h.channels.want(ackChannel(st.code), st.onAck, st.nudge))
	st.unlisten()
	cause := causeConnected // which also ends what AutoMuteUs believes about mute tasks
	if before != nil || elsewhere {
		cause = causeTakeover
	}
	st.tell(ctx, true, s.id, cause)
	st.h.log.Info("a capture client owns a connect code", "code", st.code, "session", s.id, "addr", s.conn.Addr(), "cause", cause)
	if cause == causeTakeover {
		st.resync(s)
	}
	return true
}

// Why a client is linked or not; causeConnected and causeTakeover mean a new owner.
const (
	causeConnected = "connected"
	causeTakeover  = "takeover"
	causeAsked     = "asked"
	causeRenewed   = "renewed"
	causeLeft      = "left"
	causeShutdown  = "shutdown"
	causeSwept     = "swept" // its broker died
)

// everything asks a capture client for its state, players and lobby; other clients know
// nothing of it and ignore it.
const everything = 1 | 2 | 4

// resync asks the new owner for everything, since the one before may have known more.
func (st *seat) resync(s *session) {
	if err := s.conn.Emit("requestdata", everything); err != nil {
		st.h.log.Debug("a client could not be asked for its state", "code", st.code, "session", s.id, "err", err)
	}
}

// newRound ends whatever waits for the former owner.
func (st *seat) newRound() {
	st.round++
	if st.grace != nil {
		st.grace.Stop()
		st.grace = nil
	}
}

// leave is the owner's end.
func (st *seat) leave(ctx context.Context, s *session) {
	st.turn.Lock()
	defer st.turn.Unlock()
	if !st.owns(s) {
		return
	}
	st.newRound()
	st.sit(nil)
	st.disarm(ctx)
	round := st.round
	st.grace = time.AfterFunc(st.h.cfg.Grace, func() {
		st.h.run(func() { st.vacate(ctx, causeLeft, round) })
	})
}

// vacate gives the code up and reports its client gone, unless the seat has changed
// since the round. It says whether a client was reported.
func (st *seat) vacate(ctx context.Context, cause string, round int) bool {
	st.turn.Lock()
	defer st.turn.Unlock()
	if st.ended || round != anyRound && round != st.round {
		return false
	}
	st.newRound()
	st.sit(nil)
	st.end()
	if st.rev == 0 {
		return false
	}
	rev, err := st.h.owners.leave(ctx, st.code, st.rev)
	if err != nil {
		if !bus.IsCode(err, bus.CodeConflict) {
			st.h.log.Warn("an ownership was not given up; it ends with this process", "code", st.code, "err", err)
		}
		return false // the code has a new owner, at another broker
	}
	st.disarm(ctx)
	told := st.told
	if told {
		st.tell(ctx, false, "", cause)
	}
	st.h.owners.remove(ctx, st.code, rev)
	return told
}

// end lets the hub make another seat for the code.
func (st *seat) end() {
	st.ended = true
	st.h.channels.drop(ackChannel(st.code))
	st.h.channels.drop(oldTaskChannel(st.code))
	st.h.channels.drop(taskChannel(st.code))
	st.h.forget(st)
}

// lost is called when another broker's client has taken the code over. The one here
// stays connected and is not heard any more.
func (st *seat) lost(rev uint64) {
	st.turn.Lock()
	defer st.turn.Unlock()
	if st.ended || st.rev == 0 || rev <= st.rev {
		return
	}
	st.newRound()
	st.sit(nil)
	st.rev = 0
	st.end()
	st.h.log.Info("a connect code was taken over at another broker", "code", st.code)
}

// reassert renews a claim that may have been forgotten while this process was cut off.
func (st *seat) reassert(ctx context.Context) {
	st.turn.Lock()
	defer st.turn.Unlock()
	if st.ended || st.rev == 0 {
		return
	}
	st.mu.Lock()
	s := st.owner
	st.mu.Unlock()
	rev, err := st.h.owners.renew(ctx, st.code, st.rev)
	if bus.IsCode(err, bus.CodeConflict) || s == nil {
		return // another broker's client owns it, which we will be or were told
	}
	if err != nil {
		st.h.log.Warn("an ownership could not be renewed", "code", st.code, "err", err)
		return
	}
	st.rev = rev
	st.tell(ctx, true, s.id, causeRenewed)
	if st.armed {
		st.h.say(ctx, st.code, bus.CaptureReady, true, s.id, causeRenewed)
	}
}
