package discord

import "time"

// What a limiter remembers, and how it forgets.

// token finds or makes what belongs to a token; nil when there are too many.
func (l *Limiter) token(a Ask, now time.Time) *tokenBudget {
	key := a.tokenKey()
	t := l.tokens[key]
	if t == nil {
		if len(l.tokens) >= 2*maxTokens {
			return nil
		}
		t = &tokenBudget{
			key: key, global: globalBudget{limit: l.cfg.Global},
			hashes: map[string]string{}, buckets: map[bucketKey]*bucket{}, probing: map[string]int{}, starved: map[*bucket]struct{}{},
		}
		l.tokens[key] = t
	}
	t.last = now
	return t
}

// bucketFor finds or makes the bucket of a request by what is known now; nil when there
// are too many.
func (l *Limiter) bucketFor(t *tokenBudget, a Ask, now time.Time) *bucket {
	route := a.routeKey()
	key := bucketKey{"route " + route, a.Route.Major}
	if hash, ok := t.hashes[route]; ok {
		key.name = "hash " + hash
	}
	b := t.buckets[key]
	if b == nil {
		l.makeRoom(now)
		if l.buckets >= maxBuckets {
			return nil
		}
		b = &bucket{key: key, owner: t, template: a.Route.Template, serial: a.Route.Serial, last: now}
		t.buckets[key] = b
		l.buckets++
	}
	return b
}

// makeRoom forgets all that is idle when there are too many buckets: every second at most,
// since it looks at all of them.
func (l *Limiter) makeRoom(now time.Time) {
	if l.buckets >= maxBuckets && now.Sub(l.roomed) >= time.Second {
		l.roomed = now
		l.forget(now, 0)
	}
}

// hash notes which bucket a route belongs to.
func (l *Limiter) hash(t *tokenBudget, a Ask, rl RateLimit, now time.Time) {
	if rl.Bucket == "" || len(rl.Bucket) > 128 || t.hashes[a.routeKey()] == rl.Bucket {
		return
	}
	if len(t.hashes) >= maxHashes {
		// Far more than Discord has routes: a stranger makes them up. Some are learnt anew.
		for route := range t.hashes {
			delete(t.hashes, route)
			if len(t.hashes) <= maxHashes*3/4 {
				break
			}
		}
	}
	_, known := t.hashes[a.routeKey()]
	t.hashes[a.routeKey()] = rl.Bucket
	if !known {
		l.adopt(t, "route "+a.routeKey(), "hash "+rl.Bucket, now)
	}
}

// adopt gives the buckets of a route, of all its major parameters, the name that they
// turned out to have. Where there is one of that name already, it takes over.
func (l *Limiter) adopt(t *tokenBudget, route, hash string, now time.Time) {
	var heirs []*bucket
	for key, b := range t.buckets {
		if key.name != route {
			continue
		}
		delete(t.buckets, key)
		key.name = hash
		if heir := t.buckets[key]; heir != nil {
			delete(t.starved, b) // what only changes its name still waits for the global limit
			heir.takeOver(b)
			heirs = append(heirs, heir)
			l.buckets--
			continue
		}
		b.key = key
		t.buckets[key] = b
	}
	for _, b := range heirs {
		l.pump(b, now)
	}
}

// share notes that a resource is limited for everybody.
func (l *Limiter) share(resource string, until, now time.Time) {
	for r, t := range l.shared {
		if !now.Before(t) || len(l.shared) >= maxShared {
			delete(l.shared, r)
		}
	}
	l.shared[resource] = later(l.shared[resource], until)
}

// sweep forgets what nobody has used for long: once a minute, or every second and
// without waiting for its age while there are too many tokens.
func (l *Limiter) sweep(now time.Time) {
	age := idleAfter
	switch since := now.Sub(l.swept); {
	case len(l.tokens) >= maxTokens && since >= time.Second:
		age = 0
	case since < sweepInterval:
		return
	}
	l.swept = now
	l.forget(now, age)
	l.facts.forget(now, maxFacts)
	for r, t := range l.shared {
		if !now.Before(t) {
			delete(l.shared, r)
		}
	}
}

// forget drops buckets and tokens that are idle for longer than age.
func (l *Limiter) forget(now time.Time, age time.Duration) {
	for key, t := range l.tokens {
		for k, b := range t.buckets {
			if b.idle(now) && now.Sub(b.last) >= age {
				if b.timer != nil {
					b.timer.Stop()
				}
				delete(t.buckets, k)
				delete(t.starved, b)
				l.buckets--
			}
		}
		old := now.Sub(t.last) >= age && now.After(t.last) // else somebody is about to use it
		if t.global.drop(now); old && len(t.buckets) == 0 && len(t.global.places) == 0 && !now.Before(t.global.blocked) {
			if t.timer != nil {
				t.timer.Stop()
			}
			delete(l.tokens, key)
		}
	}
}

// counts are what a limiter counts.
type counts struct {
	byScope  map[string]uint64
	byReason map[string]uint64
}

func (c *counts) limited(e *APIError) {
	if c.byScope == nil {
		c.byScope = map[string]uint64{}
	}
	c.byScope[e.scope()]++
}

// refuse counts a refusal of ours on its way out.
func (l *Limiter) refuse(e *LimitedError) error {
	if l.stats.byReason == nil {
		l.stats.byReason = map[string]uint64{}
	}
	l.stats.byReason[e.Reason]++
	return e
}

// LimiterStats is a glance at a limiter, for metrics and status pages.
type LimiterStats struct {
	Waiting, Buckets, Tokens int
	Invalid                  int               // answers of the last ten minutes that count towards a ban of our address
	Limited                  map[string]uint64 // 429s that came, by scope: user, shared, global, edge
	Refused                  map[string]uint64 // what was not sent, by reason
}

// Stats takes a glance.
func (l *Limiter) Stats() LimiterStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.invalid.turn(time.Now())
	s := LimiterStats{
		Waiting: l.waiting, Buckets: l.buckets, Tokens: len(l.tokens), Invalid: l.invalid.sum,
		Limited: map[string]uint64{}, Refused: map[string]uint64{},
	}
	for k, n := range l.stats.byScope {
		s.Limited[k] = n
	}
	for k, n := range l.stats.byReason {
		s.Refused[k] = n
	}
	return s
}
