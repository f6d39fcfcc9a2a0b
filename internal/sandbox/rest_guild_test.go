package sandbox

import (
	"fmt"
	"strings"
	"time"
)

func (r *rest) automod() {
	const base = "/guilds/{g}/auto-moderation/rules"
	r.keep("rule", r.call(200, "POST", base, `{"name":"words","event_type":1,"trigger_type":1,"enabled":true,"exempt_roles":["{role}"],"exempt_channels":["{text}"],
		"trigger_metadata":{"keyword_filter":["bad*"],"regex_patterns":["b[a4]d"],"allow_list":["badge"]},
		"actions":[{"type":1,"metadata":{"custom_message":"no"}},{"type":2,"metadata":{"channel_id":"{text}"}},{"type":3,"metadata":{"duration_seconds":60}}]}`))
	r.call(200, "POST", base, `{"name":"spam","event_type":1,"trigger_type":3,"actions":[{"type":1}]}`)
	r.call(200, "POST", base, `{"name":"lists","event_type":1,"trigger_type":4,"trigger_metadata":{"presets":[1,3],"allow_list":["x"]},"actions":[{"type":1}]}`)
	r.call(200, "POST", base, `{"name":"mentions","event_type":1,"trigger_type":5,"trigger_metadata":{"mention_total_limit":5,"mention_raid_protection_enabled":true},"actions":[{"type":1}]}`)
	r.call(200, "POST", base, `{"name":"names","event_type":2,"trigger_type":6,"trigger_metadata":{"keyword_filter":["admin"]},"actions":[{"type":4}]}`)
	r.call(200, "PATCH", base+"/{rule}", `{"name":"more words","enabled":false}`)
	r.call(200, "GET", base, "")
	r.call(200, "GET", base+"/{rule}", "")
	r.call(204, "DELETE", base+"/{rule}", "")
}

func (r *rest) greetings() {
	r.call(200, "PATCH", "/guilds/{g}/welcome-screen", `{"enabled":true,"description":"hello","welcome_channels":[{"channel_id":"{text}","description":"read this","emoji_name":"👋"}]}`)
	r.call(200, "GET", "/guilds/{g}/welcome-screen", "")
	var ids []string
	for i := range 7 {
		r.keep("oc", r.call(201, "POST", "/guilds/{g}/channels", fmt.Sprintf(`{"name":"o%d","type":0}`, i)))
		ids = append(ids, `"`+r.names["oc"]+`"`)
	}
	r.call(200, "PUT", "/guilds/{g}/onboarding", `{"enabled":true,"mode":0,"default_channel_ids":[`+strings.Join(ids, ",")+`],"prompts":[
		{"id":"1","title":"What do you play?","single_select":true,"required":false,"in_onboarding":true,"type":0,"options":[
		 {"title":"Among Us","description":"sus","emoji_name":"🚀","role_ids":["{plain}"],"channel_ids":["{text}"]}]}]}`)
	r.call(200, "GET", "/guilds/{g}/onboarding", "")
	r.call(200, "PATCH", "/guilds/{g}/widget", `{"enabled":true,"channel_id":"{text}"}`)
	r.call(200, "GET", "/guilds/{g}/widget", "")
	r.call(200, "GET", "/guilds/{g}/vanity-url", "")
	r.call(200, "GET", "/guilds/{g}/templates", "")
}

func (r *rest) scheduled() {
	const base = "/guilds/{g}/scheduled-events"
	r.names["later"] = later()
	r.names["end"] = time.Now().Add(2 * time.Hour).UTC().Format(time.RFC3339)
	r.keep("ev", r.call(200, "POST", base, `{"name":"party","description":"d","image":"{png}","privacy_level":2,"entity_type":3,"scheduled_start_time":"{later}","scheduled_end_time":"{end}","entity_metadata":{"location":"here"}}`))
	r.call(200, "POST", base, `{"name":"game night","privacy_level":2,"entity_type":2,"channel_id":"{voice}","scheduled_start_time":"{later}","recurrence_rule":{"start":"{later}","frequency":2,"interval":1,"by_weekday":[4]}}`)
	r.call(200, "POST", base, `{"name":"talk","privacy_level":2,"entity_type":1,"channel_id":"{stage}","scheduled_start_time":"{later}"}`)
	r.call(200, "GET", base+"?with_user_count=true", "")
	r.call(200, "PATCH", base+"/{ev}", `{"status":2,"name":"big party"}`)
	r.call(200, "GET", base+"/{ev}", "")
	r.call(204, "DELETE", base+"/{ev}", "")
}
