// Package vault has the commands for backups and jobs: /backup makes, shows, compares, restores, plans and deletes the
// backups of a server, /job shows what is under way and ends it.
//
// What comes in: uses of these commands. What goes out: jobs, asked of the component jobs over the bus, which does the
// work; a card follows each (bot/jobcard). A restore is shown as a plan first, and what is carried out is the plan whose
// hash people approved. Read first: this file for the list of commands, then source.go for what counts as a backup,
// restore.go and approve.go for the way of a restore, password.go for who gets to see a password.
package vault

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/jobcard"
	"splashtail/bus"
)

// Tools is what the commands work with.
type Tools struct {
	Cards *jobcard.Keeper
}

// Backups hold what only some may see, and a restore changes everything: both are for administrators until a server
// allows others. Looking at jobs is for who manages the server.
const (
	keepers = discordgo.PermissionAdministrator
	viewers = discordgo.PermissionManageGuild
)

const group = "backups"

// Commands lists the commands of this package.
func Commands(t Tools) []command.Command {
	one := func(name string, need int64, handle func(context.Context, *command.Use) error, options ...command.Option) command.Command {
		return command.Command{Name: name, Group: group, Default: need, Access: access.Needs(need), Handle: handle, Options: options, Complete: t.complete}
	}
	which := command.Option{Name: "backup", Kind: command.Text, Required: true, Complete: true, Min: 1, Max: 40}
	job := command.Option{Name: "job", Kind: command.Text, Required: true, Complete: true, Min: 1, Max: 40}
	create := one("backup create", keepers, t.create,
		command.Option{Name: "name", Kind: command.Text, Min: 1, Max: 64},
		command.Option{Name: "messages", Kind: command.Number, Min: 1, Max: 1_000_000},
		command.Option{Name: "attachments", Kind: command.Truth},
		command.Option{Name: "members", Kind: command.Truth}, command.Option{Name: "encrypt", Kind: command.Truth})
	create.Public, create.Form, create.Submitted = true, t.newPassword, t.createEncrypted
	either := which // or a file
	either.Required = false
	file := []command.Option{either, {Name: "file", Kind: command.Attachment}, {Name: "encrypted", Kind: command.Truth}}
	compare := one("backup compare", keepers, t.compare, file...)
	compare.Form = t.passwordOf
	compare.Submitted = func(ctx context.Context, u *command.Use, _ map[string]string) error { return t.compare(ctx, u) }
	restore := one("backup restore", keepers, t.restore, append(slices.Clone(file),
		command.Option{Name: "mode", Kind: command.Text, Choices: []string{string(bus.RestoreMerge), string(bus.RestoreExact)}},
		command.Option{Name: "only", Kind: command.Text, Choices: partChoices()},
		command.Option{Name: "keep_channel", Kind: command.Channel}, command.Option{Name: "keep_role", Kind: command.Role})...)
	restore.Public, restore.Form = true, t.passwordOf
	restore.Submitted = func(ctx context.Context, u *command.Use, _ map[string]string) error { return t.restore(ctx, u) }
	restore.ConfirmForm, restore.Confirmed = t.passwordToBegin, t.approved
	restore.Components = map[string]command.Component{approveButton: {Shared: true, Form: t.passwordToApprove, Handle: t.secondApproval}}
	remove := one("backup delete", keepers, t.remove, which)
	remove.Confirmed = t.removed
	list := one("backup list", keepers, t.list)
	list.Components = map[string]command.Component{listButton: {Handle: t.listPage}}
	return []command.Command{
		create, list, one("backup show", keepers, t.show, which), one("backup get", keepers, t.get, which),
		compare, restore,
		one("backup schedule", keepers, t.schedule,
			command.Option{Name: "when", Kind: command.Text, Choices: []string{whenOff, whenDaily, whenWeekly}},
			command.Option{Name: "hour", Kind: command.Number, Min: 0, Max: 23},
			command.Option{Name: "zone", Kind: command.Text, Min: 1, Max: 64},
			command.Option{Name: "keep", Kind: command.Number, Min: 1, Max: 100}),
		remove,
		one("job list", viewers, t.jobs), one("job show", viewers, t.job, job), one("job cancel", keepers, t.cancel, job),
	}
}

// onlyPart begins the choices of parts, since words such as roles are choices of other commands, too.
const onlyPart = "only_"

func partChoices() []string {
	parts := bus.BackupParts()
	for i, p := range parts {
		parts[i] = onlyPart + p
	}
	return parts
}

// submit asks for a job in the name of who uses a command, with these secrets and the password that they have typed if they were
// asked for one. Its errors are the engine's; see jobcard.Explain.
func (t Tools) submit(ctx context.Context, u *command.Use, kind bus.JobKind, args any, secrets bus.JobSecrets) (bus.Job, error) {
	data, err := json.Marshal(args)
	if err != nil {
		return bus.Job{}, err
	}
	s := bus.JobSubmit{Kind: kind, Guild: u.Guild, By: u.User, Args: data, Secrets: bus.JobSecrets{}, Key: u.Op, Actor: u.Member.User.Username, Reason: "/" + u.Command.Name}
	maps.Copy(s.Secrets, secrets)
	if password := u.Typed(passwordInput); password != "" {
		s.Secrets[secretName] = password
	}
	return t.Cards.Jobs().Submit(ctx, s)
}

// complete offers backups or jobs, the newest first. What is chosen can be anything, so handlers look again.
func (t Tools) complete(ctx context.Context, u *command.Use, option, typed string) ([]command.Choice, error) {
	var all []bus.Job
	var err error
	if option == "backup" {
		all, err = t.all(ctx, u)
	} else {
		var list bus.JobList
		list, err = t.Cards.Jobs().List(ctx, bus.JobQuery{Guild: u.Guild, Limit: bus.MaxJobList})
		all = list.Jobs
	}
	var out []command.Choice
	for _, j := range all {
		label := jobLabel(u, j)
		if done, ok := backupOf(j); ok && option == "backup" {
			label = backupLabel(u, j, done)
		}
		if strings.Contains(strings.ToLower(label+" "+j.ID), strings.ToLower(typed)) {
			out = append(out, command.Choice{Label: card.Cut(label, 100), Value: j.ID})
		}
	}
	return out, err
}

func jobLabel(u *command.Use, j bus.Job) string {
	return u.T("jobcard.kind."+string(j.Kind)) + " · " + u.T("jobcard.state."+string(j.State)) + " · " + j.Submitted.UTC().Format("2006-01-02 15:04") + " · " + j.ID
}
