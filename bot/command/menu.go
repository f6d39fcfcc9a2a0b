package command

import (
	"fmt"
	"unicode/utf8"

	"github.com/bwmarrin/discordgo"
)

// Discord's bounds of commands in menus: how many there are of each kind, and their names.
const (
	maxMenus    = 15
	maxMenuName = 32
)

// addMenu checks a command in a menu and notes under which name it comes.
func (r *Registry) addMenu(c Command) error {
	if c.Menu == 0 {
		return nil
	}
	if len(c.Options) > 0 {
		return fmt.Errorf("%s is in a menu and cannot have options", c.Name)
	}
	label := key("menu", c.Name)
	names := r.words.Others(label)
	names["en"] = r.english(label)
	for _, name := range names {
		if n := utf8.RuneCountInString(name); n < 1 || n > maxMenuName {
			return fmt.Errorf("%s is called %q in a menu, and Discord takes %d characters", c.Name, name, maxMenuName)
		}
	}
	at := setName(c.Menu.discord(), names["en"])
	if _, twice := r.menus[at]; twice {
		return fmt.Errorf("two commands are called %q in a menu", names["en"])
	}
	r.menus[at] = c.Name
	n := 0
	for _, other := range r.commands {
		if other.Menu == c.Menu {
			n++
		}
	}
	if n >= maxMenus {
		return fmt.Errorf("%s is one too many for a menu, which has %d", c.Name, maxMenus)
	}
	return nil
}

// menu is a command in a menu as Discord wants it.
func (r *Registry) menu(c Command) *discordgo.ApplicationCommand {
	contexts := []discordgo.InteractionContextType{discordgo.InteractionContextGuild}
	others := r.others(key("menu", c.Name))
	return &discordgo.ApplicationCommand{Type: c.Menu.discord(), Name: r.english(key("menu", c.Name)), NameLocalizations: &others,
		DefaultMemberPermissions: permissions(c.Default), Contexts: &contexts}
}

// setName names a command in a bus.CommandSet: Discord lets a slash command and those of
// the two menus have the same name.
func setName(kind discordgo.ApplicationCommandType, name string) string {
	switch kind {
	case discordgo.UserApplicationCommand:
		return "person:" + name
	case discordgo.MessageApplicationCommand:
		return "message:" + name
	}
	return name
}

// find gives the command that an interaction names, and its options.
func (r *Registry) find(data discordgo.ApplicationCommandInteractionData) (Command, []*discordgo.ApplicationCommandInteractionDataOption, bool) {
	name, options := data.Name, data.Options
	switch data.CommandType {
	case discordgo.UserApplicationCommand:
		options = []*discordgo.ApplicationCommandInteractionDataOption{{Name: "user", Type: discordgo.ApplicationCommandOptionUser, Value: data.TargetID}}
		fallthrough
	case discordgo.MessageApplicationCommand:
		c, ok := r.Get(r.menus[setName(data.CommandType, name)])
		return c, options, ok
	}
	for len(options) == 1 && (options[0].Type == discordgo.ApplicationCommandOptionSubCommand || options[0].Type == discordgo.ApplicationCommandOptionSubCommandGroup) {
		name, options = name+" "+options[0].Name, options[0].Options
	}
	c, ok := r.Get(name)
	return c, options, ok && c.Menu == 0
}

// Marked is the message in whose menu the command was used; nil for other commands.
func (u *Use) Marked() *discordgo.Message {
	if u.resolved == nil {
		return nil
	}
	return u.resolved.Messages[u.target]
}
