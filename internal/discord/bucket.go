package discord

import (
	"net/http"
	"slices"
	"time"
)

// bucketKey names one budget of one token: the hash that Discord's headers gave to a
// route, or the route itself until they did, and the major parameter.
type bucketKey struct{ name, major string }

// bucket is one budget and who waits for it. Until an answer has told the limit, one
// request at a time is on its way.
type bucket struct {
	key   bucketKey
	owner *tokenBudget

	template string  // of the first route that used it
	window   *Window // nil until headers were seen
	open     bool    // an answer came without headers: there is no limit but the global one
	serial   bool

	inFlight int
	untold   int                  // of those, sent before the window was known
	heir     *bucket              // who took over, when headers told that this one is not one of its own
	waiting  []*waiter            // most urgent class first, then in order of arrival
	blocked  time.Time            // after a 429 of a bucket whose window is not known
	held     map[string]time.Time // parts of the route that a sublimit holds back
	last     time.Time            // last use

	timer   *time.Timer
	timerAt time.Time // when it rings; zero: it does not
}

// waiter is one request that waits for its turn.
type waiter struct {
	ask    Ask
	seq    uint64
	turn   chan struct{} // closed when its turn has come
	permit *Permit       // set before turn is closed
	bucket *bucket       // where it waits
}

// free says whether one more request may go, as far as this budget goes.
func (b *bucket) free(now time.Time) bool {
	switch {
	case now.Before(b.blocked), b.serial && b.inFlight > 0:
		return false
	case b.window != nil:
		return b.window.Free(now) > b.reserved()
	}
	return b.open || b.inFlight == 0 && b.busySibling(now) == nil
}

// busySibling is a used-up bucket that this one may turn out to be: that of another
// method on the same path, as long as nothing is known of this one.
func (b *bucket) busySibling(now time.Time) *bucket {
	for _, method := range routeMethods {
		hash, ok := b.owner.hashes[method+" "+b.template]
		if !ok {
			continue
		}
		s := b.owner.buckets[bucketKey{"hash " + hash, b.key.major}]
		if s != nil && s != b && s.window != nil && !s.free(now) {
			return s
		}
	}
	return nil
}

// probes are the buckets that may turn out to be this one, and for which somebody waits.
func (b *bucket) probes() (out []*bucket) {
	for _, method := range routeMethods {
		p := b.owner.buckets[bucketKey{"route " + method + " " + b.template, b.key.major}]
		if p != nil && p != b && len(p.waiting) > 0 {
			out = append(out, p)
		}
	}
	return out
}

var routeMethods = [...]string{http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodPost, http.MethodGet}

// reserved is how many requests on their way may count here besides those with tickets:
// those that were sent before the window was known, and those of routes with the same
// major parameter that nothing is known of yet, for they may share this budget.
func (b *bucket) reserved() int { return b.untold + b.owner.probing[b.key.major] }

// next is when free becomes true without another answer; zero when only one can tell.
func (b *bucket) next(now time.Time) time.Time {
	switch {
	case now.Before(b.blocked):
		return b.blocked
	case b.serial && b.inFlight > 0:
		return time.Time{}
	case b.window != nil:
		if free := b.window.Free(now); free > 0 && free <= b.reserved() {
			return time.Time{}
		}
		return b.window.Next(now)
	case b.open:
		return now
	case b.inFlight > 0:
		return time.Time{}
	}
	if s := b.busySibling(now); s != nil {
		return s.next(now)
	}
	return now
}

// turnOf estimates when the nth waiter (from 0) has its turn; it errs on the early side.
func (b *bucket) turnOf(n int, now time.Time) time.Time {
	at := b.next(now)
	if at.IsZero() {
		at = now
	}
	if b.window == nil || b.window.limit == 0 {
		return at
	}
	later := max(0, n-b.window.Free(now)) / b.window.limit
	return at.Add(time.Duration(later) * b.window.length)
}

// add queues a waiter behind those of its class.
func (b *bucket) add(w *waiter) {
	i := len(b.waiting)
	for i > 0 && w.before(b.waiting[i-1]) {
		i--
	}
	b.waiting = slices.Insert(b.waiting, i, w)
	w.bucket = b
}

func (w *waiter) before(o *waiter) bool {
	if w.ask.Class != o.ask.Class {
		return w.ask.Class < o.ask.Class
	}
	return w.seq < o.seq
}

func (b *bucket) remove(w *waiter) {
	if i := slices.Index(b.waiting, w); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
}

// send counts a request that goes now.
func (b *bucket) send(p *Permit, now time.Time) {
	b.inFlight++
	b.last = now
	if b.window == nil {
		b.untold++
		if p.probe = !b.open; p.probe {
			b.owner.probing[b.key.major]++
		}
		return
	}
	p.ticket, p.ticketed = b.window.Take(now), true
}

// back counts a request that is not on its way any more.
func (b *bucket) back(p *Permit, now time.Time) {
	b.inFlight--
	b.last = now
	if !p.ticketed {
		b.untold--
	}
}

// probed ends what a probe reserved in other buckets.
func (t *tokenBudget) probed(major string) {
	if t.probing[major]--; t.probing[major] <= 0 {
		delete(t.probing, major)
	}
}

// takeOver moves who waits and what is on its way from a bucket that turned out to be
// this one.
func (b *bucket) takeOver(old *bucket) {
	b.inFlight += old.inFlight
	b.untold += old.inFlight // tickets of the old window are worth nothing here
	for _, w := range old.waiting {
		b.add(w)
	}
	for part, until := range old.held {
		b.hold(part, until)
	}
	b.blocked = later(b.blocked, old.blocked)
	old.inFlight, old.untold, old.waiting, old.heir = 0, 0, nil, b
	if old.timer != nil {
		old.timer.Stop()
	}
}

// answered learns from the headers of an answer, if it had any. A request that had no
// ticket, because the window was not known then, gets one afterwards.
func (b *bucket) answered(p *Permit, now time.Time, status int, rl RateLimit) {
	b.back(p, now)
	if rl.Known {
		b.learn(p, now, rl)
		return
	}
	b.settle(p, now)
	if b.window == nil && status/100 == 2 {
		b.open = true
	}
}

func (b *bucket) learn(p *Permit, now time.Time, rl RateLimit) {
	if b.window == nil {
		b.window, b.open = NewWindow(rl.Limit), false
	}
	if !p.ticketed {
		p.ticket = b.window.Take(now)
	}
	b.window.Done(p.ticket, now, rl)
}

// refused holds the bucket back after a 429 that emptied it.
func (b *bucket) refused(p *Permit, now time.Time, wait time.Duration) {
	b.back(p, now)
	if until := now.Add(wait + slack); until.After(b.blocked) {
		b.blocked = until
	}
	if p.ticketed {
		b.window.Refused(p.ticket, now, wait)
	}
}

// lost is told of a request without an answer, or whose answer belongs elsewhere.
func (b *bucket) lost(p *Permit, now time.Time) {
	b.back(p, now)
	if p.ticketed {
		b.window.Lost(p.ticket)
	}
}

func (b *bucket) settle(p *Permit, now time.Time) {
	if p.ticketed {
		b.window.Done(p.ticket, now, RateLimit{})
	}
}

// hold keeps one part of the route back after a 429 that left the bucket itself open.
func (b *bucket) hold(part string, until time.Time) {
	if b.held == nil {
		b.held = map[string]time.Time{}
	}
	for p, t := range b.held {
		if !until.Before(t) && len(b.held) >= maxHeld {
			delete(b.held, p)
		}
	}
	if len(b.held) < maxHeld && until.After(b.held[part]) {
		b.held[part] = until
	}
}

// maxHeld bounds the parts of a bucket that are held back at once.
const maxHeld = 64

// idle says whether forgetting the bucket changes nothing.
func (b *bucket) idle(now time.Time) bool {
	if b.inFlight > 0 || len(b.waiting) > 0 || now.Before(b.blocked) {
		return false
	}
	for _, t := range b.held {
		if now.Before(t) {
			return false
		}
	}
	return b.window == nil || b.window.over(now) && !now.Before(b.window.blocked)
}
