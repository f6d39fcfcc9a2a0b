package sandbox

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxContent is the longest text of a message in characters. People with Nitro may write twice as much, bots may not.
const maxContent = 2000

// messageBody is the body of a new or changed message, of a channel, a webhook or an interaction.
type messageBody struct {
	content    field[string]
	embeds     field[[]wireEmbed]
	components field[[]map[string]any]
	flags      field[int]
	tts        field[bool]
	nonce      field[json.RawMessage]
	enforce    field[bool]
	reply      field[ID]
	allowed    field[allowedMentions]
	username   field[string]
	avatar     field[string]
	thread     field[string]
	tags       field[[]ID]
	mayMiss    bool // what reply names need not exist
}

// parseMessage reads a body; had are the flags of the message that it changes.
func parseMessage(bad *formErrors, keys map[string]json.RawMessage, had int) messageBody {
	var b messageBody
	read(bad, keys, "flags", &b.flags, asInt)
	read(bad, keys, "content", &b.content, asContent)
	read(bad, keys, "embeds", &b.embeds, asEmbeds)
	read(bad, keys, "tts", &b.tts, asBool)
	read(bad, keys, "nonce", &b.nonce, asNonce)
	read(bad, keys, "enforce_nonce", &b.enforce, asBool)
	read(bad, keys, "allowed_mentions", &b.allowed, asAllowedMentions)
	read(bad, keys, "username", &b.username, asUsername)
	read(bad, keys, "avatar_url", &b.avatar, asText(0, 2048))
	read(bad, keys, "thread_name", &b.thread, asText(0, 100))
	read(bad, keys, "applied_tags", &b.tags, asTagIDs)
	v2 := (had|b.flags.value)&flagComponentsV2 != 0
	read(bad, keys, "components", &b.components, func(bad *formErrors, key string, raw json.RawMessage) []map[string]any {
		return (&components{v2: v2}).top(bad, key, raw)
	})
	if v2 && (b.content.value != "" || len(b.embeds.value) > 0) {
		bad.add("MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", "content and embeds cannot be used with components version 2", "content")
	}
	if raw, ok := keys["message_reference"]; ok && string(raw) != "null" {
		bad.nest([]string{"message_reference"}, func(bad *formErrors) {
			if inner, ok := asObject(bad, raw); ok {
				read(bad, inner, "message_id", &b.reply, asID)
				required(bad, "message_id", b.reply)
				var strict field[bool]
				read(bad, inner, "fail_if_not_exists", &strict, asBool)
				b.mayMiss = strict.set && !strict.value
			}
		})
	}
	return b
}

func asContent(bad *formErrors, key string, raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		bad.add("STRING_TYPE_CONVERT", "Could not interpret "+quoted(raw)+" as string.", key)
	}
	if utf8.RuneCountInString(s) > maxContent {
		bad.add("BASE_TYPE_MAX_LENGTH", "Must be 2000 or fewer in length.", key)
	}
	return strings.TrimSpace(s)
}

// asNonce takes a number or a text of at most 25 characters.
func asNonce(bad *formErrors, key string, raw json.RawMessage) json.RawMessage {
	var s string
	if raw[0] == '"' {
		if json.Unmarshal(raw, &s) != nil || utf8.RuneCountInString(s) > 25 {
			bad.add("NONCE_TYPE_TOO_LONG", "Must be 25 or fewer in length.", key)
		}
	} else {
		asInt(bad, key, raw)
	}
	return raw
}

// asUsername refuses the names that webhooks may not have.
func asUsername(bad *formErrors, key string, raw json.RawMessage) string {
	s := asText(1, 80)(bad, key, raw)
	for _, word := range []string{"clyde", "discord"} {
		if strings.Contains(strings.ToLower(s), word) {
			bad.add("USERNAME_INVALID_CONTAINS", `Username cannot contain "`+word+`"`, key)
		}
	}
	return s
}

// settableFlags are those that a request may set.
const settableFlags = flagSuppressEmbeds | flagEphemeral | 1<<12 | flagComponentsV2

// apply changes what was sent; files and the list of attachments are done elsewhere.
func (b messageBody) apply(m *messageContent, mayFlags int) {
	set(&m.content, b.content)
	set(&m.embeds, b.embeds)
	set(&m.components, b.components)
	if b.flags.set {
		m.flags = m.flags&^mayFlags | b.flags.value&mayFlags | m.flags&flagComponentsV2
	}
}
