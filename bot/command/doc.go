// Package command is the frame of slash commands: what a command is, how Discord is told
// of them, and the way of an interaction to its handler and of an answer back.
//
// What comes in: INTERACTION_CREATE, on a way of its own so that no event delays it. What
// goes out: the answer within Discord's 3 seconds, and what a command does.
//
// Read in this order: command.go (what a command is), registry.go (all of them, as Discord
// wants them), sync.go (telling Discord), router.go (the way in), use.go (what a handler
// has), button.go, confirm.go and form.go (what is pressed
// or typed later, also after a restart), menu.go (commands in menus), claim.go (what another
// process left undone).
package command
