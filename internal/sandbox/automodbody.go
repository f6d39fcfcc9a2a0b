package sandbox

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
)

// automodBody reads a new or changed rule on top of what there is. The kind of a rule cannot be changed.
func (c *call) automodBody(g *guild, me *member, v automodValues, create bool) (automodValues, *apiError) {
	keys, err := c.objectBody(false)
	if err != nil {
		return v, err
	}
	var b struct {
		name            field[string]
		event, trigger  field[int]
		enabled         field[bool]
		roles, channels field[[]ID]
		actions         field[[]automodAction]
	}
	var bad formErrors
	read(&bad, keys, "name", &b.name, asText(1, 100))
	read(&bad, keys, "event_type", &b.event, asChoice(1, 2))
	read(&bad, keys, "trigger_type", &b.trigger, asChoice(ruleKeyword, ruleSpam, rulePreset, ruleMention, ruleProfile))
	read(&bad, keys, "enabled", &b.enabled, asBool)
	read(&bad, keys, "exempt_roles", &b.roles, asFewIDs(20))
	read(&bad, keys, "exempt_channels", &b.channels, asFewIDs(50))
	read(&bad, keys, "actions", &b.actions, asAutomodActions)
	if create {
		required(&bad, "name", b.name)
		required(&bad, "event_type", b.event)
		required(&bad, "trigger_type", b.trigger)
		required(&bad, "actions", b.actions)
		set(&v.trigger, b.trigger)
	} else if b.trigger.set && b.trigger.value != v.trigger {
		bad.add("AUTO_MODERATION_TRIGGER_IMMUTABLE", "The trigger of a rule cannot be changed", "trigger_type")
	}
	if b.name.set && !b.name.null {
		v.name = b.name.value
	}
	set(&v.event, b.event)
	set(&v.enabled, b.enabled)
	set(&v.exemptRoles, b.roles)
	set(&v.exemptChannels, b.channels)
	if b.actions.set && !b.actions.null {
		v.actions = b.actions.value
	}
	if raw, ok := keys["trigger_metadata"]; ok && string(raw) != "null" {
		bad.nest([]string{"trigger_metadata"}, func(bad *formErrors) { v.meta = readAutomodMeta(bad, v.trigger, raw) })
	}
	v.check(&bad, g)
	if err := bad.err(); err != nil {
		return v, err
	}
	times := slices.ContainsFunc(v.actions, func(a automodAction) bool { return a.kind == actionTimeout })
	if times && !g.basePermissions(me, c.now).Has(ModerateMembers) {
		return v, missingPermissions()
	}
	return v, nil
}

// asFewIDs is a list of at most so many ids.
func asFewIDs(most int) func(*formErrors, string, json.RawMessage) []ID {
	return func(bad *formErrors, key string, raw json.RawMessage) []ID {
		ids := asIDs(bad, key, raw)
		if len(ids) > most {
			bad.add("BASE_TYPE_MAX_LENGTH", "Must be "+strconv.Itoa(most)+" or fewer in length.", key)
		}
		return ids
	}
}

// asTexts is a list of at most so many texts of at most so many characters.
func asTexts(most, longest int) func(*formErrors, string, json.RawMessage) []string {
	return func(bad *formErrors, key string, raw json.RawMessage) []string {
		items := asItems(most)(bad, key, raw)
		list := make([]string, len(items))
		bad.nest([]string{key}, func(bad *formErrors) {
			for i, item := range items {
				list[i] = asText(1, longest)(bad, strconv.Itoa(i), item)
			}
		})
		return list
	}
}

func readAutomodMeta(bad *formErrors, trigger int, raw json.RawMessage) automodMeta {
	var m automodMeta
	keys, ok := asObject(bad, raw)
	if !ok {
		return m
	}
	var keywords, regexes, allowed field[[]string]
	var presets field[[]int]
	var mentions field[int]
	var raid field[bool]
	mostAllowed := 100
	if trigger == rulePreset {
		mostAllowed = 1000
	}
	read(bad, keys, "keyword_filter", &keywords, asTexts(1000, 60))
	read(bad, keys, "regex_patterns", &regexes, asTexts(10, 260))
	read(bad, keys, "allow_list", &allowed, asTexts(mostAllowed, 60))
	read(bad, keys, "presets", &presets, asPresets)
	read(bad, keys, "mention_total_limit", &mentions, asRange(0, 50))
	read(bad, keys, "mention_raid_protection_enabled", &raid, asBool)
	for i, text := range regexes.value {
		if _, err := regexp.Compile(text); err != nil { // Go's flavour is close to Rust's, which Discord uses
			bad.add("AUTO_MODERATION_INVALID_RUST_SERVICE_REGEX", "Invalid regex", "regex_patterns", strconv.Itoa(i))
		}
	}
	return automodMeta{keywords.value, regexes.value, allowed.value, presets.value, mentions.value, raid.value}
}

func asPresets(bad *formErrors, key string, raw json.RawMessage) []int {
	var list []int
	for i, item := range asItems(3)(bad, key, raw) {
		bad.nest([]string{key}, func(bad *formErrors) {
			list = append(list, asChoice(1, 2, 3)(bad, strconv.Itoa(i), item))
		})
	}
	return list
}

func asAutomodActions(bad *formErrors, key string, raw json.RawMessage) []automodAction {
	items := asItems(5)(bad, key, raw)
	if len(items) == 0 {
		bad.add("BASE_TYPE_MIN_LENGTH", "Must be 1 or more in length.", key)
	}
	list := make([]automodAction, len(items))
	for i, item := range items {
		bad.nest([]string{key, strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, item)
			if !ok {
				return
			}
			var kind field[int]
			read(bad, keys, "type", &kind, asChoice(actionBlock, actionAlert, actionTimeout, actionBar))
			required(bad, "type", kind)
			list[i].kind = kind.value
			if raw, ok := keys["metadata"]; ok && string(raw) != "null" {
				bad.nest([]string{"metadata"}, func(bad *formErrors) { list[i].read(bad, raw) })
			}
		})
	}
	return list
}

func (a *automodAction) read(bad *formErrors, raw json.RawMessage) {
	keys, ok := asObject(bad, raw)
	if !ok {
		return
	}
	var channel field[ID]
	var seconds field[int]
	read(bad, keys, "channel_id", &channel, asID)
	read(bad, keys, "duration_seconds", &seconds, asRange(0, 4*7*24*3600))
	a.channel, a.seconds, a.text = channel.value, seconds.value, readText(bad, keys, "custom_message", 0, 150)
}

// check holds a rule against what its kind allows.
func (v *automodValues) check(bad *formErrors, g *guild) {
	profile := v.trigger == ruleProfile
	if (v.event == 2) != profile {
		bad.add("AUTO_MODERATION_EVENT_TYPE_INVALID", "This event type cannot be used with this trigger type", "event_type")
	}
	switch v.trigger {
	case ruleKeyword, ruleProfile:
		if len(v.meta.keywords) == 0 && len(v.meta.regexes) == 0 {
			bad.add("BASE_TYPE_REQUIRED", "A keyword or a regex pattern is required", "trigger_metadata")
		}
	case rulePreset:
		if len(v.meta.presets) == 0 {
			bad.add("BASE_TYPE_REQUIRED", "This field is required", "trigger_metadata", "presets")
		}
	}
	for i, a := range v.actions {
		path := []string{"actions", strconv.Itoa(i)}
		ch := g.channels[a.channel]
		switch {
		case a.kind == actionAlert && (ch == nil || !ch.holdsMessages()):
			bad.add("AUTO_MODERATION_INVALID_ALERT_CHANNEL", "Channel does not exist", append(path, "metadata", "channel_id")...)
		case a.kind == actionTimeout && v.trigger != ruleKeyword && v.trigger != ruleMention,
			a.kind == actionBar && !profile, a.kind == actionBlock && profile:
			bad.add("AUTO_MODERATION_ACTION_INVALID", "This action cannot be used with this trigger type", append(path, "type")...)
		}
	}
}
