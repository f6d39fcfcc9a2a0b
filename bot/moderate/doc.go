// Package moderate holds the commands by which moderators act on people and messages.
//
// What comes in: a command that its caller may run. What goes out: the act at Discord,
// with who, why and the op in the audit log, and a line in the guild's log channel.
// Nobody acts on who stands as high as they do, and the bot does not either.
//
// Read in this order: target.go (who may act on whom), punish.go (the commands), prune.go
// (deleting messages), temporary.go (what is meant for a time), due.go (how the component
// jobs is asked to end it, also after a restart).
package moderate
