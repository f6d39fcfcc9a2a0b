package vault

import (
	"context"
	"slices"

	"splashtail/bot/command"
	"splashtail/bus"
)

// A password is typed into a form: options of commands are shown to everybody and kept by Discord. The gatewayproxy seals it before
// the event is stored; from the form it goes to the component jobs, which seals it with a key of its own; we keep it nowhere, so a
// restore asks twice, for its plan and for itself.

// secretName is what the kinds of backups call their password.
const secretName = "password"

// Inputs of the forms.
const (
	passwordInput = "password"
	againInput    = "again"
)

// Bounds of a new password, in characters; an old one of somebody else's program may be shorter. In bytes it stays within
// what a job takes as a secret.
const (
	minPassword = 8
	maxPassword = 128
)

// passwordForm asks for the password of a backup that there is.
func passwordForm(u *command.Use) *command.Form {
	return &command.Form{Title: u.T("password.title"), Inputs: []command.Input{
		{Name: passwordInput, Label: u.T("password.label"), Hint: u.T("password.hint"), Min: 1, Max: maxPassword, Secret: true},
	}}
}

// newPassword asks for the password of a backup that is to be encrypted.
func (t Tools) newPassword(_ context.Context, u *command.Use) (*command.Form, error) {
	if _, err := backupArgs(u); err != nil || !u.Truth("encrypt") {
		return nil, err
	}
	return &command.Form{Title: u.T("password.new_title"), Inputs: []command.Input{
		{Name: passwordInput, Label: u.T("password.label"), Hint: u.T("password.new_hint"), Min: minPassword, Max: maxPassword, Secret: true},
		{Name: againInput, Label: u.T("password.again"), Min: minPassword, Max: maxPassword, Secret: true},
	}}, nil
}

// createEncrypted begins a backup with the password that was typed.
func (t Tools) createEncrypted(ctx context.Context, u *command.Use, typed map[string]string) error {
	if typed[passwordInput] != typed[againInput] {
		return command.Refuse("password.differ")
	}
	if len([]rune(typed[passwordInput])) < minPassword {
		return command.Refuse("password.short", "min", minPassword)
	}
	return t.create(ctx, u)
}

// passwordOf asks for the password of the backup that a command names, when it is encrypted.
func (t Tools) passwordOf(ctx context.Context, u *command.Use) (*command.Form, error) {
	source, err := t.source(ctx, u)
	if err != nil || !source.encrypted {
		return nil, err
	}
	return passwordForm(u), nil
}

// encrypted says whether a job was given a password, so that what it read or made is encrypted.
func encrypted(j bus.Job) bool { return slices.Contains(j.Secrets, secretName) }
