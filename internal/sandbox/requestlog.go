package sandbox

import (
	"maps"
	"time"
)

// Request is one API request as the sandbox decided it.
type Request struct {
	Seq       uint64    `json:"seq"`
	At        time.Time `json:"at"`              // arrival, before the latency
	Decided   time.Time `json:"decided"`         // the instant of the limits, checks and change
	Token     string    `json:"token,omitempty"` // TokenHash of what it came with; empty without a token
	App       ID        `json:"app,omitempty"`   // zero for a token that nobody has
	Method    string    `json:"method"`
	Path      string    `json:"path"`            // below /api/vN
	Route     string    `json:"route,omitempty"` // one of the Route constants; empty for 404 and 405
	Guild     ID        `json:"guild,omitempty"`
	User      ID        `json:"user,omitempty"`
	Status    int       `json:"status"`          // zero when a fault left the client without one
	Code      int       `json:"code,omitempty"`  // Discord's error code
	Scope     string    `json:"scope,omitempty"` // of a 429
	Fault     FaultKind `json:"fault,omitempty"`
	Body      string    `json:"body,omitempty"` // at most 4 KiB of it
	Reason    string    `json:"reason,omitempty"`
	UserAgent string    `json:"user_agent,omitempty"`
}

// Counts are what happened since New.
type Counts struct {
	Requests uint64            `json:"requests"`
	Status   map[int]uint64    `json:"status"` // by HTTP status; 0 = left without an answer
	Limited  map[string]uint64 `json:"limited"`
	// Invalid counts towards the ban in the running window; Banned says that it is in force.
	Invalid int  `json:"invalid"`
	Banned  bool `json:"banned"`
}

type counts struct {
	requests uint64
	status   map[int]uint64
	limited  map[string]uint64 // 429 by scope
}

// Requests copies the kept requests with a Seq above after, oldest first, at most limit (0 = all kept).
func (d *Discord) Requests(after uint64, limit int) []Request {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.requests.after(after, limit)
}

// Counts sums up all requests, also those that the log has forgotten.
func (d *Discord) Counts() Counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	c := Counts{
		Requests: d.counts.requests, Status: maps.Clone(d.counts.status), Limited: maps.Clone(d.counts.limited),
		Banned: now.Before(d.invalid.until),
	}
	if now.Before(d.invalid.reset) {
		c.Invalid = d.invalid.limit.Requests - d.invalid.left
	}
	return c
}

// record logs a decided request. Call it with the lock held.
func (d *Discord) record(c *call, a *answer) {
	r := Request{
		At: c.at, Decided: c.now, Method: c.method, Path: c.path, Guild: c.guild, User: c.target, Status: a.status,
		Code: a.code, Scope: a.scope, Fault: a.fault, Body: string(c.body[:min(len(c.body), maxLoggedBody)]),
		Reason: c.reason, UserAgent: c.userAgent,
	}
	if c.hasToken {
		r.Token = c.token.short()
	}
	if c.app != nil {
		r.App = c.app.user.id
	}
	if c.route != nil {
		r.Route = c.route.name()
	}
	d.requests.add(func(seq uint64) Request { r.Seq = seq; return r })
	d.counts.requests++
	d.counts.status[a.status]++
	if a.scope != "" {
		d.counts.limited[a.scope]++
	}
	d.changed()
}
