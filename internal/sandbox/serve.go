package sandbox

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"splashtail/internal/pause"
)

// call is one request on its way: first what came over the wire, then what the sandbox found out about it.
type call struct {
	d *Discord

	at          time.Time // when it arrived
	method      string
	path        string // below /api
	host        string
	scheme      string // of Authorization
	token       tokenHash
	hasToken    bool
	userAgent   string
	contentType string
	rawReason   string
	query       url.Values
	body        []byte
	tooLarge    bool

	route       *route
	otherMethod bool
	params      []param

	now    time.Time    // the instant of the decision
	app    *application // nil for a person and for a caller without a token
	me     *user        // who acts: the bot's user, or the person of As
	guild  ID
	target ID
	reason string
}

// latency is settable while requests run.
type latency struct{ base, jitter time.Duration }

func (l latency) draw() time.Duration {
	if l.jitter > 0 {
		return l.base + rand.N(l.jitter)
	}
	return l.base
}

// SetLatency sets how long every following API request takes, plus up to jitter at random. Half of it passes before the
// sandbox looks at the request (limits, checks, change: all at that one instant) and half after, like the two ways of a
// real round trip: a client that gives up early may or may not have been heard, and quota is used at arrival.
func (d *Discord) SetLatency(base, jitter time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.latency = latency{base: max(base, 0), jitter: max(jitter, 0)}
	d.changed()
}

// ServeHTTP answers /api/… as Discord, upgrades on /gateway and on the root as its gateway, and /sandbox/… as the control
// surface.
func (d *Discord) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/sandbox/") {
		d.serveControl(w, r)
		return
	}
	if isGateway(r) {
		d.serveGateway(w, r)
		return
	}
	c := d.receive(w, r)
	d.mu.Lock()
	round := d.latency.draw()
	d.mu.Unlock()
	if !pause.For(r.Context(), round/2) {
		return // the client left before it was heard
	}
	a := d.decide(c)
	if a.end == endHold {
		d.hold(r.Context(), a.delay)
	} else if pause.For(r.Context(), round-round/2+a.delay) && a.end == endAnswer {
		a.write(w)
		return
	}
	cut(w, a.end == endReset)
}

// hold keeps a request without an answer: for that long, for ever when it is zero, but not beyond client or sandbox.
func (d *Discord) hold(ctx context.Context, how time.Duration) {
	var end <-chan time.Time
	if how > 0 {
		t := time.NewTimer(how)
		defer t.Stop()
		end = t.C
	}
	select {
	case <-end:
	case <-ctx.Done():
	case <-d.stop:
	}
}

// receive takes everything from the wire that the decision needs.
func (d *Discord) receive(w http.ResponseWriter, r *http.Request) *call {
	c := &call{
		d: d, at: time.Now(), method: r.Method, host: r.Host, query: r.URL.Query(),
		userAgent: r.UserAgent(), contentType: r.Header.Get("Content-Type"), rawReason: r.Header.Get("X-Audit-Log-Reason"),
	}
	if path, ok := apiPath(r.URL.Path); ok {
		c.path = path
		c.route, c.params, c.otherMethod = d.findRoute(r.Method, path)
	} else if isCDN(r) {
		c.path, c.route = r.URL.Path, d.rowOf(RouteCDN)
	}
	if scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		c.scheme, c.token, c.hasToken = scheme, hashToken(token), true
	}
	if canHaveBody(r.Method) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, c.mostBody()))
		var tooLarge *http.MaxBytesError
		c.body, c.tooLarge = body, errors.As(err, &tooLarge)
	}
	return c
}

// decide is the instant at which a request happens: everything in it is one step for all other requests.
func (d *Discord) decide(c *call) *answer {
	d.mu.Lock()
	defer d.mu.Unlock()
	c.now = time.Now()
	a := &answer{header: http.Header{}}
	d.cdn.learn(c.host)
	c.app = d.tokens[c.token]
	c.guild, c.target = c.pathID("guild_id"), c.pathID("user_id")
	if c.now.Before(d.invalid.until) {
		a.tooMany(ScopeEdge, d.invalid.until.Sub(c.now))
	} else {
		f := d.strike(c)
		if !f.early() {
			c.admit(a, f)
		}
		f.spoil(a)
	}
	d.invalid.count(a.status, a.scope, c.now, d.limits.limits)
	d.record(c, a)
	return a
}

// admit is Discord's order: does the path exist, who calls, may it call now, then the handler.
func (c *call) admit(a *answer, f *Fault) {
	switch {
	case c.route == nil && c.otherMethod:
		a.refuse(wrongMethod())
		return
	case c.route == nil:
		a.refuse(notFound())
		return
	}
	if !c.route.open {
		if err := c.authenticate(); err != nil {
			a.refuse(err)
			return
		}
		c.me = c.app.user
	}
	if !c.underLimits(a, f) {
		return
	}
	value, err := c.run()
	switch {
	case err != nil && err.limited > 0:
		a.tooMany(ScopeUser, err.limited)
	case err != nil:
		a.refuse(err)
	default:
		a.succeed(value)
	}
}

func (c *call) authenticate() *apiError {
	switch {
	case !c.hasToken, c.app == nil, c.app.revoked:
		return unauthorized()
	case c.scheme != "Bot":
		return wrongScheme()
	}
	return nil
}

// underLimits charges the limits and sets their headers. A forced 429 charges the bucket as a real sublimit does, but a
// global or edge one is decided before the bucket is looked at.
func (c *call) underLimits(a *answer, f *Fault) bool {
	l := &c.d.limits
	forced := f.forced()
	if forced == ScopeGlobal || forced == ScopeEdge {
		a.tooMany(forced, orSecond(f.RetryAfter))
		return false
	}
	token := c.token
	if c.route.open {
		token = tokenHash{} // what is open to all counts for all together
	} else if wait, ok := l.takeGlobal(token, c.now); !ok {
		a.tooMany(ScopeGlobal, wait)
		return false
	}
	hash, limit := bucketHash(c.route.bucket), unlimited()
	if c.route.limit != nil {
		limit = c.route.limit(l.limits)
	}
	w, ok := l.take(bucketKey{token, hash, c.major()}, limit, c.now)
	if w != nil {
		w.setHeaders(a.header, hash, c.now)
	}
	switch {
	case !ok:
		a.tooMany(ScopeUser, w.reset.Sub(c.now))
		return false
	case forced != "":
		a.tooMany(forced, orSecond(f.RetryAfter))
		return false
	}
	return true
}

func orSecond(d time.Duration) time.Duration {
	if d <= 0 {
		return time.Second
	}
	return d
}

// run checks what all handlers share, then runs the handler.
func (c *call) run() (any, *apiError) {
	var bad formErrors
	for _, p := range c.params {
		if _, err := ParseID(p.value); err != nil && !p.free() {
			bad.add("NUMBER_TYPE_COERCE", "Value "+quoted([]byte(p.value))+" is not snowflake.", p.name)
		}
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	if c.tooLarge {
		return nil, bodyTooLarge()
	}
	var err *apiError
	if c.reason, err = auditReason(c.rawReason); err != nil {
		return nil, err
	}
	return c.route.handle(c)
}

// major is what separates the buckets of one route: the first id of the path, and the token of a webhook.
func (c *call) major() string {
	if len(c.params) == 0 {
		return ""
	}
	return c.params[0].value + "/" + c.pathText("webhook_token")
}

// pathText is the part of that name in the path, empty when there is none.
func (c *call) pathText(name string) string {
	for _, p := range c.params {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// pathID is the id of that name in the path, zero when there is none.
func (c *call) pathID(name string) ID {
	id, _ := ParseID(c.pathText(name))
	return id
}

// mostBody is how many bytes of a body are read.
func (c *call) mostBody() int64 {
	switch {
	case strings.HasPrefix(c.contentType, "multipart/form-data"):
		return maxUpload
	case c.route != nil && c.route.body > 0:
		return c.route.body
	}
	return maxBody
}

// jsonBody refuses a body that is not declared as JSON.
func (c *call) jsonBody() *apiError {
	if kind, _, err := mime.ParseMediaType(c.contentType); err != nil || kind != "application/json" {
		var bad formErrors
		bad.add("CONTENT_TYPE_INVALID", `Expected "Content-Type" header to be one of {'application/json'}.`)
		return bad.err()
	}
	return nil
}
