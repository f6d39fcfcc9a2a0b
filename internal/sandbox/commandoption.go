package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"
)

// readOptions reads the options at one depth: groups stand at the top only, subcommands there or in a group, parameters
// anywhere but beside those.
func readOptions(bad *formErrors, raw json.RawMessage, depth int) []commandOption {
	items := asItems(25)(bad, "options", raw)
	list := make([]commandOption, len(items))
	optional := false
	names := map[string]bool{}
	for i, item := range items {
		bad.nest([]string{"options", strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, item)
			if !ok {
				return
			}
			o := readOption(bad, keys, depth)
			if names[o.Name] {
				bad.add("APPLICATION_COMMAND_OPTIONS_NAME_ALREADY_EXISTS", "Option name already exists", "name")
			}
			if o.Required && optional {
				bad.add("APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", "Required options must be placed before non-required options", "required")
			}
			if i > 0 && o.nests() != list[0].nests() {
				bad.add("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-command and sub-command group option types are mutually exclusive to all other types", "type")
			}
			names[o.Name], optional = true, optional || !o.Required
			list[i] = o
		})
	}
	return list
}

// nests says whether an option holds others.
func (o *commandOption) nests() bool { return o.Type == optionSubcommand || o.Type == optionGroup }

func readOption(bad *formErrors, keys map[string]json.RawMessage, depth int) commandOption {
	var kind field[int]
	var name, description field[string]
	var must, auto field[bool]
	read(bad, keys, "type", &kind, asRange(optionSubcommand, optionAttachment))
	read(bad, keys, "name", &name, asText(1, 32))
	read(bad, keys, "description", &description, asText(1, 100))
	read(bad, keys, "required", &must, asBool)
	read(bad, keys, "autocomplete", &auto, asBool)
	required(bad, "type", kind)
	required(bad, "name", name)
	required(bad, "description", description)
	o := commandOption{
		Type: kind.value, Name: name.value, Description: description.value, Required: must.value, Autocomplete: auto.value,
		Names:        readTexts(bad, keys, "name_localizations", nil, 32),
		Descriptions: readTexts(bad, keys, "description_localizations", nil, 100),
		ChannelTypes: readInts(bad, keys, "channel_types", nil, 0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16),
	}
	checkName(bad, o.Name, o.Names)
	if o.Type == optionGroup && depth > 0 || o.Type == optionSubcommand && depth > 1 {
		bad.add("APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", "Sub-command option type is not allowed at this depth", "type")
	}
	if raw, ok := keys["options"]; ok && string(raw) != "null" {
		if o.nests() {
			o.Options = readOptions(bad, raw, depth+1+(2-o.Type)) // below a subcommand there are parameters only
		} else {
			bad.add("APPLICATION_COMMAND_OPTIONS_NOT_ALLOWED", "Options are for sub-commands only", "options")
		}
	}
	o.readBounds(bad, keys)
	o.readChoices(bad, keys)
	return o
}

func (o *commandOption) readBounds(bad *formErrors, keys map[string]json.RawMessage) {
	for key, at := range map[string]**float64{"min_value": &o.MinValue, "max_value": &o.MaxValue} {
		var f field[float64]
		read(bad, keys, key, &f, asNumber)
		if f.set && o.Type != optionInteger && o.Type != optionNumber {
			bad.add("APPLICATION_COMMAND_OPTION_MIN_MAX_VALUE_INVALID", "Only numbers have bounds", key)
		}
		setPointer(at, f)
	}
	for key, at := range map[string]**int{"min_length": &o.MinLength, "max_length": &o.MaxLength} {
		var f field[int]
		read(bad, keys, key, &f, asRange(0, 6000))
		if f.set && o.Type != optionString {
			bad.add("APPLICATION_COMMAND_OPTION_MIN_MAX_LENGTH_INVALID", "Only strings have a length", key)
		}
		setPointer(at, f)
	}
}

func asNumber(bad *formErrors, key string, raw json.RawMessage) float64 {
	n, err := strconv.ParseFloat(string(raw), 64)
	if err != nil {
		bad.add("NUMBER_TYPE_COERCE", "Value "+quoted(raw)+" is not float.", key)
	}
	return n
}

// readChoices reads what a string or number is chosen from; that excludes autocomplete.
func (o *commandOption) readChoices(bad *formErrors, keys map[string]json.RawMessage) {
	raw, ok := keys["choices"]
	free := slices.Contains([]int{optionString, optionInteger, optionNumber}, o.Type)
	if o.Autocomplete && !free {
		bad.add("APPLICATION_COMMAND_OPTION_AUTOCOMPLETE_INVALID", "This type has no autocomplete", "autocomplete")
	}
	if !ok || string(raw) == "null" {
		return
	}
	o.Choices = readChoices(bad, raw, o.Type)
	if len(o.Choices) > 0 && (!free || o.Autocomplete) {
		bad.add("APPLICATION_COMMAND_OPTION_CHOICES_INVALID", "Choices are for strings and numbers without autocomplete", "choices")
	}
}

// readChoices reads up to 25 choices whose values are of an option's type.
func readChoices(bad *formErrors, raw json.RawMessage, kind int) []commandChoice {
	items := asItems(25)(bad, "choices", raw)
	list := make([]commandChoice, len(items))
	names := map[string]bool{}
	for i, item := range items {
		bad.nest([]string{"choices", strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, item)
			if !ok {
				return
			}
			var name field[string]
			read(bad, keys, "name", &name, asText(1, 100))
			required(bad, "name", name)
			value := keys["value"]
			switch {
			case value == nil:
				bad.add("BASE_TYPE_REQUIRED", "This field is required", "value")
			case kind == optionString:
				asText(0, 100)(bad, "value", value)
			case kind == optionInteger:
				asInt(bad, "value", value)
			default:
				asNumber(bad, "value", value)
			}
			if names[name.value] {
				bad.add("APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_ALREADY_EXISTS", "Option choice name already exists", "name")
			}
			names[name.value] = true
			list[i] = commandChoice{Name: name.value, Names: readTexts(bad, keys, "name_localizations", nil, 100), Value: value}
		})
	}
	return list
}
