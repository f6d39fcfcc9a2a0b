package discord

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"splashtail/internal/secret"
)

// simRule is the limit of one route of the simulated Discord. Routes with one hash share
// their buckets; without a hash there is no limit and no header.
type simRule struct {
	hash   string
	limit  int
	window time.Duration
}

// sim is Discord's side of the limits in a synctest bubble: fixed windows that open with
// the first request to arrive, a limit over all routes, delays both ways. It knows
// nothing of how the limiter works.
type sim struct {
	t      *testing.T
	l      *Limiter
	rules  map[string]simRule // by method and template
	global int
	delay  func() time.Duration // one way

	mu      sync.Mutex
	windows map[string]*simWindow
	total   map[string]*simWindow // of a token, over all routes
	heard   []simHeard
	limited int
	answer  func(a Ask) (status int, refused *APIError) // nil: 200
}

type simWindow struct {
	left  int
	reset time.Time
}

type simHeard struct {
	at  time.Time
	ask Ask
}

func newSim(t *testing.T, cfg LimiterConfig, rules map[string]simRule) *sim {
	rng := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	return &sim{
		t: t, l: NewLimiter(cfg), rules: rules, global: 1 << 30, windows: map[string]*simWindow{}, total: map[string]*simWindow{},
		delay: func() time.Duration {
			mu.Lock()
			defer mu.Unlock()
			return 10*time.Millisecond + time.Duration(rng.Int64N(int64(120*time.Millisecond)))
		},
	}
}

func (w *simWindow) take(now time.Time, limit int, length time.Duration) bool {
	if !now.Before(w.reset) {
		*w = simWindow{limit, now.Add(length)}
	}
	if w.left == 0 {
		return false
	}
	w.left--
	return true
}

func windowOf(all map[string]*simWindow, key string) *simWindow {
	if all[key] == nil {
		all[key] = &simWindow{}
	}
	return all[key]
}

// hear is the instant at which a request arrives.
func (s *sim) hear(a Ask) (int, RateLimit, *APIError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.heard = append(s.heard, simHeard{now, a})
	refuse := func(scope string, wait time.Duration, rl RateLimit) (int, RateLimit, *APIError) {
		s.limited++
		return 429, rl, &APIError{Status: 429, Scope: scope, Global: scope == ScopeGlobal, RetryAfter: wait}
	}
	if w := windowOf(s.total, a.tokenKey()); !a.Route.Interaction && !w.take(now, s.global, time.Second) {
		return refuse(ScopeGlobal, w.reset.Sub(now), RateLimit{})
	}
	var rl RateLimit
	if rule, ok := s.rules[a.routeKey()]; ok && rule.hash != "" {
		w := windowOf(s.windows, a.tokenKey()+" "+rule.hash+" "+a.Route.Major)
		ok := w.take(now, rule.limit, rule.window)
		rl = RateLimit{Known: true, Limit: rule.limit, Remaining: w.left, ResetAfter: w.reset.Sub(now), Bucket: rule.hash}
		if !ok {
			return refuse(ScopeUser, w.reset.Sub(now), rl)
		}
	}
	if s.answer != nil {
		status, refused := s.answer(a)
		return status, rl, refused
	}
	return http.StatusOK, rl, nil
}

// call makes one request through the limiter and repeats it while it is refused.
func (s *sim) call(ctx context.Context, a Ask) error {
	for {
		p, err := s.l.Acquire(ctx, a)
		if err != nil {
			return err
		}
		<-time.After(s.delay())
		status, rl, refused := s.hear(a)
		<-time.After(s.delay())
		p.Done(status, rl, refused)
		if status != http.StatusTooManyRequests {
			return nil
		}
	}
}

// all makes many calls at once and waits for their end.
func (s *sim) all(asks ...Ask) {
	s.t.Helper()
	var wg sync.WaitGroup
	for _, a := range asks {
		wg.Go(func() {
			if err := s.call(s.t.Context(), a); err != nil {
				s.t.Error(err)
			}
		})
	}
	wg.Wait()
}

func ask(token, method, path string, class Class) Ask {
	return Ask{Token: secret.New(token), Route: RouteOf(method, path, time.Time{}), Class: class}
}

func times(n int, a Ask) []Ask {
	out := make([]Ask, n)
	for i := range out {
		out[i] = a
	}
	return out
}

const (
	simMembers = "PATCH /guilds/{id}/members/{id}"
	simBans    = "PUT /guilds/{id}/bans/{id}"
	simSend    = "POST /channels/{id}/messages"
)

func memberEdit(token string, guild, user int) Ask {
	return ask(token, "PATCH", "/guilds/"+strconv.Itoa(guild)+"/members/"+strconv.Itoa(user), 0)
}

// wantReason wants an error to be a LimitedError with a reason, and gives it.
func wantReason(t *testing.T, err error, reason string) *LimitedError {
	t.Helper()
	var e *LimitedError
	if !errors.As(err, &e) {
		t.Fatalf("have %v, want a LimitedError with %s", err, reason)
	}
	if e.Reason != reason {
		t.Fatalf("refused for %s, want %s", e.Reason, reason)
	}
	return e
}
