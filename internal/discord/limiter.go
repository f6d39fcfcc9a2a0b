package discord

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"splashtail/internal/secret"
)

// LimiterConfig says how careful a Limiter is. Zero fields mean the defaults.
type LimiterConfig struct {
	// Global is how many requests per second one token may send over all routes;
	// default 50, which is Discord's limit for all but the largest bots.
	Global int
	// MaxQueue is how many requests may wait for one limit; default 500. MaxWaiting is
	// how many may wait in all; default 20,000.
	MaxQueue, MaxWaiting int
	// MaxInvalid is how many refusals in ten minutes ban an address; default 10,000.
	// From half of them on, the limiter is careful; it stops before the number.
	MaxInvalid int
}

// Bounds of what a limiter remembers. What nobody used for idleAfter is forgotten.
const (
	maxBuckets    = 50_000
	maxTokens     = 10_000
	maxHashes     = 4_096 // per token
	maxShared     = 10_000
	idleAfter     = 10 * time.Minute
	sweepInterval = time.Minute
)

// Limiter lets requests go so that Discord never has to refuse one for being too many:
// everybody who sends from one address shares one. It learns the limits from the
// headers of the answers. Its methods may be called from any number of goroutines.
type Limiter struct {
	cfg LimiterConfig

	mu      sync.Mutex // guards everything below; held for computing only
	tokens  map[string]*tokenBudget
	shared  map[string]time.Time // resources that are limited for everybody
	facts   facts
	invalid invalidCount
	edge    time.Time // our address is banned until then
	seq     uint64
	buckets int
	waiting int
	swept   time.Time
	roomed  time.Time
	stats   counts
}

// tokenBudget is what belongs to one token.
type tokenBudget struct {
	key     string
	global  globalBudget
	hashes  map[string]string // route -> hash of its bucket
	buckets map[bucketKey]*bucket
	probing map[string]int       // requests on their way to find out about a route, by major parameter
	starved map[*bucket]struct{} // those that could go but for the global limit
	timer   *time.Timer
	timerAt time.Time
	last    time.Time
}

// Ask is a request that wants to go.
type Ask struct {
	Token secret.Value // as it authorizes, with or without "Bot "; zero: none is sent
	Route Route
	Class Class // zero: the route's own
	// Part names what a request changes, where Discord limits some changes of one
	// route more than others, such as a channel's name. See PartOf.
	Part string
}

// tokenKey names the token without giving it away. Answers to interactions count
// together, whoever sends them: each has a budget of its own.
func (a Ask) tokenKey() string {
	if a.Route.Interaction {
		return "interactions"
	}
	if a.Token.IsZero() {
		return ""
	}
	return shortHash(strings.TrimPrefix(a.Token.Reveal(), "Bot "))
}

func (a Ask) routeKey() string { return a.Route.Method + " " + a.Route.Template }

func (a Ask) resource() string { return a.routeKey() + " " + a.Route.Major }

func (a Ask) part() string { return a.routeKey() + " " + a.Part }

// shortHash names a secret in a key: 128 bits are enough to be unique.
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}

// NewLimiter makes a limiter that has learnt nothing yet.
func NewLimiter(cfg LimiterConfig) *Limiter {
	if cfg.Global <= 0 {
		cfg.Global = 50
	}
	if cfg.MaxQueue <= 0 {
		cfg.MaxQueue = 500
	}
	if cfg.MaxWaiting <= 0 {
		cfg.MaxWaiting = 20_000
	}
	return &Limiter{
		cfg: cfg, tokens: map[string]*tokenBudget{}, shared: map[string]time.Time{}, facts: facts{},
		invalid: invalidCount{limit: cfg.MaxInvalid},
	}
}

// Acquire waits until a request may be sent. It returns *LimitedError without waiting
// when the request is hopeless: its turn would come after the context's deadline, too
// many wait already, or Discord would surely refuse it. It returns *LimitedError around
// the context's error when that ends while it waits.
func (l *Limiter) Acquire(ctx context.Context, a Ask) (*Permit, error) {
	if a.Class < ClassInteraction || a.Class > ClassBackup {
		a.Class = a.Route.DefaultClass()
	}
	l.mu.Lock()
	w, err := l.enter(ctx, a, time.Now())
	l.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-w.turn:
		return w.permit, nil
	default:
	}
	select {
	case <-w.turn:
		return w.permit, nil
	case <-ctx.Done():
		return l.giveUp(ctx, w)
	}
}

// giveUp takes a waiter out, unless its turn came at the same moment.
func (l *Limiter) giveUp(ctx context.Context, w *waiter) (*Permit, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if w.permit != nil {
		return w.permit, nil // its sender will find its context ended, and says Lost
	}
	now := time.Now()
	at := l.turnOf(w, now)
	l.leave(w, now)
	return nil, l.refuse(&LimitedError{Reason: ReasonTooLong, RetryAfter: max(at.Sub(now), 0), Err: context.Cause(ctx)})
}

// leave takes a waiter out of its queue.
func (l *Limiter) leave(w *waiter, now time.Time) {
	w.bucket.remove(w)
	l.waiting--
	l.pump(w.bucket, now) // it may have been the one that others waited behind
}

// enter checks a request and lets it go or wait.
func (l *Limiter) enter(ctx context.Context, a Ask, now time.Time) (*waiter, error) {
	l.sweep(now)
	if e := l.hopeless(a, now); e != nil {
		return nil, l.refuse(e)
	}
	t := l.token(a, now)
	var b *bucket
	if t != nil {
		b = l.bucketFor(t, a, now)
	}
	if b == nil || len(b.waiting) >= l.cfg.MaxQueue || l.waiting >= l.cfg.MaxWaiting {
		wait := time.Second
		if b != nil {
			wait = max(b.turnOf(len(b.waiting), now).Sub(now), wait)
		}
		return nil, l.refuse(&LimitedError{Reason: ReasonQueueFull, RetryAfter: wait})
	}
	l.seq++
	w := &waiter{ask: a, seq: l.seq, turn: make(chan struct{})}
	b.add(w)
	l.waiting++
	l.pump(b, now)
	if w.permit != nil {
		return w, nil
	}
	if deadline, ok := ctx.Deadline(); ok {
		if at := l.turnOf(w, now); at.After(deadline) {
			l.leave(w, now)
			return nil, l.refuse(&LimitedError{Reason: ReasonTooLong, RetryAfter: at.Sub(now)})
		}
	}
	return w, nil
}

// hopeless says why a request should not be sent at all.
func (l *Limiter) hopeless(a Ask, now time.Time) *LimitedError {
	level := l.invalid.alarm(now)
	if level == alarmClosed || level == alarmHigh && a.Class > ClassUrgent {
		return &LimitedError{Reason: ReasonInvalid, RetryAfter: l.invalid.relief(now).Sub(now)}
	}
	if now.Before(l.edge) {
		return &LimitedError{Reason: ReasonEdge, RetryAfter: l.edge.Sub(now)}
	}
	return l.facts.refuses(a, level, now)
}

// turnOf estimates when a waiter has its turn, on the early side.
func (l *Limiter) turnOf(w *waiter, now time.Time) time.Time {
	b := w.bucket
	ahead := 0
	for _, o := range b.waiting {
		if o == w {
			break
		}
		ahead++
	}
	at := later(b.turnOf(ahead, now), l.heldUntil(w))
	if !w.ask.Route.Interaction {
		at = later(at, b.owner.global.blocked)
	}
	return at
}

// heldUntil is until when a sublimit or a limit for everybody holds a waiter back.
func (l *Limiter) heldUntil(w *waiter) time.Time {
	var at time.Time
	if len(w.bucket.held) > 0 {
		at = w.bucket.held[w.ask.part()]
	}
	if len(l.shared) > 0 {
		at = later(at, l.shared[w.ask.resource()])
	}
	return later(at, l.edge)
}
