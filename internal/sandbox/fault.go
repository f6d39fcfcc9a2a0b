package sandbox

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// FaultKind says what goes wrong.
type FaultKind string

// The faults. Those with a Limit in their name force a 429 of that scope; FaultLimitEdge is the ban without a JSON body.
const (
	Fault500         FaultKind = "500"
	Fault502         FaultKind = "502"
	FaultTimeout     FaultKind = "timeout" // no answer for Delay (zero: for ever), then the connection closes
	FaultReset       FaultKind = "reset"   // the connection is cut without an answer
	FaultSlow        FaultKind = "slow"    // the answer comes Delay later
	FaultLimitUser   FaultKind = "limit-user"
	FaultLimitShared FaultKind = "limit-shared"
	FaultLimitGlobal FaultKind = "limit-global"
	FaultLimitEdge   FaultKind = "limit-edge"
)

var faultKinds = []FaultKind{
	Fault500, Fault502, FaultTimeout, FaultReset, FaultSlow, FaultLimitUser, FaultLimitShared, FaultLimitGlobal, FaultLimitEdge,
}

// Fault makes the next requests that fit fail. Of several that fit, the oldest strikes.
type Fault struct {
	Kind FaultKind
	// Count is how many requests it strikes: zero means one, a negative number all until ClearFaults.
	Count int
	// App, Guild and Route narrow it to one bot, one guild in the path, one row of the route table ("PATCH
	// /guilds/{guild_id}/members/{user_id}", see the Route constants); zero means any.
	App, Guild ID
	Route      string
	// After lets the request do its work first, so that only the answer is lost. It counts for 500, 502, timeout and reset;
	// slow always works first, and a 429 never does.
	After bool
	// Delay is for FaultSlow and FaultTimeout.
	Delay time.Duration
	// RetryAfter is for the 429s; zero means 1 s.
	RetryAfter time.Duration
}

type activeFault struct {
	Fault
	left int // negative: for ever
}

// AddFault arms a fault. It fails for an unknown kind or route, or when too many are armed.
func (d *Discord) AddFault(f Fault) error {
	if !slices.Contains(faultKinds, f.Kind) {
		return fmt.Errorf("sandbox: no fault is called %q; none was armed, use one of %v", f.Kind, faultKinds)
	}
	if f.Route != "" && !slices.ContainsFunc(d.routes, func(r route) bool { return r.name() == f.Route }) {
		return fmt.Errorf("sandbox: no route is called %q; no fault was armed, use the Route constants", f.Route)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.faults) >= maxFaults {
		return fmt.Errorf("sandbox: %d faults are armed, the most there can be; clear them first", maxFaults)
	}
	left := f.Count
	if left == 0 {
		left = 1
	}
	d.faults = append(d.faults, &activeFault{Fault: f, left: left})
	d.changed()
	return nil
}

// ClearFaults disarms all faults. Requests that one holds stay held.
func (d *Discord) ClearFaults() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = nil
	d.changed()
}

// Faults lists the armed faults with the requests that they will still strike as Count.
func (d *Discord) Faults() []Fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := make([]Fault, 0, len(d.faults))
	for _, f := range d.faults {
		c := f.Fault
		c.Count = f.left
		list = append(list, c)
	}
	return list
}

// strike finds the fault for a call and uses it up.
func (d *Discord) strike(c *call) *Fault {
	for i, f := range d.faults {
		fits := (f.App == 0 || c.app != nil && f.App == c.app.user.id) &&
			(f.Guild == 0 || f.Guild == c.guild) &&
			(f.Route == "" || c.route != nil && f.Route == c.route.name())
		if !fits {
			continue
		}
		if f.left > 0 {
			if f.left--; f.left == 0 {
				d.faults = slices.Delete(d.faults, i, i+1)
			}
		}
		return &f.Fault
	}
	return nil
}

// forced is the scope of a 429 fault, empty for the others.
func (f *Fault) forced() string {
	if f == nil {
		return ""
	}
	switch f.Kind {
	case FaultLimitUser:
		return ScopeUser
	case FaultLimitShared:
		return ScopeShared
	case FaultLimitGlobal:
		return ScopeGlobal
	case FaultLimitEdge:
		return ScopeEdge
	}
	return ""
}

// early says that the request never reaches its handler.
func (f *Fault) early() bool { return f != nil && f.Kind != FaultSlow && !f.After && f.forced() == "" }

// spoil turns an answer into what the client gets of it; without a fault it stays as it is.
func (f *Fault) spoil(a *answer) {
	if f == nil {
		return
	}
	a.fault = f.Kind
	switch f.Kind {
	case FaultSlow:
		a.delay = f.Delay
	case FaultTimeout:
		*a = answer{header: http.Header{}, fault: f.Kind, end: endHold, delay: f.Delay}
	case FaultReset:
		*a = answer{header: http.Header{}, fault: f.Kind, end: endReset}
	case Fault500:
		*a = answer{header: http.Header{}, fault: f.Kind}
		a.refuse(serverFault())
	case Fault502:
		*a = answer{header: http.Header{}, fault: f.Kind, status: http.StatusBadGateway}
		a.header.Set("Content-Type", "text/html")
		a.raw = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>"
	}
}
