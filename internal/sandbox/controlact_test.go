package sandbox

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestControlActs lets a process that is not Go act as people and use a bot.
func TestControlActs(t *testing.T) {
	d := newDesk(t)
	w := d.w
	base, client := w.serve()
	root := strings.TrimSuffix(base, "/api/v10") + "/sandbox"
	d.names["invite"] = must(w.As(w.owner).CreateInvite(w.text))(t)
	var made struct{ ID ID }
	for _, step := range []struct {
		method, path, body string
		status             int
		want               string // part of the body
	}{
		{"POST", "/users", `{"name":"Newcomer"}`, 200, `"id":"`},
		{"POST", "/users/{made}/join/nothing", `{}`, 400, `10006`},
		{"POST", "/users/{made}/join/{invite}", `{}`, 204, ``},
		{"POST", "/users/x/join/{invite}", `{}`, 400, `snowflake`},
		{"POST", "/users/{owner}/act", `{"method":"post","path":"/guilds/{g}/roles","body":{"name":"made here"},"reason":"r"}`, 200, `"name":"made here"`},
		{"POST", "/users/{ana}/act", `{"method":"POST","path":"/guilds/{g}/roles","body":{}}`, 400, `50013`},
		{"POST", "/users/{ana}/act", `{"method":"POST","path":"/nothing"}`, 400, `nothing was done`},
		{"POST", "/interactions", `{"app":"{app}","guild":"{g}","channel":"{text}","user":"{ana}","command":"limits add","options":{"kind":"ban","count":3},"wait_ms":1}`, 200, `"answered":false`},
		{"POST", "/interactions", `{"app":"{app}","guild":"{g}","channel":"{text}","user":"{ana}","command":"nuke"}`, 400, `no command`},
		{"POST", "/interactions", `{"app":"{app}","guild":"{g}","channel":"{text}","user":"{ana}","modal":"x"}`, 400, `token`},
		{"POST", "/guilds/{g}/attacks/raid", `{"invite":"{invite}","most":3,"channel":"{text}","text":"hi all"}`, 200, `"joins":3`},
		{"POST", "/guilds/{g}/attacks/flood", `{}`, 400, `flood`},
		{"GET", "/channels/{text}/messages", ``, 200, `hi all`},
		{"GET", "/guilds/{g}/snapshot", ``, 200, `"name":"made here"`},
		{"GET", "/guilds/5/snapshot", ``, 400, `no guild`},
		{"GET", "/guilds/{g}/history", ``, 200, `hi all`},
		{"POST", "/guilds", `{"seed":1,"size":"small","messages":50}`, 200, `"messages":50`},
		{"POST", "/guilds", `{"size":"vast"}`, 400, `no guild was made`},
		{"POST", "/guilds/{g}/wreck", `{"delete":1}`, 200, `deleted`},
		{"PUT", "/limits", `{"other":{"requests":1,"window_ms":60000},"channel_rename":{"requests":1,"window_ms":60000}}`, 204, ``},
	} {
		status, body := control(t, client, step.method, root+d.fill(step.path), d.fill(step.body))
		if status != step.status || !strings.Contains(body, step.want) {
			t.Errorf("%s %s: %d %s, want %d with %s", step.method, step.path, status, body, step.status, step.want)
		}
		if step.path == "/users" {
			w.ok(json.Unmarshal([]byte(body), &made))
			d.names["made"] = made.ID.String()
		}
	}
	if l := w.Limits(); l.Other.Requests != 1 || l.ChannelRename.Requests != 1 {
		t.Errorf("limits %+v", l)
	}
}
