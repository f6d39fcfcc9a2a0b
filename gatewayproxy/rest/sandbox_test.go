package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
)

// world is a sandbox with one bot that may do everything.
type world struct {
	*sandbox.Discord
	app              sandbox.Application
	guild, text, ana sandbox.ID
}

func newWorld(t *testing.T, limits sandbox.Limits) *world {
	t.Helper()
	w := &world{Discord: sandbox.New(sandbox.Config{Limits: limits})}
	check := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	var err error
	w.app, err = w.AddApplication(sandbox.ApplicationSpec{Name: "guard", MembersIntent: true})
	check(err)
	owner, err := w.AddUser("Olga")
	check(err)
	w.ana, err = w.AddUser("Ana")
	check(err)
	w.guild, err = w.AddGuild("Skeld", owner)
	check(err)
	role, err := w.AddRole(w.guild, "guard", sandbox.Administrator)
	check(err)
	w.text, err = w.AddChannel(w.guild, "general", sandbox.TextChannel)
	check(err)
	check(w.AddMember(w.guild, w.ana))
	check(w.AddMember(w.guild, w.app.ID, role))
	return w
}

// redirect points discordgo, whose addresses are fixed, at another host.
type redirect struct {
	to   *url.URL
	base http.RoundTripper
}

func (r redirect) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.URL.Scheme, req.URL.Host, req.Host = r.to.Scheme, r.to.Host, r.to.Host
	return r.base.RoundTrip(req)
}

func (r *rig) discordgo(token string) *discordgo.Session {
	r.t.Helper()
	s, err := discordgo.New("Bot " + token)
	if err != nil {
		r.t.Fatal(err)
	}
	to, _ := url.Parse(r.url)
	s.Client = &http.Client{Transport: redirect{to, r.client.Transport}}
	return s
}

// Several processes with an unmodified library, and our own client, all at one token and
// one limiter: Discord refuses nobody.
func TestManyLibrariesShareTheLimits(t *testing.T) {
	l := sandbox.Limit{Requests: 5, Window: 300 * time.Millisecond}
	w := newWorld(t, sandbox.Limits{MemberPatch: l, MemberGet: l, MemberList: l, GuildGet: l, Other: l, Self: l, Global: 50})
	w.SetLatency(2*time.Millisecond, 10*time.Millisecond)
	r := newRig(t, w, nil)
	guild, ana, text := w.guild.String(), w.ana.String(), w.text.String()
	var wg sync.WaitGroup
	for range 3 {
		s := r.discordgo(w.app.Token)
		for i := range 10 {
			wg.Go(func() {
				_, err1 := s.GuildMember(guild, ana)
				_, err2 := s.ChannelMessageSend(text, "hello")
				err3 := s.GuildMemberNickname(guild, ana, fmt.Sprint("n", i))
				if err := errors.Join(err1, err2, err3); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	if c := w.Counts(); len(c.Limited) > 0 || c.Requests != 90 {
		t.Errorf("%+v", c)
	}
}

func TestWhoWouldWaitTooLongIsTold(t *testing.T) {
	w := newWorld(t, sandbox.Limits{GuildGet: sandbox.Limit{Requests: 1, Window: time.Hour}})
	r := newRig(t, w, func(c *Config) { c.MaxWait = 2 * time.Second })
	path, auth := "/api/v10/guilds/"+w.guild.String(), "Bot "+w.app.Token
	if got := r.do("GET", path, auth, nil); got.status != 200 {
		t.Fatalf("%+v", got)
	}
	got := r.do("GET", path, auth, nil)
	var body struct {
		Message    string
		RetryAfter float64 `json:"retry_after"`
		Global     bool
	}
	err := json.Unmarshal([]byte(got.body), &body)
	if got.status != 429 || err != nil || body.RetryAfter < 3500 || body.RetryAfter > 3601 || body.Global || body.Message == "" ||
		got.header.Get(HeaderLimited) != discord.ReasonTooLong || got.header.Get("X-RateLimit-Scope") != "user" || got.header.Get("Retry-After") == "" {
		t.Errorf("%+v", got)
	}
	if n := w.Counts().Requests; n != 1 {
		t.Errorf("%d requests arrived", n)
	}
}

func TestRefusalsOfDiscordArePassedOnAndRemembered(t *testing.T) {
	w := newWorld(t, sandbox.Limits{})
	r := newRig(t, w, nil)
	for range 2 { // the second answer is ours and looks the same
		if got := r.do("GET", "/api/v10/users/@me", "Bot nobody", nil); got.status != 401 || strings.TrimSpace(got.body) != `{"message":"401: Unauthorized","code":0}` {
			t.Errorf("%+v", got)
		}
	}
	if n := w.Counts().Requests; n != 1 {
		t.Errorf("%d requests with an unknown token arrived", n)
	}
	if err := w.AddFault(sandbox.Fault{Kind: sandbox.FaultLimitUser, RetryAfter: 300 * time.Millisecond, Route: sandbox.RouteMember}); err != nil {
		t.Fatal(err)
	}
	path, auth := "/api/v10/guilds/"+w.guild.String()+"/members/"+w.ana.String(), "Bot "+w.app.Token
	start := time.Now()
	if got := r.do("GET", path, auth, nil); got.status != 429 || got.header.Get(HeaderLimited) != "" || !strings.Contains(got.body, `"retry_after":0.3`) {
		t.Errorf("%+v", got)
	}
	if got := r.do("GET", path, auth, nil); got.status != 200 || time.Since(start) < 300*time.Millisecond {
		t.Errorf("after %s: %+v", time.Since(start), got)
	}
}

func TestFailuresOfDiscordAreTold(t *testing.T) {
	w := newWorld(t, sandbox.Limits{})
	r := newRig(t, w, func(c *Config) { c.MaxWait, c.Deadline = 200*time.Millisecond, 500*time.Millisecond })
	auth := "Bot " + w.app.Token
	for kind, want := range map[sandbox.FaultKind]reply{
		sandbox.FaultTimeout: {504, http.Header{HeaderLimited: {reasonTimeout}}, ""},
		sandbox.FaultReset:   {502, http.Header{HeaderLimited: {reasonUnreachable}}, ""},
		sandbox.Fault502:     {502, http.Header{}, "<html>"},
	} {
		// The transport repeats a GET on a connection that was cut once it was used; a POST it does not.
		if err := w.AddFault(sandbox.Fault{Kind: kind}); err != nil {
			t.Fatal(err)
		}
		got := r.do("POST", "/api/v10/channels/"+w.text.String()+"/typing", auth, nil)
		if got.status != want.status || got.header.Get(HeaderLimited) != want.header.Get(HeaderLimited) || !strings.HasPrefix(got.body, want.body) {
			t.Errorf("%s: %+v", kind, got)
		}
		w.ClearFaults()
	}
	if s := r.proxy.cfg.Limiter.Stats(); s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
}

// A channel's name has a limit of its own; the pass-through sees it in the body and keeps
// it from holding back other changes.
func TestSublimitsAreSeenInBodies(t *testing.T) {
	w := newWorld(t, sandbox.Limits{ChannelRename: sandbox.Limit{Requests: 1, Window: time.Hour}})
	r := newRig(t, w, func(c *Config) { c.MaxWait = time.Second })
	path, auth := "/api/v10/channels/"+w.text.String(), "Bot "+w.app.Token
	patch := func(body string) reply {
		req, _ := http.NewRequestWithContext(t.Context(), "PATCH", r.url+path, strings.NewReader(body))
		req.Header.Set("Authorization", auth)
		req.Header.Set("Content-Type", "application/json")
		resp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return reply{resp.StatusCode, resp.Header, ""}
	}
	for i, want := range []struct {
		body    string
		status  int
		limited string
	}{
		{`{"name":"one"}`, 200, ""}, {`{"name":"two"}`, 429, ""}, {`{"name":"two"}`, 429, discord.ReasonTooLong}, {`{"rate_limit_per_user":5}`, 200, ""},
	} {
		if got := patch(want.body); got.status != want.status || got.header.Get(HeaderLimited) != want.limited {
			t.Errorf("%d: %+v", i, got)
		}
	}
}

func TestAClientThatLeavesFreesItsPlace(t *testing.T) {
	reached, release := make(chan struct{}, 8), make(chan struct{})
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		reached <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-release:
		}
	}), nil)
	ctx, cancel := context.WithCancel(t.Context())
	req, _ := http.NewRequestWithContext(ctx, "GET", r.url+"/api/v10/guilds/1", nil)
	gone := make(chan error, 1)
	go func() {
		resp, err := r.client.Do(req)
		if err == nil {
			_ = resp.Body.Close()
		}
		gone <- err
	}()
	<-reached
	next := make(chan reply, 1)
	go func() { next <- r.do("GET", "/api/v10/guilds/1", "", nil) }() // an unknown route: one at a time
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	<-reached
	close(release)
	if got := <-next; got.status != 200 {
		t.Errorf("%+v", got)
	}
}
