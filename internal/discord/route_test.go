package discord

import (
	"strings"
	"testing"
	"time"
)

func TestRouteOf(t *testing.T) {
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	fresh := "1400000000000000000" // 2025-07: old by then
	young := "1533000000000000000" // 2026-07-31
	long := interactionToken + strings.Repeat("x", 100)
	for _, c := range []struct {
		method, path, template, major string
		flags                         string
	}{
		{"GET", "/users/@me", "/users/@me", "", ""},
		{"GET", "/users/80351110224678912", "/users/{id}", "", ""},
		{"PATCH", "/guilds/1/members/2?x=3", "/guilds/{id}/members/{id}", "1", ""},
		{"PATCH", "guilds/1/members/2/", "/guilds/{id}/members/{id}", "1", ""},
		{"PATCH", "/guilds/1/members/@me", "/guilds/{id}/members/@me", "1", ""},
		{"PUT", "/guilds/1/members/2/roles/3", "/guilds/{id}/members/{id}/roles/{id}", "1", ""},
		{"GET", "/guilds/templates/abcDEF", "/guilds/templates/{code}", "", ""},
		{"GET", "/invites/abcDEF", "/invites/{code}", "", ""},
		{"POST", "/channels/5/messages", "/channels/{id}/messages", "5", ""},
		{"GET", "/channels/5/messages/" + fresh, "/channels/{id}/messages/{id}", "5", ""},
		{"DELETE", "/channels/5/messages/" + fresh, "/channels/{id}/messages/{id} (old)", "5", ""},
		{"DELETE", "/channels/5/messages/" + young, "/channels/{id}/messages/{id}", "5", ""},
		{"PUT", "/channels/5/messages/6/reactions/%F0%9F%91%8D/@me", "/channels/{id}/messages/{id}/reactions", "5", ""},
		{"DELETE", "/channels/5/messages/6/reactions/name:7/8", "/channels/{id}/messages/{id}/reactions", "5", ""},
		{"POST", "/guilds/1/emojis", "/guilds/{id}/emojis", "1", "serial"},
		{"DELETE", "/guilds/1/emojis/2", "/guilds/{id}/emojis/{id}", "1", "serial"},
		{"GET", "/webhooks/9", "/webhooks/{id}", "9", ""},
		{"POST", "/webhooks/9/secret", "/webhooks/{id}/{token}", shortHash("9/secret"), "hook"},
		{"PATCH", "/webhooks/9/secret/messages/10", "/webhooks/{id}/{token}/messages/{id}", shortHash("9/secret"), "hook"},
		{"PATCH", "/webhooks/9/" + long + "/messages/@original", "/webhooks/{id}/{token}/messages/@original", shortHash("9/" + long), "interaction"},
		{"POST", "/interactions/9/abc/callback", "/interactions/{id}/{token}/callback", shortHash("9/abc"), "interaction"},
		{"GET", "/a/brand/new/route/12/of/2031", "/a/brand/new/route/{id}/of/{id}", "", ""},
		{"GET", "/applications/1/commands/" + strings.Repeat("y", 90), "/applications/{id}/commands/{long}", "", ""},
		{"GET", "", "/", "", ""},
		{"GET", "///", "/", "", ""},
		{"GET", "/channels", "/channels", "", ""},
		{"GET", "/channels/x/messages", "/channels/x/messages", "", ""},
		{"GET", "/" + strings.Repeat("a/", 40), "/" + strings.Repeat("a/", 11) + "{rest}", "", ""},
	} {
		r := RouteOf(c.method, c.path, now)
		flags := map[bool]string{true: "interaction"}[r.Interaction] + map[bool]string{true: "serial"}[r.Serial] + map[bool]string{true: "hook"}[r.Webhook != ""]
		if r.Template != c.template || r.Major != c.major || flags != c.flags || r.Method != c.method {
			t.Errorf("%s %s: %+v", c.method, c.path, r)
		}
	}
}

func TestRouteClass(t *testing.T) {
	for path, want := range map[string]Class{
		"POST /interactions/1/a/callback":    ClassInteraction,
		"PATCH /guilds/1/members/2":          ClassUrgent,
		"DELETE /guilds/1/members/2/roles/3": ClassUrgent,
		"PUT /guilds/1/bans/2":               ClassUrgent,
		"POST /guilds/1/bulk-ban":            ClassUrgent,
		"PUT /guilds/1/incident-actions":     ClassUrgent,
		"GET /guilds/1/members/2":            ClassMessage,
		"GET /guilds/1/bans/2":               ClassMessage,
		"POST /channels/1/messages":          ClassMessage,
	} {
		method, p := cut(path)
		if got := RouteOf(method, p, time.Time{}).DefaultClass(); got != want {
			t.Errorf("%s: class %d, want %d", path, got, want)
		}
	}
}

// FuzzRouteOf: whatever the path, its template is short, holds no id and no secret, is
// the same for the same path with a query, and is its own template.
func FuzzRouteOf(f *testing.F) {
	for _, p := range []string{
		"/guilds/1/members/2", "/webhooks/1/abc/messages/@original", "/interactions/1/2/callback", "//", "/channels/1//messages/2/reactions/x",
		"/channels/1/messages/18446744073709551615", "/guilds/99999999999999999999999/bans/1", "/webhooks/1", "/invites/1", "?", "/a?b/1",
	} {
		f.Add("DELETE", p)
	}
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, method, path string) {
		r := RouteOf(method, path, now)
		if !strings.HasPrefix(r.Template, "/") || len(r.Template) > maxSegments*(maxSegment+1)+8 {
			t.Fatalf("template %q", r.Template)
		}
		for _, part := range strings.Split(strings.TrimSuffix(r.Template, " (old)"), "/") {
			if part != "" && strings.Trim(part, "0123456789") == "" {
				t.Fatalf("an id in %q", r.Template)
			}
		}
		if r.Major != "" && !isID(r.Major) && len(r.Major) != 32 {
			t.Fatalf("major %q", r.Major)
		}
		if other := RouteOf(method, path+"?limit=1", now); !strings.Contains(path, "?") && other != r {
			t.Fatalf("with a query %+v, without %+v", other, r)
		}
		if parts := strings.Split(strings.Trim(path, "/"), "/"); len(parts) > 2 && parts[0] == "webhooks" && isID(parts[1]) && !strings.Contains(path, "?") {
			if len(parts[2]) > 7 && strings.Contains(r.Template+r.Major, parts[2]) {
				t.Fatalf("the secret %q is in %+v", parts[2], r)
			}
		}
		if again := RouteOf(method, r.Template, now); again.Template != r.Template {
			t.Fatalf("the template of %q is %q", r.Template, again.Template)
		}
	})
}
