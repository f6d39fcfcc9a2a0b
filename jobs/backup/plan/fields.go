package plan

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
)

// fields are the values that can be set on a thing, by Discord's names for them. What is nil is null.
type fields map[string]any

// diff lists what differs, by name.
func diff(live, want fields) []Field {
	var list []Field
	for _, name := range slices.Sorted(maps.Keys(want)) {
		before, after := canonical(live[name]), canonical(want[name])
		if !bytes.Equal(before, after) {
			list = append(list, Field{name, before, after})
		}
	}
	return list
}

// whole lists everything that a new thing is made with; what is null is left to Discord.
func whole(want fields) []Field {
	var list []Field
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if after := canonical(want[name]); string(after) != "null" {
			list = append(list, Field{Name: name, After: after})
		}
	}
	return list
}

// canonical is a value as JSON that is equal for equal values: keys sorted, no spaces.
func canonical(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		return json.RawMessage("null")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var tree any
	if d.Decode(&tree) != nil {
		return json.RawMessage("null")
	}
	out := &bytes.Buffer{}
	e := json.NewEncoder(out)
	e.SetEscapeHTML(false)
	if e.Encode(tree) != nil {
		return json.RawMessage("null")
	}
	return bytes.TrimSpace(out.Bytes())
}

// changed names the fields of a step for people.
func changed(list []Field) []string {
	names := make([]string, len(list))
	for i, f := range list {
		names[i] = f.Name
	}
	return names
}

// orNil makes a zero null: for values that Discord has none of rather than zero.
func orNil[T comparable](v T) any {
	var zero T
	if v == zero {
		return nil
	}
	return v
}

// text is an optional text: Discord does not tell an empty one from none.
func text(s *string) any {
	if s == nil || *s == "" {
		return nil
	}
	return *s
}
