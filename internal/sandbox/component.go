package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Component types, with Discord's numbers.
const (
	actionRow     = 1
	button        = 2
	stringSelect  = 3
	textInput     = 4
	userSelect    = 5
	channelSelect = 8
	section       = 9
	textDisplay   = 10
	separator     = 14
	container     = 17
	label         = 18
)

// Bounds of the components of one message.
const (
	maxComponents  = 40
	maxLegacyRows  = 5
	maxDisplayText = 4000
	linkButton     = 5
	premiumButton  = 6
)

// components reads the components of one message or modal. What it notes is below the key of the list.
type components struct {
	v2     bool // the layout of components version 2 instead of rows only
	modal  bool
	count  int
	text   int // characters of all text displays
	lastID int
	seen   map[string]bool // custom ids
}

// top reads the list as it stands in a body.
func (c *components) top(bad *formErrors, key string, raw json.RawMessage) []map[string]any {
	c.seen = map[string]bool{}
	most := maxLegacyRows
	if c.v2 {
		most = maxComponents
	}
	items := asItems(most)(bad, key, raw)
	allowed := []int{actionRow}
	switch {
	case c.modal:
		allowed = []int{actionRow, label, textDisplay}
		if len(items) == 0 {
			bad.add("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length.", key)
		}
	case c.v2:
		allowed = []int{actionRow, section, textDisplay, 12, 13, separator, container}
	}
	list := c.list(bad, []string{key}, items, allowed)
	if c.count > maxComponents {
		bad.add("COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", "The total number of components cannot exceed 40", key)
	}
	if c.text > maxDisplayText {
		bad.add("COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED", "The total displayable text size is too long", key)
	}
	return list
}

func (c *components) list(bad *formErrors, path []string, items []json.RawMessage, allowed []int) []map[string]any {
	list := []map[string]any{}
	for i, item := range items {
		bad.nest(append(slices.Clone(path), strconv.Itoa(i)), func(bad *formErrors) {
			list = append(list, c.one(bad, item, allowed))
		})
	}
	return list
}

// one reads a component and gives it as Discord sends it back: numbered, without nulls, with its defaults.
func (c *components) one(bad *formErrors, raw json.RawMessage, allowed []int) map[string]any {
	keys, ok := asObject(bad, raw)
	if !ok {
		return nil
	}
	c.count++
	var kind, id field[int]
	read(bad, keys, "type", &kind, asInt)
	read(bad, keys, "id", &id, asRange(0, 1<<31-1))
	required(bad, "type", kind)
	if kind.set && !slices.Contains(allowed, kind.value) {
		bad.add("UNION_TYPE_CHOICES", "Value of field \"type\" must be one of the types that may stand here.", "type")
		return nil
	}
	out := map[string]any{}
	for key, value := range keys {
		if string(value) != "null" {
			out[key] = value
		}
	}
	c.lastID = max(c.lastID+1, id.value)
	out["id"] = c.lastID
	c.kind(bad, kind.value, keys, out)
	return out
}

func (c *components) kind(bad *formErrors, kind int, keys map[string]json.RawMessage, out map[string]any) {
	switch kind {
	case actionRow:
		out["components"] = c.row(bad, keys)
	case button:
		c.button(bad, keys)
	case stringSelect, userSelect, 6, 7, channelSelect:
		c.selectMenu(bad, kind, keys, out)
	case textInput:
		c.customID(bad, keys)
		read(bad, keys, "style", &field[int]{}, asChoice(1, 2))
		readText(bad, keys, "value", 0, 4000)
		readText(bad, keys, "placeholder", 0, 100)
	case textDisplay:
		c.text += utf8.RuneCountInString(readText(bad, keys, "content", 1, maxDisplayText))
	case section:
		out["components"] = c.children(bad, keys, 3, textDisplay)
		if raw, ok := keys["accessory"]; ok {
			bad.nest([]string{"accessory"}, func(bad *formErrors) { out["accessory"] = c.one(bad, raw, []int{button, 11}) })
		} else {
			bad.add("BASE_TYPE_REQUIRED", "This field is required", "accessory")
		}
	case separator:
		fill(out, "spacing", 1)
		fill(out, "divider", true)
	case container:
		out["components"] = c.children(bad, keys, maxComponents, actionRow, section, textDisplay, 12, 13, separator)
		if out["accent_color"] == nil {
			out["accent_color"] = nil
		}
		fill(out, "spoiler", false)
	case label:
		readText(bad, keys, "label", 1, 45)
		if raw, ok := keys["component"]; ok {
			bad.nest([]string{"component"}, func(bad *formErrors) {
				out["component"] = c.one(bad, raw, []int{textInput, stringSelect, userSelect, 6, 7, channelSelect, 19, 21, 22, 23})
			})
		} else {
			bad.add("BASE_TYPE_REQUIRED", "This field is required", "component")
		}
	}
}

// fill sets a default.
func fill(out map[string]any, key string, value any) {
	if out[key] == nil {
		out[key] = value
	}
}

func (c *components) children(bad *formErrors, keys map[string]json.RawMessage, most int, allowed ...int) []map[string]any {
	var items []json.RawMessage
	if raw, ok := keys["components"]; ok {
		items = asItems(most)(bad, "components", raw)
	}
	if len(items) == 0 {
		bad.add("BASE_TYPE_BAD_LENGTH", "Must be between 1 and "+strconv.Itoa(most)+" in length.", "components")
	}
	return c.list(bad, []string{"components"}, items, allowed)
}

// row holds up to five buttons or one menu; in a modal one text input.
func (c *components) row(bad *formErrors, keys map[string]json.RawMessage) []map[string]any {
	if c.modal {
		return c.children(bad, keys, 1, textInput)
	}
	list := c.children(bad, keys, 5, button, stringSelect, userSelect, 6, 7, channelSelect)
	width := 0
	for _, one := range list {
		if width++; one != nil && string(rawJSON(one["type"])) != "2" {
			width += 4
		}
	}
	if width > 5 {
		bad.add("COMPONENT_LAYOUT_WIDTH_EXCEEDED", "Action row is too wide", "components")
	}
	return list
}

// customID reads the id that comes back when somebody uses the component; it is unique in its message.
func (c *components) customID(bad *formErrors, keys map[string]json.RawMessage) {
	var id field[string]
	read(bad, keys, "custom_id", &id, asText(1, 100))
	required(bad, "custom_id", id)
	if c.seen[id.value] {
		bad.add("COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated", "custom_id")
	}
	c.seen[id.value] = true
}

func (c *components) button(bad *formErrors, keys map[string]json.RawMessage) {
	var style field[int]
	read(bad, keys, "style", &style, asChoice(1, 2, 3, 4, linkButton, premiumButton))
	required(bad, "style", style)
	text := readText(bad, keys, "label", 0, 80)
	if _, emoji := keys["emoji"]; text == "" && !emoji && style.value != premiumButton {
		bad.add("BUTTON_COMPONENT_INVALID_LABEL", "A button needs a label or an emoji", "label")
	}
	switch style.value {
	case linkButton:
		var url field[string]
		read(bad, keys, "url", &url, asText(1, 512))
		required(bad, "url", url)
		if _, both := keys["custom_id"]; both {
			bad.add("BUTTON_COMPONENT_CUSTOM_ID_URL_MUTUALLY_EXCLUSIVE", "A custom id and url cannot both be specified", "custom_id")
		}
	case premiumButton:
	default:
		c.customID(bad, keys)
	}
}

func (c *components) selectMenu(bad *formErrors, kind int, keys map[string]json.RawMessage, out map[string]any) {
	c.customID(bad, keys)
	lowest, highest := field[int]{value: 1}, field[int]{value: 1}
	read(bad, keys, "min_values", &lowest, asRange(0, 25))
	read(bad, keys, "max_values", &highest, asRange(1, 25))
	readText(bad, keys, "placeholder", 0, 150)
	if lowest.value > highest.value {
		bad.add("SELECT_COMPONENT_MIN_VALUES_TOO_HIGH", "min_values is above max_values", "min_values")
	}
	out["min_values"], out["max_values"] = lowest.value, highest.value
	if kind != stringSelect {
		return
	}
	var items field[[]json.RawMessage]
	read(bad, keys, "options", &items, asItems(25))
	if len(items.value) == 0 {
		bad.add("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.", "options")
	}
	if highest.value > max(len(items.value), 1) {
		bad.add("SELECT_COMPONENT_MAX_VALUES_TOO_HIGH", "max_values is above the number of options", "max_values")
	}
	values := map[string]bool{}
	for i, item := range items.value {
		bad.nest([]string{"options", strconv.Itoa(i)}, func(bad *formErrors) {
			option, ok := asObject(bad, item)
			if !ok {
				return
			}
			readText(bad, option, "label", 1, 100)
			readText(bad, option, "description", 0, 100)
			value := readText(bad, option, "value", 1, 100)
			if values[value] {
				bad.add("SELECT_COMPONENT_OPTION_VALUE_DUPLICATED", "The specified option value is already used", "value")
			}
			values[value] = true
		})
	}
}
