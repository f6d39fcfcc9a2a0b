package sandbox

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// open makes the guild a community with a forum, threads and what is in them, by its owner.
func (r *rest) open() {
	p := r.w.As(r.w.owner)
	r.w.ok(r.w.SetRolePermissions(r.w.guild, r.w.guild, EveryoneDefault|SendMessagesInThreads))
	r.w.ok(p.EditGuild(r.w.guild, Fields{"features": []string{"COMMUNITY"}, "rules_channel_id": r.w.text,
		"public_updates_channel_id": r.w.text, "verification_level": 1}))
	forum := must(p.CreateChannel(r.w.guild, "help", ForumChannel, 0))(r.t)
	r.w.ok(p.EditChannel(forum, Fields{"flags": flagRequireTag, "available_tags": []Fields{{"name": "bug"}, {"name": "done", "moderated": true}}}))
	tags := r.w.guilds[r.w.guild].channels[forum].tags
	r.names["forum"], r.names["bug"], r.names["done"] = forum.String(), tags[0].ID.String(), tags[1].ID.String()
	made := func(name, path string, body Fields) {
		r.names[name] = must(p.made("POST", r.fill(path), body))(r.t).String()
	}
	made("post", "/channels/{forum}/threads", Fields{"name": "p", "applied_tags": []string{r.names["bug"]}, "message": Fields{"content": "x"}})
	made("thread", "/channels/{text}/threads", Fields{"name": "t", "type": PublicThread})
	made("locked", "/channels/{text}/threads", Fields{"name": "l", "type": PublicThread})
	made("private", "/channels/{text}/threads", Fields{"name": "s"})
	r.w.ok(p.done("PATCH", r.fill("/channels/{locked}"), Fields{"archived": true, "locked": true}))
	made("fhook", "/channels/{forum}/webhooks", Fields{"name": "h"})
	r.names["fsecret"] = r.w.guilds[r.w.guild].webhooks[must(ParseID(r.names["fhook"]))(r.t)].token
	id, token, err := p.CreateWebhook(r.w.text, "h")
	r.w.ok(err)
	r.names["hook"], r.names["secret"] = id.String(), token
}

func rulesOfThreads() []rule {
	const forum, hook, fhook = "/channels/{forum}/threads", "/webhooks/{hook}/{secret}", "/webhooks/{fhook}/{fsecret}"
	archived := func(r *rest) {
		r.open()
		r.w.ok(r.w.As(r.w.owner).done("PATCH", r.fill("/channels/{thread}"), Fields{"archived": true}))
	}
	crowd := func(r *rest) {
		r.open()
		g := r.w.guilds[r.w.guild]
		for n := range maxActiveThreads {
			ch := newChannel(ID(n+1), g.id, "x", PublicThread)
			ch.parent, ch.thread = r.w.text, &thread{}
			g.threads[ch.id] = ch
		}
	}
	all := []rule{
		{name: "thread without permission", method: "POST", path: "/channels/{text}/threads", body: `{"name":"x","type":11}`, status: 403, code: 50013},
		{name: "private thread without permission", grants: CreatePublicThreads, method: "POST", path: "/channels/{text}/threads", body: `{"name":"x"}`, status: 403, code: 50013},
		{name: "thread in voice", grants: CreatePublicThreads, method: "POST", path: "/channels/{voice}/threads", body: `{"name":"x","type":11}`, status: 400, code: 50024},
		{name: "thread without a name", grants: CreatePublicThreads, method: "POST", path: "/channels/{text}/threads", body: `{"type":11}`, status: 400, code: 50035},
		{name: "thread that never archives", grants: CreatePublicThreads, method: "POST", path: "/channels/{text}/threads", body: `{"name":"x","type":11,"auto_archive_duration":7}`, status: 400, code: 50035},
		{name: "too many threads", grants: CreatePublicThreads, prepare: crowd, method: "POST", path: "/channels/{text}/threads", body: `{"name":"x","type":11}`, status: 400, code: 160006},
		{name: "second thread of a message", grants: CreatePublicThreads, method: "POST", path: "/channels/{text}/messages/{anaMessage}/threads", body: `{"name":"x"}`, status: 400, code: 160004,
			prepare: func(r *rest) {
				r.open()
				r.w.ok(r.w.As(r.w.owner).done("POST", r.fill("/channels/{text}/messages/{anaMessage}/threads"), Fields{"name": "x"}))
			}},
		{name: "post without a message", grants: ManageThreads, method: "POST", path: forum, body: `{"name":"x"}`, status: 400, code: 50035, inside: `"message"`},
		{name: "post without a tag", method: "POST", path: forum, body: `{"name":"x","message":{"content":"x"}}`, status: 400, code: 40067},
		{name: "post with an unknown tag", method: "POST", path: forum, body: `{"name":"x","applied_tags":["5"],"message":{"content":"x"}}`, status: 404, code: 10087},
		{name: "post with a moderators' tag", method: "POST", path: forum, body: `{"name":"x","applied_tags":["{done}"],"message":{"content":"x"}}`, status: 403, code: 50013},
		{name: "post with six tags", method: "POST", path: forum, body: `{"name":"x","applied_tags":["1","2","3","4","5","6"],"message":{"content":"x"}}`, status: 400, code: 50035},
		{name: "post that says nothing", grants: ManageThreads, method: "POST", path: forum, body: `{"name":"x","message":{}}`, status: 400, code: 50006},
		{name: "good post", method: "POST", path: forum, body: `{"name":"x","applied_tags":["{bug}"],"message":{"content":"x"}}`, status: 201},
		{name: "message in a forum", method: "POST", path: "/channels/{forum}/messages", body: `{"content":"x"}`, status: 400, code: 50008},
		{name: "message in a locked thread", method: "POST", path: "/channels/{locked}/messages", body: `{"content":"x"}`, status: 400, code: 160005},
		{name: "message in a locked thread by a moderator", grants: ManageThreads, method: "POST", path: "/channels/{locked}/messages", body: `{"content":"x"}`, status: 200},
		{name: "message in an archived thread", prepare: archived, method: "POST", path: "/channels/{thread}/messages", body: `{"content":"x"}`, status: 200},
		{name: "change of an archived thread", grants: ManageThreads, prepare: archived, method: "PATCH", path: "/channels/{thread}", body: `{"name":"x"}`, status: 400, code: 50083},
		{name: "member of an archived thread", prepare: archived, method: "PUT", path: "/channels/{thread}/thread-members/@me", status: 400, code: 50083},
		{name: "unlock without permission", method: "PATCH", path: "/channels/{locked}", body: `{"archived":false}`, status: 403, code: 50013},
		{name: "rename another's thread", method: "PATCH", path: "/channels/{thread}", body: `{"name":"x"}`, status: 403, code: 50013},
		{name: "delete a thread", grants: ManageChannels, method: "DELETE", path: "/channels/{thread}", status: 403, code: 50013},
		{name: "delete a thread as its moderator", grants: ManageThreads, method: "DELETE", path: "/channels/{thread}", status: 200},
		{name: "another's private thread", method: "GET", path: "/channels/{private}", status: 403, code: 50001},
		{name: "private thread for moderators", grants: ManageThreads, method: "GET", path: "/channels/{private}", status: 200},
		{name: "private threads of all", method: "GET", path: "/channels/{text}/threads/archived/private", status: 403, code: 50013},
		{name: "one thread a page", method: "GET", path: "/channels/{text}/threads/archived/public?limit=1", status: 400, code: 50035},
		{name: "overwrite of a thread", grants: Administrator, method: "PUT", path: "/channels/{thread}/permissions/{crew}", body: `{"type":0}`, status: 400, code: 50024},
		{name: "invite to a thread", grants: Administrator, method: "POST", path: "/channels/{thread}/invites", body: `{}`, status: 400, code: 50024},
		{name: "webhook of a thread", grants: Administrator, method: "POST", path: "/channels/{thread}/webhooks", body: `{"name":"x"}`, status: 400, code: 50024},
		{name: "webhook in a forum", method: "POST", path: fhook, body: `{"content":"x"}`, status: 400, code: 220001},
		{name: "webhook in two threads", method: "POST", path: fhook + "?thread_id={post}", body: `{"content":"x","thread_name":"x"}`, status: 400, code: 220002},
		{name: "webhook makes a thread of text", method: "POST", path: hook, body: `{"content":"x","thread_name":"x"}`, status: 400, code: 220003},
		{name: "webhook in another channel's thread", method: "POST", path: hook + "?thread_id={post}", body: `{"content":"x"}`, status: 404, code: 10003},
		{name: "webhook in a locked thread", method: "POST", path: hook + "?thread_id={locked}", body: `{"content":"x"}`, status: 400, code: 160005},
		{name: "webhook called discord", method: "POST", path: hook, body: `{"content":"x","username":"Discord Team"}`, status: 400, code: 50035},
		{name: "pin without permission", grants: ManageMessages, method: "PUT", path: "/channels/{text}/messages/pins/{anaMessage}", status: 403, code: 50013},
		{name: "pin", grants: PinMessages, method: "PUT", path: "/channels/{text}/messages/pins/{anaMessage}", status: 204},
		{name: "251st pin", grants: PinMessages, method: "PUT", path: "/channels/{text}/messages/pins/{anaMessage}", status: 400, code: 30003,
			prepare: func(r *rest) { r.open(); r.w.guilds[r.w.guild].channels[r.w.text].pins = maxPins }},
		{name: "51 pins a page", method: "GET", path: "/channels/{text}/messages/pins?limit=51", status: 400, code: 50035},
	}
	return opened(all)
}

// opened lets rules that prepare nothing themselves have what open makes.
func opened(all []rule) []rule {
	for i := range all {
		if all[i].prepare == nil {
			all[i].prepare = (*rest).open
		}
	}
	return all
}

func data(kind string, size int) string {
	b := append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, size)...)
	if kind == "audio/ogg" {
		b = append([]byte("OggS"), make([]byte, size)...)
	}
	return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(b)
}

func rulesOfExpressions() []rule {
	const emojis, sounds, guild = "/guilds/{g}/emojis", "/guilds/{g}/soundboard-sounds", "/guilds/{g}"
	small := data("image/png", 10)
	named := func(image string) string { return `{"name":"sus","image":"` + image + `"}` }
	horn := func(sound string) string { return `{"name":"horn","sound":"` + sound + `"}` }
	fill := func(r *rest) {
		g := r.w.guilds[r.w.guild]
		for n := range 50 {
			g.emojis[ID(n+1)] = &emoji{name: "x"}
			g.sounds[ID(n+1)] = &sound{}
		}
	}
	theirs := func(r *rest) {
		r.w.guilds[r.w.guild].emojis[7] = &emoji{name: "x"}
	}
	return []rule{
		{name: "emoji without permission", method: "POST", path: emojis, body: named(small), status: 403, code: 50013},
		{name: "emoji", grants: CreateExpressions, method: "POST", path: emojis, body: named(small), status: 201},
		{name: "emoji that is no picture", grants: CreateExpressions, method: "POST", path: emojis, body: named("data:image/png;base64,AAAA"), status: 400, code: 50035, inside: "IMAGE_INVALID"},
		{name: "emoji too large", grants: CreateExpressions, method: "POST", path: emojis, body: named(data("image/png", 256<<10)), status: 400, code: 50035, inside: "256.0 kb"},
		{name: "emoji with a bad name", grants: CreateExpressions, method: "POST", path: emojis, body: `{"name":"a b","image":"` + small + `"}`, status: 400, code: 50035, inside: "STRING_TYPE_REGEX"},
		{name: "emoji for no role", grants: CreateExpressions, method: "POST", path: emojis, body: `{"name":"sus","roles":["5"],"image":"` + small + `"}`, status: 404, code: 10011},
		{name: "51st emoji", grants: CreateExpressions, prepare: fill, method: "POST", path: emojis, body: named(small), status: 400, code: 30008, inside: "(50)"},
		{name: "another's emoji", grants: CreateExpressions, prepare: theirs, method: "PATCH", path: emojis + "/7", body: `{"name":"xx"}`, status: 403, code: 50013},
		{name: "another's emoji as manager", grants: ManageExpressions, prepare: theirs, method: "DELETE", path: emojis + "/7", status: 204},
		{name: "unknown emoji", method: "GET", path: emojis + "/5", status: 404, code: 10014},
		{name: "unknown sticker", method: "GET", path: "/stickers/5", status: 404, code: 10060},
		{name: "sound", grants: CreateExpressions, method: "POST", path: sounds, body: horn(data("audio/ogg", 10)), status: 201},
		{name: "sound that is a picture", grants: CreateExpressions, method: "POST", path: sounds, body: horn(small), status: 400, code: 50035},
		{name: "sound too large", grants: CreateExpressions, method: "POST", path: sounds, body: horn(data("audio/ogg", 512<<10)), status: 400, code: 50035, inside: "512.0 kb"},
		{name: "sound too loud", grants: CreateExpressions, method: "POST", path: sounds, body: `{"name":"horn","volume":2,"sound":"` + data("audio/ogg", 1) + `"}`, status: 400, code: 50035, inside: `"volume"`},
		{name: "soundboard full", grants: CreateExpressions, prepare: fill, method: "POST", path: sounds, body: horn(data("audio/ogg", 1)), status: 400, code: 30045},
		{name: "role icon without boosts", grants: ManageRoles, method: "POST", path: guild + "/roles", body: `{"icon":"` + small + `"}`, status: 403, code: 50101},
		{name: "two colours without boosts", grants: ManageRoles, method: "POST", path: guild + "/roles", body: `{"colors":{"primary_color":1,"secondary_color":2}}`, status: 403, code: 50101},
		{name: "banner without boosts", grants: ManageGuild, method: "PATCH", path: guild, body: `{"banner":"` + small + `"}`, status: 403, code: 50101},
		{name: "icon", grants: ManageGuild, method: "PATCH", path: guild, body: `{"icon":"` + small + `"}`, status: 200},
		{name: "bitrate of a boosted guild", grants: ManageChannels, method: "PATCH", path: "/channels/{voice}", body: `{"bitrate":128000}`, status: 400, code: 50035, inside: `"bitrate"`},
		{name: "a hundred users", grants: ManageChannels, method: "PATCH", path: "/channels/{voice}", body: `{"user_limit":100}`, status: 400, code: 50035},
		{name: "topic of a forum in text", grants: ManageChannels, method: "PATCH", path: "/channels/{text}", body: `{"topic":"` + strings.Repeat("x", 1025) + `"}`, status: 400, code: 50035},
		{name: "no second factor", grants: ManageRoles, method: "POST", path: guild + "/roles", body: `{}`, status: 403, code: 60003,
			prepare: func(r *rest) {
				r.w.ok(r.w.SetMFA(r.w.guild, true))
				r.w.apps[r.w.bot.ID].noFactor = true
			}},
	}
}

func rulesOfCommunities() []rule {
	const rules, guild, events = "/guilds/{g}/auto-moderation/rules", "/guilds/{g}", "/guilds/{g}/scheduled-events"
	const words = `{"name":"x","event_type":1,"trigger_type":1,"trigger_metadata":{"keyword_filter":["x"]},"actions":[{"type":1}]}`
	full := func(kind int) func(*rest) {
		return func(r *rest) {
			for n := range 6 {
				r.w.guilds[r.w.guild].automod[ID(n+1)] = &automodRule{automodValues: automodValues{trigger: kind}}
			}
		}
	}
	event := func(more string) string {
		return `{"name":"x","privacy_level":2,"scheduled_start_time":"{later}",` + more + `}`
	}
	return []rule{
		{name: "rule without permission", method: "POST", path: rules, body: words, status: 403, code: 50013},
		{name: "rule", grants: ManageGuild, method: "POST", path: rules, body: words, status: 200},
		{name: "seventh rule", grants: ManageGuild, prepare: full(ruleKeyword), method: "POST", path: rules, body: words, status: 400, code: 50035, inside: "MAX_RULES"},
		{name: "second spam rule", grants: ManageGuild, prepare: full(ruleSpam), method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":3,"actions":[{"type":1}]}`, status: 400, code: 50035, inside: "MAX_RULES"},
		{name: "rule that looks for nothing", grants: ManageGuild, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":1,"actions":[{"type":1}]}`, status: 400, code: 50035},
		{name: "rule that does nothing", grants: ManageGuild, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":3,"actions":[]}`, status: 400, code: 50035},
		{name: "time-out without permission", grants: ManageGuild, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":5,"actions":[{"type":3,"metadata":{"duration_seconds":5}}]}`, status: 403, code: 50013},
		{name: "time-out for spam", grants: ManageGuild | ModerateMembers, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":3,"actions":[{"type":3,"metadata":{"duration_seconds":5}}]}`, status: 400, code: 50035},
		{name: "alert to nowhere", grants: ManageGuild, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":3,"actions":[{"type":2,"metadata":{"channel_id":"5"}}]}`, status: 400, code: 50035},
		{name: "bad regex", grants: ManageGuild, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":1,"trigger_metadata":{"regex_patterns":["("]},"actions":[{"type":1}]}`, status: 400, code: 50035, inside: "REGEX"},
		{name: "eleven regexes", grants: ManageGuild, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":1,"trigger_metadata":{"regex_patterns":[` + many(11, `"x"`) + `]},"actions":[{"type":1}]}`, status: 400, code: 50035},
		{name: "51 mentions", grants: ManageGuild, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":5,"trigger_metadata":{"mention_total_limit":51},"actions":[{"type":1}]}`, status: 400, code: 50035},
		{name: "21 exempt roles", grants: ManageGuild, method: "POST", path: rules, body: `{"name":"x","event_type":1,"trigger_type":3,"exempt_roles":[` + numbered(21, `"1%d"`) + `],"actions":[{"type":1}]}`, status: 400, code: 50035},
		{name: "welcome without a community", grants: ManageGuild, method: "PATCH", path: guild + "/welcome-screen", body: `{}`, status: 404, code: 10069},
		{name: "six welcome channels", grants: ManageGuild, prepare: (*rest).open, method: "PATCH", path: guild + "/welcome-screen", body: `{"welcome_channels":[` + many(6, `{"channel_id":"{text}","description":"x"}`) + `]}`, status: 400, code: 50035},
		{name: "onboarding with too little", grants: ManageGuild | ManageRoles, prepare: (*rest).open, method: "PUT", path: guild + "/onboarding", body: `{"enabled":true,"default_channel_ids":["{text}"]}`, status: 400, code: 350000},
		{name: "onboarding where few may write", grants: ManageGuild | ManageRoles, prepare: quiet(4), method: "PUT", path: guild + "/onboarding", body: `{"enabled":true,"default_channel_ids":[{seven}]}`, status: 400, code: 350000},
		{name: "onboarding where enough may write", grants: ManageGuild | ManageRoles, prepare: quiet(5), method: "PUT", path: guild + "/onboarding", body: `{"enabled":true,"default_channel_ids":[{seven}]}`, status: 200},
		{name: "onboarding without permission", grants: ManageGuild, method: "PUT", path: guild + "/onboarding", body: `{}`, status: 403, code: 50013},
		{name: "option that gives nothing", grants: ManageGuild | ManageRoles, method: "PUT", path: guild + "/onboarding", body: `{"prompts":[{"id":"1","title":"x","options":[{"title":"x"}]}]}`, status: 400, code: 50035},
		{name: "event without permission", method: "POST", path: events, body: event(`"entity_type":2,"channel_id":"{voice}"`), status: 403, code: 50013},
		{name: "event", grants: CreateEvents, method: "POST", path: events, body: event(`"entity_type":2,"channel_id":"{voice}"`), status: 200},
		{name: "event in the past", grants: CreateEvents, method: "POST", path: events, body: `{"name":"x","privacy_level":2,"entity_type":2,"channel_id":"{voice}","scheduled_start_time":"2020-01-01T00:00:00Z"}`, status: 400, code: 50035, inside: "SCHEDULE_PAST"},
		{name: "external event without an end", grants: CreateEvents, method: "POST", path: events, body: event(`"entity_type":3,"entity_metadata":{"location":"x"}`), status: 400, code: 50035},
		{name: "external event nowhere", grants: CreateEvents, method: "POST", path: events, body: event(`"entity_type":3,"scheduled_end_time":"2999-01-01T00:00:00Z"`), status: 400, code: 50035},
		{name: "stage event in voice", grants: CreateEvents, method: "POST", path: events, body: event(`"entity_type":1,"channel_id":"{voice}"`), status: 400, code: 50035},
		{name: "101st event", grants: CreateEvents, method: "POST", path: events, body: event(`"entity_type":2,"channel_id":"{voice}"`), status: 400, code: 30038,
			prepare: func(r *rest) {
				for n := range maxScheduled {
					r.w.guilds[r.w.guild].scheduled[ID(n+1)] = &scheduledEvent{status: eventAhead}
				}
			}},
		{name: "widget without permission", method: "GET", path: guild + "/widget", status: 403, code: 50013},
	}
}

// quiet makes a community with seven channels, in so many of which everybody may write.
func quiet(writable int) func(*rest) {
	return func(r *rest) {
		r.open()
		var ids []string
		for n := range onboardingChannels {
			id := must(r.w.AddChannel(r.w.guild, "o", TextChannel))(r.t)
			if n >= writable {
				r.w.ok(r.w.SetOverwrite(r.w.guild, id, r.w.guild, Overwrite{Deny: SendMessages}))
			}
			ids = append(ids, `"`+id.String()+`"`)
		}
		r.names["seven"] = strings.Join(ids, ",")
	}
}

// TestStickersAreForms tries what the description and the table of rules cannot say.
func TestStickersAreForms(t *testing.T) {
	r := ruled(t, CreateExpressions)
	file := func(data string) part { return part{"file", "s.png", "image/png", data} }
	name, tags := part{name: "name", data: "wave"}, part{name: "tags", data: "x"}
	for _, c := range []struct {
		name  string
		parts []part
		want  int
		code  int
	}{
		{"good", []part{name, tags, file(pixelBytes())}, 201, 0},
		{"no file", []part{name, tags}, 400, 50035},
		{"no name", []part{tags, file(pixelBytes())}, 400, 50035},
		{"too large", []part{name, tags, file(pixelBytes() + strings.Repeat("x", maxSticker))}, 400, 50045},
		{"no picture", []part{name, tags, file("hello")}, 400, 50046},
		{"lottie", []part{name, tags, file(`{"v":"5"}`)}, 400, 50046},
	} {
		kind, body := multipartBody(t, c.parts...)
		got := r.w.do(request{method: "POST", path: r.fill("/guilds/{g}/stickers"), body: body, contentType: kind})
		if got.Status != c.want || c.code != 0 && got.code(t) != c.code {
			t.Errorf("%s: %d %s", c.name, got.Status, got.Body)
		}
	}
	for range 4 {
		r.upload(201, "POST", "/guilds/{g}/stickers", name, tags, file(pixelBytes()))
	}
	kind, body := multipartBody(t, name, tags, file(pixelBytes()))
	if got := r.w.do(request{method: "POST", path: r.fill("/guilds/{g}/stickers"), body: body, contentType: kind}); got.Status != 400 || got.code(t) != 30039 {
		t.Errorf("sixth: %d %s", got.Status, got.Body)
	}
}

// TestUploadsHaveDiscordsSizes: ten files of 10 MiB each are taken, one byte or one file more is not.
func TestUploadsHaveDiscordsSizes(t *testing.T) {
	r := ruled(t, 0)
	send := func(sizes ...int) int {
		var parts []part
		for i, n := range sizes {
			parts = append(parts, part{fmt.Sprintf("files[%d]", i), "f.bin", "application/octet-stream", strings.Repeat("x", n)})
		}
		kind, body := multipartBody(t, parts...)
		return r.w.do(request{method: "POST", path: r.fill("/channels/{text}/messages"), body: body, contentType: kind}).Status
	}
	if got := send(maxFile); got != 200 {
		t.Errorf("10 MiB: %d", got)
	}
	if got := send(maxFile + 1); got != 413 {
		t.Errorf("10 MiB and a byte: %d", got)
	}
	if got := send(1, 1, 1, 1, 1, 1, 1, 1, 1, 1); got != 200 {
		t.Errorf("ten files: %d", got)
	}
	if got := send(1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1); got != 413 {
		t.Errorf("eleven files: %d", got)
	}
}

// TestWebhookRates: five messages in two seconds per webhook, and thirty in a minute per channel over all of its webhooks.
func TestWebhookRates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		var paths []string
		for range 3 {
			id, token, err := w.As(w.owner).CreateWebhook(w.text, "h")
			w.ok(err)
			paths = append(paths, "/webhooks/"+id.String()+"/"+token)
		}
		send := func(path string) reply {
			return w.do(request{method: "POST", path: path, body: `{"content":"x"}`, noAuth: true})
		}
		for n := range 6 {
			if got := send(paths[0]); (got.Status == http.StatusTooManyRequests) != (n == 5) {
				t.Fatalf("message %d: %d %s", n, got.Status, got.Body)
			}
		}
		sent := 5
		for sent < 30 {
			advance(2 * time.Second)
			for range min(5, 30-sent) {
				if got := send(paths[sent%3]); got.Status != http.StatusNoContent {
					t.Fatalf("message %d: %d %s", sent, got.Status, got.Body)
				}
				sent++
			}
		}
		advance(2 * time.Second)
		got := send(paths[1])
		if got.Status != http.StatusTooManyRequests || got.Header.Get("X-RateLimit-Remaining") == "0" {
			t.Errorf("31st of a minute: %d %s %v", got.Status, got.Body, got.Header)
		}
		advance(time.Minute)
		if got := send(paths[1]); got.Status != http.StatusNoContent {
			t.Errorf("a minute later: %d %s", got.Status, got.Body)
		}
	})
}

// TestEmojiQuota: the 51st upload of an hour waits, whatever the bucket shows.
func TestEmojiQuota(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{Global: -1, EmojiCreate: Limit{2, time.Hour}}})
	w.ok(w.SetRolePermissions(w.guild, w.botRole, CreateExpressions))
	for n := range 3 {
		got := w.do(request{method: "POST", path: "/guilds/" + w.guild.String() + "/emojis", body: `{"name":"sus","image":"` + pixel + `"}`})
		if (got.Status == http.StatusTooManyRequests) != (n == 2) {
			t.Errorf("emoji %d: %d %s", n, got.Status, got.Body)
		}
	}
}

// TestContentIsForBotsWithTheIntent: without it a bot reads only what it wrote and what mentions it.
func TestContentIsForBotsWithTheIntent(t *testing.T) {
	r := ruled(t, 0)
	own := must(r.w.As(r.w.bot.ID).Send(r.w.text, "mine"))(t)
	mention := must(r.w.As(r.w.ana).Send(r.w.text, "hi <@"+r.w.bot.ID.String()+">"))(t)
	for id, want := range map[string]string{r.names["anaMessage"]: `"content":""`, own.String(): "mine", mention.String(): "hi \\u003c@"} {
		if got := r.say("GET", "/channels/{text}/messages/"+id, ""); !strings.Contains(got.Body, want) {
			t.Errorf("%s", got.Body)
		}
	}
	r.w.apps[r.w.bot.ID].contentIntent = true
	if got := r.say("GET", "/channels/{text}/messages/{anaMessage}", ""); !strings.Contains(got.Body, `"content":"hi"`) {
		t.Errorf("with the intent: %s", got.Body)
	}
}

// TestFilesExpire: a URL is good for a day, and can be renewed.
func TestFilesExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{CDN: "http://cdn.example/"})
		path := "/attachments/1/2/x y.txt"
		u := w.cdn.sign(path, time.Now())
		if !strings.HasPrefix(u, "http://cdn.example/attachments/1/2/x%20y.txt?ex=") || w.CDNURL() != "http://cdn.example" {
			t.Errorf("url %s", u)
		}
		good := func(u string) bool {
			req := must(http.NewRequest("GET", u, nil))(t)
			return w.cdn.signed(req.URL.Path, req.URL.Query(), time.Now())
		}
		if !good(u) {
			t.Error("a new URL is no good")
		}
		advance(25 * time.Hour)
		if good(u) {
			t.Error("an old URL is good")
		}
		got := w.do(request{method: "POST", path: "/attachments/refresh-urls", body: `{"attachment_urls":["` + u + `"]}`})
		fresh := strings.Split(strings.Split(got.Body, `"refreshed":"`)[1], `"`)[0]
		if fresh = strings.ReplaceAll(fresh, `\u0026`, "&"); !good(fresh) {
			t.Errorf("renewed: %s", got.Body)
		}
		w.AgeFiles(24 * time.Hour)
		if good(fresh) || !good(w.cdn.sign(path, time.Now())) {
			t.Error("after a day an old URL is good, or a new one is not")
		}
		srv := httptest.NewRecorder()
		w.ServeHTTP(srv, httptest.NewRequest("GET", fresh, nil))
		if srv.Code != 404 || !strings.Contains(srv.Body.String(), "This content is no longer available.") {
			t.Errorf("an old URL: %d %s", srv.Code, srv.Body)
		}
		if got := w.do(request{method: "POST", path: "/attachments/refresh-urls", body: `{"attachment_urls":["http://x/"]}`}); got.Status != 400 {
			t.Errorf("renewed what is none: %d", got.Status)
		}
	})
}
