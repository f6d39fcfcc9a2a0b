package incident

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"time"
)

// Keys that undoing sets, with what stands for "nothing". The audit log leaves out values
// that are null, and Discord takes null for some keys only.
var (
	roleKeys = map[string]string{"name": `"new role"`, "permissions": `"0"`, "color": "0", "hoist": "false", "mentionable": "false", "unicode_emoji": "null"}

	channelKeys = map[string]string{
		"name": `"channel"`, "topic": "null", "nsfw": "false", "rate_limit_per_user": "0", "parent_id": "null", "bitrate": "64000",
		"user_limit": "0", "rtc_region": "null", "video_quality_mode": "null", "default_auto_archive_duration": "null",
		"available_tags": "[]", "default_reaction_emoji": "null", "default_thread_rate_limit_per_user": "0",
		"default_sort_order": "null", "flags": "0",
	}
	// channelMade are the keys that only a new channel takes.
	channelMade = []string{"type", "default_forum_layout"}

	memberKeys = map[string]string{"nick": "null", "communication_disabled_until": "null"}

	guildKeys = map[string]string{
		"name": `"server"`, "description": "null", "verification_level": "0", "default_message_notifications": "0",
		"explicit_content_filter": "0", "preferred_locale": `"en-US"`, "afk_timeout": "300", "afk_channel_id": "null",
		"system_channel_id": "null", "system_channel_flags": "0", "rules_channel_id": "null", "public_updates_channel_id": "null",
		"safety_alerts_channel_id": "null", "premium_progress_bar_enabled": "false",
	}
)

// empty says whether a value is as good as none: what the audit log leaves out is shown
// by the object as one of these.
func empty(v json.RawMessage) bool {
	switch string(bytes.TrimSpace(v)) {
	case "", "null", "0", "false", `""`, "[]", `"0"`:
		return true
	}
	return false
}

// same compares two JSON values by what they mean.
func same(a, b json.RawMessage) bool {
	if empty(a) || empty(b) {
		return empty(a) && empty(b)
	}
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return bytes.Equal(a, b)
	}
	if reflect.DeepEqual(x, y) {
		return true
	}
	s, isText := x.(string)
	t, both := y.(string)
	if !isText || !both {
		return false
	}
	at, err := time.Parse(time.RFC3339Nano, s)
	to, other := time.Parse(time.RFC3339Nano, t)
	return err == nil && other == nil && at.Equal(to)
}

// overwrite is what a channel allows and denies a role (0) or member (1).
type overwrite struct {
	Type        int
	Allow, Deny int64
}

// parseOverwrite reads one as channels show it and as the journal keeps it.
func parseOverwrite(raw json.RawMessage) overwrite {
	o := parseObject(raw)
	return overwrite{o.number("type"), bits(o["allow"]), bits(o["deny"])}
}

// bits reads permissions, a decimal text; 0 for what is none.
func bits(raw json.RawMessage) int64 {
	var s string
	_ = json.Unmarshal(raw, &s) // as above
	n, _ := strconv.ParseInt(s, 10, 64)
	return n
}

// wire gives the overwrite as Discord takes it.
func (o overwrite) wire(id string) object {
	return object{"id": quote(id), "type": json.RawMessage(strconv.Itoa(o.Type)),
		"allow": quote(strconv.FormatInt(o.Allow, 10)), "deny": quote(strconv.FormatInt(o.Deny, 10))}
}

func quote(s string) json.RawMessage {
	raw, _ := json.Marshal(s) // a string always encodes
	return raw
}

func overwritesOf(channel object) map[string]overwrite {
	out := map[string]overwrite{}
	for id, raw := range channel.overwrites() {
		out[id] = parseOverwrite(raw)
	}
	return out
}
