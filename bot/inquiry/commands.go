package inquiry

import (
	"context"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/jobcard"
	"splashtail/bus"
	"splashtail/internal/incident"
)

// Tools is what the commands work with.
type Tools struct {
	Book  *incident.Book
	Cards *jobcard.Keeper // shows the job that undoes an incident
}

// Looking is for who manages the server. Undoing changes everything that the actor could
// change, so it is for administrators.
const (
	changers = discordgo.PermissionAdministrator
	viewers  = discordgo.PermissionManageGuild
)

const group = "incidents"

// The names of the buttons under lists.
const (
	listButton = "incident-list"
	showButton = "incident-show"

	timelineButton = "timeline"
)

// buttonsFor is how long the buttons under a list work.
const buttonsFor = 10 * time.Minute

// defaultSince is how far back an incident goes that somebody opens.
const defaultSince = time.Hour

// maxSince is how far back the journal is sure to go.
const maxSince = 14 * 24 * time.Hour

// Commands lists the commands of this package.
func Commands(t Tools) []command.Command {
	one := func(name string, need int64, handle func(context.Context, *command.Use) error, options ...command.Option) command.Command {
		return command.Command{Name: "incident " + name, Group: group, Default: viewers, Access: access.Needs(need), Handle: handle,
			Options: options, Complete: t.complete}
	}
	id := command.Option{Name: "incident", Kind: command.Text, Required: true, Complete: true, Min: 1, Max: 40}
	list := one("list", viewers, t.list)
	list.Components = map[string]command.Component{listButton: {Handle: t.listPage}}
	show := one("show", viewers, t.show, id)
	show.Components = map[string]command.Component{showButton: {Handle: t.showPage}}
	undo := one("undo", changers, t.undo, id)
	undo.Confirmed, undo.Public = t.undone, true // its card is for everybody who asks what happens
	pardon := one("pardon", changers, t.pardon, id)
	pardon.Confirmed = t.pardoned
	open := one("open", viewers, t.open, command.Option{Name: "user", Kind: command.Person, Required: true},
		command.Option{Name: "since", Kind: command.Text, Min: 2, Max: 20}, command.Option{Name: "reason", Kind: command.Text, Min: 1, Max: 200})
	timeline := command.Command{Name: "menu timeline", Menu: command.OfPerson, Group: group, Default: viewers, Access: access.Needs(viewers),
		Handle: t.timeline, Components: map[string]command.Component{timelineButton: {Handle: t.timelinePage}}}
	return []command.Command{list, show, undo, pardon, open, timeline}
}

// wanted gives the incident that an option names. What is typed can be anything.
func (t Tools) wanted(ctx context.Context, u *command.Use, id string) (bus.Incident, error) {
	list, err := t.Book.List(ctx, u.Guild)
	if err != nil {
		return bus.Incident{}, err
	}
	for _, i := range list {
		if i.ID == id {
			return i, nil
		}
	}
	return bus.Incident{}, command.Refuse("incident.unknown")
}

func (t Tools) open(ctx context.Context, u *command.Use) error {
	who, _ := u.Person("user")
	since := defaultSince
	if text := u.Text("since"); text != "" {
		var err error
		if since, err = command.ParseDuration(text); err != nil {
			return err
		}
	}
	if since > maxSince {
		return command.Refuse("incident.too_old")
	}
	actor, err := bus.ParseUserID(who.ID)
	if err != nil {
		return err
	}
	i, err := t.Book.Begin(ctx, u.Guild, actor, u.User, time.Now().Add(-since), time.Time{}, u.Text("reason"))
	if err != nil {
		return err
	}
	return t.showOne(ctx, u, i, 0)
}

// complete offers the newest incidents.
func (t Tools) complete(ctx context.Context, u *command.Use, _, typed string) ([]command.Choice, error) {
	list, err := t.sorted(ctx, u)
	if err != nil {
		return nil, err
	}
	var out []command.Choice
	for _, i := range list {
		label := card.Cut(i.At.UTC().Format("2006-01-02 15:04")+" · "+cause(u, i)+" · "+i.ID, 100)
		if strings.Contains(strings.ToLower(label), strings.ToLower(typed)) {
			out = append(out, command.Choice{Label: label, Value: i.ID})
		}
	}
	return out, nil
}
