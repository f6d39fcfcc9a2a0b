package upstream

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// The states of a shard.
const (
	stateWaiting     = "waiting"     // for its turn to begin a session
	stateConnecting  = "connecting"  // until HELLO
	stateIdentifying = "identifying" // until READY
	stateResuming    = "resuming"    // until RESUMED
	stateLive        = "live"        // events come
	stateBetween     = "between"     // two connections
	stateBudget      = "budget"      // no new session until the budget is reset
	stateStopped     = "stopped"     // refused by Discord for good
)

// ShardStatus is how a shard of this process is.
type ShardStatus struct {
	Shard   int       `json:"shard"`
	State   string    `json:"state"`
	Since   time.Time `json:"since"`
	Why     string    `json:"why,omitempty"`
	Session string    `json:"session,omitempty"` // first 8 characters
	Seq     int64     `json:"seq"`               // stored up to here
	Events  uint64    `json:"events"`
	Held    time.Time `json:"held"` // since when by this process
}

// Status is what upstream tells about itself.
type Status struct {
	Plan    string        `json:"plan"` // "ok", or what it waits for
	Shards  int           `json:"shards"`
	Change  string        `json:"change,omitempty"`  // how far a change of their number is
	Intents uint64        `json:"intents,omitempty"` // known once a session was begun
	URL     string        `json:"url,omitempty"`
	Held    []ShardStatus `json:"held"`
	Budget  struct {
		Total     int       `json:"total"`
		Remaining int       `json:"remaining"`
		ResetAt   time.Time `json:"reset_at,omitzero"`
	} `json:"identify_budget"`
}

// show changes the state for the status; false when it was this already.
func (s *shard) show(state, why string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.State == state && s.state.Why == why {
		return false
	}
	s.state.State, s.state.Why, s.state.Since = state, why, time.Now().UTC()
	return true
}

func (s *shard) status() ShardStatus {
	s.mu.Lock()
	st := s.state
	s.mu.Unlock()
	s.place.mu.Lock()
	st.Session, st.Seq = s.place.now.Session[:min(len(s.place.now.Session), 8)], s.place.now.Seq
	s.place.mu.Unlock()
	st.Events = s.events.Load()
	return st
}

// Status tells how every shard of this process is.
func (u *Upstream) Status() Status {
	u.mu.Lock()
	st := Status{Plan: cmp.Or(u.trouble, "ok"), Shards: u.shards, Change: u.change, Intents: u.greeted.intents, URL: u.greeted.url}
	held := make([]*shard, 0, len(u.held))
	for _, s := range u.held {
		held = append(held, s)
	}
	u.mu.Unlock()
	for _, s := range held {
		st.Held = append(st.Held, s.status())
	}
	slices.SortFunc(st.Held, func(a, b ShardStatus) int { return a.Shard - b.Shard })
	b := u.gate.budget()
	st.Budget.Total, st.Budget.Remaining, st.Budget.ResetAt = b.Total, b.Remaining, b.ResetAt
	return st
}

// startFor is how long a start may take before somebody should look: hundreds of shards
// begin one after the other, but each of them tells what it waits for.
const startFor = time.Minute

// Check says what somebody must act on: Discord refuses us, the budget of new sessions is
// spent, or nothing has come since the start. That Discord is away for a while is none of
// that: nobody can serve our callers better meanwhile, and the status tells it.
func (u *Upstream) Check(context.Context) error {
	u.mu.Lock()
	trouble, refused, began := u.trouble, u.refused, u.began
	u.mu.Unlock()
	if refused || trouble != "" && time.Since(began) > startFor {
		return errors.New(trouble)
	}
	var bad []string
	for _, s := range u.Status().Held {
		late := s.Events == 0 && s.State != stateLive && time.Since(s.Held) > startFor
		if s.State == stateStopped || s.State == stateBudget || late {
			bad = append(bad, fmt.Sprintf("shard %d is %s (%s)", s.Shard, s.State, s.Why))
		}
	}
	if bad == nil {
		return nil
	}
	return errors.New(strings.Join(bad, "; "))
}
