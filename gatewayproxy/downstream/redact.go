package downstream

import (
	"encoding/json"

	"splashtail/internal/rawjson"
)

// What a bot without the message content intent sees of the contents of others.

// blank is what takes the place of each member that shows content; a nil value takes the
// member out. Members that a message does not have are not added.
var blank = []member{
	{"content", json.RawMessage(`""`)}, {"embeds", json.RawMessage(`[]`)}, {"attachments", json.RawMessage(`[]`)},
	{"components", json.RawMessage(`[]`)}, {"poll", nil},
}

// showsContent says whether a message's content is for the bot in any case: its own, one
// that mentions it, or one in a direct message.
func showsContent(message []byte, self string, direct bool) bool {
	if direct || rawjson.Text(rawjson.Get(rawjson.Get(message, "author"), "id")) == self {
		return true
	}
	for u := range rawjson.Elements(rawjson.Get(message, "mentions")) {
		if rawjson.Text(rawjson.Get(u, "id")) == self {
			return true
		}
	}
	return false
}

// redactMessage gives a message without content, and so the messages inside it: the one
// that it answers, and those that it forwards. What the bot may see stays as it came.
func redactMessage(message []byte, self string, direct bool) []byte {
	if showsContent(message, self, direct) {
		return message
	}
	var over []member
	for _, b := range blank {
		if has(message, b.key) {
			over = append(over, b)
		}
	}
	if ref := rawjson.Get(message, "referenced_message"); !rawjson.IsNull(ref) {
		over = append(over, member{"referenced_message", redactMessage(ref, self, false)})
	}
	if all := rawjson.Get(message, "message_snapshots"); !rawjson.IsNull(all) {
		over = append(over, member{"message_snapshots", redactSnapshots(all, self)})
	}
	if len(over) == 0 {
		return message
	}
	return with(message, over...)
}

// redactSnapshots works on the list of forwarded messages, which name no author.
func redactSnapshots(list []byte, self string) json.RawMessage {
	out := []byte{'['}
	for s := range rawjson.Elements(list) {
		if len(out) > 1 {
			out = append(out, ',')
		}
		if m := rawjson.Get(s, "message"); !rawjson.IsNull(m) {
			s = with(s, member{"message", redactMessage(m, self, false)})
		}
		out = append(out, s...)
	}
	return append(out, ']')
}

// redactExecution gives a report of automatic moderation without what was written.
func redactExecution(d []byte) []byte {
	var over []member
	for _, key := range []string{"content", "matched_content"} {
		if has(d, key) {
			over = append(over, member{key, json.RawMessage(`""`)})
		}
	}
	if over == nil {
		return d
	}
	return with(d, over...)
}

// redact gives the d of an event without message content.
func redact(event string, d []byte, self string, direct bool) []byte {
	switch event {
	case "MESSAGE_CREATE", "MESSAGE_UPDATE":
		return redactMessage(d, self, direct)
	case "AUTO_MODERATION_ACTION_EXECUTION":
		return redactExecution(d)
	}
	return d
}
