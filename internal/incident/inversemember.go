package incident

import (
	"slices"

	"splashtail/bus"
	"splashtail/internal/audit"
)

func (w *wish) overwriteBack(d bus.Deed) {
	options := parseObject(d.Options)
	target := options.text("id")
	if w.channels[d.Target] == nil || target == "" {
		return
	}
	now, there := w.overwrites[d.Target][target]
	was, made := overwrite{}, overwrite{}
	if options.text("type") == "1" {
		was.Type = 1
	}
	touches := map[string]bool{}
	for _, c := range changesOf(d) {
		touches[c.Key] = true
		switch c.Key {
		case "allow":
			was.Allow, made.Allow = bits(c.Old), bits(c.New)
		case "deny":
			was.Deny, made.Deny = bits(c.Old), bits(c.New)
		}
	}
	if d.Type == typeOverwriteDelete {
		if !there {
			w.overwrites[d.Target][target] = was
		}
		return
	}
	if !there {
		return
	}
	if touches["allow"] && now.Allow == made.Allow {
		now.Allow = was.Allow
	}
	if touches["deny"] && now.Deny == made.Deny {
		now.Deny = was.Deny
	}
	w.overwrites[d.Target][target] = now
	if d.Type == typeOverwriteCreate && now.Allow|now.Deny == 0 {
		delete(w.overwrites[d.Target], target)
	}
}

func (w *wish) memberBack(d bus.Deed) {
	m, here := w.members[d.Target]
	if !here {
		return
	}
	for _, c := range changesOf(d) {
		if none, known := memberKeys[c.Key]; known && same(m.keys[c.Key], c.New) {
			m.keys[c.Key] = orNone(c.Old, none)
		}
	}
}

func (w *wish) memberRolesBack(d bus.Deed) {
	e := audit.Entry{Changes: changesOf(d)}
	change := func(role string, give bool) {
		if d.ID < w.others[memberRoleKey(d.Target, role)] {
			return
		}
		if had, again := w.given[role]; again {
			w.given[role] = set(had, d.Target, give)
			return
		}
		if m, here := w.members[d.Target]; here {
			m.roles = set(m.roles, role, give)
			w.members[d.Target] = m
		}
	}
	for _, role := range e.Roles("$add") {
		change(role, false)
	}
	for _, role := range e.Roles("$remove") {
		change(role, true)
	}
}

// set gives the list with or without an id.
func set(list []string, id string, in bool) []string {
	if !in {
		return without(list, id)
	}
	if slices.Contains(list, id) {
		return list
	}
	return append(slices.Clone(list), id)
}

func without(list []string, id string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == id })
}
