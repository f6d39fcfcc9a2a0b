package discord

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"splashtail/internal/sandbox"
	"splashtail/internal/sandbox/openapi"
	"splashtail/internal/secret"
)

// rig is a guild in the sandbox, and a bot that may do everything in it.
type rig struct {
	*sandbox.Discord
	t   *testing.T
	c   *Client
	l   *Limiter
	bot *Bot

	app                              sandbox.Application
	guild, text, owner, ana, bo, cat sandbox.ID
	botRole                          sandbox.ID
	operations                       func() []string
}

func newRig(t *testing.T, limits sandbox.Limits) *rig {
	t.Helper()
	r := &rig{Discord: sandbox.New(sandbox.Config{Limits: limits}), t: t, l: NewLimiter(LimiterConfig{}), operations: func() []string { return nil }}
	r.app = must(r.AddApplication(sandbox.ApplicationSpec{Name: "guard", MembersIntent: true}))(t)
	r.owner, r.ana, r.bo, r.cat = must(r.AddUser("Olga"))(t), must(r.AddUser("Ana"))(t), must(r.AddUser("Bo"))(t), must(r.AddUser("Cat"))(t)
	r.guild = must(r.AddGuild("Skeld", r.owner))(t)
	r.botRole = must(r.AddRole(r.guild, "guard", sandbox.Administrator))(t)
	r.text = must(r.AddChannel(r.guild, "general", sandbox.TextChannel))(t)
	for _, u := range []sandbox.ID{r.ana, r.bo, r.cat} {
		r.ok(r.AddMember(r.guild, u))
	}
	r.ok(r.AddMember(r.guild, r.app.ID, r.botRole))
	srv := httptest.NewServer(r.Discord)
	t.Cleanup(srv.Close)
	r.c = must(NewLimitedClient(srv.URL+"/api/v10", r.l))(t)
	t.Cleanup(r.c.Close)
	r.bot = r.c.Bot(secret.New(r.app.Token))
	return r
}

// checked holds all calls from now on against Discord's own description, where that file
// is at hand.
func (r *rig) checked() {
	r.t.Helper()
	path, err := openapi.Find()
	if err != nil {
		r.t.Logf("calls are not checked against Discord's description: %v", err)
		return
	}
	spec := must(openapi.Load(path))(r.t)
	r.operations = spec.Operations
	base := r.c.http.Transport
	r.c.http.Transport = checkable{base, spec.RoundTripper(base, func(err error) { r.t.Error(err) })}
}

// checkable keeps two kinds of request from the checker: forms with files, whose parts it
// cannot read, and lifting a ban, for which the description wants a body that Discord
// itself does not.
type checkable struct{ base, checker http.RoundTripper }

func (c checkable) RoundTrip(r *http.Request) (*http.Response, error) {
	form := strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/")
	if form || r.Method == http.MethodDelete && strings.Contains(r.URL.Path, "/bans/") {
		return c.base.RoundTrip(r)
	}
	return c.checker.RoundTrip(r)
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) code(err error, code int) {
	r.t.Helper()
	if !HasCode(err, code) {
		r.t.Errorf("have %v, want code %d", err, code)
	}
}

func must[T any](v T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// quick are limits that strictly count but let a test go on soon.
func quick() sandbox.Limits {
	l := sandbox.Limit{Requests: 5, Window: 300 * time.Millisecond}
	return sandbox.Limits{MemberPatch: l, MemberGet: l, MemberList: l, GuildGet: l, VoiceState: l, Self: l, Other: l}
}

// never wants that no request was refused for being too many.
func (r *rig) never429() {
	r.t.Helper()
	if c := r.Counts(); len(c.Limited) > 0 {
		r.t.Errorf("429s by scope: %v", c.Limited)
	}
}

func bounded(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Second)
	t.Cleanup(cancel)
	return ctx
}
