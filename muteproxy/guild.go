package muteproxy

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"splashtail/bus"
)

// guild sends what is wished in one guild. One goroutine owns it, and one process at a
// time, by lease: Discord counts a token's requests per guild, and only who sends them
// all can know what is left.
type guild struct {
	id   bus.GuildID
	w    *wishes
	wake chan struct{} // something is in the inbox

	inbox map[bus.UserID]bus.Entry[bus.VoiceRecord] // guarded by w.mu

	members  map[bus.UserID]*memberWork
	sure     confirmed
	lanes    []*lane
	nextLane int
	tokens   int // the version of the token list that lanes were made of
	inFlight int
	results  chan result
	seen     atomic.Pointer[guildStatus]
}

// memberWork is what the guild's goroutine knows of a member it works for.
type memberWork struct {
	entry   bus.Entry[bus.VoiceRecord]
	applied *bus.VoiceApplied // the last state that is known to have been applied, not older than the entry's
	calling bool              // a call is under way; the newest wish waits for its answer
	tried   map[int]bool      // lanes that refused this wish
	last    refusal           // of this wish
	due     time.Time         // not to be sent before
}

const (
	// guildLease is how long a dead process keeps a guild from others.
	guildLease = 2 * time.Second
	// linger is how long an idle guild is kept.
	linger = 5 * time.Second
	// contested is how often a guild that another process has is asked for.
	contested = 400 * time.Millisecond
)

func newGuild(w *wishes, id bus.GuildID) *guild {
	return &guild{id: id, w: w, wake: make(chan struct{}, 1),
		inbox: map[bus.UserID]bus.Entry[bus.VoiceRecord]{}, members: map[bus.UserID]*memberWork{}, sure: confirmed{}, tokens: -1,
		results: make(chan result, 64)}
}

// offer puts a record into the inbox. Its caller holds w.mu.
func (g *guild) offer(u bus.UserID, e bus.Entry[bus.VoiceRecord]) {
	g.inbox[u] = e
	select {
	case g.wake <- struct{}{}:
	default:
	}
}

// run works until nothing is left to do for a while, or the process stops. ctx is that of
// the calls that it makes.
func (g *guild) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for {
		g.take()
		lease, err := bus.Acquire(ctx, g.w.m.bus, bus.VoiceLease(g.id), guildLease, g.w.m.cfg.Instance)
		if err == nil {
			clear(g.sure) // another process may have had the guild
			g.work(ctx, lease)
			release, done := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			if err := lease.Release(release); err != nil {
				g.w.m.log.Debug("a guild's lease was not given back; it ends by itself", "guild", g.id, "err", err)
			}
			done()
		} else if !bus.IsCode(err, bus.CodeConflict) {
			g.w.m.log.Warn("a guild's lease cannot be asked for; trying again", "guild", g.id, "err", err)
		}
		if g.over() && g.w.leave(g) {
			return
		}
		if err == nil {
			continue
		}
		timer := time.NewTimer(contested)
		select {
		case <-g.wake:
		case <-g.w.quit:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// over says whether the goroutine has a reason to end, now that no call is under way: the
// process stops, or there is nothing to do, perhaps because another process has done it.
func (g *guild) over() bool {
	if g.w.stopping() {
		return true
	}
	g.take()
	return !g.anyUnsettled()
}

func (g *guild) anyUnsettled() bool {
	for _, m := range g.members {
		if m.open() && time.Until(m.due) <= linger {
			return true
		}
	}
	return false
}

// open says whether the newest wish has to be sent still.
func (m *memberWork) open() bool { return !m.entry.Value.Settled() }

// work sends until the guild is idle, the lease is lost, or the process stops; calls
// under way are waited for in each case.
func (g *guild) work(ctx context.Context, lease *bus.Lease) {
	idle := time.Now()
	stopping := false
	for {
		g.take()
		now := time.Now()
		next := time.Time{}
		g.sure.forget(now)
		if !stopping {
			g.w.m.voices.learn(ctx, g.id)
			next = g.send(ctx, now)
		}
		g.publishStatus(now)
		if g.inFlight > 0 || !next.IsZero() && next.Sub(now) <= linger {
			idle = now
		}
		if g.inFlight == 0 && (stopping || now.Sub(idle) >= linger) {
			return
		}
		timer := time.NewTimer(nap(now, next, idle))
		select {
		case <-g.wake:
			idle = time.Now()
		case r := <-g.results:
			g.finish(r)
		case <-timer.C:
		case <-after(stopping, lease.Lost()):
			stopping = true
		case <-after(stopping, g.w.quit):
			stopping = true
		}
		timer.Stop()
	}
}

// after gives the channel until it was seen once; a closed one would spin.
func after(seen bool, c <-chan struct{}) <-chan struct{} {
	if seen {
		return nil
	}
	return c
}

// nap is how long the loop sleeps when nothing wakes it.
func nap(now, next, idle time.Time) time.Duration {
	d := idle.Add(linger).Sub(now)
	if !next.IsZero() {
		d = min(d, next.Sub(now))
	}
	return max(d, time.Millisecond)
}

// take moves the inbox into the members.
func (g *guild) take() {
	g.w.mu.Lock()
	got := g.inbox
	g.inbox = map[bus.UserID]bus.Entry[bus.VoiceRecord]{}
	g.w.mu.Unlock()
	for u, e := range got {
		g.learn(u, e)
	}
	for u, m := range g.members {
		if !m.open() && !m.calling {
			delete(g.members, u)
		}
	}
}

func (g *guild) learn(u bus.UserID, e bus.Entry[bus.VoiceRecord]) {
	m := g.members[u]
	if m == nil {
		m = &memberWork{}
		g.members[u] = m
	}
	if e.Revision <= m.entry.Revision {
		return
	}
	if e.Value.Wish.ID != m.entry.Value.Wish.ID {
		m.tried, m.last = nil, refusal{}
		if e.Value.Applied == nil {
			delete(g.sure, u) // its writer knows of a change that nobody asked for any more, see cameLate
		}
	}
	m.entry = e
	m.due = retryAt(e.Value)
	if a := e.Value.Applied; a != nil && (m.applied == nil || a.At.After(m.applied.At)) {
		m.applied = a
	}
}

// send starts every call that may start now and tells when to look again; the zero
// time means that only an answer or a new wish changes anything.
func (g *guild) send(ctx context.Context, now time.Time) (next time.Time) {
	g.refreshLanes(now)
	wants, due := g.wants(now)
	next = due
	room := len(wants)
	if most := g.w.m.cfg.MaxWorkers; most > 0 {
		room = min(room, max(most-g.inFlight, 0))
	}
	slots := g.slots(now)
	picks := plan(wants, slots)
	served := map[bus.UserID]bool{}
	for _, p := range picks[:min(room, len(picks))] {
		served[p.want.user] = true
		g.call(ctx, now, p)
	}
	for _, w := range wants {
		if !served[w.user] && !g.reachable(now, w, slots) {
			g.fail(now, w.user, g.members[w.user])
		}
	}
	if len(served) < len(wants) {
		for _, l := range g.lanes {
			if wake := l.wake(now); wake.After(now) {
				next = earliest(next, wake)
			}
		}
	}
	return next
}

// wants lists the wishes that may be sent now, settles those that need no call, and
// tells when the next one becomes due.
func (g *guild) wants(now time.Time) (wants []*want, due time.Time) {
	for u, m := range g.members {
		wish := m.entry.Value.Wish
		switch {
		case !m.open() || m.calling:
		case m.due.After(now):
			due = earliest(due, m.due)
		case g.fulfilled(u, m, now):
			g.settleApplied(u, m)
		case !wish.Free() && now.Sub(wish.At) > staleMute:
			m.last = refusal{reason: "stale", member: true}
			g.fail(now, u, m)
		case g.stillAway(u, m):
			g.fail(now, u, m)
		default:
			wants = append(wants, &want{user: u, state: wish.VoiceState, code: wish.Code, tier: wish.Tier, rev: m.entry.Revision, tried: m.tried})
		}
	}
	return wants, due
}

// fulfilled says whether a wish needs no call, and notes the state that fulfils it.
func (g *guild) fulfilled(u bus.UserID, m *memberWork, now time.Time) bool {
	wish := m.entry.Value.Wish
	applied, sure := g.sure.of(u, now)
	if !sure {
		return false
	}
	if applied != nil {
		m.applied = applied
	}
	is := g.w.m.voices.stands(member{g.id, u}, wish.VoiceState, applied, now)
	if is && (m.applied == nil || m.applied.VoiceState != wish.VoiceState) {
		m.applied = &bus.VoiceApplied{VoiceState: wish.VoiceState, Lane: laneNone, At: now.UTC()}
	}
	return is
}

// stillAway says whether a wish that Discord refused because its member was not in voice
// would be refused again. The first call is always made: the gateway may be late.
func (g *guild) stillAway(u bus.UserID, m *memberWork) bool {
	rec := m.entry.Value
	if rec.Failed == nil || rec.Failed.WishID != rec.Wish.ID || rec.Failed.Reason != reasonNotInVoice {
		return false
	}
	s, known := g.w.m.voices.look(member{g.id, u})
	if !known || s.inVoice {
		return false
	}
	m.last = refusal{reason: reasonNotInVoice, code: rec.Failed.Code, member: true}
	return true
}

// reachable says whether some lane may serve the wish sooner or later.
func (g *guild) reachable(now time.Time, w *want, slots []slot) bool {
	return slices.ContainsFunc(slots, func(s slot) bool { return s.serves(w) && g.lane(s.id).usable(now) })
}
