package sandbox

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// commandName is what a slash command and an option may be called; letters have to be small where the alphabet has both.
var commandName = regexp.MustCompile(`^[-_'\p{L}\p{N}\p{Devanagari}\p{Thai}]{1,32}$`)

// maxCommandText is for names, descriptions and values of a command with all its options together.
const maxCommandText = 8000

// Option types, with Discord's numbers.
const (
	optionSubcommand  = 1
	optionGroup       = 2
	optionString      = 3
	optionInteger     = 4
	optionBoolean     = 5
	optionUser        = 6
	optionChannel     = 7
	optionRole        = 8
	optionMentionable = 9
	optionNumber      = 10
	optionAttachment  = 11
)

// parseCommands reads the body of a bulk overwrite.
func parseCommands(items []json.RawMessage) ([]*command, *apiError) {
	var bad formErrors
	var list []*command
	for i, item := range items {
		bad.nest([]string{strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, item)
			if !ok {
				return
			}
			cmd := readCommand(bad, keys, command{Type: chatCommand}, true)
			if same(list, cmd) != nil {
				bad.add("APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique", "name")
			}
			list = append(list, cmd)
		})
	}
	if err := bad.err(); err != nil {
		return nil, err
	}
	for i, cmd := range list {
		if err := roomFor(list[:i], cmd); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// parseCommand reads the body of one command over what it was before.
func parseCommand(keys map[string]json.RawMessage, was command, create bool) (*command, *apiError) {
	var bad formErrors
	cmd := readCommand(&bad, keys, was, create)
	return cmd, bad.err()
}

func readCommand(bad *formErrors, keys map[string]json.RawMessage, cmd command, create bool) *command {
	var kind field[int]
	var name, description field[string]
	var perms field[Permissions]
	var nsfw, dm field[bool]
	if create {
		read(bad, keys, "type", &kind, asChoice(chatCommand, userCommand, messageCommand))
		if kind.set && !kind.null {
			cmd.Type = kind.value
		}
	}
	read(bad, keys, "name", &name, asText(1, 32))
	read(bad, keys, "description", &description, asText(0, 100))
	read(bad, keys, "default_member_permissions", &perms, asPermissions)
	read(bad, keys, "nsfw", &nsfw, asBool)
	read(bad, keys, "dm_permission", &dm, asBool)
	if create {
		required(bad, "name", name)
	}
	set(&cmd.Name, name)
	set(&cmd.Description, description)
	set(&cmd.NSFW, nsfw)
	setPointer(&cmd.DM, dm)
	setPointer(&cmd.Permissions, perms)
	cmd.Names = readTexts(bad, keys, "name_localizations", cmd.Names, 32)
	cmd.Descriptions = readTexts(bad, keys, "description_localizations", cmd.Descriptions, 100)
	cmd.Contexts = readInts(bad, keys, "contexts", cmd.Contexts, 0, 1, 2)
	cmd.Integrations = readInts(bad, keys, "integration_types", cmd.Integrations, 0, 1)
	if cmd.Integrations == nil {
		cmd.Integrations = []int{0}
	}
	if raw, ok := keys["options"]; ok {
		cmd.Options = nil
		if string(raw) != "null" {
			cmd.Options = readOptions(bad, raw, 0)
		}
	}
	cmd.check(bad)
	return &cmd
}

// check applies the rules that hold for a command as a whole.
func (cmd *command) check(bad *formErrors) {
	if cmd.Type == chatCommand {
		checkName(bad, cmd.Name, cmd.Names)
		if cmd.Description == "" {
			bad.add("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.", "description")
		}
	} else if cmd.Description != "" || len(cmd.Options) > 0 {
		bad.add("APPLICATION_COMMAND_CONTEXT_MENU_DESCRIPTION_INVALID", "Context menu commands cannot have descriptions", "description")
	}
	if n := textOf(cmd.Name, cmd.Names) + textOf(cmd.Description, cmd.Descriptions) + optionText(cmd.Options); n > maxCommandText {
		bad.add("APPLICATION_COMMAND_TOO_LARGE", "Command exceeds maximum size (8000)")
	}
}

func checkName(bad *formErrors, name string, others map[string]string) {
	if name != "" && (!commandName.MatchString(name) || name != strings.ToLower(name)) {
		bad.add("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid", "name")
	}
	for locale, other := range others {
		if !commandName.MatchString(other) || other != strings.ToLower(other) {
			bad.add("APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid", "name_localizations", locale)
		}
	}
}

// textOf counts a text with its translations: the longest of them.
func textOf(text string, others map[string]string) int {
	n := utf8.RuneCountInString(text)
	for _, other := range others {
		n = max(n, utf8.RuneCountInString(other))
	}
	return n
}

func optionText(options []commandOption) int {
	n := 0
	for _, o := range options {
		n += textOf(o.Name, o.Names) + textOf(o.Description, o.Descriptions) + optionText(o.Options)
		for _, choice := range o.Choices {
			n += textOf(choice.Name, choice.Names) + utf8.RuneCountInString(strings.Trim(string(choice.Value), `"`))
		}
	}
	return n
}

// readTexts reads translations by locale.
func readTexts(bad *formErrors, keys map[string]json.RawMessage, key string, was map[string]string, longest int) map[string]string {
	raw, ok := keys[key]
	if !ok {
		return was
	}
	if string(raw) == "null" {
		return nil
	}
	texts := map[string]string{}
	bad.nest([]string{key}, func(bad *formErrors) {
		inner, ok := asObject(bad, raw)
		if !ok {
			return
		}
		for locale := range inner {
			if !slices.Contains(locales(), locale) {
				bad.add("ENUM_TYPE_COERCE", "Value is not a locale", locale)
				continue
			}
			texts[locale] = readText(bad, inner, locale, 1, longest)
		}
	})
	return texts
}

func readInts(bad *formErrors, keys map[string]json.RawMessage, key string, was []int, of ...int) []int {
	raw, ok := keys[key]
	if !ok {
		return was
	}
	if string(raw) == "null" {
		return nil
	}
	var list []int
	for _, item := range asItems(20)(bad, key, raw) {
		n := asChoice(of...)(bad, key, item)
		if slices.Contains(list, n) {
			bad.add("SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value", key)
		}
		list = append(list, n)
	}
	return list
}
