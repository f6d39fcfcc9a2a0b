package muteproxy

import (
	"time"

	"splashtail/bus"
)

// confirmed is what a guild's goroutine knows for certain of its members: the state that
// Discord confirmed to it last, as long as no call was begun since.
//
// A stored record cannot tell that. Its last applied state is the newest that its writer
// knew of; a process that was killed may have changed the member after that, and so may
// another one that had the guild meanwhile. Taking it for the truth would leave a member
// as an older wish said.
type confirmed map[bus.UserID]lastCall

// lastCall is the last call for a member.
type lastCall struct {
	at      time.Time         // of its begin
	applied *bus.VoiceApplied // nil until Discord has confirmed it
}

// begin notes that a call is under way: what Discord has is not known until it ends.
func (c confirmed) begin(u bus.UserID, now time.Time) { c[u] = lastCall{at: now} }

// done notes that Discord confirmed a state.
func (c confirmed) done(u bus.UserID, a *bus.VoiceApplied) {
	c[u] = lastCall{at: a.At, applied: a}
}

// of gives the state that Discord confirmed last; nil when none is known. Not sure means
// that a call was begun lately whose end is not known, so that even what a gateway shows
// may be about to change.
func (c confirmed) of(u bus.UserID, now time.Time) (applied *bus.VoiceApplied, sure bool) {
	last, called := c[u]
	if !called {
		return nil, true
	}
	return last.applied, last.applied != nil || now.Sub(last.at) > settleTime
}

// forget drops what is too old to count.
func (c confirmed) forget(now time.Time) {
	for u, last := range c {
		if now.Sub(last.at) > sameFor {
			delete(c, u)
		}
	}
}
