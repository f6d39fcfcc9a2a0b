package discord

import "time"

// How waiting requests are let go: each bucket on its own while the limit of its token
// over all routes has room, and one after the other by urgency while that is full.

// pump lets go whoever may go from a bucket, and sets its timer for the rest.
func (l *Limiter) pump(b *bucket, now time.Time) {
	if b.window != nil {
		for _, p := range b.probes() {
			l.grantOne(p, now) // else a busy bucket would never let a sibling find out
		}
	}
	for l.grantOne(b, now) {
	}
}

// grantOne lets the first go that can. False: none can now, or none waits.
func (l *Limiter) grantOne(b *bucket, now time.Time) bool {
	w, at := l.first(b, now)
	if w == nil {
		l.wake(b, at, now)
		return false
	}
	if to := l.bucketFor(b.owner, w.ask, now); to != nil && to != b {
		// Headers have told meanwhile which bucket this route belongs to.
		b.remove(w)
		to.add(w)
		l.pump(to, now)
		return true
	}
	if !b.free(now) {
		l.wake(b, b.next(now), now)
		return false
	}
	g := &b.owner.global
	if !w.ask.Route.Interaction {
		if !g.free(w.ask.Class, now) {
			b.owner.starved[b] = struct{}{}
			l.wakeToken(b.owner, now)
			return false
		}
	}
	l.grant(b, w, now)
	return true
}

func (l *Limiter) grant(b *bucket, w *waiter, now time.Time) {
	b.remove(w)
	l.waiting--
	p := &Permit{l: l, ask: w.ask, bucket: b}
	if !w.ask.Route.Interaction {
		p.place = b.owner.global.take(w.ask.Class, now)
	}
	b.send(p, now)
	b.owner.last = now
	w.permit = p
	close(w.turn)
}

// first is the most urgent waiter that nothing holds back; without one it says when
// there will be one.
func (l *Limiter) first(b *bucket, now time.Time) (*waiter, time.Time) {
	var at time.Time
	for _, w := range b.waiting {
		held := l.heldUntil(w)
		if !now.Before(held) {
			return w, time.Time{}
		}
		if at.IsZero() || held.Before(at) {
			at = held
		}
	}
	return nil, at
}

// wake sets a bucket's timer; the zero time needs none, since an answer will come.
func (l *Limiter) wake(b *bucket, at, now time.Time) {
	if at.IsZero() || len(b.waiting) == 0 || !b.timerAt.IsZero() && !at.Before(b.timerAt) {
		return
	}
	b.timerAt = at
	if b.timer != nil {
		b.timer.Stop()
	}
	b.timer = time.AfterFunc(max(at.Sub(now), 0), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		b.timerAt = time.Time{}
		l.pump(b, time.Now())
	})
}

// after lets others go when a request has been answered.
func (l *Limiter) after(p *Permit, now time.Time) {
	b := p.bucket
	l.pump(b, now)
	if to := l.bucketFor(b.owner, p.ask, now); to != nil && to != b {
		l.pump(to, now)
	}
	if p.probe {
		for key, other := range b.owner.buckets {
			if key.major == b.key.major && len(other.waiting) > 0 {
				l.pump(other, now)
			}
		}
	}
	if len(b.owner.starved) > 0 {
		l.wakeToken(b.owner, now)
	}
}

// neediest is the starved bucket whose first waiter is the most urgent.
func (l *Limiter) neediest(t *tokenBudget, now time.Time) (*bucket, *waiter) {
	var bestBucket *bucket
	var best *waiter
	for b := range t.starved {
		w, _ := l.first(b, now)
		if w == nil {
			delete(t.starved, b)
			l.pump(b, now) // sets the timer of those that are held
			continue
		}
		if best == nil || w.before(best) {
			bestBucket, best = b, w
		}
	}
	return bestBucket, best
}

// feed lets the starved buckets of a token go, one request at a time.
func (l *Limiter) feed(t *tokenBudget, now time.Time) {
	for {
		b, w := l.neediest(t, now)
		if b == nil {
			return
		}
		if !t.global.free(w.ask.Class, now) {
			l.wakeToken(t, now)
			return
		}
		if !l.grantOne(b, now) || len(b.waiting) == 0 {
			delete(t.starved, b) // it waits for its own limit now, by its own timer
		}
	}
}

// wakeToken sets a token's timer for when its most urgent starved request can go.
func (l *Limiter) wakeToken(t *tokenBudget, now time.Time) {
	class := ClassBackup
	for b := range t.starved {
		if len(b.waiting) > 0 {
			class = min(class, b.waiting[0].ask.Class)
		}
	}
	at := t.global.next(class, now)
	if !t.timerAt.IsZero() && !at.Before(t.timerAt) {
		return
	}
	t.timerAt = at
	if t.timer != nil {
		t.timer.Stop()
	}
	t.timer = time.AfterFunc(max(at.Sub(now), 0), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		t.timerAt = time.Time{}
		l.feed(t, time.Now())
	})
}
