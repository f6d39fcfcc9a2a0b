package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Diff says in lines where two snapshots differ; nothing when they are equal. It is for the message of a failed test.
func (s Snapshot) Diff(other Snapshot) []string {
	var lines []string
	was, is := flatten(s), flatten(other)
	for _, key := range sortedKeys(was) {
		if now, ok := is[key]; !ok {
			lines = append(lines, fmt.Sprintf("- %s: %s", key, was[key]))
		} else if now != was[key] {
			lines = append(lines, fmt.Sprintf("~ %s: %s became %s", key, was[key], now))
		}
	}
	for _, key := range sortedKeys(is) {
		if _, ok := was[key]; !ok {
			lines = append(lines, fmt.Sprintf("+ %s: %s", key, is[key]))
		}
	}
	return lines
}

// flatten gives every value of a snapshot a key that names what it is of.
func flatten(s Snapshot) map[string]string {
	out := map[string]string{}
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				walk(path+"."+key, child)
			}
		case []any:
			for i, child := range v {
				walk(fmt.Sprintf("%s[%d]", path, i), child)
			}
		default:
			out[strings.TrimPrefix(path, ".")] = string(rawJSON(v))
		}
	}
	var tree any
	if json.Unmarshal(rawJSON(s), &tree) == nil {
		walk("", tree)
	}
	return out
}
