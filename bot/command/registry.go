package command

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/words"
)

// Discord's bounds of commands.
const (
	maxCommands    = 100
	maxOptions     = 25
	maxDescription = 100
	maxCharacters  = 8000 // of a root with all in it, in its longest language
)

// Registry is every command of the bot.
type Registry struct {
	words      *words.Catalogue
	commands   map[string]Command
	components map[string]owned
	menus      map[string]string // the names of commands in menus, by setName
}

// owned is a component with the command whose rights it has.
type owned struct {
	Component
	command string
}

// NewRegistry checks commands. Errors: what Discord would refuse, words that the catalogue
// has not, names that stand twice.
func NewRegistry(w *words.Catalogue, all ...Command) (*Registry, error) {
	r := &Registry{words: w, commands: map[string]Command{}, components: map[string]owned{}, menus: map[string]string{}}
	for _, c := range all {
		if err := r.add(c); err != nil {
			return nil, err
		}
	}
	for _, payload := range r.Payload(nil) {
		if payload.Type != discordgo.ChatApplicationCommand {
			continue // r.add has checked it
		}
		if err := check(payload); err != nil {
			return nil, err
		}
		if _, leaf := r.commands[payload.Name]; leaf && slices.ContainsFunc(r.All(), func(c Command) bool { return strings.HasPrefix(c.Name, payload.Name+" ") }) {
			return nil, fmt.Errorf("/%s is both a command and a root of others", payload.Name)
		}
	}
	return r, nil
}

func (r *Registry) add(c Command) error {
	name := regexp.MustCompile(`^[a-z0-9_-]{1,32}( [a-z0-9_-]{1,32})?$`)
	if !name.MatchString(c.Name) || c.Handle == nil {
		return fmt.Errorf("%q is no command, or has no handler", c.Name)
	}
	if _, twice := r.commands[c.Name]; twice {
		return fmt.Errorf("/%s is there twice", c.Name)
	}
	need := []string{key("cmd", c.Name), key("cmd", c.Root()), key("group", c.Group)}
	for _, o := range c.Options {
		need = append(need, key("opt", c.Name, o.Name))
		for _, v := range o.Choices {
			need = append(need, key("choice", v))
		}
	}
	if c.Menu != 0 {
		need = append(need, key("menu", c.Name))
	}
	for _, k := range need {
		if !r.words.Has(k) {
			return fmt.Errorf("/%s: the catalogue lacks %s", c.Name, k)
		}
	}
	if err := r.addMenu(c); err != nil {
		return err
	}
	r.commands[c.Name] = c
	for name, k := range c.Components {
		if _, twice := r.components[name]; twice || strings.ContainsRune(name, idSeparator) || len(name) > 16 || name == doButton || name == dropButton || name == formButton || name == sureButton {
			return fmt.Errorf("/%s: the component %q is there twice or has no usable name", c.Name, name)
		}
		r.components[name] = owned{k, c.Name}
	}
	return nil
}

// All lists the commands by name.
func (r *Registry) All() []Command {
	return slices.SortedFunc(maps.Values(r.commands), func(a, b Command) int { return cmp.Compare(a.Name, b.Name) })
}

// Get gives a command by its full name.
func (r *Registry) Get(name string) (Command, bool) {
	c, ok := r.commands[name]
	return c, ok
}

// Payload is the commands as Discord wants them, by name, those of menus last; with only,
// those roots in which it finds a command to its liking.
func (r *Registry) Payload(only func(Command) bool) []*discordgo.ApplicationCommand {
	roots := map[string]*discordgo.ApplicationCommand{}
	var order []string
	var menus []*discordgo.ApplicationCommand
	for _, c := range r.All() {
		if only != nil && !only(c) {
			continue
		}
		if c.Menu != 0 {
			menus = append(menus, r.menu(c))
			continue
		}
		root := roots[c.Root()]
		if root == nil {
			root = r.root(c)
			roots[c.Root()], order = root, append(order, c.Root())
		} else if p := root.DefaultMemberPermissions; p != nil {
			common := *p & c.Default
			root.DefaultMemberPermissions = permissions(common)
		}
		if _, sub, nested := strings.Cut(c.Name, " "); nested {
			root.Options = append(root.Options, &discordgo.ApplicationCommandOption{
				Type: discordgo.ApplicationCommandOptionSubCommand, Name: sub, Description: r.english(key("cmd", c.Name)),
				DescriptionLocalizations: r.others(key("cmd", c.Name)), Options: r.options(c),
			})
		} else {
			root.Options = r.options(c)
		}
	}
	out := make([]*discordgo.ApplicationCommand, 0, len(order))
	for _, name := range order {
		out = append(out, roots[name])
	}
	return append(out, menus...)
}

func (r *Registry) root(c Command) *discordgo.ApplicationCommand {
	contexts := []discordgo.InteractionContextType{discordgo.InteractionContextGuild}
	others := r.others(key("cmd", c.Root()))
	return &discordgo.ApplicationCommand{
		Type: discordgo.ChatApplicationCommand, Name: c.Root(), Description: r.english(key("cmd", c.Root())),
		DescriptionLocalizations: &others, DefaultMemberPermissions: permissions(c.Default), Contexts: &contexts,
	}
}

// permissions gives nil for everybody: 0 would hide a command from all but administrators.
func permissions(p int64) *int64 {
	if p == 0 {
		return nil
	}
	return &p
}

// English gives the words of the catalogue that every command is registered under.
func (r *Registry) English() words.Language { return r.words.In(words.English) }

func (r *Registry) english(key string) string { return r.English().T(key) }

func (r *Registry) others(key string) map[discordgo.Locale]string {
	out := map[discordgo.Locale]string{}
	for locale, text := range r.words.Others(key) {
		out[discordgo.Locale(locale)] = text
	}
	return out
}

func (r *Registry) options(c Command) []*discordgo.ApplicationCommandOption {
	list := slices.Clone(c.Options)
	slices.SortStableFunc(list, func(a, b Option) int { // Discord wants the required ones first
		switch {
		case a.Required == b.Required:
			return 0
		case a.Required:
			return -1
		}
		return 1
	})
	out := make([]*discordgo.ApplicationCommandOption, 0, len(list))
	for _, o := range list {
		k := key("opt", c.Name, o.Name)
		d := &discordgo.ApplicationCommandOption{Type: o.Kind.discord(), Name: o.Name, Description: r.english(k),
			DescriptionLocalizations: r.others(k), Required: o.Required, Autocomplete: o.Complete, ChannelTypes: o.ChannelTypes}
		if o.Kind == Number && (o.Min != 0 || o.Max != 0) {
			low := float64(o.Min)
			d.MinValue, d.MaxValue = &low, float64(o.Max)
		}
		if o.Kind == Text && o.Max > 0 {
			d.MinLength, d.MaxLength = &o.Min, o.Max
		}
		for _, v := range o.Choices {
			locals := r.others(key("choice", v))
			d.Choices = append(d.Choices, &discordgo.ApplicationCommandOptionChoice{Name: r.english(key("choice", v)), NameLocalizations: locals, Value: v})
		}
		out = append(out, d)
	}
	return out
}

// check holds a root against Discord's bounds.
func check(c *discordgo.ApplicationCommand) error {
	size, err := sizeOf(c.Name, c.Description, *c.DescriptionLocalizations, c.Options)
	switch {
	case err != nil:
		return fmt.Errorf("/%s: %w", c.Name, err)
	case size > maxCharacters:
		return fmt.Errorf("/%s has %d characters, and Discord takes %d", c.Name, size, maxCharacters)
	}
	return nil
}

func sizeOf(name, description string, locals map[discordgo.Locale]string, options []*discordgo.ApplicationCommandOption) (int, error) {
	longest := utf8.RuneCountInString(description)
	for _, text := range locals {
		longest = max(longest, utf8.RuneCountInString(text))
	}
	if longest < 1 || longest > maxDescription {
		return 0, fmt.Errorf("the description of %s has %d characters", name, longest)
	}
	if len(options) > maxOptions {
		return 0, fmt.Errorf("%s has %d options", name, len(options))
	}
	size := len(name) + longest
	for _, o := range options {
		n, err := sizeOf(o.Name, o.Description, o.DescriptionLocalizations, o.Options)
		if err != nil {
			return 0, err
		}
		if len(o.Choices) > maxOptions {
			return 0, fmt.Errorf("%s has %d choices", o.Name, len(o.Choices))
		}
		for _, ch := range o.Choices {
			n += utf8.RuneCountInString(ch.Name) + len(fmt.Sprint(ch.Value))
		}
		size += n
	}
	return size, nil
}
