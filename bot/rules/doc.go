// Package rules holds the /limits commands: a guild sets, tries and reads the limits that
// package protect enforces.
//
// What comes in: a command that its caller may run. What goes out: limits in CONFIG, each
// write by compare-and-set and with who made it, which the engines of all processes learn
// at once.
//
// Read in this order: store.go (the records), commands.go (what there is), change.go (add,
// edit, remove), profile.go (limits that fit the guild), view.go, hits.go (what happened)
// and whatif.go (what would have happened).
package rules
