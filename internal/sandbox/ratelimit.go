package sandbox

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// Limit allows Requests per Window. The window is fixed and opens with the first request after the last one ended, as the
// headers of the real service show. Negative Requests mean no limit and no headers.
type Limit struct {
	Requests int
	Window   time.Duration
}

// Limits are all limits of a sandbox. Each named one is a bucket per token and guild (per token where no guild is in the
// path). Zero fields mean the default.
type Limits struct {
	MemberPatch Limit
	MemberGet   Limit
	MemberList  Limit
	GuildGet    Limit
	VoiceState  Limit
	Self        Limit
	Gateway     Limit
	// RoleCreate is per guild and long: real servers show 250 in 48 hours. ChannelRename is the limit of name and topic of
	// one channel that its bucket does not show. Other, when it is set, is for all routes that have no field here.
	RoleCreate    Limit
	ChannelRename Limit
	// WebhookChannel is what one channel takes of all its webhooks, which no bucket shows, and EmojiCreate what one guild takes
	// of new emojis. Both are off when Other is.
	WebhookChannel Limit
	EmojiCreate    Limit
	Other          Limit

	Global  int           // requests per second of one token over all routes
	Invalid Limit         // answers 401, 403 and 429 (shared ones aside) before the edge bans the address
	BanFor  time.Duration // how long that ban lasts
}

// DefaultLimits are Discord's documented numbers for Global and Invalid, the observed one for MemberPatch (5 per 5 s) and
// plausible ones for the rest, which Discord does not publish: clients have to read the headers.
func DefaultLimits() Limits {
	return Limits{
		MemberPatch:    Limit{5, 5 * time.Second},
		MemberGet:      Limit{5, time.Second},
		MemberList:     Limit{10, 10 * time.Second},
		GuildGet:       Limit{10, 10 * time.Second},
		VoiceState:     Limit{5, time.Second},
		Self:           Limit{30, 30 * time.Second},
		Gateway:        Limit{2, 5 * time.Second},
		RoleCreate:     Limit{250, 48 * time.Hour},
		ChannelRename:  Limit{2, 10 * time.Minute},
		WebhookChannel: Limit{30, time.Minute},
		EmojiCreate:    Limit{50, time.Hour},
		Global:         50,
		Invalid:        Limit{10_000, 10 * time.Minute},
		BanFor:         time.Hour,
	}
}

// unlimited never bites and shows no headers.
func unlimited() Limit { return Limit{Requests: -1} }

// per is the limit of a route without a field in Limits.
func per(requests int, window time.Duration) func(Limits) Limit {
	return func(l Limits) Limit {
		if l.Other.Requests != 0 {
			return l.Other
		}
		return Limit{requests, window}
	}
}

// within counts an act against a limit that the headers of its bucket do not show; the error is the 429.
func (c *call) within(what string, about ID, limit Limit) *apiError {
	if c.app == nil {
		return nil // a person in the app
	}
	w, ok := c.d.limits.take(bucketKey{c.token, what, about.String()}, limit, c.now)
	if ok {
		return nil
	}
	return &apiError{limited: w.reset.Sub(c.now)}
}

// withDefaults fills what is zero from fallback.
func (l Limits) withDefaults(fallback Limits) Limits {
	pick := func(a, b Limit) Limit {
		if a.Requests == 0 || a.Requests > 0 && a.Window <= 0 {
			return b
		}
		return a
	}
	l.MemberPatch = pick(l.MemberPatch, fallback.MemberPatch)
	l.MemberGet = pick(l.MemberGet, fallback.MemberGet)
	l.MemberList = pick(l.MemberList, fallback.MemberList)
	l.GuildGet = pick(l.GuildGet, fallback.GuildGet)
	l.VoiceState = pick(l.VoiceState, fallback.VoiceState)
	l.Self = pick(l.Self, fallback.Self)
	l.Gateway = pick(l.Gateway, fallback.Gateway)
	l.RoleCreate = pick(l.RoleCreate, fallback.RoleCreate)
	l.ChannelRename = pick(l.ChannelRename, fallback.ChannelRename)
	l.WebhookChannel = pick(l.WebhookChannel, fallback.WebhookChannel)
	l.EmojiCreate = pick(l.EmojiCreate, fallback.EmojiCreate)
	l.Other = pick(l.Other, fallback.Other)
	l.Invalid = pick(l.Invalid, fallback.Invalid)
	if l.Global == 0 {
		l.Global = fallback.Global
	}
	if l.BanFor <= 0 {
		l.BanFor = fallback.BanFor
	}
	return l
}

// SetLimits replaces the limits; zero fields keep their value. Windows that are open run out by their old numbers.
func (d *Discord) SetLimits(l Limits) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.limits.limits = l.withDefaults(d.limits.limits)
	d.changed()
}

// Limits says which limits hold now.
func (d *Discord) Limits() Limits {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.limits.limits
}

// window is one running window. Its own limit stays as it was when it opened.
type window struct {
	limit Limit
	left  int
	reset time.Time
}

// take uses one request of the window, or says no and changes nothing.
func (w *window) take(now time.Time, l Limit) bool {
	if !now.Before(w.reset) {
		*w = window{limit: l, left: l.Requests, reset: now.Add(l.Window)}
	}
	if w.left <= 0 {
		return false
	}
	w.left--
	return true
}

// bucketKey is what a bucket counts by: the token, the shared hash of its routes, and the guild in the path.
type bucketKey struct {
	token tokenHash
	hash  string
	major string
}

// maxWindows bounds the buckets in memory; past it those that ran out are dropped, then any.
const maxWindows = 50_000

type limiter struct {
	limits  Limits
	windows map[bucketKey]*window
	global  map[tokenHash]*window
}

func newLimiter(l Limits) limiter {
	return limiter{
		limits:  l.withDefaults(DefaultLimits()),
		windows: map[bucketKey]*window{},
		global:  map[tokenHash]*window{},
	}
}

// takeGlobal counts a request of a known token against its limit over all routes; false gives the wait.
func (l *limiter) takeGlobal(token tokenHash, now time.Time) (time.Duration, bool) {
	if l.limits.Global < 0 {
		return 0, true
	}
	w := l.global[token] // as many as there are applications
	if w == nil {
		w = &window{}
		l.global[token] = w
	}
	ok := w.take(now, Limit{l.limits.Global, time.Second})
	return w.reset.Sub(now), ok
}

// take counts a request against its bucket and gives the bucket as it is afterwards, nil when there is no limit.
func (l *limiter) take(key bucketKey, limit Limit, now time.Time) (*window, bool) {
	if limit.Requests < 0 {
		return nil, true
	}
	w := l.windows[key]
	if w == nil {
		l.evict(now)
		w = &window{}
		l.windows[key] = w
	}
	ok := w.take(now, limit)
	return w, ok
}

func (l *limiter) evict(now time.Time) {
	if len(l.windows) < maxWindows {
		return
	}
	for key, w := range l.windows {
		if !now.Before(w.reset) {
			delete(l.windows, key)
		}
	}
	for key := range l.windows {
		if len(l.windows) < maxWindows {
			return
		}
		delete(l.windows, key)
	}
}

// setHeaders writes the X-RateLimit headers of a bucket. Times are rounded up to the millisecond, so that who waits for
// them is not early.
func (w *window) setHeaders(h http.Header, hash string, now time.Time) {
	after := ceilTo(w.reset.Sub(now), time.Millisecond)
	reset := now.Add(after).UnixMilli()
	if now.Add(after).UnixMicro()%1000 != 0 {
		reset++
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(w.limit.Requests))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(w.left))
	h.Set("X-RateLimit-Reset", strconv.FormatFloat(float64(reset)/1000, 'f', 3, 64))
	h.Set("X-RateLimit-Reset-After", seconds(after))
	h.Set("X-RateLimit-Bucket", hash)
}

// rateLimited is the JSON body of a 429. Discord documents a code too, but omits it where there is nothing to say.
type rateLimited struct {
	Message    string  `json:"message"`
	RetryAfter float64 `json:"retry_after"`
	Global     bool    `json:"global"`
}

// Scopes of a 429, as X-RateLimit-Scope names them; ScopeEdge is ours for the ban that answers without JSON.
const (
	ScopeUser   = "user"
	ScopeShared = "shared"
	ScopeGlobal = "global"
	ScopeEdge   = "edge"
)

// tooMany makes the 429 of one scope. Retry-After is in whole seconds, rounded up; the body is exact to the millisecond.
func (a *answer) tooMany(scope string, wait time.Duration) {
	wait = ceilTo(max(wait, time.Millisecond), time.Millisecond)
	a.status, a.scope = http.StatusTooManyRequests, scope
	a.header.Set("Retry-After", strconv.FormatInt(int64(ceilTo(wait, time.Second)/time.Second), 10))
	if scope == ScopeEdge {
		a.header.Set("Content-Type", "text/plain; charset=UTF-8")
		a.raw = "error code: 1015"
		return
	}
	a.header.Set("X-RateLimit-Scope", scope)
	if scope == ScopeGlobal {
		a.header.Set("X-RateLimit-Global", "true")
	}
	retry := math.Round(wait.Seconds()*1000) / 1000
	a.value = rateLimited{Message: "You are being rate limited.", RetryAfter: retry, Global: scope == ScopeGlobal}
}

// invalidCounter is the edge's count of answers that a well-kept bot does not get. All clients of a sandbox share one
// address, so there is one counter.
type invalidCounter struct {
	window
	until time.Time // the ban
}

// count notes an answer and starts the ban when there were too many.
func (c *invalidCounter) count(status int, scope string, now time.Time, l Limits) {
	bad := status == http.StatusUnauthorized || status == http.StatusForbidden || status == http.StatusTooManyRequests
	if !bad || scope == ScopeShared || scope == ScopeEdge || l.Invalid.Requests < 0 {
		return
	}
	if c.take(now, l.Invalid); c.left <= 0 {
		c.until = now.Add(l.BanFor)
		c.window = window{}
	}
}

func ceilTo(d, unit time.Duration) time.Duration {
	if r := d % unit; r > 0 {
		return d - r + unit
	}
	return d
}

func seconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 3, 64) }
