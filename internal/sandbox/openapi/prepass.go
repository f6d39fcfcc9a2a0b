package openapi

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// prepare changes the published description so that a validator is neither too strict nor too lax:
//
//  1. a choice among constants becomes an enumeration: same meaning, but usable for query parameters;
//  2. permission sets may be strings of digits: the description says integer, Discord takes both and bots send strings;
//  3. objects in request bodies take no unknown keys, so that a misspelt key is found. Not below an allOf of several
//     members, where each member would refuse the keys of the others;
//  4. the code of a fault inside an invalid form is a name like BASE_TYPE_REQUIRED, as documented, where the description
//     says number;
//  5. servers may have ENHANCED_ROLE_COLORS, which Discord's documentation lists among the features and the description does not.
func prepare(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // 2^53-1 must not turn into 9.007e15
	var doc map[string]any
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	walk(doc, func(m map[string]any) {
		flattenConstants(m)
		loosenPermissions(m)
	})
	nameFormErrors(doc)
	addFeatures(doc)
	c := closer{doc: doc, done: map[string]bool{}}
	walk(doc, func(m map[string]any) {
		if body, ok := m["requestBody"].(map[string]any); ok {
			c.close(body, false)
		}
	})
	return json.Marshal(doc)
}

// walk visits every object of a JSON tree, parents first.
func walk(v any, visit func(map[string]any)) {
	switch v := v.(type) {
	case map[string]any:
		visit(v)
		for _, child := range v {
			walk(child, visit)
		}
	case []any:
		for _, child := range v {
			walk(child, visit)
		}
	}
}

func flattenConstants(m map[string]any) {
	choice, ok := m["oneOf"].([]any)
	if !ok || len(choice) == 0 {
		return
	}
	var values []any
	for _, one := range choice {
		one, ok := one.(map[string]any)
		if !ok {
			return
		}
		value, ok := one["const"]
		if !ok {
			return
		}
		values = append(values, value)
	}
	delete(m, "oneOf")
	m["enum"] = values
}

var permissionKeys = []string{"permissions", "allow", "deny", "default_member_permissions"}

func loosenPermissions(m map[string]any) {
	props, _ := m["properties"].(map[string]any)
	for _, key := range permissionKeys {
		schema, ok := props[key].(map[string]any)
		if !ok {
			continue
		}
		types, ok := schema["type"].([]any)
		if one, single := schema["type"].(string); single {
			types, ok = []any{one}, true
		}
		if !ok || !slices.Contains(types, any("integer")) {
			continue
		}
		schema["type"] = append(types, "string")
		schema["pattern"] = "^[0-9]+$"
		for _, key := range []string{"minimum", "maximum", "format"} {
			delete(schema, key)
		}
	}
}

// addFeatures adds what servers may have beside what the description lists.
func addFeatures(doc map[string]any) {
	components, _ := doc["components"].(map[string]any)
	schemas, _ := components["schemas"].(map[string]any)
	features, _ := schemas["GuildFeatures"].(map[string]any)
	if known, ok := features["enum"].([]any); ok && !slices.Contains(known, any("ENHANCED_ROLE_COLORS")) {
		features["enum"] = append(known, "ENHANCED_ROLE_COLORS")
	}
}

// nameFormErrors lets the innermost errors of a form have names.
func nameFormErrors(doc map[string]any) {
	at := any(doc)
	for _, key := range []string{"components", "schemas", "InnerErrors", "properties", "_errors"} {
		m, ok := at.(map[string]any)
		if !ok {
			return
		}
		at = m[key]
	}
	if list, ok := at.(map[string]any); ok {
		text := map[string]any{"type": "string"}
		list["items"] = map[string]any{
			"type": "object", "properties": map[string]any{"code": text, "message": text}, "required": []any{"code", "message"},
		}
	}
}

// closer shuts request schemas, following references, each once.
type closer struct {
	doc  map[string]any
	done map[string]bool
}

func (c closer) close(v any, open bool) {
	switch v := v.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			c.follow(ref, open)
		}
		if _, says := v["additionalProperties"]; !open && !says && v["properties"] != nil {
			v["additionalProperties"] = false
		}
		for key, child := range v {
			if members, ok := child.([]any); ok && key == "allOf" && len(members) > 1 {
				c.close(child, true)
				continue
			}
			// Below a property things are whole objects again.
			c.close(child, open && key != "properties")
		}
	case []any:
		for _, child := range v {
			c.close(child, open)
		}
	}
}

func (c closer) follow(ref string, open bool) {
	if open || c.done[ref] {
		return // an open reference may be closed elsewhere, so it must not count as done
	}
	c.done[ref] = true
	var at any = c.doc
	for _, part := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		m, ok := at.(map[string]any)
		if !ok {
			return
		}
		at = m[part]
	}
	c.close(at, false)
}
