package sandbox

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// field is a key of a body: sent or not, null or not, and its value.
type field[T any] struct {
	set, null bool
	value     T
}

// parseObject splits a JSON object into its keys. Key names are exact, the last of equal keys counts, anything behind the
// object makes the body invalid (50109).
func parseObject(body []byte) (map[string]json.RawMessage, *apiError) {
	dec := json.NewDecoder(bytes.NewReader(body))
	var raw json.RawMessage
	if err := dec.Decode(&raw); err != nil {
		return nil, invalidJSON()
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, invalidJSON()
	}
	var keys map[string]json.RawMessage
	if raw[0] != '{' || json.Unmarshal(raw, &keys) != nil {
		var bad formErrors
		bad.add("DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")
		return nil, bad.err()
	}
	return keys, nil
}

// read fills one field from its key, or adds what is wrong with it.
func read[T any](bad *formErrors, keys map[string]json.RawMessage, key string, f *field[T], as func(*formErrors, string, json.RawMessage) T) {
	raw, ok := keys[key]
	if !ok {
		return
	}
	f.set = true
	if string(raw) == "null" {
		f.null = true
		return
	}
	f.value = as(bad, key, raw)
}

func asBool(bad *formErrors, key string, raw json.RawMessage) bool {
	if s := string(raw); s != "true" && s != "false" {
		bad.add("BOOLEAN_TYPE_CONVERT", "Must be either true or false.", key)
	}
	return string(raw) == "true"
}

func asString(longest int) func(*formErrors, string, json.RawMessage) string {
	return func(bad *formErrors, key string, raw json.RawMessage) string {
		var s string
		if json.Unmarshal(raw, &s) != nil {
			bad.add("STRING_TYPE_CONVERT", "Could not interpret "+quoted(raw)+" as string.", key)
		} else if utf8.RuneCountInString(s) > longest {
			bad.add("BASE_TYPE_BAD_LENGTH", "Must be "+strconv.Itoa(longest)+" or fewer in length.", key)
		}
		return s
	}
}

func asInt(bad *formErrors, key string, raw json.RawMessage) int {
	n, err := strconv.Atoi(string(raw))
	if err != nil {
		bad.add("NUMBER_TYPE_COERCE", "Value "+quoted(raw)+" is not int.", key)
	}
	return n
}

func asID(bad *formErrors, key string, raw json.RawMessage) ID {
	id, ok := snowflake(raw)
	if !ok {
		bad.add("NUMBER_TYPE_COERCE", "Value "+quoted(raw)+" is not snowflake.", key)
	}
	return id
}

// maxRoleList is how many roles one body may name, from Discord's API description.
const maxRoleList = 350

func asIDs(bad *formErrors, key string, raw json.RawMessage) []ID {
	var items []json.RawMessage
	if json.Unmarshal(raw, &items) != nil {
		bad.add("LIST_TYPE_CONVERT", "Only iterables may be used in a ListType", key)
		return nil
	}
	if len(items) > maxRoleList {
		bad.add("BASE_TYPE_BAD_LENGTH", "Must be "+strconv.Itoa(maxRoleList)+" or fewer in length.", key)
		return nil
	}
	seen := map[ID]bool{}
	var ids []ID
	for i, item := range items {
		id, ok := snowflake(item)
		switch {
		case !ok:
			bad.add("NUMBER_TYPE_COERCE", "Value "+quoted(item)+" is not snowflake.", key, strconv.Itoa(i))
		case seen[id]:
			bad.add("SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value", key, strconv.Itoa(i))
		default:
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

// snowflake takes a decimal string or a bare integer, as Discord does.
func snowflake(raw json.RawMessage) (ID, bool) {
	s := string(raw)
	if strings.HasPrefix(s, `"`) && json.Unmarshal(raw, &s) != nil {
		return 0, false
	}
	id, err := ParseID(s)
	return id, err == nil
}

func asTime(bad *formErrors, key string, raw json.RawMessage) time.Time {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		// Time without a zone is UTC for Discord.
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02"} {
			if t, err := time.Parse(layout, s); err == nil {
				return t.UTC()
			}
		}
	}
	bad.add("DATE_TIME_TYPE_PARSE", "Could not parse "+quoted(raw)+". Should be ISO8601.", key)
	return time.Time{}
}

// quoted names a value in a message, at most 40 bytes of it.
func quoted(raw json.RawMessage) string {
	s := string(raw)
	if strings.HasPrefix(s, `"`) && json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	return `"` + strings.ToValidUTF8(s[:min(len(s), 40)], "") + `"`
}
