// Package lockdown closes a guild for a time and opens it again as it was.
//
// What comes in: commands, and the time limits of locks. What goes out: permissions of
// roles and overwrites of channels, each written down with what it was before it is
// changed, so that a crash anywhere can be continued or lifted. Lifting is a merge: what
// still is as a lock set it goes back to what it was before the first lock, and what
// somebody changed meanwhile stays.
//
// Read in this order: merge.go (one role or overwrite), view.go (a guild as Discord shows
// it, and as it would be without locks), plan.go (what a lock closes), keeper.go (what
// is wished), follow.go (when to work), work.go and move.go (what is done to a guild),
// tell.go (what people hear of it), commands.go and start.go (/lockdown), incident.go
// (invites and private messages).
package lockdown
