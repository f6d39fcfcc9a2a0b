// Package protect acts on what the limits of a guild say: it stops a moderator's account
// that destroys.
//
// What comes in: the dispatches of a shard, in order per guild, and the limits of guilds
// from CONFIG. What goes out: every counted action on ACTIONS, the response to who met a
// limit (roles taken, kick, ban, …) straight to Discord, and the hit on EVENTS.
//
// Beside limits it watches for join raids, which pause invites, and for destruction that
// the audit log does not explain, of which it tells.
//
// Read in this order: engine.go with event.go (from an event to a hit), history.go (what
// is known again after a restart), respond.go with recall.go (from a hit to Discord),
// watch.go with
// raid.go, invites.go and silent.go (what no limit counts), policy.go and alert.go (what
// guilds have set, and how they are told of what stands on EVENTS; alertcard.go has the words).
package protect
