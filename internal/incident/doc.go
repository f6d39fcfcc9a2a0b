// Package incident remembers what was done in a guild and takes it back.
//
// What comes in: the dispatches of a shard, in order per guild. What goes out: every
// audit-log entry on JOURNAL with what its object was before; from them, for one actor
// and a time, a plan of what would take it back; and a hand that carries out its steps for
// the job that somebody approved it for.
//
// Read in this order: image.go (what a guild looks like now), recorder.go with recall.go
// (entries become deeds), gather.go, plan.go, inverse.go and diff.go (deeds become a plan,
// without touching anything), state.go (what Discord says now), book.go with follow.go (who
// opens incidents), approve.go (what is to be carried out), hand.go and step.go (carrying it
// out), pardon.go.
package incident
