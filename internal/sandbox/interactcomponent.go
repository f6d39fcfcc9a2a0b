package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

type wireUseComponent struct {
	CustomID string       `json:"custom_id"`
	Type     int          `json:"component_type"`
	Values   []string     `json:"values,omitempty"`
	Resolved *wireResolve `json:"resolved,omitempty"`
}

// useOfComponent finds the component in a message of the channel, or in one that only this user sees.
func (d *Discord) useOfComponent(g *guild, ch *channel, u *use, spec InteractionSpec) (any, error) {
	m := ch.find(spec.Message)
	if m == nil {
		m = d.ephemeral(u.user, spec.Message)
	}
	if m == nil || m.author != u.app.user && m.app != u.app.user.id {
		return nil, fmt.Errorf("sandbox: bot %s has no message %s that %s sees; nothing was used", spec.App, spec.Message, spec.User)
	}
	found := findComponent(m.components, spec.CustomID)
	if found == nil || string(rawJSON(found["disabled"])) == "true" {
		return nil, fmt.Errorf("sandbox: message %s has no component %q that can be used; nothing was used", spec.Message, spec.CustomID)
	}
	kind, err := intOf(found["type"])
	if err != nil {
		return nil, err
	}
	if kind != button {
		if err := checkValues(found, kind, spec.Values); err != nil {
			return nil, err
		}
	}
	u.kind, u.source = useComponent, m
	data := wireUseComponent{CustomID: spec.CustomID, Type: kind, Values: spec.Values}
	if kind > textInput {
		r := newWireResolve()
		for _, v := range spec.Values {
			if id, err := ParseID(v); err == nil {
				d.resolve(g, &r, id)
			}
		}
		data.Resolved = &r
	}
	return data, nil
}

func intOf(v any) (n int, err error) {
	err = json.Unmarshal(rawJSON(v), &n)
	return n, err
}

// findComponent looks for a custom id at every depth.
func findComponent(list []map[string]any, customID string) map[string]any {
	for _, c := range list {
		if string(rawJSON(c["custom_id"])) == string(rawJSON(customID)) {
			return c
		}
		inner, _ := c["components"].([]map[string]any)
		for _, key := range []string{"component", "accessory"} {
			if one, ok := c[key].(map[string]any); ok {
				inner = append(slices.Clone(inner), one)
			}
		}
		if found := findComponent(inner, customID); found != nil {
			return found
		}
	}
	return nil
}

// checkValues says whether a menu lets somebody select these.
func checkValues(menu map[string]any, kind int, values []string) error {
	lowest, err := intOf(menu["min_values"])
	highest, err2 := intOf(menu["max_values"])
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	if n := len(values); n < lowest || n > highest {
		return fmt.Errorf("sandbox: the menu takes %d to %d values, not %d; nothing was used", lowest, highest, n)
	}
	if kind != stringSelect {
		return nil
	}
	var options []struct{ Value string }
	if err := json.Unmarshal(rawJSON(menu["options"]), &options); err != nil {
		return err
	}
	for _, v := range values {
		if !slices.ContainsFunc(options, func(o struct{ Value string }) bool { return o.Value == v }) {
			return fmt.Errorf("sandbox: the menu has no option %q; nothing was used", v)
		}
	}
	return nil
}

type wireUseModal struct {
	CustomID   string           `json:"custom_id"`
	Components []map[string]any `json:"components"`
}

// useOfModal sends a dialogue that an interaction opened, once per input what was typed.
func (d *Discord) useOfModal(u *use, spec InteractionSpec) (any, error) {
	opened := spec.Modal.use
	if opened.modal == nil || opened.user != u.user || opened.app != u.app {
		return nil, errors.New("sandbox: that interaction showed this user no modal; nothing was sent")
	}
	u.kind, u.parent, u.source = useModal, opened, opened.source
	list, _ := opened.modal["components"].([]map[string]any)
	filled, err := fillModal(list, spec.Fields)
	if err != nil {
		return nil, err
	}
	for id := range spec.Fields {
		if findComponent(list, id) == nil {
			return nil, fmt.Errorf("sandbox: the modal has no input %q; nothing was sent", id)
		}
	}
	id, _ := opened.modal["custom_id"].(string)
	return wireUseModal{id, filled}, nil
}

func fillModal(list []map[string]any, fields map[string]string) ([]map[string]any, error) {
	out := []map[string]any{}
	for _, c := range list {
		one := map[string]any{"type": c["type"], "id": c["id"]}
		if inner, ok := c["components"].([]map[string]any); ok {
			filled, err := fillModal(inner, fields)
			if err != nil {
				return nil, err
			}
			one["components"] = filled
		}
		if inner, ok := c["component"].(map[string]any); ok {
			filled, err := fillModal([]map[string]any{inner}, fields)
			if err != nil {
				return nil, err
			}
			one["component"] = filled[0]
		}
		if c["custom_id"] != nil {
			if err := fillInput(c, one, fields); err != nil {
				return nil, err
			}
		}
		out = append(out, one)
	}
	return out, nil
}

func fillInput(c, one map[string]any, fields map[string]string) error {
	var id string
	if err := json.Unmarshal(rawJSON(c["custom_id"]), &id); err != nil {
		return err
	}
	text, given := fields[id]
	if !given && c["value"] != nil {
		if err := json.Unmarshal(rawJSON(c["value"]), &text); err != nil {
			return err
		}
	}
	if text == "" && string(rawJSON(c["required"])) != "false" {
		return fmt.Errorf("sandbox: input %q of the modal must not be empty; nothing was sent", id)
	}
	if longest, err := intOf(c["max_length"]); err == nil && longest > 0 && len([]rune(text)) > longest {
		return fmt.Errorf("sandbox: input %q of the modal takes %d characters; nothing was sent", id, longest)
	}
	one["custom_id"] = id
	if string(rawJSON(c["type"])) == fmt.Sprint(textInput) {
		one["value"] = text
	} else {
		one["values"] = strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
	}
	return nil
}
