// Package rawjson reads parts of JSON and leaves the rest as it came.
//
// Discord objects pass through us most of whose content nobody here looks at:
// what is needed is an event's name, a guild's id, one list. What goes through keeps every
// byte, unknown fields and numbers beyond 2^53 included, and nothing is decoded that is
// not asked for.
//
// Input is expected to be valid JSON (json.Valid). What is not gives missing or cut
// values, never a panic.
package rawjson

import (
	"bytes"
	"encoding/json"
	"iter"
)

// Fields gives the members of an object in their order, each value a part of object. Of
// something else it gives none.
func Fields(object []byte) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		i := space(object, 0)
		if i >= len(object) || object[i] != '{' {
			return
		}
		for i = space(object, i+1); i < len(object) && object[i] == '"'; {
			end := value(object, i)
			key := unquote(object[i:end])
			i = space(object, end)
			if i >= len(object) || object[i] != ':' {
				return
			}
			i = space(object, i+1)
			end = value(object, i)
			if end == i || !yield(key, object[i:end:end]) {
				return
			}
			i = space(object, end)
			if i >= len(object) || object[i] != ',' {
				return
			}
			i = space(object, i+1)
		}
	}
}

// Elements gives the elements of an array in their order, each a part of array. Of
// something else it gives none.
func Elements(array []byte) iter.Seq[json.RawMessage] {
	return func(yield func(json.RawMessage) bool) {
		i := space(array, 0)
		if i >= len(array) || array[i] != '[' {
			return
		}
		for i = space(array, i+1); i < len(array) && array[i] != ']'; {
			end := value(array, i)
			if end == i || !yield(array[i:end:end]) {
				return
			}
			i = space(array, end)
			if i >= len(array) || array[i] != ',' {
				return
			}
			i = space(array, i+1)
		}
	}
}

// Get gives a member of an object, nil when there is none. Of a repeated key the last
// counts, as with encoding/json.
func Get(object []byte, key string) json.RawMessage {
	var found json.RawMessage
	for k, v := range Fields(object) {
		if k == key {
			found = v
		}
	}
	return found
}

// Text gives a string without its quotes, a number as it is written, and nothing for
// anything else: ids come as either.
func Text(v json.RawMessage) string {
	switch {
	case len(v) == 0:
		return ""
	case v[0] == '"':
		return unquote(v)
	case v[0] == '-' || v[0] >= '0' && v[0] <= '9':
		return string(v)
	}
	return ""
}

// IsNull says whether a value is missing or null.
func IsNull(v json.RawMessage) bool { return len(v) == 0 || v[0] == 'n' }

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// value gives the end of the value that begins at i; i itself when none does.
func value(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return text(b, i)
	case '{', '[':
		return nested(b, i)
	case '}', ']', ',', ':':
		return i
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t', ':':
			return i
		}
		i++
	}
	return i
}

// text gives the end of the string that begins at i.
func text(b []byte, i int) int {
	i++
	for i < len(b) {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return len(b)
		}
		end := i + n
		slashes := 0
		for k := end - 1; k >= i && b[k] == '\\'; k-- {
			slashes++
		}
		i = end + 1
		if slashes%2 == 0 {
			return i
		}
	}
	return len(b)
}

// nested gives the end of the object or array that begins at i.
func nested(b []byte, i int) int {
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			i = text(b, i)
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return len(b)
}

// unquote reads a string with its quotes; one that is cut gives nothing.
func unquote(quoted []byte) string {
	if len(quoted) < 2 || quoted[len(quoted)-1] != '"' {
		return ""
	}
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if json.Unmarshal(quoted, &s) != nil {
		return ""
	}
	return s
}
