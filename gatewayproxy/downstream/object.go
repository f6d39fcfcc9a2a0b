package downstream

import (
	"encoding/json"
	"slices"

	"splashtail/internal/rawjson"
)

// member is a member of a JSON object, its value raw.
type member struct {
	key   string
	value json.RawMessage
}

// with gives an object with some members written over: in their place where it has them,
// at the end where not. Everything else stays as it came. A nil value takes the member
// out.
func with(object []byte, over ...member) []byte {
	size := len(object) + 2
	for _, m := range over {
		size += len(m.key) + len(m.value) + 4
	}
	out := append(make([]byte, 0, size), '{')
	done := make([]bool, len(over))
	for key, value := range rawjson.Fields(object) {
		if i := slices.IndexFunc(over, func(m member) bool { return m.key == key }); i >= 0 {
			if done[i] || over[i].value == nil {
				continue // a repeated key, or one to take out
			}
			value, done[i] = over[i].value, true
		}
		out = appendMember(out, key, value)
	}
	for i, m := range over {
		if !done[i] && m.value != nil {
			out = appendMember(out, m.key, m.value)
		}
	}
	return append(out, '}')
}

func appendMember(out []byte, key string, value json.RawMessage) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	quoted, _ := json.Marshal(key) // a string always encodes
	out = append(append(out, quoted...), ':')
	return append(out, value...)
}

// has says whether an object has a member that is not null.
func has(object []byte, key string) bool { return !rawjson.IsNull(rawjson.Get(object, key)) }
