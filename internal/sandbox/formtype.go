package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The kinds of values in bodies beyond those of form.go. Each reads one JSON value and notes what is wrong with it.

// asText is a string with a shortest and a longest length in characters.
func asText(shortest, longest int) func(*formErrors, string, json.RawMessage) string {
	return func(bad *formErrors, key string, raw json.RawMessage) string {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			bad.add("STRING_TYPE_CONVERT", "Could not interpret "+quoted(raw)+" as string.", key)
			return ""
		}
		if n := utf8.RuneCountInString(s); n < shortest || n > longest {
			bad.add("BASE_TYPE_BAD_LENGTH", fmt.Sprintf("Must be between %d and %d in length.", shortest, longest), key)
		}
		return s
	}
}

// asRange is a whole number within bounds.
func asRange(lowest, highest int) func(*formErrors, string, json.RawMessage) int {
	return func(bad *formErrors, key string, raw json.RawMessage) int {
		n := asInt(bad, key, raw)
		switch {
		case n < lowest:
			bad.add("NUMBER_TYPE_MIN", "int value should be greater than or equal to "+strconv.Itoa(lowest)+".", key)
		case n > highest:
			bad.add("NUMBER_TYPE_MAX", "int value should be less than or equal to "+strconv.Itoa(highest)+".", key)
		}
		return n
	}
}

// asChoice is one of a few numbers.
func asChoice(of ...int) func(*formErrors, string, json.RawMessage) int {
	return func(bad *formErrors, key string, raw json.RawMessage) int {
		n := asInt(bad, key, raw)
		if !slices.Contains(of, n) {
			list := make([]string, len(of))
			for i, v := range of {
				list[i] = strconv.Itoa(v)
			}
			bad.add("BASE_TYPE_CHOICES", "Value must be one of {"+strings.Join(list, ", ")+"}.", key)
		}
		return n
	}
}

// asPermissions is a set of bits, as a number or as a string of digits. Bits that do not exist are dropped, as Discord does.
func asPermissions(bad *formErrors, key string, raw json.RawMessage) Permissions {
	n, err := strconv.ParseUint(strings.Trim(string(raw), `"`), 10, 64)
	if err != nil {
		bad.add("BITFIELD_TYPE_CONVERT", "Could not interpret "+quoted(raw)+" as bit field.", key)
	}
	return Permissions(n) & AllPermissions
}

// asItems is a list of at most so many values.
func asItems(most int) func(*formErrors, string, json.RawMessage) []json.RawMessage {
	return func(bad *formErrors, key string, raw json.RawMessage) []json.RawMessage {
		var items []json.RawMessage
		if json.Unmarshal(raw, &items) != nil {
			bad.add("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType", key)
			return nil
		}
		if len(items) > most {
			bad.add("BASE_TYPE_MAX_LENGTH", "Must be "+strconv.Itoa(most)+" or fewer in length.", key)
			return nil
		}
		return items
	}
}

// required notes a key that was not sent or is null.
func required[T any](bad *formErrors, key string, f field[T]) {
	if !f.set || f.null {
		bad.add("BASE_TYPE_REQUIRED", "This field is required", key)
	}
}

// nest runs a reader of an object below a path and moves what is wrong there to its place.
func (f *formErrors) nest(path []string, read func(*formErrors)) {
	var inner formErrors
	read(&inner)
	if inner.root != nil {
		f.graft(inner.root, path)
	}
}

func (f *formErrors) graft(n *errorNode, path []string) {
	for _, e := range n.own {
		f.add(e.Code, e.Message, path...)
	}
	for key, kid := range n.kids {
		f.graft(kid, append(slices.Clone(path), key))
	}
}

// asObject splits an object into its keys, or notes that it is none.
func asObject(bad *formErrors, raw json.RawMessage) (map[string]json.RawMessage, bool) {
	var keys map[string]json.RawMessage
	if json.Unmarshal(raw, &keys) != nil || keys == nil {
		bad.add("DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
		return nil, false
	}
	return keys, true
}

// objectBody reads a JSON object from the body; nothing sent is an empty object where that is allowed.
func (c *call) objectBody(mayBeEmpty bool) (map[string]json.RawMessage, *apiError) {
	if mayBeEmpty && len(c.body) == 0 {
		return nil, nil
	}
	if err := c.jsonBody(); err != nil {
		return nil, err
	}
	return parseObject(c.body)
}

// listBody reads a JSON list of at most so many objects from the body.
func (c *call) listBody(most int) ([]json.RawMessage, *apiError) {
	if err := c.jsonBody(); err != nil {
		return nil, err
	}
	if !json.Valid(c.body) {
		return nil, invalidJSON()
	}
	var bad formErrors
	var items []json.RawMessage
	if json.Unmarshal(c.body, &items) != nil {
		bad.add("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
	} else if len(items) > most {
		bad.add("BASE_TYPE_MAX_LENGTH", "Must be "+strconv.Itoa(most)+" or fewer in length.")
	}
	return items, bad.err()
}
