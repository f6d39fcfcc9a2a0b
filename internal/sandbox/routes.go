package sandbox

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
)

// Names of the routes, for Fault.Route and Request.Route.
const (
	RouteSelf           = "GET /users/@me"
	RouteGateway        = "GET /gateway"
	RouteGatewayBot     = "GET /gateway/bot"
	RouteGuild          = "GET /guilds/{guild_id}"
	RouteMember         = "GET /guilds/{guild_id}/members/{user_id}"
	RoutePatchMember    = "PATCH /guilds/{guild_id}/members/{user_id}"
	RouteMembers        = "GET /guilds/{guild_id}/members"
	RouteVoiceState     = "GET /guilds/{guild_id}/voice-states/{user_id}"
	RouteSelfVoiceState = "GET /guilds/{guild_id}/voice-states/@me"
)

// route is one row: what to answer, which limit counts it, who answers. Routes with the same bucket share it.
type route struct {
	method, pattern string
	bucket          string
	limit           func(Limits) Limit // nil: none
	open            bool               // needs no token of a bot and is outside of the global limit
	body            int64              // bytes that its body may have; zero = maxBody
	handle          func(*call) (any, *apiError)
}

// name is method and pattern; the parameters are called as in Discord's API description.
func (r *route) name() string { return r.method + " " + r.pattern }

// allRoutes is all that the sandbox serves, more exact patterns first. A handler runs with the lock held, at one instant.
// The families have their tables beside their handlers.
func allRoutes() []route {
	return slices.Concat(
		memberRoutes(), coreRoutes(), accountRoutes(), guildRoutes(), banRoutes(), roleRoutes(), channelRoutes(), threadRoutes(), pinRoutes(), messageRoutes(),
		inviteRoutes(), webhookRoutes(), emojiRoutes(), stickerRoutes(), soundRoutes(), automodRoutes(), greetingRoutes(), scheduledRoutes(),
		webhookMessageRoutes(), commandRoutes(), callbackRoutes(),
		cdnRoutes(),
	)
}

func coreRoutes() []route {
	return []route{
		{method: "GET", pattern: "/users/@me", bucket: "self", limit: func(l Limits) Limit { return l.Self }, handle: getSelf},
		{method: "GET", pattern: "/gateway", open: true, handle: getGateway},
		{method: "GET", pattern: "/gateway/bot", bucket: "gateway", limit: func(l Limits) Limit { return l.Gateway }, handle: getGatewayBot},
		{method: "GET", pattern: "/guilds/{guild_id}", bucket: "guild", limit: func(l Limits) Limit { return l.GuildGet }, handle: getGuild},
		{method: "GET", pattern: "/guilds/{guild_id}/members", bucket: "members", limit: func(l Limits) Limit { return l.MemberList }, handle: listMembers},
		{method: "GET", pattern: "/guilds/{guild_id}/members/{user_id}", bucket: "member-get", limit: func(l Limits) Limit { return l.MemberGet }, handle: getMember},
		{method: "PATCH", pattern: "/guilds/{guild_id}/members/{user_id}", bucket: "member-patch", limit: func(l Limits) Limit { return l.MemberPatch }, handle: patchMember},
		{method: "GET", pattern: "/guilds/{guild_id}/voice-states/@me", bucket: "voice-state", limit: func(l Limits) Limit { return l.VoiceState }, handle: getSelfVoiceState},
		{method: "GET", pattern: "/guilds/{guild_id}/voice-states/{user_id}", bucket: "voice-state", limit: func(l Limits) Limit { return l.VoiceState }, handle: getVoiceState},
	}
}

// bucketHash is the opaque name of a bucket as X-RateLimit-Bucket gives it: 32 hex digits, equal for all tokens and guilds.
func bucketHash(bucket string) string {
	sum := sha256.Sum256([]byte("sandbox bucket " + bucket))
	return hex.EncodeToString(sum[:16])
}

// param is one part of a path that stands for an id or, where it is free, for a text.
type param struct{ name, value string }

func (p param) free() bool {
	return p.name == "webhook_token" || p.name == "interaction_token" || p.name == "code"
}

// findRoute gives the row for a path below /api. Without one it says whether the path exists for another method.
func (d *Discord) findRoute(method, path string) (r *route, params []param, otherMethod bool) {
	for i := range d.routes {
		row := &d.routes[i]
		got, ok := match(row.pattern, path)
		if !ok {
			continue
		}
		if row.method == method {
			return row, got, false
		}
		otherMethod = true
	}
	return nil, nil, otherMethod
}

// rowOf finds a row by its name.
func (d *Discord) rowOf(name string) *route {
	for i := range d.routes {
		if d.routes[i].name() == name {
			return &d.routes[i]
		}
	}
	return nil
}

func match(pattern, path string) ([]param, bool) {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return nil, false
	}
	var params []param
	for i, w := range want {
		switch {
		case strings.HasPrefix(w, "{"):
			if have[i] == "" || have[i][0] == '@' {
				return nil, false
			}
			params = append(params, param{strings.Trim(w, "{}"), have[i]})
		case w != have[i]:
			return nil, false
		}
	}
	return params, true
}

// apiPath strips /api or /api/vN, whatever the version.
func apiPath(path string) (string, bool) {
	rest, ok := strings.CutPrefix(path, "/api")
	if !ok || rest == "" || rest[0] != '/' {
		return "", false
	}
	version, tail, more := strings.Cut(rest[1:], "/")
	if digits, isVersion := strings.CutPrefix(version, "v"); more && isVersion && digits != "" && strings.Trim(digits, "0123456789") == "" {
		return "/" + tail, true
	}
	return rest, true
}

// canHaveBody says which methods' bodies are read.
func canHaveBody(method string) bool { return method != http.MethodGet && method != http.MethodHead }
