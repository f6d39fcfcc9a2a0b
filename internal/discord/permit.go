package discord

import (
	"net/http"
	"time"
)

// Permit is the right to send one request now. Done or Lost has to be called when it is
// answered or given up; only the first call counts.
type Permit struct {
	l        *Limiter
	ask      Ask
	bucket   *bucket
	ticket   Ticket
	ticketed bool
	place    *place
	probe    bool // it was sent to find out about its route
	over     bool
}

// edgeMost bounds how long one answer of Discord's edge stops everything.
const edgeMost = time.Hour

// Done tells the limiter what came back: the status, what ParseRateLimit made of the
// headers and, for a status that is no success, what ParseError made of the answer.
func (p *Permit) Done(status int, rl RateLimit, refused *APIError) {
	l := p.l
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !p.finish(now) {
		return
	}
	l.facts.hears(p.ask, status, refused, now)
	if invalid(status, refused) {
		l.invalid.add(now)
	}
	if status == http.StatusTooManyRequests && refused != nil {
		p.limited(now, rl, refused)
	} else {
		p.learn(now, status, rl)
	}
	l.after(p, now)
}

// Lost tells the limiter that no answer came. Discord may have counted the request.
func (p *Permit) Lost() {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	now := time.Now()
	if !p.finish(now) {
		return
	}
	p.bucket.lost(p, now)
	p.l.after(p, now)
}

func (p *Permit) finish(now time.Time) bool {
	if p.over {
		return false
	}
	p.over = true
	if p.probe {
		p.bucket.owner.probed(p.ask.Route.Major)
	}
	p.inherit()
	p.bucket.owner.global.answered(p.place, now)
	return true
}

// inherit finds the bucket that took over from the one the request was sent by.
func (p *Permit) inherit() {
	for p.bucket.heir != nil {
		p.bucket, p.ticketed = p.bucket.heir, false
	}
}

// invalid says whether an answer counts towards the ban of our address.
func invalid(status int, refused *APIError) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return true
	case http.StatusTooManyRequests:
		return refused == nil || refused.Scope != ScopeShared
	}
	return false
}

// limited sorts a 429 by what it is that is used up.
func (p *Permit) limited(now time.Time, rl RateLimit, refused *APIError) {
	l, until := p.l, now.Add(refused.RetryAfter+slack)
	l.stats.limited(refused)
	switch {
	case refused.Edge:
		l.edge = later(l.edge, now.Add(min(refused.RetryAfter, edgeMost)))
		p.bucket.lost(p, now)
	case refused.Global && p.place == nil:
		p.bucket.refused(p, now, refused.RetryAfter) // exempt, and yet refused: at least it waits
	case refused.Global:
		p.bucket.owner.global.block(until)
		p.bucket.lost(p, now)
	case refused.Scope == ScopeShared:
		// The resource is busy for everybody; its headers speak of another limit.
		l.share(p.ask.resource(), until, now)
		p.bucket.answered(p, now, http.StatusTooManyRequests, RateLimit{})
	case rl.Known && rl.Remaining > 0:
		p.learn(now, http.StatusTooManyRequests, rl)
		p.target(now).hold(p.ask.part(), until)
	default:
		p.told(rl, now)
		if to := p.target(now); to != p.bucket {
			p.bucket.lost(p, now)
			to.blocked = later(to.blocked, until)
		} else {
			p.bucket.refused(p, now, refused.RetryAfter)
		}
	}
}

// target is the bucket that the request belongs to by what is known now.
func (p *Permit) target(now time.Time) *bucket {
	if b := p.l.bucketFor(p.bucket.owner, p.ask, now); b != nil {
		return b
	}
	return p.bucket
}

// told notes which bucket the headers name.
func (p *Permit) told(rl RateLimit, now time.Time) {
	p.l.hash(p.bucket.owner, p.ask, rl, now)
	p.inherit()
}

// learn puts an answer to the account of the bucket that its headers name.
func (p *Permit) learn(now time.Time, status int, rl RateLimit) {
	if rl.Known {
		p.told(rl, now)
	}
	to := p.target(now)
	if to == p.bucket {
		to.answered(p, now, status, rl)
		return
	}
	p.bucket.lost(p, now)
	if rl.Known {
		p.ticketed = false
		to.learn(p, now, rl)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
