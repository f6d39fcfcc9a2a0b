package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

// goodForm says whether a refusal is one that a client can read: a 400 with Discord's nested form.
func goodForm(t *testing.T, e *apiError) {
	t.Helper()
	b, err := json.Marshal(e)
	if err != nil || !json.Valid(b) || e.status != 400 || (e.Code == 50035) != (e.Errors != nil) {
		t.Fatalf("%+v %s %v", e, b, err)
	}
}

// FuzzMessage: any body gives a refusal or a message within Discord's bounds, which can be sent, whose components can be
// found by their ids, and which is taken again as it was sent.
func FuzzMessage(f *testing.F) {
	f.Add([]byte(richMessage), 0)
	f.Add([]byte(`{"flags":32768,"components":[{"type":17,"components":[{"type":9,"components":[{"type":10,"content":"x"}],"accessory":{"type":2,"style":5,"label":"l","url":"https://x"}}]}]}`), 0)
	f.Add([]byte(`{"components":[{"type":1,"components":[{"type":3,"custom_id":"a","min_values":0,"max_values":25,"options":[{"label":"l","value":"v"}]}]}]}`), flagComponentsV2)
	f.Add([]byte(`{"content":"<@1> <@&2> @everyone","allowed_mentions":{"parse":["users"],"users":["1"]},"embeds":[null,{}]}`), 0)
	f.Add([]byte(`{"components":[{"type":1}],"embeds":{},"nonce":{},"message_reference":[]}`), 0)
	f.Fuzz(func(t *testing.T, body []byte, had int) {
		keys, refused := parseObject(body)
		if refused != nil {
			return
		}
		var bad formErrors
		b := parseMessage(&bad, keys, had)
		if err := bad.err(); err != nil {
			goodForm(t, err)
			return
		}
		m := &chatMessage{id: 1, author: &user{id: 2}}
		b.apply(&m.messageContent, settableFlags)
		total := 0
		for _, e := range m.embeds {
			total += e.length()
		}
		if utf8.RuneCountInString(m.content) > maxContent || total > maxEmbedText || len(m.embeds) > 10 || len(m.components) > maxComponents {
			t.Fatalf("too much was taken: %s", body)
		}
		raw := rawJSON(newWireMessage(m))
		if string(raw) == "null" {
			t.Fatalf("taken, but cannot be sent: %s", body)
		}
		for _, c := range flatComponents(m.components) {
			if c.CustomID != "" && findComponent(m.components, c.CustomID) == nil {
				t.Fatalf("component %q is lost: %s", c.CustomID, body)
			}
		}
		var again formErrors
		sent, _ := parseObject(raw)
		if b.components.set && !b.components.null {
			v2 := (had|b.flags.value)&flagComponentsV2 != 0
			(&components{v2: v2}).top(&again, "components", sent["components"])
			if err := again.err(); err != nil {
				t.Fatalf("what was sent is not taken again: %s\n%s\n%s", body, raw, rawJSON(err))
			}
		}
	})
}

// FuzzCommands: any body gives a refusal or commands that have Discord's shape, and that are the same when they are sent
// again as they come back: registration by difference depends on it.
func FuzzCommands(f *testing.F) {
	f.Add(pingCommands)
	f.Add(`[{"name":"a","description":"d","options":[{"type":2,"name":"g","description":"d","options":[{"type":1,"name":"s","description":"d"}]}]}]`)
	f.Add(`[{"name":"a","description":"d","default_member_permissions":"0","contexts":[0,1,2],"integration_types":null,"dm_permission":false,"nsfw":true}]`)
	f.Add(`[{"type":2,"name":"Who is this"},{"type":3,"name":"Report"}]`)
	f.Add(`[null,{},{"options":{}}]`)
	f.Fuzz(func(t *testing.T, body string) {
		var items []json.RawMessage
		if json.Unmarshal([]byte(body), &items) != nil {
			return
		}
		list, refused := parseCommands(items)
		if refused != nil {
			if refused.Code == 50035 {
				goodForm(t, refused)
			}
			return
		}
		for _, c := range list {
			if c.Type == chatCommand && (c.Description == "" || c.Name != strings.ToLower(c.Name) || utf8.RuneCountInString(c.Name) > 32) {
				t.Fatalf("taken: %+v", c)
			}
		}
		sent := rawJSON(list)
		if json.Unmarshal(sent, &items) != nil {
			t.Fatalf("cannot be sent: %s", body)
		}
		again, refused := parseCommands(items)
		if refused != nil || string(rawJSON(again)) != string(sent) {
			t.Fatalf("not the same again: %s\n%s\n%s %v", body, sent, rawJSON(again), rawJSON(refused))
		}
	})
}

// FuzzChannel: any body gives a refusal or a channel whose values are within bounds.
func FuzzChannel(f *testing.F) {
	f.Add([]byte(`{"name":"Among Us","type":0,"topic":"t","rate_limit_per_user":5,"permission_overwrites":[{"id":"1","type":0,"allow":"8","deny":0}]}`))
	f.Add([]byte(`{"name":"v","type":2,"bitrate":64000,"user_limit":null,"rtc_region":null}`))
	f.Add([]byte(`{"name":"f","type":15,"available_tags":[{"name":"t","emoji_id":"5"},null],"default_reaction_emoji":{"emoji_name":"x"}}`))
	f.Add([]byte(`{"permission_overwrites":{},"available_tags":[{}],"name":null}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		keys, refused := parseObject(body)
		if refused != nil {
			return
		}
		b, refused := parseChannel(keys, true)
		if refused != nil {
			goodForm(t, refused)
			return
		}
		d := New(Config{})
		g := &guild{id: 1, roles: map[ID]*role{}, channels: map[ID]*channel{}}
		ch := newChannel(2, g.id, "", b.kind.value)
		b.apply(d, ch)
		w := newWireChannel(g, ch)
		if n := utf8.RuneCountInString(b.name.value); n < 1 || n > 100 || ch.slowmode < 0 || ch.slowmode > 21600 || len(ch.tags) > 20 || w.Type != b.kind.value {
			t.Fatalf("taken: %s", body)
		}
		if string(rawJSON(w)) == "null" || string(rawJSON(ch.auditKeys(g)[0].value)) == "null" {
			t.Fatalf("cannot be sent: %s", body)
		}
	})
}

// FuzzForm: any multipart body gives a refusal or files within bounds.
func FuzzForm(f *testing.F) {
	f.Add([]byte("--x\r\nContent-Disposition: form-data; name=\"payload_json\"\r\n\r\n{}\r\n--x\r\nContent-Disposition: form-data; name=\"files[0]\"; filename=\"a\"\r\n\r\nabc\r\n--x--\r\n"), "x")
	f.Add([]byte("--x--"), "x")
	f.Add([]byte(""), "")
	f.Fuzz(func(t *testing.T, body []byte, boundary string) {
		payload, files, refused := readForm(body, boundary)
		if refused != nil {
			if refused.status != 400 && refused.status != 413 {
				t.Fatalf("%+v", refused)
			}
			return
		}
		total := len(payload)
		for _, file := range files {
			total += len(file.data)
		}
		if len(files) > maxFiles || total > len(body)+2 {
			t.Fatalf("%d files with %d bytes from %d", len(files), total, len(body))
		}
	})
}
