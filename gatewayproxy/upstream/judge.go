package upstream

import (
	"fmt"
	"time"
)

// session is a session with Discord as RESUME needs it.
type session struct {
	id  string
	url string // for RESUME; empty: the address for everybody
}

// memory is what a shard knows between two connections.
type memory struct {
	session     *session // nil: none to resume
	failures    int      // connections in a row that came to nothing
	resumeFails int      // tries in a row that did not resume the session at its address
}

// cause is why a connection ended, or did not come to be.
type cause int

const (
	causeDial      cause = iota // the host cannot be reached, or says no HELLO
	causeClosed                 // Discord closed, or TCP did (code 0)
	causeReconnect              // op 7
	causeInvalid                // op 9
	causeZombie                 // heartbeats are not acknowledged
	causeSilent                 // nothing at all is sent any more
	causeCorrupt                // what Discord sends cannot be read any more
	causeStore                  // the bus did not take an event
	causeOrder                  // an operator wished it
	causeBudget                 // no IDENTIFY may be sent now
	causeStop                   // we end
)

// String names the cause, for logs and metrics.
func (c cause) String() string {
	return [...]string{"dial", "closed", "reconnect", "invalid_session", "zombie", "silent", "corrupt", "store", "order", "budget", "stop"}[c]
}

// end is how a connection ended.
type end struct {
	cause  cause
	code   int           // of causeClosed
	keep   bool          // of causeInvalid and causeOrder: the session can be resumed
	resume bool          // the connection was to resume the session
	live   bool          // it did, or began one
	lasted time.Duration // since it was live
	until  time.Time     // of causeBudget: when the budget is reset
	err    error
}

// step is what follows.
type step struct {
	stop     string // why nothing can follow; empty: go on
	min, max time.Duration
}

const (
	stableAfter    = 10 * time.Second // a connection that lived so long was none that fails
	resumeTries    = 3
	backoffFirst   = time.Second
	backoffLongest = time.Minute
	budgetLook     = time.Minute // how often a spent budget is looked at
)

// judge says what follows the end of a connection, by the rules of Discord's gateway.
func (m memory) judge(e end, now time.Time) (memory, step) {
	if e.cause == causeBudget {
		wait := min(max(e.until.Sub(now), backoffFirst), budgetLook)
		return m, step{min: wait, max: wait}
	}
	if e.cause == causeClosed {
		if why := refusal(e.code); why != "" {
			return m, step{stop: why}
		}
	}
	before := m.failures
	if e.live && e.lasted >= stableAfter {
		before = 0
	}
	m.failures = before + 1
	if e.live {
		m.resumeFails = 0
	}
	next := step{max: backoff(before)}
	switch {
	case e.cause == causeInvalid:
		next = step{min: time.Second, max: 5 * time.Second}
		if !e.keep {
			m.session, m.resumeFails = nil, 0
		}
	case e.cause == causeOrder:
		next = step{}
		if !e.keep {
			m.session, m.resumeFails = nil, 0
		}
	case e.cause == causeClosed && (e.code == 4007 || e.code == 4009):
		m.session, m.resumeFails = nil, 0
	case e.resume && !e.live:
		m = m.notResumed(e)
	}
	return m, next
}

// notResumed counts a try that did not resume. A host that Discord names for RESUME may
// be gone for good: after three tries the address for everybody is used, and when that
// answers and three tries come to nothing either, a new session. Without an answer the
// network is at fault, and the session may outlive that.
func (m memory) notResumed(e end) memory {
	if m.session == nil {
		return m
	}
	if m.session.url == "" && e.cause == causeDial {
		return m
	}
	m.resumeFails++
	if m.resumeFails < resumeTries {
		return m
	}
	m.resumeFails = 0
	if m.session.url == "" {
		m.session = nil
		return m
	}
	m.session = &session{id: m.session.id}
	return m
}

// backoff is how long to wait at most after n failures in a row; none after the first.
func backoff(n int) time.Duration {
	if n == 0 {
		return 0
	}
	return min(backoffFirst<<min(n-1, 10), backoffLongest)
}

// refusal says why Discord will not have us whatever we repeat; empty for other codes.
func refusal(code int) string {
	why := map[int]string{
		4004: "the token is wrong; set DISCORD_BOT_TOKEN",
		4010: "the shard does not exist in this number of shards; set NUM_SHARDS",
		4011: "the shard has too many guilds; set a larger NUM_SHARDS",
		4012: "this version of the gateway is not served any more; update splashtail",
		4013: "the intents are not valid; check GATEWAY_INTENTS",
		4014: "the application may not have these intents; allow them in Discord's developer portal or change GATEWAY_INTENTS",
	}[code]
	if why == "" {
		return ""
	}
	return fmt.Sprintf("Discord closed with %d: %s", code, why)
}
