package sandbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// rule is one thing that a bot with these permissions tries, and what Discord says to it.
type rule struct {
	name    string
	grants  Permissions
	prepare func(*rest)
	method  string
	path    string
	body    string
	status  int
	code    int    // zero with a good status
	inside  string // part of the answer
}

// ruled is a client whose bot stands above crew and below captain, with a managed role of another bot below it.
func ruled(t *testing.T, grants Permissions) *rest {
	w := newWorld(t, Config{Limits: noLimits()})
	captain := must(w.AddRole(w.guild, "captain", Administrator))(t)
	category := must(w.AddChannel(w.guild, "category", CategoryChannel))(t)
	hidden := must(w.AddChannel(w.guild, "hidden", TextChannel))(t)
	w.ok(w.SetOverwrite(w.guild, hidden, w.guild, Overwrite{Deny: ViewChannel}))
	w.ok(w.AddMember(w.guild, w.cat, captain))
	managed := must(w.As(w.owner).AddBot(w.guild, w.other.ID, SendMessages))(t)
	w.ok(w.SetRolePermissions(w.guild, w.botRole, grants))
	r := &rest{w: w, t: t, names: map[string]string{
		"g": w.guild.String(), "ana": w.ana.String(), "bo": w.bo.String(), "cat": w.cat.String(), "owner": w.owner.String(),
		"stranger": w.stranger.String(), "text": w.text.String(), "voice": w.voice.String(), "crew": w.plain.String(),
		"app": w.bot.ID.String(), "botRole": w.botRole.String(), "captain": captain.String(), "category": category.String(),
		"hidden": hidden.String(), "managed": managed.String(), "other": w.other.ID.String(), "later": later(),
	}}
	r.names["anaMessage"] = must(w.As(w.ana).Send(w.text, "hi"))(t).String()
	return r
}

func (r *rest) say(method, path, body string) reply {
	r.t.Helper()
	return r.w.do(request{method: method, path: r.fill(path), body: r.fill(body)})
}

func many(n int, one string) string { return strings.TrimSuffix(strings.Repeat(one+",", n), ",") }

// numbered repeats a text with %d counted up.
func numbered(n int, one string) string {
	var list []string
	for i := range n {
		list = append(list, strings.ReplaceAll(one, "%d", fmt.Sprint(i)))
	}
	return strings.Join(list, ",")
}

func rulesOfRoles() []rule {
	fill := func(r *rest) {
		for range maxRoles - 5 {
			must(r.w.AddRole(r.w.guild, "x", 0))(r.t)
		}
	}
	return []rule{
		{name: "create without permission", method: "POST", path: "/guilds/{g}/roles", body: `{}`, status: 403, code: 50013},
		{name: "grant what one has not", grants: ManageRoles, method: "POST", path: "/guilds/{g}/roles", body: `{"permissions":"8"}`, status: 403, code: 50013},
		{name: "grant what one has", grants: ManageRoles | KickMembers, method: "POST", path: "/guilds/{g}/roles", body: `{"permissions":"2"}`, status: 200},
		{name: "full", grants: ManageRoles, prepare: fill, method: "POST", path: "/guilds/{g}/roles", body: `{}`, status: 400, code: 30005, inside: "(250)"},
		{name: "edit a lower role", grants: ManageRoles, method: "PATCH", path: "/guilds/{g}/roles/{crew}", body: `{"name":"x"}`, status: 200},
		{name: "edit everyone", grants: ManageRoles, method: "PATCH", path: "/guilds/{g}/roles/{g}", body: `{"permissions":"0"}`, status: 200, inside: `"@everyone"`},
		{name: "edit the own role", grants: ManageRoles, method: "PATCH", path: "/guilds/{g}/roles/{botRole}", body: `{"name":"x"}`, status: 403, code: 50013},
		{name: "edit a higher role", grants: Administrator, method: "PATCH", path: "/guilds/{g}/roles/{captain}", body: `{"name":"x"}`, status: 403, code: 50013},
		{name: "raise a lower role", grants: ManageRoles, method: "PATCH", path: "/guilds/{g}/roles/{crew}", body: `{"permissions":"8"}`, status: 403, code: 50013},
		{name: "bad colour", grants: ManageRoles, method: "PATCH", path: "/guilds/{g}/roles/{crew}", body: `{"colors":{"primary_color":99999999}}`, status: 400, code: 50035, inside: `"colors":{"primary_color"`},
		{name: "unknown role", grants: ManageRoles, method: "DELETE", path: "/guilds/{g}/roles/5", status: 404, code: 10011},
		{name: "delete everyone", grants: ManageRoles, method: "DELETE", path: "/guilds/{g}/roles/{g}", status: 400, code: 50028},
		{name: "delete a managed role", grants: ManageRoles, method: "DELETE", path: "/guilds/{g}/roles/{managed}", status: 400, code: 50028},
		{name: "delete a higher role", grants: ManageRoles, method: "DELETE", path: "/guilds/{g}/roles/{captain}", status: 403, code: 50013},
		{name: "move above oneself", grants: ManageRoles, method: "PATCH", path: "/guilds/{g}/roles", body: `[{"id":"{crew}","position":2}]`, status: 403, code: 50013},
		{name: "move a higher role", grants: ManageRoles, method: "PATCH", path: "/guilds/{g}/roles", body: `[{"id":"{captain}","position":1}]`, status: 403, code: 50013},
		{name: "move nothing", grants: ManageRoles, method: "PATCH", path: "/guilds/{g}/roles", body: `[{"position":1}]`, status: 400, code: 50035, inside: `"0":{"id"`},
	}
}

func rulesOfChannels() []rule {
	fill := func(r *rest) {
		for range maxChannels - 4 {
			must(r.w.AddChannel(r.w.guild, "x", TextChannel))(r.t)
		}
	}
	crowd := func(r *rest) {
		category := must(ParseID(r.names["category"]))(r.t)
		for range maxChildren {
			r.w.ok(r.w.SetParent(r.w.guild, must(r.w.AddChannel(r.w.guild, "x", TextChannel))(r.t), category))
		}
	}
	community := func(r *rest) {
		r.w.ok(r.w.As(r.w.owner).EditGuild(r.w.guild, Fields{"features": []string{"COMMUNITY"}, "rules_channel_id": r.w.text,
			"public_updates_channel_id": r.w.text, "verification_level": 1}))
	}
	const list, channels = "/guilds/{g}/channels", "/channels/"
	return []rule{
		{name: "create without permission", method: "POST", path: list, body: `{"name":"x"}`, status: 403, code: 50013},
		{name: "create without a name", grants: ManageChannels, method: "POST", path: list, body: `{}`, status: 400, code: 50035, inside: "BASE_TYPE_REQUIRED"},
		{name: "unknown type", grants: ManageChannels, method: "POST", path: list, body: `{"name":"x","type":99}`, status: 400, code: 50035, inside: "BASE_TYPE_CHOICES"},
		{name: "forum without a community", grants: ManageChannels, method: "POST", path: list, body: `{"name":"x","type":15}`, status: 400, code: 50024},
		{name: "forum in a community", grants: ManageChannels, prepare: community, method: "POST", path: list, body: `{"name":"x","type":15}`, status: 201},
		{name: "allow what one has not", grants: ManageChannels, method: "POST", path: list, body: `{"name":"x","permission_overwrites":[{"id":"{g}","allow":"8192"}]}`, status: 403, code: 50013},
		{name: "manage roles in an overwrite", grants: ManageChannels | ManageRoles, method: "POST", path: list, body: `{"name":"x","permission_overwrites":[{"id":"{g}","allow":"268435456"}]}`, status: 403, code: 50013},
		{name: "manage roles as administrator", grants: Administrator, method: "POST", path: list, body: `{"name":"x","permission_overwrites":[{"id":"{g}","allow":"268435456"}]}`, status: 201},
		{name: "overwrite for nobody", grants: ManageChannels, method: "POST", path: list, body: `{"name":"x","permission_overwrites":[{"id":"5"}]}`, status: 400, code: 50035},
		{name: "parent is no category", grants: ManageChannels, method: "POST", path: list, body: `{"name":"x","parent_id":"{text}"}`, status: 400, code: 50035, inside: "CHANNEL_PARENT_INVALID_TYPE"},
		{name: "category in a category", grants: ManageChannels, method: "POST", path: list, body: `{"name":"x","type":4,"parent_id":"{category}"}`, status: 400, code: 50035},
		{name: "category full", grants: ManageChannels, prepare: crowd, method: "POST", path: list, body: `{"name":"x","parent_id":"{category}"}`, status: 400, code: 50035, inside: "CHANNEL_PARENT_MAX_CHANNELS"},
		{name: "guild full", grants: ManageChannels, prepare: fill, method: "POST", path: list, body: `{"name":"x"}`, status: 400, code: 30013, inside: "(500)"},
		{name: "patch a hidden one", grants: ManageChannels, method: "PATCH", path: channels + "{hidden}", body: `{"name":"x"}`, status: 403, code: 50001},
		{name: "patch without permission", method: "PATCH", path: channels + "{text}", body: `{"name":"x"}`, status: 403, code: 50013},
		{name: "patch overwrites without manage roles", grants: ManageChannels, method: "PATCH", path: channels + "{text}", body: `{"permission_overwrites":[]}`, status: 403, code: 50013},
		{name: "text becomes voice", grants: ManageChannels, method: "PATCH", path: channels + "{text}", body: `{"type":2}`, status: 400, code: 50024},
		{name: "unknown channel", grants: ManageChannels, method: "DELETE", path: channels + "5", status: 404, code: 10003},
		{name: "delete without permission", method: "DELETE", path: channels + "{text}", status: 403, code: 50013},
		{name: "delete what a community needs", grants: ManageChannels, prepare: community, method: "DELETE", path: channels + "{text}", status: 400, code: 50074},
		{name: "two parents at once", grants: ManageChannels, method: "PATCH", path: list, body: `[{"id":"{text}","parent_id":"{category}"},{"id":"{voice}","parent_id":"{category}"}]`, status: 400, code: 40009},
		{name: "one parent and a position", grants: ManageChannels, method: "PATCH", path: list, body: `[{"id":"{text}","parent_id":"{category}"},{"id":"{voice}","position":9}]`, status: 204},
		{name: "lock without manage roles", grants: ManageChannels, method: "PATCH", path: list, body: `[{"id":"{text}","parent_id":"{category}","lock_permissions":true}]`, status: 403, code: 50013},
		{name: "overwrite without manage roles", grants: ManageChannels, method: "PUT", path: channels + "{text}/permissions/{g}", body: `{"type":0,"deny":"2048"}`, status: 403, code: 50013},
		{name: "overwrite that one may", grants: ManageRoles, method: "PUT", path: channels + "{text}/permissions/{g}", body: `{"type":0,"deny":"2048"}`, status: 204},
		{name: "overwrite of what one has not", grants: ManageRoles, method: "PUT", path: channels + "{text}/permissions/{g}", body: `{"type":0,"deny":"8192"}`, status: 403, code: 50013},
		{name: "overwrite for no role", grants: ManageRoles, method: "PUT", path: channels + "{text}/permissions/5", body: `{"type":0}`, status: 404, code: 10009},
		{name: "no overwrite to delete", grants: ManageRoles, method: "DELETE", path: channels + "{text}/permissions/{crew}", status: 404, code: 10009},
	}
}

func rulesOfMembers() []rule {
	const member, ban = "/guilds/{g}/members/", "/guilds/{g}/bans/"
	return []rule{
		{name: "kick without permission", method: "DELETE", path: member + "{ana}", status: 403, code: 50013},
		{name: "kick", grants: KickMembers, method: "DELETE", path: member + "{ana}", status: 204},
		{name: "kick a higher one", grants: KickMembers, method: "DELETE", path: member + "{cat}", status: 403, code: 50013},
		{name: "kick the owner", grants: Administrator, method: "DELETE", path: member + "{owner}", status: 403, code: 50013},
		{name: "kick at the same height", grants: KickMembers, method: "DELETE", path: member + "{bo}", status: 403, code: 50013,
			prepare: func(r *rest) { r.w.ok(r.w.AddMember(r.w.guild, r.w.bo, r.w.botRole)) }},
		{name: "kick nobody", grants: KickMembers, method: "DELETE", path: member + "{stranger}", status: 404, code: 10007},
		{name: "ban without permission", method: "PUT", path: ban + "{ana}", body: `{}`, status: 403, code: 50013},
		{name: "ban without a body", grants: BanMembers, method: "PUT", path: ban + "{ana}", status: 204},
		{name: "ban a stranger", grants: BanMembers, method: "PUT", path: ban + "{stranger}", body: `{}`, status: 204},
		{name: "ban a higher one", grants: BanMembers, method: "PUT", path: ban + "{cat}", body: `{}`, status: 403, code: 50013},
		{name: "ban oneself", grants: BanMembers, method: "PUT", path: ban + "{app}", body: `{}`, status: 403, code: 50013},
		{name: "ban and wipe too much", grants: BanMembers, method: "PUT", path: ban + "{ana}", body: `{"delete_message_seconds":604801}`, status: 400, code: 50035, inside: "NUMBER_TYPE_MAX"},
		{name: "lift no ban", grants: BanMembers, method: "DELETE", path: ban + "{ana}", status: 404, code: 10026},
		{name: "bans without permission", method: "GET", path: "/guilds/{g}/bans", status: 403, code: 50013},
		{name: "bulk ban needs both permissions", grants: BanMembers, method: "POST", path: "/guilds/{g}/bulk-ban", body: `{"user_ids":["{ana}"]}`, status: 403, code: 50013},
		{name: "bulk ban of nobody possible", grants: BanMembers | ManageGuild, method: "POST", path: "/guilds/{g}/bulk-ban", body: `{"user_ids":["{cat}","{owner}"]}`, status: 400, code: 500000},
		{name: "bulk ban of some", grants: BanMembers | ManageGuild, method: "POST", path: "/guilds/{g}/bulk-ban", body: `{"user_ids":["{cat}","{ana}"]}`, status: 200, inside: `"failed_users":["`},
		{name: "bulk ban of too many", grants: BanMembers | ManageGuild, method: "POST", path: "/guilds/{g}/bulk-ban", body: `{"user_ids":[` + numbered(201, `"1%d"`) + `]}`, status: 400, code: 50035},
		{name: "give a managed role", grants: ManageRoles, method: "PUT", path: member + "{ana}/roles/{managed}", status: 403, code: 50013},
		{name: "give everyone", grants: ManageRoles, method: "PUT", path: member + "{ana}/roles/{g}", status: 400, code: 50028},
		{name: "give a higher role", grants: ManageRoles, method: "PUT", path: member + "{ana}/roles/{captain}", status: 403, code: 50013},
		{name: "give a lower role to a higher one", grants: ManageRoles, method: "PUT", path: member + "{cat}/roles/{crew}", status: 204},
		{name: "take a higher role", grants: ManageRoles, method: "DELETE", path: member + "{cat}/roles/{captain}", status: 403, code: 50013},
		{name: "prune needs both permissions", grants: KickMembers, method: "POST", path: "/guilds/{g}/prune", body: `{}`, status: 403, code: 50013},
		{name: "prune of too short", grants: KickMembers | ManageGuild, method: "POST", path: "/guilds/{g}/prune", body: `{"days":0}`, status: 400, code: 50035},
		{name: "search for nothing", method: "GET", path: "/guilds/{g}/members/search", status: 400, code: 50035},
	}
}

func rulesOfGuilds() []rule {
	return []rule{
		{name: "settings without permission", method: "PATCH", path: "/guilds/{g}", body: `{"name":"xx"}`, status: 403, code: 50013},
		{name: "settings", grants: ManageGuild, method: "PATCH", path: "/guilds/{g}", body: `{"name":"xx"}`, status: 200},
		{name: "unknown level", grants: ManageGuild, method: "PATCH", path: "/guilds/{g}", body: `{"verification_level":9}`, status: 400, code: 50035, inside: "verification_level"},
		{name: "channel of nowhere", grants: ManageGuild, method: "PATCH", path: "/guilds/{g}", body: `{"system_channel_id":"5"}`, status: 400, code: 50035},
		{name: "community without channels", grants: Administrator, method: "PATCH", path: "/guilds/{g}", body: `{"features":["COMMUNITY"]}`, status: 400, code: 50035},
		{name: "community without being administrator", grants: ManageGuild, method: "PATCH", path: "/guilds/{g}", body: `{"features":["COMMUNITY"],"rules_channel_id":"{text}","public_updates_channel_id":"{text}","verification_level":1}`, status: 403, code: 50013},
		{name: "give the guild away", grants: Administrator, method: "PATCH", path: "/guilds/{g}", body: `{"owner_id":"{ana}"}`, status: 403, code: 50013},
		{name: "pause invites", grants: ManageGuild, method: "PUT", path: "/guilds/{g}/incident-actions", body: `{"invites_disabled_until":"{later}"}`, status: 200, inside: `"dms_disabled_until":null`},
		{name: "pause invites too long", grants: ManageGuild, method: "PUT", path: "/guilds/{g}/incident-actions",
			body: `{"invites_disabled_until":"` + time.Now().Add(25*time.Hour).Format(time.RFC3339) + `"}`, status: 400, code: 50035},
		{name: "pause invites without permission", method: "PUT", path: "/guilds/{g}/incident-actions", body: `{}`, status: 403, code: 50013},
		{name: "audit log without permission", method: "GET", path: "/guilds/{g}/audit-logs", status: 403, code: 50013},
		{name: "audit log of too much", grants: ViewAuditLog, method: "GET", path: "/guilds/{g}/audit-logs?limit=101", status: 400, code: 50035},
		{name: "invites without permission", method: "GET", path: "/guilds/{g}/invites", status: 403, code: 50013},
		{name: "invite that grants a higher role", grants: ManageRoles, method: "POST", path: "/channels/{text}/invites", body: `{"role_ids":["{captain}"]}`, status: 403, code: 50013},
		{name: "unknown invite", method: "DELETE", path: "/invites/nothing", status: 404, code: 10006},
		{name: "webhook without permission", method: "POST", path: "/channels/{text}/webhooks", body: `{"name":"x"}`, status: 403, code: 50013},
		{name: "webhook called discord", grants: ManageWebhooks, method: "POST", path: "/channels/{text}/webhooks", body: `{"name":"Discord Staff"}`, status: 400, code: 50035},
		{name: "sixteenth webhook", grants: ManageWebhooks, method: "POST", path: "/channels/{text}/webhooks", body: `{"name":"x"}`, status: 400, code: 30007,
			prepare: func(r *rest) {
				for range maxWebhooks {
					must2(r.w.As(r.w.owner).CreateWebhook(r.w.text, "x"))(r.t)
				}
			}},
		{name: "unknown webhook", grants: ManageWebhooks, method: "DELETE", path: "/webhooks/5", status: 404, code: 10015},
		{name: "unknown webhook with a token", method: "POST", path: "/webhooks/5/x", body: `{"content":"x"}`, status: 404, code: 10015},
	}
}

func must2[A, B any](a A, _ B, err error) func(*testing.T) A { return must(a, err) }

func rulesOfMessages() []rule {
	const list = "/channels/{text}/messages"
	row := func(buttons string) string {
		return `{"components":[{"type":1,"components":[` + buttons + `]}]}`
	}
	old := ID(uint64(time.Now().Add(-15*24*time.Hour).UnixMilli()-discordEpoch) << 22).String()
	return []rule{
		{name: "empty", method: "POST", path: list, body: `{}`, status: 400, code: 50006},
		{name: "blank", method: "POST", path: list, body: `{"content":"  "}`, status: 400, code: 50006},
		{name: "as long as can be", method: "POST", path: list, body: `{"content":"` + strings.Repeat("é", 2000) + `"}`, status: 200},
		{name: "too long", method: "POST", path: list, body: `{"content":"` + strings.Repeat("é", 2001) + `"}`, status: 400, code: 50035, inside: "BASE_TYPE_MAX_LENGTH"},
		{name: "field too long", method: "POST", path: list, body: `{"embeds":[{"fields":[{"name":"n","value":"` + strings.Repeat("x", 1025) + `"}]}]}`, status: 400, code: 50035, inside: `"embeds":{"0":{"fields":{"0":{"value"`},
		{name: "26 fields", method: "POST", path: list, body: `{"embeds":[{"fields":[` + many(26, `{"name":"n","value":"v"}`) + `]}]}`, status: 400, code: 50035},
		{name: "embeds too large together", method: "POST", path: list, body: `{"embeds":[` + many(2, `{"description":"`+strings.Repeat("x", 3001)+`"}`) + `]}`, status: 400, code: 50035, inside: "MAX_EMBED_SIZE_EXCEEDED"},
		{name: "eleven embeds", method: "POST", path: list, body: `{"embeds":[` + many(11, `{"title":"x"}`) + `]}`, status: 400, code: 50035},
		{name: "five buttons", method: "POST", path: list, body: row(numbered(5, `{"type":2,"style":1,"label":"x","custom_id":"%d"}`)), status: 200},
		{name: "six buttons", method: "POST", path: list, body: row(numbered(6, `{"type":2,"style":1,"label":"x","custom_id":"%d"}`)), status: 400, code: 50035},
		{name: "button beside a menu", method: "POST", path: list, body: row(`{"type":2,"style":1,"label":"x","custom_id":"a"},{"type":5,"custom_id":"b"}`), status: 400, code: 50035, inside: "COMPONENT_LAYOUT_WIDTH_EXCEEDED"},
		{name: "two buttons of one id", method: "POST", path: list, body: row(many(2, `{"type":2,"style":1,"label":"x","custom_id":"a"}`)), status: 400, code: 50035, inside: "COMPONENT_CUSTOM_ID_DUPLICATED"},
		{name: "button without an id", method: "POST", path: list, body: row(`{"type":2,"style":1,"label":"x"}`), status: 400, code: 50035},
		{name: "button without a label", method: "POST", path: list, body: row(`{"type":2,"style":1,"custom_id":"x"}`), status: 400, code: 50035},
		{name: "id too long", method: "POST", path: list, body: row(`{"type":2,"style":1,"label":"x","custom_id":"` + strings.Repeat("x", 101) + `"}`), status: 400, code: 50035},
		{name: "six rows", method: "POST", path: list, body: `{"components":[` + numbered(6, `{"type":1,"components":[{"type":2,"style":1,"label":"x","custom_id":"%d"}]}`) + `]}`, status: 400, code: 50035},
		{name: "text display without the flag", method: "POST", path: list, body: `{"components":[{"type":10,"content":"x"}]}`, status: 400, code: 50035, inside: "UNION_TYPE_CHOICES"},
		{name: "content beside components version 2", method: "POST", path: list, body: `{"flags":32768,"content":"x","components":[{"type":10,"content":"x"}]}`, status: 400, code: 50035},
		{name: "option twice", method: "POST", path: list, body: row(`{"type":3,"custom_id":"a","options":[` + many(2, `{"label":"l","value":"v"}`) + `]}`), status: 400, code: 50035},
		{name: "in a category", method: "POST", path: "/channels/{category}/messages", body: `{"content":"x"}`, status: 400, code: 50008},
		{name: "in a hidden channel", method: "POST", path: "/channels/{hidden}/messages", body: `{"content":"x"}`, status: 403, code: 50001},
		{name: "without permission", method: "POST", path: list, body: `{"content":"x"}`, status: 403, code: 50013,
			prepare: func(r *rest) {
				r.w.ok(r.w.SetOverwrite(r.w.guild, r.w.text, r.w.guild, Overwrite{Deny: SendMessages}))
			}},
		{name: "unknown message", method: "GET", path: list + "/5", status: 404, code: 10008},
		{name: "edit another's", grants: Administrator, method: "PATCH", path: list + "/{anaMessage}", body: `{"content":"x"}`, status: 403, code: 50005},
		{name: "delete another's", grants: ManageMessages, method: "DELETE", path: list + "/{anaMessage}", status: 204},
		{name: "delete another's without permission", method: "DELETE", path: list + "/{anaMessage}", status: 403, code: 50013},
		{name: "bulk deletion of one", grants: ManageMessages, method: "POST", path: list + "/bulk-delete", body: `{"messages":["{anaMessage}"]}`, status: 400, code: 50016},
		{name: "bulk deletion of one twice", grants: ManageMessages, method: "POST", path: list + "/bulk-delete", body: `{"messages":["{anaMessage}","{anaMessage}"]}`, status: 400, code: 50035},
		{name: "bulk deletion of the old", grants: ManageMessages, method: "POST", path: list + "/bulk-delete", body: `{"messages":["{anaMessage}","` + old + `"]}`, status: 400, code: 50034},
		{name: "direct message to a bot", method: "POST", path: "/users/@me/channels", body: `{"recipient_id":"{other}"}`, status: 403, code: 50007},
		{name: "reply to nothing", method: "POST", path: list, body: `{"content":"x","message_reference":{"message_id":"5"}}`, status: 400, code: 50035},
	}
}

func rulesOfCommands() []rule {
	const list = "/applications/{app}/commands"
	option := func(s string) string { return `[{"name":"x","description":"d","options":[` + s + `]}]` }
	return []rule{
		{name: "of another application", method: "PUT", path: "/applications/{other}/commands", body: `[]`, status: 403, code: 20012},
		{name: "in a foreign guild", method: "PUT", path: "/applications/{app}/guilds/5/commands", body: `[]`, status: 404, code: 10004},
		{name: "capitals", method: "PUT", path: list, body: `[{"name":"Ping","description":"d"}]`, status: 400, code: 50035, inside: "APPLICATION_COMMAND_INVALID_NAME"},
		{name: "spaces", method: "PUT", path: list, body: `[{"name":"a b","description":"d"}]`, status: 400, code: 50035},
		{name: "other alphabets", method: "PUT", path: list, body: `[{"name":"помощь","description":"d"},{"name":"ไทย","description":"d"},{"name":"नमस्ते","description":"d"}]`, status: 200},
		{name: "capitals in a menu command", method: "PUT", path: list, body: `[{"name":"Report this","type":3}]`, status: 200},
		{name: "no description", method: "PUT", path: list, body: `[{"name":"x"}]`, status: 400, code: 50035, inside: `"0":{"description"`},
		{name: "twice", method: "PUT", path: list, body: `[` + many(2, `{"name":"x","description":"d"}`) + `]`, status: 400, code: 50035, inside: "APPLICATION_COMMANDS_DUPLICATE_NAME"},
		{name: "required after optional", method: "PUT", path: list, body: option(`{"type":3,"name":"a","description":"d"},{"type":3,"name":"b","description":"d","required":true}`), status: 400, code: 50035, inside: "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"},
		{name: "26 options", method: "PUT", path: list, body: option(numbered(26, `{"type":3,"name":"a%d","description":"d"}`)), status: 400, code: 50035},
		{name: "26 choices", method: "PUT", path: list, body: option(`{"type":3,"name":"a","description":"d","choices":[` + numbered(26, `{"name":"%d","value":"%d"}`) + `]}`), status: 400, code: 50035},
		{name: "choice of another type", method: "PUT", path: list, body: option(`{"type":4,"name":"a","description":"d","choices":[{"name":"x","value":"y"}]}`), status: 400, code: 50035},
		{name: "choices and autocomplete", method: "PUT", path: list, body: option(`{"type":3,"name":"a","description":"d","autocomplete":true,"choices":[{"name":"x","value":"y"}]}`), status: 400, code: 50035},
		{name: "group in a group", method: "PUT", path: list, body: option(`{"type":2,"name":"a","description":"d","options":[{"type":2,"name":"b","description":"d"}]}`), status: 400, code: 50035},
		{name: "subcommand in a group", method: "PUT", path: list, body: option(`{"type":2,"name":"a","description":"d","options":[{"type":1,"name":"b","description":"d"}]}`), status: 200},
		{name: "subcommand in a subcommand", method: "PUT", path: list, body: option(`{"type":1,"name":"a","description":"d","options":[{"type":1,"name":"b","description":"d"}]}`), status: 400, code: 50035},
		{name: "subcommand beside an option", method: "PUT", path: list, body: option(`{"type":1,"name":"a","description":"d"},{"type":3,"name":"b","description":"d"}`), status: 400, code: 50035},
		{name: "too large", method: "PUT", path: list, body: option(numbered(25, `{"type":3,"name":"a%d","description":"`+strings.Repeat("d", 100)+`","choices":[`+
			numbered(3, `{"name":"n%d","value":"`+strings.Repeat("v", 90)+`"}`)+`]}`)), status: 400, code: 50035, inside: "APPLICATION_COMMAND_TOO_LARGE"},
		{name: "101 commands", method: "PUT", path: list, body: `[` + numbered(101, `{"name":"a%d","description":"d"}`) + `]`, status: 400, code: 30032},
		{name: "unknown locale", method: "PUT", path: list, body: `[{"name":"x","description":"d","name_localizations":{"xx":"y"}}]`, status: 400, code: 50035},
		{name: "unknown command", method: "DELETE", path: list + "/5", status: 404, code: 10063},
		{name: "callback to nothing", method: "POST", path: "/interactions/5/x/callback", body: `{"type":5}`, status: 404, code: 10062},
		{name: "follow-up to nothing", method: "POST", path: "/webhooks/{app}/x", body: `{"content":"x"}`, status: 401, code: 50027},
	}
}

// TestRules tries every rule. What is refused leaves guild, messages, audit log and commands as they were.
func TestRules(t *testing.T) {
	for family, rules := range map[string][]rule{
		"roles": rulesOfRoles(), "channels": rulesOfChannels(), "members": rulesOfMembers(), "guilds": rulesOfGuilds(),
		"messages": rulesOfMessages(), "commands": rulesOfCommands(), "threads": rulesOfThreads(),
		"expressions": rulesOfExpressions(), "communities": rulesOfCommunities(),
	} {
		for _, c := range rules {
			t.Run(family+"/"+c.name, func(t *testing.T) {
				r := ruled(t, c.grants)
				if c.prepare != nil {
					c.prepare(r)
				}
				before := r.everything()
				got := r.say(c.method, c.path, c.body)
				code := 0
				if got.Status >= 400 {
					code = got.code(t)
				}
				if got.Status != c.status || code != c.code || !strings.Contains(got.Body, c.inside) {
					t.Fatalf("got %d %s\nwant %d, code %d, with %q", got.Status, got.Body, c.status, c.code, c.inside)
				}
				after := r.everything()
				if c.status >= 400 && !reflect.DeepEqual(before, after) {
					t.Errorf("a refused request changed something:\n%v\n%v", before, after)
				}
				if (c.status == 201 || c.status == 204) && c.method != "GET" && reflect.DeepEqual(before, after) {
					t.Error("nothing was changed")
				}
			})
		}
	}
}

// everything is what a refused request must not change.
func (r *rest) everything() []any {
	s, _ := r.w.Snapshot(r.w.guild)
	var texts []string
	for _, m := range r.w.Messages(r.w.text) {
		texts = append(texts, string(m.JSON))
	}
	h, _ := r.w.History(r.w.guild)
	return []any{s, h, texts, len(r.w.AuditLog(r.w.guild)), r.w.Commands(r.w.bot.ID, 0)}
}

// TestRenameLimit: the third rename in ten minutes is a 429 although the bucket shows requests left; other keys still work.
func TestRenameLimit(t *testing.T) {
	w := newWorld(t, Config{})
	w.ok(w.SetRolePermissions(w.guild, w.botRole, ManageChannels))
	path := "/channels/" + w.text.String()
	for i, want := range []int{200, 200, 429} {
		got := w.do(request{method: "PATCH", path: path, body: fmt.Sprintf(`{"name":"n%d"}`, i)})
		if got.Status != want {
			t.Fatalf("rename %d: %d %s", i, got.Status, got.Body)
		}
		if want != 429 {
			continue
		}
		var limited struct {
			After float64 `json:"retry_after"`
		}
		w.ok(json.Unmarshal([]byte(got.Body), &limited))
		if got.Header.Get("X-RateLimit-Remaining") != "2" || got.Header.Get("X-RateLimit-Scope") != "user" || limited.After < 500 {
			t.Errorf("429 %s with %v", got.Body, got.Header)
		}
	}
	if got := w.do(request{method: "PATCH", path: path, body: `{"nsfw":true}`}); got.Status != http.StatusOK {
		t.Errorf("another key: %d %s", got.Status, got.Body)
	}
	if s, _ := w.Snapshot(w.guild); s.Channels[0].Name != "n1" {
		t.Errorf("channels %+v", s.Channels)
	}
}

// TestCommandCreates: 200 new commands a day; replacing is free.
func TestCommandCreates(t *testing.T) {
	w := newWorld(t, Config{Limits: noLimits()})
	path := "/applications/" + w.bot.ID.String() + "/commands"
	put := func(prefix string) reply {
		return w.do(request{method: "PUT", path: path, body: `[` + numbered(100, `{"name":"`+prefix+`%d","description":"d"}`) + `]`})
	}
	for _, step := range []struct {
		prefix string
		want   int
	}{{"a", 200}, {"a", 200}, {"b", 200}, {"b", 200}, {"c", 400}} {
		if got := put(step.prefix); got.Status != step.want {
			t.Fatalf("%s: %d %s", step.prefix, got.Status, got.Body)
		} else if step.want == 400 && got.code(t) != 30034 {
			t.Errorf("%s", got.Body)
		}
	}
	if names := w.Commands(w.bot.ID, 0); len(names) != 100 || names[0] != "b0" {
		t.Errorf("commands %v", names)
	}
}
