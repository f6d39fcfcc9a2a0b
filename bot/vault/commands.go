// Package vault has the commands for backups and jobs: /backup makes, shows, compares, restores, plans and deletes the
// backups of a server, /job shows what is under way and ends it.
//
// What comes in: uses of these commands. What goes out: jobs, asked of the component jobs over the bus, which does the
// work; a card follows each (bot/jobcard). A restore is shown as a plan first, and what is carried out is the plan whose
// hash people approved. Read first: this file for the list of commands, then restore.go.
package vault

import (
	"context"
	"encoding/json"
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
		command.Option{Name: "members", Kind: command.Truth})
	create.Public = true
	restore := one("backup restore", keepers, t.restore, which,
		command.Option{Name: "mode", Kind: command.Text, Choices: []string{string(bus.RestoreMerge), string(bus.RestoreExact)}},
		command.Option{Name: "only", Kind: command.Text, Choices: partChoices()},
		command.Option{Name: "keep_channel", Kind: command.Channel}, command.Option{Name: "keep_role", Kind: command.Role})
	restore.Public = true
	restore.Confirmed = t.approved
	restore.Components = map[string]command.Component{approveButton: {Shared: true, Handle: t.secondApproval}}
	remove := one("backup delete", keepers, t.remove, which)
	remove.Confirmed = t.removed
	list := one("backup list", keepers, t.list)
	list.Components = map[string]command.Component{listButton: {Handle: t.listPage}}
	return []command.Command{
		create, list, one("backup show", keepers, t.show, which), one("backup get", keepers, t.get, which),
		one("backup compare", keepers, t.compare, which), restore,
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

// submit asks for a job in the name of who uses a command. A job that is in the way is named in the refusal.
func (t Tools) submit(ctx context.Context, u *command.Use, kind bus.JobKind, args any) (bus.Job, error) {
	data, err := json.Marshal(args)
	if err != nil {
		return bus.Job{}, err
	}
	job, err := t.Cards.Jobs().Submit(ctx, bus.JobSubmit{Kind: kind, Guild: u.Guild, By: u.User, Args: data, Key: u.Op,
		Actor: u.Member.User.Username, Reason: "/" + u.Command.Name})
	return job, explain(err)
}

// explain turns the engine's refusals into sentences of the catalogue.
func explain(err error) error {
	if err == nil {
		return nil
	}
	e := bus.AsError(err)
	switch e.Code {
	case bus.CodeConflict:
		return command.Refuse("backup.in_the_way", "job", e.Details["job"])
	case bus.CodeInvalid:
		return command.Refuse("backup.refused", "why", card.Plainly(e.Error()))
	case bus.CodeNotFound:
		return command.Refuse("job.unknown")
	case bus.CodeUnavailable:
		return command.Refuse("backup.no_jobs")
	}
	return err
}

// complete offers backups or jobs, the newest first. What is chosen can be anything, so handlers look again.
func (t Tools) complete(ctx context.Context, u *command.Use, option, typed string) ([]command.Choice, error) {
	list, err := t.Cards.Jobs().List(ctx, bus.JobQuery{Guild: u.Guild, Limit: 200})
	if err != nil {
		return nil, err
	}
	var out []command.Choice
	for _, j := range list.Jobs {
		label := jobLabel(u, j)
		if option == "backup" {
			done, ok := backupOf(j)
			if !ok {
				continue
			}
			label = backupLabel(u, j, done)
		}
		if strings.Contains(strings.ToLower(label), strings.ToLower(typed)) {
			out = append(out, command.Choice{Label: card.Cut(label, 100), Value: j.ID})
		}
	}
	return out, nil
}

func jobLabel(u *command.Use, j bus.Job) string {
	return u.T("jobcard.kind."+string(j.Kind)) + " · " + u.T("jobcard.state."+string(j.State)) + " · " + j.Submitted.UTC().Format("2006-01-02 15:04") + " · " + j.ID
}
