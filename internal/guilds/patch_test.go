package guilds

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

const base = `{"id":"7","name":"g","unknown":{"n":9007199254740993},"member_count":2,"unavailable":true,"presences":[{"user":{"id":"1"}}],
"channels":[{"id":"10","name":"a","later":1},{"id":"11","name":"b"}],"threads":[{"id":"20","parent_id":"10"},{"id":"21","parent_id":"11"}],
"roles":[{"id":"7","name":"@everyone"},{"id":"30","name":"r","icon":null}],"emojis":[],"stickers":[],
"members":[{"user":{"id":"1"},"roles":["30"]},{"user":{"id":"99"},"roles":["30","31"]}],"voice_states":[{"user_id":"1","channel_id":"11"}]}`

// TestEventsPatchWhatTheyTouch compares the guild after each event with what Discord
// would send in a new GUILD_CREATE.
func TestEventsPatchWhatTheyTouch(t *testing.T) {
	for _, c := range []struct {
		event, d string
		change   func(m map[string]any) // of base, as decoded JSON
	}{
		{"GUILD_UPDATE", `{"id":"7","name":"new","roles":[{"id":"7","name":"@everyone"}],"fresh":1}`, func(m map[string]any) {
			m["name"], m["fresh"], m["roles"] = "new", 1.0, val(`[{"id":"7","name":"@everyone"}]`)
		}},
		{"CHANNEL_CREATE", `{"guild_id":"7","id":"12","name":"c"}`, func(m map[string]any) { push(m, "channels", `{"id":"12","name":"c"}`) }},
		{"CHANNEL_UPDATE", `{"guild_id":"7","id":"10","name":"x"}`, func(m map[string]any) { first(m, "channels")["name"] = "x" }},
		{"CHANNEL_DELETE", `{"guild_id":"7","id":"10"}`, func(m map[string]any) {
			m["channels"], m["threads"] = m["channels"].([]any)[1:], m["threads"].([]any)[1:]
		}},
		{"CHANNEL_PINS_UPDATE", `{"guild_id":"7","channel_id":"10","last_pin_timestamp":"t"}`, func(m map[string]any) { first(m, "channels")["last_pin_timestamp"] = "t" }},
		{"VOICE_CHANNEL_STATUS_UPDATE", `{"guild_id":"7","id":"10","status":"hi"}`, func(m map[string]any) { first(m, "channels")["status"] = "hi" }},
		{"THREAD_CREATE", `{"guild_id":"7","id":"22","parent_id":"10","newly_created":true}`, func(m map[string]any) { push(m, "threads", `{"id":"22","parent_id":"10"}`) }},
		{"THREAD_UPDATE", `{"guild_id":"7","id":"20","thread_metadata":{"archived":true}}`, func(m map[string]any) { m["threads"] = m["threads"].([]any)[1:] }},
		{"THREAD_DELETE", `{"guild_id":"7","id":"20","parent_id":"10"}`, func(m map[string]any) { m["threads"] = m["threads"].([]any)[1:] }},
		{"THREAD_LIST_SYNC", `{"guild_id":"7","channel_ids":["10"],"threads":[{"id":"23","parent_id":"10"}],"members":[{"id":"23","user_id":"99"}]}`, func(m map[string]any) {
			m["threads"] = m["threads"].([]any)[1:]
			push(m, "threads", `{"id":"23","parent_id":"10","member":{"id":"23","user_id":"99"}}`)
		}},
		{"GUILD_ROLE_CREATE", `{"guild_id":"7","role":{"id":"32","name":"n"}}`, func(m map[string]any) { push(m, "roles", `{"id":"32","name":"n"}`) }},
		{"GUILD_ROLE_UPDATE", `{"guild_id":"7","role":{"id":"7","name":"e"}}`, func(m map[string]any) { first(m, "roles")["name"] = "e" }},
		{"GUILD_ROLE_DELETE", `{"guild_id":"7","role_id":"30"}`, func(m map[string]any) {
			m["roles"] = m["roles"].([]any)[:1]
			m["members"] = val(`[{"user":{"id":"1"},"roles":[]},{"user":{"id":"99"},"roles":["31"]}]`)
		}},
		{"GUILD_EMOJIS_UPDATE", `{"guild_id":"7","emojis":[{"id":"40"}]}`, func(m map[string]any) { push(m, "emojis", `{"id":"40"}`) }},
		{"GUILD_STICKERS_UPDATE", `{"guild_id":"7","stickers":[{"id":"41"}]}`, func(m map[string]any) { push(m, "stickers", `{"id":"41"}`) }},
		{"GUILD_SOUNDBOARD_SOUND_CREATE", `{"guild_id":"7","sound_id":"42"}`, func(m map[string]any) { m["soundboard_sounds"] = val(`[{"sound_id":"42"}]`) }},
		{"GUILD_SCHEDULED_EVENT_CREATE", `{"guild_id":"7","id":"43"}`, func(m map[string]any) { m["guild_scheduled_events"] = val(`[{"id":"43"}]`) }},
		{"GUILD_MEMBER_ADD", `{"guild_id":"7","user":{"id":"2"},"roles":[]}`, func(m map[string]any) {
			m["member_count"] = 3.0
			push(m, "members", `{"user":{"id":"2"},"roles":[]}`)
		}},
		{"GUILD_MEMBER_UPDATE", `{"guild_id":"7","user":{"id":"1"},"nick":"n"}`, func(m map[string]any) { first(m, "members")["nick"] = "n" }},
		{"GUILD_MEMBER_REMOVE", `{"guild_id":"7","user":{"id":"1"}}`, func(m map[string]any) {
			m["member_count"], m["members"], m["voice_states"] = 1.0, m["members"].([]any)[1:], []any{}
		}},
		{"VOICE_STATE_UPDATE", `{"guild_id":"7","user_id":"2","channel_id":"11","member":{"user":{"id":"2"}}}`, func(m map[string]any) {
			push(m, "voice_states", `{"user_id":"2","channel_id":"11"}`)
			push(m, "members", `{"user":{"id":"2"}}`)
		}},
		{"VOICE_STATE_UPDATE", `{"guild_id":"7","user_id":"1","channel_id":null}`, func(m map[string]any) { m["voice_states"] = []any{} }},
		{"MESSAGE_CREATE", `{"guild_id":"7","id":"50","channel_id":"10"}`, func(map[string]any) {}},
		{"SOMETHING_NEW", `{"guild_id":"7","roles":[]}`, func(map[string]any) {}},
		{"CHANNEL_UPDATE", `{"guild_id":"7"}`, func(map[string]any) {}},
		{"GUILD_MEMBER_UPDATE", `[]`, func(map[string]any) {}},
	} {
		want := val(strings.Replace(strings.Replace(base, `"unavailable":true`, `"unavailable":false`, 1), `[{"user":{"id":"1"}}]`, `[]`, 1)).(map[string]any)
		c.change(want)
		g := made(json.RawMessage(base), "99")
		g.apply(c.event, json.RawMessage(c.d), "99")
		got := val(string(g.render())).(map[string]any)
		// Lists that the test touches first come out empty where there was none.
		for key := range keyOf {
			if want[key] == nil {
				want[key] = []any{}
			}
			if got[key] == nil {
				got[key] = []any{}
			}
		}
		if a, b := text(got), text(want); a != b {
			t.Errorf("%s\n got %s\nwant %s", c.event, a, b)
		}
		if !strings.Contains(string(g.render()), `{"n":9007199254740993}`) {
			t.Errorf("%s: an unknown member was changed", c.event)
		}
	}
}

func val(s string) (v any) {
	if err := json.Unmarshal([]byte(s), &v); err != nil {
		panic(err)
	}
	return v
}

func text(v any) string { b, _ := json.Marshal(v); return string(b) }

func push(m map[string]any, key, element string) {
	list, _ := m[key].([]any)
	m[key] = append(list, val(element))
}

func first(m map[string]any, key string) map[string]any { return m[key].([]any)[0].(map[string]any) }

// TestMembersAreBounded: a guild of any size keeps the bot, who is in voice, and as many
// others as Discord would send.
func TestMembersAreBounded(t *testing.T) {
	var members []string
	for i := range 1000 {
		members = append(members, fmt.Sprintf(`{"user":{"id":"%d"},"roles":[]}`, 1000+i))
	}
	d := fmt.Sprintf(`{"id":"7","member_count":1000,"members":[%s],"voice_states":[{"user_id":"1990","channel_id":"1"}]}`, strings.Join(members, ","))
	g := made(json.RawMessage(d), "1999")
	for i := range 500 {
		g.apply("GUILD_MEMBER_ADD", fmt.Appendf(nil, `{"user":{"id":"%d"}}`, 5000+i), "1999")
	}
	g.apply("VOICE_STATE_UPDATE", json.RawMessage(`{"user_id":"6000","channel_id":"1","member":{"user":{"id":"6000"}}}`), "1999")
	l := g.list("members")
	if len(l.items) != memberCap+3 || l.find("1999") < 0 || l.find("1990") < 0 || l.find("6000") < 0 {
		t.Errorf("%d members", len(l.items))
	}
	if string(g.get("member_count")) != "1500" {
		t.Errorf("member_count %s", g.get("member_count"))
	}
	g.apply("VOICE_STATE_UPDATE", json.RawMessage(`{"user_id":"6000","channel_id":null}`), "1999")
	if l.find("6000") >= 0 {
		t.Error("who left voice is kept although there is no room")
	}
}

// FuzzApply: whatever an event holds, the guild stays one JSON object and keeps what no
// event touches.
func FuzzApply(f *testing.F) {
	f.Add("CHANNEL_UPDATE", `{"id":"10","name":"x"}`)
	f.Add("GUILD_UPDATE", `{"roles":null,"channels":{},"id":[]}`)
	f.Add("THREAD_LIST_SYNC", `{"threads":[1,null,{}],"members":[[]]}`)
	f.Add("VOICE_STATE_UPDATE", `{"user_id":1,"channel_id":{},"member":{"user":7}}`)
	f.Fuzz(func(t *testing.T, event, d string) {
		if !json.Valid([]byte(d)) {
			return // nothing else is stored
		}
		g := made(json.RawMessage(base), "99")
		g.apply(event, json.RawMessage(d), "99")
		out := g.render()
		var m map[string]json.RawMessage
		if err := json.Unmarshal(out, &m); err != nil {
			t.Fatalf("%s %s made %s", event, d, out)
		}
		if again := val(string(parse(out).render())); !reflect.DeepEqual(again, val(string(out))) {
			t.Errorf("%s became %s", out, text(again))
		}
	})
}
