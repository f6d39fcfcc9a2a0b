package plan

import (
	"bytes"
	"encoding/json"

	"splashtail/jobs/backup/model"
)

// refKey tells the keys under which things name others. Only there a plus means a reference; elsewhere it is a text.
func refKey(key string) bool {
	switch key {
	case "id", "parent_id", "channel_id", "emoji_id", "roles", "role_ids", "channel_ids", "default_channel_ids", "exempt_roles",
		"exempt_channels", "order", "afk_channel_id", "system_channel_id", "rules_channel_id", "public_updates_channel_id",
		"safety_alerts_channel_id", "widget_channel_id":
		return true
	}
	return false
}

// Values gives the values that a step sets with the ids that the things before it were made with. A reference to one that
// could not be made goes: out of a list, together with the entry that it names, or to null.
func (s Step) Values(made func(ref model.ID) (model.ID, bool)) (map[string]any, error) {
	out := map[string]any{}
	for _, f := range s.Fields {
		d := json.NewDecoder(bytes.NewReader(f.After))
		d.UseNumber()
		var tree any
		if err := d.Decode(&tree); err != nil {
			return nil, err
		}
		out[f.Name], _ = resolve(f.Name, tree, made)
	}
	return out, nil
}

// resolve rewrites a value that stands under a key; false when it named something that is not there.
func resolve(key string, v any, made func(model.ID) (model.ID, bool)) (any, bool) {
	switch v := v.(type) {
	case string:
		if _, isRef := Made(model.ID(v)); !isRef || !refKey(key) {
			return v, true
		}
		id, ok := made(model.ID(v))
		if !ok {
			return nil, false
		}
		return string(id), true
	case []any:
		list := []any{}
		for _, e := range v {
			if e, ok := resolve(key, e, made); ok {
				list = append(list, e)
			}
		}
		return list, true
	case map[string]any:
		whole := true
		for k, e := range v {
			var ok bool
			v[k], ok = resolve(k, e, made)
			// An entry is nothing without what it is of; an emoji is a decoration.
			whole = whole && (ok || k == "emoji_id")
		}
		return v, whole
	}
	return v, true
}
