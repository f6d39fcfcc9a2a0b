// Package general holds the commands that every server needs: help, ping, stats, settings
// and who may run what.
package general

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/settings"
	"splashtail/bus"
)

// About is what /stats tells of the process.
type About struct {
	Version, Instance string
	Since             time.Time
	Shards            func() []int // that this process acts for
}

// Stores gives the stores once the component runs.
type Stores struct {
	Access   func() *access.Store
	Settings func() *settings.Store
}

const group = "general"

// Commands lists the commands of this package.
func Commands(b *bus.Bus, about About, s Stores) []command.Command {
	return append([]command.Command{help(), ping(b), stats(b, about)}, append(settingsCommands(s), accessCommands(s)...)...)
}

// buttonsFor is how long the buttons under a list work.
const buttonsFor = 10 * time.Minute

// perPage is how many commands a page of /help has.
const perPage = 9

func help() command.Command {
	return command.Command{
		Name: "help", Group: group, Access: access.Everyone(), Bootstrap: true,
		Options: []command.Option{{Name: "command", Kind: command.Text, Complete: true}},
		Handle: func(ctx context.Context, u *command.Use) error {
			if name := u.Text("command"); name != "" {
				return helpOn(ctx, u, strings.TrimPrefix(name, "/"))
			}
			return helpPage(ctx, u, 0)
		},
		Complete: func(ctx context.Context, u *command.Use, _, typed string) ([]command.Choice, error) {
			mine, err := runnable(ctx, u)
			return choicesOf(mine, typed), err
		},
		Components: map[string]command.Component{"help": {Handle: func(ctx context.Context, u *command.Use, state string) error {
			number, _ := strconv.Atoi(state)
			return helpPage(ctx, u, number)
		}}},
	}
}

// runnable lists what who asks may run.
func runnable(ctx context.Context, u *command.Use) ([]command.Command, error) {
	var mine []command.Command
	for _, c := range u.Registry().All() {
		d, err := u.May(ctx, c)
		if err != nil {
			return nil, err
		}
		if d.Allowed {
			mine = append(mine, c)
		}
	}
	slices.SortStableFunc(mine, func(a, b command.Command) int { return cmp.Compare(a.Group, b.Group) })
	return mine, nil
}

// choicesOf offers the commands whose names contain what is typed.
func choicesOf(list []command.Command, typed string) []command.Choice {
	var out []command.Choice
	for _, c := range list {
		if strings.Contains(c.Name, strings.ToLower(strings.TrimPrefix(typed, "/"))) {
			out = append(out, command.Choice{Label: "/" + c.Name, Value: c.Name})
		}
	}
	return out
}

func describe(u *command.Use, c command.Command) string {
	return u.T("cmd." + strings.ReplaceAll(c.Name, " ", "."))
}

func helpPage(ctx context.Context, u *command.Use, number int) error {
	mine, err := runnable(ctx, u)
	if err != nil {
		return err
	}
	page, at, of := card.Page(mine, perPage, number)
	c := card.Card{Title: u.T("help.title", "page", at+1, "pages", of)}
	if len(page) == 0 {
		c.Text = u.T("help.none")
	}
	var b strings.Builder
	heading := ""
	for _, one := range page {
		if one.Group != heading {
			heading = one.Group
			fmt.Fprintf(&b, "\n**%s**\n", u.T("group."+heading))
		}
		fmt.Fprintf(&b, "`%s` %s\n", one.Shown(u.Words), describe(u, one))
	}
	c.Text = cmp.Or(strings.TrimSpace(b.String()), c.Text)
	if of > 1 {
		c.Buttons = []card.Button{
			{Label: u.T("button.previous"), ID: u.Button("help", strconv.Itoa(at-1), buttonsFor), Disabled: at == 0},
			{Label: u.T("button.next"), ID: u.Button("help", strconv.Itoa(at+1), buttonsFor), Disabled: at == of-1},
		}
	}
	return u.Reply(ctx, c)
}

func helpOn(ctx context.Context, u *command.Use, name string) error {
	mine, err := runnable(ctx, u)
	if err != nil {
		return err
	}
	var c card.Card
	for _, one := range mine {
		if one.Name == name {
			c = card.Card{Title: one.Shown(u.Words), Text: describe(u, one)}
			c.Fields = optionsOf(u, one)
			return u.Reply(ctx, c)
		}
		if one.Root() == name {
			c.Title = "/" + name
			c.Fields = append(c.Fields, card.Field{Name: one.Shown(u.Words), Value: describe(u, one)})
		}
	}
	if len(c.Fields) == 0 {
		return command.Refuse("help.unknown")
	}
	c.Text = u.T("cmd." + name)
	return u.Reply(ctx, c)
}

// optionsOf gives a field with the options; none for a command without.
func optionsOf(u *command.Use, c command.Command) []card.Field {
	var b strings.Builder
	for _, o := range c.Options {
		need := ""
		if o.Required {
			need = " (" + u.T("help.required") + ")"
		}
		fmt.Fprintf(&b, "`%s`%s %s\n", o.Name, need, u.T("opt."+strings.ReplaceAll(c.Name, " ", ".")+"."+o.Name))
	}
	if b.Len() == 0 {
		return nil
	}
	return []card.Field{{Name: u.T("help.options"), Value: b.String()}}
}

func ping(b *bus.Bus) command.Command {
	return command.Command{Name: "ping", Group: group, Access: access.Everyone(), Bootstrap: true,
		Handle: func(ctx context.Context, u *command.Use) error {
			way := time.Since(u.AskedAt())
			toBus, err := busTime(ctx, b)
			if err != nil {
				return err
			}
			begin := time.Now()
			if err := u.Reply(ctx, card.Card{Text: "…"}); err != nil {
				return err
			}
			return u.Reply(ctx, card.Card{Text: u.T("ping.text", "way", way.Milliseconds(), "edit", time.Since(begin).Milliseconds(), "bus", millis(toBus)), Colour: card.Good})
		}}
}

func millis(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Microseconds())/1000, 'f', 1, 64)
}

// busTime measures a request to the bus and back.
func busTime(ctx context.Context, b *bus.Bus) (time.Duration, error) {
	begin := time.Now()
	_, err := bus.InfoOf(ctx, b, bus.AllDispatches())
	return time.Since(begin), err
}

func stats(b *bus.Bus, about About) command.Command {
	return command.Command{Name: "stats", Group: group, Access: access.Everyone(), Bootstrap: true,
		Handle: func(ctx context.Context, u *command.Use) error {
			toBus, err := busTime(ctx, b)
			if err != nil {
				return err
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			field := func(key, value string) card.Field { return card.Field{Name: u.T(key), Value: value, Inline: true} }
			return u.Reply(ctx, card.Card{Title: u.T("stats.title"), Fields: []card.Field{
				field("stats.version", about.Version), field("stats.go", runtime.Version()),
				field("stats.since", stamp(about.Since)), field("stats.process", about.Instance),
				field("stats.shards", strings.Trim(fmt.Sprint(about.Shards()), "[]")),
				field("stats.bus", millis(toBus)+" ms"), field("stats.memory", strconv.FormatUint(m.Sys>>20, 10)+" MiB"),
			}})
		}}
}

// stamp is an instant as Discord shows it to everybody in their own time.
func stamp(t time.Time) string { return "<t:" + strconv.FormatInt(t.Unix(), 10) + ":R>" }

// administrators is who may change settings and rights.
const administrators = discordgo.PermissionAdministrator
