package limits

import (
	"time"

	"splashtail/bus"
)

// WhatIf counts actions, in the order in which they are given, under limits as if those
// had always been set, and gives the hits. It touches nothing.
func WhatIf(rules []bus.LimitRule, actions []bus.Action) []bus.LimitHit {
	c := NewCounter()
	for _, r := range rules {
		r.At = time.Time{}
		c.Set(r)
	}
	var hits []bus.LimitHit
	for _, a := range actions {
		hits = append(hits, c.Add(a)...)
	}
	return hits
}
