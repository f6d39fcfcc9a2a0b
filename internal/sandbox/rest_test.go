package sandbox

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rest is a client that goes over HTTP, past Discord's own description where that file is at hand.
type rest struct {
	w          *world
	t          *testing.T
	base       string
	client     *http.Client
	operations func() []string
	names      map[string]string // placeholders of paths and bodies
}

func (w *world) rest() *rest {
	base, client := w.serve()
	transport, operations := checked(w.t, client.Transport)
	names := map[string]string{
		"g": w.guild.String(), "ana": w.ana.String(), "bo": w.bo.String(), "cat": w.cat.String(), "owner": w.owner.String(),
		"stranger": w.stranger.String(), "text": w.text.String(), "voice": w.voice.String(), "plain": w.plain.String(),
		"app": w.bot.ID.String(), "botRole": w.botRole.String(), "png": pixel,
	}
	return &rest{w, w.t, base, &http.Client{Transport: transport}, operations, names}
}

// fill puts the values of placeholders into a text.
func (r *rest) fill(s string) string {
	for name, value := range r.names {
		s = strings.ReplaceAll(s, "{"+name+"}", value)
	}
	return s
}

// call sends a request and wants a status; the answer's value is nil for 204.
func (r *rest) call(want int, method, path, body string) any {
	r.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(r.fill(body))
	}
	req, err := http.NewRequest(method, r.base+r.fill(path), reader)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bot "+r.w.bot.Token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != want {
		r.t.Fatalf("%s %s: %d %s %v, want %d", method, r.fill(path), resp.StatusCode, raw, err, want)
	}
	if want == http.StatusNoContent {
		if len(raw) > 0 {
			r.t.Errorf("%s %s: a body with 204: %s", method, path, raw)
		}
		return nil
	}
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		r.t.Fatalf("%s %s: %q: %v", method, path, raw, err)
	}
	return v
}

// keep remembers the id of what a call made under a name.
func (r *rest) keep(name string, v any) {
	r.t.Helper()
	m, ok := v.(map[string]any)
	if !ok {
		r.t.Fatalf("%s: %v is no object", name, v)
	}
	for key, as := range map[string]string{"id": name, "token": name + "Token", "code": name} {
		if s, ok := m[key].(string); ok {
			r.names[as] = s
		}
	}
}

// newModerated is a world whose bot may do everything and has no limits.
func newModerated(t *testing.T) *world {
	w := newWorld(t, Config{Limits: noLimits()})
	w.ok(w.SetRolePermissions(w.guild, w.botRole, Administrator))
	w.ok(w.SetBoosts(w.guild, 3))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.guilds[w.guild].roles[w.botRole].position = 10 // room for other roles below it
	return w
}

// TestEveryRouteAgainstTheDescription calls every route once with success, so that all objects pass Discord's description.
func TestEveryRouteAgainstTheDescription(t *testing.T) {
	w := newModerated(t)
	r := w.rest()
	r.roles()
	r.channels()
	r.guild()
	r.members()
	r.messages()
	r.threads()
	r.pins()
	r.expressions()
	r.files()
	r.automod()
	r.greetings()
	r.scheduled()
	r.webhooks()
	r.invites()
	r.commands()
	r.interactions()
	r.bans()
	r.call(200, "GET", "/guilds/{g}/audit-logs?limit=100", "")
	r.call(200, "GET", "/guilds/{g}/audit-logs?user_id={app}&action_type=30&after=1&limit=5", "")
	r.call(204, "DELETE", "/users/@me/guilds/{g}", "")

	// What was not called was not checked: every route has to be in the log.
	seen := map[string]bool{}
	for _, q := range w.Requests(0, 0) {
		seen[q.Route] = true
	}
	for _, route := range allRoutes() {
		if !seen[route.name()] {
			t.Errorf("%s was not called", route.name())
		}
	}
	if r.operations != nil && len(r.operations()) < 135 {
		t.Errorf("%d operations: %v", len(r.operations()), r.operations())
	}
}

func (r *rest) roles() {
	r.keep("role", r.call(200, "POST", "/guilds/{g}/roles", `{"name":"mods","permissions":"8","color":255,"hoist":true,"mentionable":true,"unicode_emoji":"🔥"}`))
	r.keep("role2", r.call(200, "POST", "/guilds/{g}/roles", `{}`))
	r.call(200, "PATCH", "/guilds/{g}/roles/{role}", `{"name":"moderators","colors":{"primary_color":1,"secondary_color":2,"tertiary_color":null},"permissions":"0"}`)
	r.call(200, "GET", "/guilds/{g}/roles/{role}", "")
	r.call(200, "PATCH", "/guilds/{g}/roles", `[{"id":"{role}","position":2},{"id":"{role2}","position":1}]`)
	r.call(200, "GET", "/guilds/{g}/roles", "")
	r.call(204, "DELETE", "/guilds/{g}/roles/{role2}", "")
}

func (r *rest) channels() {
	r.keep("cat1", r.call(201, "POST", "/guilds/{g}/channels", `{"name":"Games","type":4,"permission_overwrites":[{"id":"{g}","type":0,"deny":"1024"},{"id":"{ana}","type":1,"allow":"1024"}]}`))
	r.keep("chan", r.call(201, "POST", "/guilds/{g}/channels", `{"name":"Among Us","type":0,"parent_id":"{cat1}","topic":"sus","rate_limit_per_user":5,"nsfw":true,"default_auto_archive_duration":60}`))
	r.keep("vc", r.call(201, "POST", "/guilds/{g}/channels", `{"name":"Voice","type":2,"bitrate":96000,"user_limit":10}`))
	r.call(200, "PATCH", "/channels/{chan}", `{"name":"amogus","topic":null,"permission_overwrites":[{"id":"{role}","type":0,"allow":"2048","deny":"0"}]}`)
	r.call(204, "PATCH", "/guilds/{g}/channels", `[{"id":"{chan}","position":7},{"id":"{vc}","position":8,"parent_id":"{cat1}","lock_permissions":true}]`)
	r.call(204, "PUT", "/channels/{chan}/permissions/{ana}", `{"type":1,"allow":"1024","deny":"2048"}`)
	r.call(204, "DELETE", "/channels/{chan}/permissions/{ana}", "")
	r.call(200, "GET", "/channels/{chan}", "")
	r.call(200, "GET", "/guilds/{g}/channels", "")
	r.call(200, "DELETE", "/channels/{vc}", "")
}

func (r *rest) guild() {
	r.call(200, "PATCH", "/guilds/{g}", `{"name":"Polus","verification_level":2,"explicit_content_filter":2,"default_message_notifications":1,"system_channel_id":"{text}","afk_channel_id":"{voice}","afk_timeout":900,"rules_channel_id":"{text}","public_updates_channel_id":"{text}","features":["COMMUNITY","INVITES_DISABLED"],"icon":"{png}","description":"x","preferred_locale":"de"}`)
	r.keep("forum", r.call(201, "POST", "/guilds/{g}/channels", `{"name":"help","type":15,"available_tags":[{"name":"bug","emoji_name":"🐛"},{"name":"idea","moderated":true}],"default_reaction_emoji":{"emoji_name":"👍"},"default_sort_order":1,"default_forum_layout":1}`))
	r.keep("stage", r.call(201, "POST", "/guilds/{g}/channels", `{"name":"talk","type":13}`))
	r.keep("news", r.call(201, "POST", "/guilds/{g}/channels", `{"name":"news","type":5}`))
	until := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	r.call(200, "PUT", "/guilds/{g}/incident-actions", `{"invites_disabled_until":"`+until+`","dms_disabled_until":null}`)
	r.call(200, "GET", "/guilds/{g}?with_counts=true", "")
	r.call(200, "PUT", "/guilds/{g}/incident-actions", `{"invites_disabled_until":null}`)
	r.call(200, "GET", "/guilds/{g}/prune?days=7", "")
	r.call(200, "POST", "/guilds/{g}/prune", `{"days":7,"compute_prune_count":true}`)
}

func (r *rest) members() {
	r.call(200, "GET", "/guilds/{g}/members?limit=10", "")
	r.call(200, "GET", "/guilds/{g}/members/search?query=an&limit=5", "")
	r.call(200, "GET", "/guilds/{g}/members/{ana}", "")
	r.call(204, "PUT", "/guilds/{g}/members/{ana}/roles/{role}", "")
	r.call(204, "DELETE", "/guilds/{g}/members/{ana}/roles/{role}", "")
	r.call(200, "PATCH", "/guilds/{g}/members/{ana}", `{"roles":["{role}"],"nick":"Red"}`)
	r.call(200, "PATCH", "/guilds/{g}/members/@me", `{"nick":"Guard"}`)
	r.call(200, "GET", "/guilds/{g}/voice-states/{ana}", "")
	r.w.ok(r.w.JoinVoice(r.w.guild, r.w.bot.ID, r.w.voice))
	r.call(200, "GET", "/guilds/{g}/voice-states/@me", "")
	r.call(200, "GET", "/users/@me", "")
	r.call(200, "GET", "/users/{ana}", "")
	r.call(200, "GET", "/users/@me/guilds?with_counts=true", "")
	r.call(200, "GET", "/applications/@me", "")
	r.call(200, "GET", "/oauth2/applications/@me", "")
	r.call(200, "GET", "/gateway", "")
	r.call(200, "GET", "/gateway/bot", "")
}

// pixel is the smallest PNG.
const pixel = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYGBgAAAABQABh6FO1AAAAABJRU5ErkJggg=="

const richMessage = `{"content":"hello <@{ana}> and <@&{role}>","nonce":"n1","enforce_nonce":true,"allowed_mentions":{"parse":["roles"],"users":["{ana}"]},
 "embeds":[{"title":"t","description":"d","url":"https://example.org/x","timestamp":"2026-01-01T00:00:00Z","color":255,"footer":{"text":"f"},
  "author":{"name":"a"},"image":{"url":"https://example.org/i.png"},"fields":[{"name":"n","value":"v","inline":true},{"name":"n2","value":"v2"}]}],
 "components":[{"type":1,"components":[{"type":2,"style":4,"label":"Ban 3 members","custom_id":"ban:3"},{"type":2,"style":5,"label":"Docs","url":"https://example.org/"}]},
  {"type":1,"components":[{"type":3,"custom_id":"pick","placeholder":"p","min_values":1,"max_values":2,"options":[{"label":"A","value":"a"},{"label":"B","value":"b","description":"bee","default":true}]}]},
  {"type":1,"components":[{"type":5,"custom_id":"who"}]}]}`

func (r *rest) messages() {
	r.keep("msg", r.call(200, "POST", "/channels/{text}/messages", richMessage))
	first := r.names["msg"]
	r.keep("msg", r.call(200, "POST", "/channels/{text}/messages", richMessage))
	if r.names["msg"] != first {
		r.t.Error("the same nonce made a second message")
	}
	r.keep("msg2", r.call(200, "POST", "/channels/{text}/messages", `{"content":"answer","message_reference":{"message_id":"{msg}"}}`))
	r.keep("msg3", r.call(200, "POST", "/channels/{text}/messages", `{"flags":32768,"components":[{"type":17,"components":[{"type":10,"content":"text"},{"type":14},
		{"type":9,"components":[{"type":10,"content":"x"}],"accessory":{"type":2,"style":1,"label":"l","custom_id":"c"}}]}]}`))
	r.call(200, "PATCH", "/channels/{text}/messages/{msg}", `{"content":"changed","embeds":[]}`)
	r.call(200, "GET", "/channels/{text}/messages/{msg}", "")
	r.call(200, "GET", "/channels/{text}/messages?limit=2&before={msg3}", "")
	r.call(204, "POST", "/channels/{text}/messages/bulk-delete", `{"messages":["{msg2}","{msg3}"]}`)
	r.call(204, "DELETE", "/channels/{text}/messages/{msg}", "")
	r.keep("dm", r.call(200, "POST", "/users/@me/channels", `{"recipient_id":"{ana}"}`))
	r.call(200, "POST", "/channels/{dm}/messages", `{"content":"psst"}`)
	r.call(200, "GET", "/channels/{dm}", "")
}

func (r *rest) webhooks() {
	r.keep("hook", r.call(200, "POST", "/channels/{text}/webhooks", `{"name":"log"}`))
	r.call(200, "GET", "/guilds/{g}/webhooks", "")
	r.call(200, "GET", "/channels/{text}/webhooks", "")
	r.call(200, "GET", "/webhooks/{hook}", "")
	r.call(200, "PATCH", "/webhooks/{hook}", `{"name":"log 2","channel_id":"{chan}"}`)
	r.call(200, "GET", "/webhooks/{hook}/{hookToken}", "")
	r.call(200, "PATCH", "/webhooks/{hook}/{hookToken}", `{"name":"log 3"}`)
	r.call(204, "POST", "/webhooks/{hook}/{hookToken}", `{"content":"quiet"}`)
	r.keep("hm", r.call(200, "POST", "/webhooks/{hook}/{hookToken}?wait=true", `{"content":"loud","username":"Olga"}`))
	r.call(200, "GET", "/webhooks/{hook}/{hookToken}/messages/{hm}", "")
	r.call(200, "PATCH", "/webhooks/{hook}/{hookToken}/messages/{hm}", `{"content":"louder"}`)
	r.call(204, "DELETE", "/webhooks/{hook}/{hookToken}/messages/{hm}", "")
	r.call(204, "DELETE", "/webhooks/{hook}/{hookToken}", "")
	r.keep("hook", r.call(200, "POST", "/channels/{text}/webhooks", `{"name":"log"}`))
	r.call(204, "DELETE", "/webhooks/{hook}", "")
}

func (r *rest) invites() {
	r.keep("inv", r.call(200, "POST", "/channels/{text}/invites", `{"max_age":3600,"max_uses":5,"unique":true}`))
	r.call(200, "GET", "/guilds/{g}/invites", "")
	r.call(200, "GET", "/channels/{text}/invites", "")
	r.call(200, "GET", "/invites/{inv}?with_counts=true", "")
	r.call(200, "DELETE", "/invites/{inv}", "")
}

const pingCommands = `[{"name":"ping","type":1,"description":"answers","name_localizations":{"de":"piep"},"default_member_permissions":"8","contexts":[0],"integration_types":[0]},
 {"name":"limits","description":"counts","options":[{"type":1,"name":"add","description":"one more","options":[
   {"type":3,"name":"kind","description":"of what","required":true,"choices":[{"name":"Ban","value":"ban"},{"name":"Kick","value":"kick"}]},
   {"type":4,"name":"count","description":"how many","required":true,"min_value":1,"max_value":100},
   {"type":6,"name":"who","description":"whom"},{"type":7,"name":"where","description":"in what","channel_types":[0]},{"type":3,"name":"why","description":"reason","autocomplete":true}]}]},
 {"name":"Report","type":3}]`

func (r *rest) commands() {
	for _, base := range []string{"/applications/{app}/guilds/{g}/commands", "/applications/{app}/commands"} {
		r.call(200, "PUT", base, pingCommands)
		r.call(200, "GET", base+"?with_localizations=true", "")
		r.keep("cmd", r.call(201, "POST", base, `{"name":"help","description":"helps"}`))
		r.call(200, "POST", base, `{"name":"help","description":"helps more"}`)
		r.call(200, "GET", base+"/{cmd}", "")
		r.call(200, "PATCH", base+"/{cmd}", `{"description":"helps most","default_member_permissions":null}`)
		if strings.Contains(base, "guilds") {
			r.call(404, "GET", base+"/{cmd}/permissions", "")
			r.call(200, "GET", base+"/permissions", "")
		}
		r.call(204, "DELETE", base+"/{cmd}", "")
	}
}

// interactions needs the global commands of commands.
func (r *rest) interactions() {
	use := func(spec InteractionSpec) *Interaction {
		spec.App, spec.Guild, spec.Channel, spec.User = r.w.bot.ID, r.w.guild, r.w.text, r.w.owner
		i := must(r.w.Interact(spec))(r.t)
		r.names["i"], r.names["iToken"] = i.ID().String(), i.Token()
		return i
	}
	i := use(InteractionSpec{Command: "limits add", Options: map[string]any{"kind": "ban", "count": 3, "who": r.w.ana, "where": r.w.text}})
	r.call(200, "POST", "/interactions/{i}/{iToken}/callback?with_response=true", `{"type":4,"data":{"content":"sure?","components":[{"type":1,"components":[{"type":2,"style":4,"label":"Yes","custom_id":"yes"}]}]}}`)
	r.call(200, "GET", "/webhooks/{app}/{iToken}/messages/@original", "")
	r.call(200, "PATCH", "/webhooks/{app}/{iToken}/messages/@original", `{"content":"really sure?"}`)
	r.keep("follow", r.call(200, "POST", "/webhooks/{app}/{iToken}", `{"content":"by the way","flags":64}`))
	r.call(200, "PATCH", "/webhooks/{app}/{iToken}/messages/{follow}", `{"content":"by the way!"}`)
	r.call(204, "DELETE", "/webhooks/{app}/{iToken}/messages/{follow}", "")
	question := i.State().Original.ID
	use(InteractionSpec{CustomID: "yes", Message: question})
	r.call(200, "POST", "/interactions/{i}/{iToken}/callback?with_response=true", `{"type":7,"data":{"content":"done","components":[]}}`)
	use(InteractionSpec{Command: "limits add", Options: map[string]any{"kind": "ban", "count": 3}, Focused: "why"})
	r.call(204, "POST", "/interactions/{i}/{iToken}/callback", `{"type":8,"data":{"choices":[{"name":"Raid","value":"raid"}]}}`)
	opened := use(InteractionSpec{Command: "ping"})
	r.call(204, "POST", "/interactions/{i}/{iToken}/callback", `{"type":9,"data":{"custom_id":"m","title":"Why?","components":[{"type":18,"label":"Reason","component":{"type":4,"custom_id":"reason","style":2}}]}}`)
	use(InteractionSpec{Modal: opened, Fields: map[string]string{"reason": "raid"}})
	r.call(200, "POST", "/interactions/{i}/{iToken}/callback?with_response=true", `{"type":5,"data":{"flags":64}}`)
	r.call(200, "PATCH", "/webhooks/{app}/{iToken}/messages/@original", `{"content":"thanks"}`)
	r.call(204, "DELETE", "/webhooks/{app}/{iToken}/messages/@original", "")
}

func (r *rest) bans() {
	r.call(204, "DELETE", "/guilds/{g}/members/{bo}", "")
	r.call(204, "PUT", "/guilds/{g}/bans/{ana}", `{"delete_message_seconds":3600}`)
	r.call(200, "GET", "/guilds/{g}/bans?limit=10", "")
	r.call(200, "GET", "/guilds/{g}/bans/{ana}", "")
	r.call(204, "DELETE", "/guilds/{g}/bans/{ana}", `{}`)
	r.call(200, "POST", "/guilds/{g}/bulk-ban", `{"user_ids":["{ana}","{cat}","{owner}"],"delete_message_seconds":0}`)
}
