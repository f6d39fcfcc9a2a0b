// Package inquiry holds the /incident commands: people look at what somebody did to their
// server and take it back.
//
// What comes in: a command that its caller may run. What goes out: cards, incidents opened
// by hand, and a job that carries out the plan that somebody approved.
//
// Read in this order: commands.go (what there is), show.go (lists and timelines), undo.go.
package inquiry
