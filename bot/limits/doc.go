// Package limits holds the rules that protect a guild from its own moderators' accounts:
// pure computation on what happened, without bus, network or clock.
//
// What comes in: audit-log entries, joins and messages as bus.Action (internal/audit makes
// them), in any order and perhaps more than once, and the guild's limits. What goes out: which limit an actor has
// met, with the actions that caused it.
//
// Read in this order: counter.go (the windows), profile.go (limits that fit a guild's size).
package limits
