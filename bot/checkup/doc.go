// Package checkup answers "am I protected?": /protect check looks at everything that has
// to be right before the bot can stop an attack, and says for each gap what to do.
//
// Read in this order: facts.go (what is asked of Discord and the bus), judge.go (what it
// means), command.go (how it is shown).
package checkup
