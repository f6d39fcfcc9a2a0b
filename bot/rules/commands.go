package rules

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
)

// Tools is what the commands work with.
type Tools struct {
	Bus      *bus.Bus
	Store    func() *Store // once the component runs
	Settings func(context.Context, bus.GuildID) (bus.GuildSettings, error)
}

// managers may look and change, and so may who was allowed to with /access. What takes all
// of a server's protection away asks for more than a press.
const managers = discordgo.PermissionManageGuild

const group = "protection"

// The names of the buttons under lists.
const (
	viewButton = "limits-view"
	hitsButton = "limits-hits"
)

// buttonsFor is how long the buttons under a list work.
const buttonsFor = 10 * time.Minute

// Commands lists the commands of this package.
func Commands(t Tools) []command.Command {
	one := func(name string, handle func(context.Context, *command.Use) error, options ...command.Option) command.Command {
		return command.Command{Name: "limits " + name, Group: group, Default: managers, Access: access.Needs(managers), Handle: handle, Options: options, Complete: t.complete}
	}
	limit := command.Option{Name: "limit", Kind: command.Text, Required: true, Complete: true, Max: bus.MaxLimitName, Min: 1}
	someLimit := limit
	someLimit.Required = false

	view := one("view", t.view)
	view.Components = map[string]command.Component{viewButton: {Handle: t.viewPage}}
	hits := one("hits", t.hits, someLimit)
	hits.Components = map[string]command.Component{hitsButton: {Handle: t.hitsPage}}
	remove := one("remove", t.remove, limit)
	remove.Confirmed = t.removed
	clear := one("clear", t.clear)
	clear.Confirmed = t.cleared
	profile := one("profile", t.profile)
	profile.Confirmed = t.profiled
	return []command.Command{
		one("add", t.add, ruleOptions(true)...),
		one("edit", t.edit, append([]command.Option{limit}, ruleOptions(false)...)...),
		view, remove, clear, hits, profile,
		one("whatif", t.whatif, append([]command.Option{someLimit}, windowOptions(false)...)...),
	}
}

// windowOptions say what is counted, how often, within which time.
func windowOptions(required bool) []command.Option {
	kinds := make([]string, len(bus.ActionKinds))
	for i, k := range bus.ActionKinds {
		kinds[i] = string(k)
	}
	return []command.Option{
		{Name: "action", Kind: command.Text, Required: required, Choices: kinds},
		{Name: "count", Kind: command.Number, Required: required, Min: 1, Max: bus.MaxLimitCount},
		{Name: "time", Kind: command.Number, Required: required, Min: 1, Max: int(bus.MaxLimitWindow)},
		{Name: "unit", Kind: command.Text, Required: required, Choices: []string{"seconds", "minutes", "hours", "days"}},
	}
}

// ruleOptions are those of a whole limit. What is counted cannot be edited: that would be
// another limit.
func ruleOptions(isNew bool) []command.Option {
	window := windowOptions(isNew)
	if !isNew {
		window = window[1:]
	}
	responses := make([]string, len(bus.Responses))
	for i, r := range bus.Responses {
		responses[i] = responseChoice(r)
	}
	options := append([]command.Option{{Name: "name", Kind: command.Text, Required: isNew, Min: 1, Max: bus.MaxLimitName}}, window...)
	return append(options, command.Option{Name: "response", Kind: command.Text, Required: isNew, Choices: responses},
		command.Option{Name: "timeout", Kind: command.Text, Min: 2, Max: 20})
}

// responseChoice names a response in the catalogue, where "alert" and "quarantine" are
// settings already.
func responseChoice(r bus.Response) string {
	switch r {
	case bus.RespondAlert:
		return "alert_only"
	case bus.RespondQuarantine:
		return "quarantine_only"
	}
	return string(r)
}

func responseOf(choice string) bus.Response {
	for _, r := range bus.Responses {
		if responseChoice(r) == choice {
			return r
		}
	}
	return ""
}

// unit gives the length of a unit; 0 for none.
func unit(choice string) bus.Seconds {
	return map[string]bus.Seconds{"seconds": 1, "minutes": 60, "hours": 3600, "days": 24 * 3600}[choice]
}

// complete offers the guild's limits whose name or kind contains what is typed.
func (t Tools) complete(ctx context.Context, u *command.Use, _, typed string) ([]command.Choice, error) {
	all, err := t.Store().Of(ctx, u.Guild)
	if err != nil {
		return nil, err
	}
	var out []command.Choice
	for _, r := range all {
		label := fmt.Sprintf("%s · %d × %s · %s", r.Name, r.Count, u.T("choice."+string(r.Kind)), short(r.Window))
		if strings.Contains(strings.ToLower(label), strings.ToLower(typed)) && len(out) < maxChoices {
			out = append(out, command.Choice{Label: card.Cut(label, maxLabel), Value: r.ID})
		}
	}
	return out, nil
}

// Discord's bounds of autocomplete.
const (
	maxChoices = 25
	maxLabel   = 100
)

// wanted finds the limit that an option names.
func (t Tools) wanted(ctx context.Context, u *command.Use) (bus.LimitRule, error) {
	all, err := t.Store().Of(ctx, u.Guild)
	if err != nil {
		return bus.LimitRule{}, err
	}
	r, ok := find(all, u.Text("limit"))
	if !ok {
		return r, command.Refuse("limits.unknown")
	}
	return r, nil
}

// short writes a duration as command.ParseDuration reads it: 1d 12h.
func short(s bus.Seconds) string {
	var parts []string
	for _, unit := range []struct {
		length bus.Seconds
		name   string
	}{{24 * 3600, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}} {
		if n := s / unit.length; n > 0 {
			parts = append(parts, fmt.Sprintf("%d%s", n, unit.name))
			s -= n * unit.length
		}
	}
	return strings.Join(parts, " ")
}

// sentence says what a limit does.
func sentence(u *command.Use, r bus.LimitRule) string {
	response := u.T("choice." + responseChoice(r.Respond))
	if r.Respond == bus.RespondTimeout {
		response += " (" + short(r.Timeout) + ")"
	}
	return u.T("limits.sentence", "count", r.Count, "action", u.T("choice."+string(r.Kind)), "window", short(r.Window), "response", response)
}
