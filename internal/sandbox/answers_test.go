package sandbox

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// refusal is one way to be told no. Placeholders in braces stand for what the world of a test made.
type refusal struct {
	name    string
	prepare func(*world)
	req     request
	status  int
	want    string // the whole body
}

func patch(user, body string) request {
	return request{method: "PATCH", path: "/guilds/{g}/members/" + user, body: body}
}

func get(path string) request { return request{method: "GET", path: path} }

// form is a 50035 with one fault at a dotted path of keys.
func form(key, code, message string) string {
	return `{"message":"Invalid Form Body","code":50035,"errors":{"` + strings.ReplaceAll(key, ".", `":{"`) +
		`":{"_errors":[{"code":"` + code + `","message":"` + message + `"}]}` + strings.Repeat("}", strings.Count(key, ".")) + `}}`
}

// refusals is the list of what the sandbox says no to, with status, error code and text as Discord has them.
var refusals = []refusal{
	{"no token", nil, request{method: "GET", path: "/users/@me", noAuth: true}, 401, `{"message":"401: Unauthorized","code":0}`},
	{"unknown token", nil, request{method: "GET", path: "/users/@me", auth: "Bot nobody"}, 401, `{"message":"401: Unauthorized","code":0}`},
	{"token without a scheme", nil, request{method: "GET", path: "/users/@me", auth: "{token}"}, 401, `{"message":"401: Unauthorized","code":0}`},
	{"wrong scheme", nil, request{method: "GET", path: "/users/@me", auth: "Bearer {token}"}, 401, `{"message":"Unauthorized. Provide a valid token and try again","code":40001}`},
	{"revoked token", func(w *world) { w.ok(w.Revoke(w.bot.ID, true)) }, get("/users/@me"), 401, `{"message":"401: Unauthorized","code":0}`},
	{"unknown path", nil, get("/guilds/{g}/nothing"), 404, `{"message":"404: Not Found","code":0}`},
	{"unknown path without a token", nil, request{method: "GET", path: "/nothing", noAuth: true}, 404, `{"message":"404: Not Found","code":0}`},
	{"wrong method", nil, request{method: "DELETE", path: "/guilds/{g}"}, 405, `{"message":"405: Method Not Allowed","code":0}`},
	{"guild not a snowflake", nil, get("/guilds/skeld"), 400, form("guild_id", "NUMBER_TYPE_COERCE", `Value \"skeld\" is not snowflake.`)},
	{"guild unknown", nil, get("/guilds/1"), 404, `{"message":"Unknown Guild","code":10004}`},
	{"bot not in the guild", func(w *world) { w.ok(w.RemoveMember(w.guild, w.bot.ID)) }, patch("{ana}", `{"mute":true}`), 403, `{"message":"Missing Access","code":50001}`},
	{"user unknown", nil, patch("5", `{"mute":true}`), 404, `{"message":"Unknown User","code":10013}`},
	{"user not a member", nil, patch("{stranger}", `{"mute":true}`), 404, `{"message":"Unknown Member","code":10007}`},
	{"get of a user that is no member", nil, get("/guilds/{g}/members/{stranger}"), 404, `{"message":"Unknown Member","code":10007}`},
	{"mute out of voice", nil, patch("{cat}", `{"mute":true}`), 400, `{"message":"Target user is not connected to voice.","code":40032}`},
	{"unmute out of voice", nil, patch("{cat}", `{"mute":false}`), 400, `{"message":"Target user is not connected to voice.","code":40032}`},
	{"undeafen out of voice", nil, patch("{cat}", `{"deaf":false}`), 400, `{"message":"Target user is not connected to voice.","code":40032}`},
	{"null mute out of voice", nil, patch("{cat}", `{"mute":null}`), 400, `{"message":"Target user is not connected to voice.","code":40032}`},
	{"move out of voice", nil, patch("{cat}", `{"channel_id":null}`), 400, `{"message":"Target user is not connected to voice.","code":40032}`},
	{"voice state out of voice", nil, get("/guilds/{g}/voice-states/{cat}"), 404, `{"message":"Unknown Voice State","code":10065}`},
	{"own voice state out of voice", nil, get("/guilds/{g}/voice-states/@me"), 404, `{"message":"Unknown Voice State","code":10065}`},
	{"mute permission gone", func(w *world) { w.ok(w.SetRolePermissions(w.guild, w.botRole, ViewChannel|DeafenMembers)) }, patch("{ana}", `{"mute":true}`), 403, `{"message":"Missing Permissions","code":50013}`},
	{"channel hidden", func(w *world) { w.ok(w.SetOverwrite(w.guild, w.voice, w.botRole, Overwrite{Deny: ViewChannel})) }, patch("{ana}", `{"mute":true}`), 403, `{"message":"Missing Access","code":50001}`},
	{"channel closed", func(w *world) { w.ok(w.SetOverwrite(w.guild, w.voice, w.botRole, Overwrite{Deny: Connect})) }, patch("{ana}", `{"mute":true}`), 403, `{"message":"Missing Permissions","code":50013}`},
	{"unknown channel", nil, patch("{ana}", `{"channel_id":"7"}`), 404, `{"message":"Unknown Channel","code":10003}`},
	{"text channel", nil, request{method: "PATCH", path: "/guilds/{g}/members/{ana}", body: `{"channel_id":"{text}"}`}, 400, `{"message":"Cannot execute action on this channel type","code":50024}`},
	{"unknown role", func(w *world) { w.ok(w.SetRolePermissions(w.guild, w.botRole, ManageRoles)) }, patch("{ana}", `{"roles":["7"]}`), 404, `{"message":"Unknown Role","code":10011}`},
	{"not JSON", nil, patch("{ana}", `{"mute":`), 400, `{"message":"The request body contains invalid JSON.","code":50109}`},
	{"empty body", nil, patch("{ana}", ``), 400, `{"message":"The request body contains invalid JSON.","code":50109}`},
	{"two values", nil, patch("{ana}", `{} {}`), 400, `{"message":"The request body contains invalid JSON.","code":50109}`},
	{"not an object", nil, patch("{ana}", `[true]`), 400, `{"message":"Invalid Form Body","code":50035,"errors":{"_errors":[{"code":"DICT_TYPE_CONVERT","message":"Only dictionaries may be used in a DictType"}]}}`},
	{"not declared as JSON", nil, request{method: "PATCH", path: "/guilds/{g}/members/{ana}", body: `{"mute":true}`, contentType: "text/plain"}, 400, `{"message":"Invalid Form Body","code":50035,"errors":{"_errors":[{"code":"CONTENT_TYPE_INVALID","message":"Expected \"Content-Type\" header to be one of {'application/json'}."}]}}`},
	{"mute not a boolean", nil, patch("{ana}", `{"mute":"yes"}`), 400, form("mute", "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")},
	{"nick not a string", nil, patch("{ana}", `{"nick":5}`), 400, form("nick", "STRING_TYPE_CONVERT", `Could not interpret \"5\" as string.`)},
	{"nick too long", nil, patch("{ana}", `{"nick":"`+strings.Repeat("é", 33)+`"}`), 400, form("nick", "BASE_TYPE_BAD_LENGTH", "Must be 32 or fewer in length.")},
	{"role not a snowflake", nil, patch("{ana}", `{"roles":["7","x"]}`), 400, form("roles.1", "NUMBER_TYPE_COERCE", `Value \"x\" is not snowflake.`)},
	{"roles twice", nil, patch("{ana}", `{"roles":["7","7"]}`), 400, form("roles.1", "SET_TYPE_ALREADY_CONTAINS_VALUE", "The set already contains this value")},
	{"roles not a list", nil, patch("{ana}", `{"roles":"7"}`), 400, form("roles", "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")},
	{"flags not a number", nil, patch("{ana}", `{"flags":"x"}`), 400, form("flags", "NUMBER_TYPE_COERCE", `Value \"x\" is not int.`)},
	{"time-out not a time", nil, patch("{ana}", `{"communication_disabled_until":"soon"}`), 400, form("communication_disabled_until", "DATE_TIME_TYPE_PARSE", `Could not parse \"soon\". Should be ISO8601.`)},
	{"time-out too long", func(w *world) { w.ok(w.SetRolePermissions(w.guild, w.botRole, ModerateMembers)) },
		patch("{ana}", `{"communication_disabled_until":"`+time.Now().Add(29*24*time.Hour).Format(time.RFC3339)+`"}`),
		400, form("communication_disabled_until", "INVALID_COMMUNICATION_DISABLED_TIMESTAMP", "The timestamp must be within the next 28 days.")},
	{"reason too long", nil, request{method: "PATCH", path: "/guilds/{g}/members/{ana}", body: `{}`, reason: strings.Repeat("%C3%A9", 513)}, 400, form("reason", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 512 in length.")},
	{"body too large", nil, patch("{ana}", `{"nick":"`+strings.Repeat("x", maxBody)+`"}`), 413, `{"message":"Request entity too large. Try sending something smaller in size","code":40005}`},
	{"list without the intent", func(w *world) { w.ok(w.AddMember(w.guild, w.other.ID)) }, request{method: "GET", path: "/guilds/{g}/members", auth: "Bot {other}"}, 403, `{"message":"Missing Access","code":50001}`},
	{"limit too high", nil, get("/guilds/{g}/members?limit=1001"), 400, form("limit", "NUMBER_TYPE_MAX", "int value should be less than or equal to 1000.")},
	{"limit too low", nil, get("/guilds/{g}/members?limit=0"), 400, form("limit", "NUMBER_TYPE_MIN", "int value should be greater than or equal to 1.")},
	{"after not a snowflake", nil, get("/guilds/{g}/members?after=x"), 400, form("after", "NUMBER_TYPE_COERCE", `Value \"x\" is not snowflake.`)},
	{"with_counts not a boolean", nil, get("/guilds/{g}?with_counts=many"), 400, form("with_counts", "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")},
}

func (w *world) fill(r request) request {
	names := strings.NewReplacer(
		"{g}", w.guild.String(), "{ana}", w.ana.String(), "{cat}", w.cat.String(), "{stranger}", w.stranger.String(),
		"{text}", w.text.String(), "{token}", w.bot.Token, "{other}", w.other.Token,
	)
	r.path, r.body, r.auth = names.Replace(r.path), names.Replace(r.body), names.Replace(r.auth)
	return r
}

func TestRefusals(t *testing.T) {
	for _, c := range refusals {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			if c.prepare != nil {
				c.prepare(w)
			}
			before := w.LastVoiceChange()
			got := w.do(w.fill(c.req))
			if got.Status != c.status || !sameJSON(got.Body, c.want) {
				t.Errorf("got %d %s\nwant %d %s", got.Status, got.Body, c.status, c.want)
			}
			if ct := got.Header.Get("Content-Type"); ct != "application/json" {
				t.Errorf("content type %q", ct)
			}
			if w.LastVoiceChange() != before || len(w.AuditLog(w.guild)) > 0 {
				t.Error("a refused request changed something")
			}
			log := w.Requests(0, 0)
			if len(log) != 1 || log[0].Status != c.status || log[0].Code != got.code(t) {
				t.Errorf("logged as %+v", log)
			}
		})
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	ax, _ := json.Marshal(x)
	by, _ := json.Marshal(y)
	return string(ax) == string(by)
}

func TestSeveralFaultsAreReportedAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	got := w.patch(w.ana, `{"mute":1,"deaf":"x","roles":[null,{}],"channel_id":"-1"}`)
	var e struct {
		Errors struct {
			Mute, Deaf struct {
				E []fieldError `json:"_errors"`
			}
			Channel struct {
				E []fieldError `json:"_errors"`
			} `json:"channel_id"`
			Roles map[string]struct {
				E []fieldError `json:"_errors"`
			}
		}
	}
	if err := json.Unmarshal([]byte(got.Body), &e); err != nil {
		t.Fatal(err)
	}
	if got.Status != 400 || len(e.Errors.Mute.E) != 1 || len(e.Errors.Deaf.E) != 1 || len(e.Errors.Channel.E) != 1 || len(e.Errors.Roles) != 2 {
		t.Errorf("got %d %s", got.Status, got.Body)
	}
}

func TestPathsAndVersions(t *testing.T) {
	w := newWorld(t, Config{Limits: noLimits()})
	srv, client := w.serve()
	root := strings.TrimSuffix(srv, "/api/v10")
	for path, want := range map[string]int{
		"/api/v10/users/@me": 200, "/api/v6/users/@me": 200, "/api/v123/users/@me": 200, "/api/users/@me": 200,
		"/api/vX/users/@me": 404, "/users/@me": 404, "/api": 404, "/api/": 404, "/api/v10": 404, "/api/v10/": 404, "/": 404,
		"/api/v10//users/@me": 404, "/api/v10/users/@me/": 404, "/apis/v10/users/@me": 404,
	} {
		if status, body, err := w.get(client, root+path); err != nil || status != want {
			t.Errorf("%s: %d %s %v, want %d", path, status, body, err, want)
		}
	}
}

func TestGatewayNeedsNoTokenAndNamesThisServer(t *testing.T) {
	w := newWorld(t, Config{})
	got := w.do(request{method: "GET", path: "/gateway", noAuth: true})
	if got.Status != http.StatusOK || got.Body != `{"url":"ws://127.0.0.1:1/gateway"}` {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	if h := got.Header.Get("X-RateLimit-Limit"); h != "" {
		t.Errorf("an open route has a limit of %s", h)
	}
}
