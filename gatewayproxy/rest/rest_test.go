package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
)

// rig is the pass-through in front of a server.
type rig struct {
	t      *testing.T
	proxy  *Proxy
	url    string // of the pass-through
	client *http.Client
}

func newRig(t *testing.T, upstream http.Handler, edit func(*Config)) *rig {
	t.Helper()
	up := httptest.NewServer(upstream)
	t.Cleanup(up.Close)
	cfg := Config{API: up.URL + "/api/v10", Limiter: discord.NewLimiter(discord.LimiterConfig{})}
	if edit != nil {
		edit(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	door := httptest.NewServer(p)
	t.Cleanup(door.Close)
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(client.CloseIdleConnections)
	return &rig{t, p, door.URL, client}
}

type reply struct {
	status int
	header http.Header
	body   string
}

func (r *rig) do(method, path, auth string, body io.Reader) reply {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.url+path, body)
	if err != nil {
		r.t.Fatal(err)
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(data)}
}

func TestRequestsArriveAsTheyWereSent(t *testing.T) {
	type seen struct {
		method, uri, host string
		header            http.Header
		body              []byte
		length            int64
	}
	var got seen
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = seen{r.Method, r.RequestURI, r.Host, r.Header, body, r.ContentLength}
		w.Header().Set("X-RateLimit-Bucket", "abc")
		w.Header().Set("Content-Encoding", "br")
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte("not really brotli"))
	}), nil)
	var form bytes.Buffer
	m := multipart.NewWriter(&form)
	part, _ := m.CreateFormFile("files[0]", "a.bin")
	_, _ = part.Write(bytes.Repeat([]byte{0, 1, 2}, 1<<20))
	_ = m.Close()
	sent := bytes.Clone(form.Bytes())
	req, _ := http.NewRequestWithContext(t.Context(), "POST", r.url+"/api/v9/channels/5/messages?a=%2F&b=1;2&a=", &form)
	for k, v := range map[string]string{
		"Authorization": "bare-token", "X-Audit-Log-Reason": "%C3%A9", "User-Agent": "DiscordBot (x, 1)", "Content-Type": m.FormDataContentType(),
		"Accept-Encoding": "br", "X-Super-Properties": "kept",
	} {
		req.Header.Set(k, v)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 201 || string(body) != "not really brotli" || resp.Header.Get("X-RateLimit-Bucket") != "abc" || resp.Header.Get("Content-Encoding") != "br" || resp.Header.Get(HeaderLimited) != "" {
		t.Errorf("answer %d %v %q", resp.StatusCode, resp.Header, body)
	}
	if got.method != "POST" || got.uri != "/api/v9/channels/5/messages?a=%2F&b=1;2&a=" || !strings.HasPrefix(got.host, "127.0.0.1:") || got.host == strings.TrimPrefix(r.url, "http://") {
		t.Errorf("arrived: %s %s at %s", got.method, got.uri, got.host)
	}
	if !bytes.Equal(got.body, sent) || got.length != int64(len(sent)) {
		t.Errorf("%d of %d bytes arrived, announced %d", len(got.body), len(sent), got.length)
	}
	for k := range req.Header {
		if got.header.Get(k) != req.Header.Get(k) {
			t.Errorf("%s is %q, sent as %q", k, got.header.Get(k), req.Header.Get(k))
		}
	}
	for k := range got.header {
		if _, ok := req.Header[k]; !ok && k != "Content-Length" {
			t.Errorf("%s: %q was added", k, got.header.Get(k))
		}
	}
	// Reactions have escapes in their paths, and libraries may send no user agent.
	r.do("PUT", "/api/channels/5/messages/6/reactions/%F0%9F%91%8D/@me", "Bot x", nil)
	if got.uri != "/api/channels/5/messages/6/reactions/%F0%9F%91%8D/@me" {
		t.Errorf("a reaction arrived at %s", got.uri)
	}
}

// A body is passed on while it is written, and an answer while it is sent.
func TestBodiesStream(t *testing.T) {
	first, more := make(chan struct{}), make(chan struct{})
	r := newRig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := make([]byte, 5)
		if _, err := io.ReadFull(r.Body, buf); err != nil {
			t.Error(err)
		}
		close(first)
		<-more
		_ = http.NewResponseController(w).EnableFullDuplex()
		_, _ = w.Write([]byte("head"))
		w.(http.Flusher).Flush()
		rest, err := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, " %d %v", len(rest), err)
	}), nil)
	in, out := io.Pipe()
	done := make(chan reply, 1)
	go func() { done <- r.do("POST", "/api/v10/channels/5/messages", "Bot x", in) }()
	_, _ = out.Write([]byte("12345"))
	select {
	case <-first: // the first bytes are there although the last are not sent
	case <-time.After(20 * time.Second):
		t.Fatal("the body is held back")
	}
	close(more)
	_, _ = out.Write([]byte("678"))
	_ = out.Close()
	if got := <-done; got.body != "head 3 <nil>" {
		t.Errorf("%+v", got)
	}
}

func TestPathsThatCouldBeReadInTwoWaysAreRefused(t *testing.T) {
	var calls atomic.Int32
	r := newRig(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { calls.Add(1) }), nil)
	for _, path := range []string{
		"/", "/api", "/api/", "/apiv10/users/@me", "/gateway/x", "/api/v10/guilds/1/../2", "/api/v10/guilds//1", "/api/v10/guilds/%2e%2e/1",
		"/api/v10/guilds/1%2F2", "/api/v10/guilds/1%5C2", "/api/v10/./x",
	} {
		if got := r.do("GET", path, "Bot x", nil); got.status != 404 || got.header.Get(HeaderLimited) != reasonBadPath {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if n := calls.Load(); n > 0 {
		t.Errorf("%d went on", n)
	}
}

func TestGatewayRoutesAreOurs(t *testing.T) {
	r := newRig(t, http.NotFoundHandler(), func(c *Config) {
		c.GatewayURL = func(r *http.Request) string { return "ws://" + r.Host }
		c.Shards = func() int { return 16 }
		c.Authorize = func(token string) bool { return token == "right" }
	})
	host := strings.TrimPrefix(r.url, "http://")
	if got := r.do("GET", "/api/v9/gateway", "", nil); got.status != 200 || strings.TrimSpace(got.body) != `{"url":"ws://`+host+`"}` {
		t.Errorf("%+v", got)
	}
	for auth, want := range map[string]int{"": 401, "Bot wrong": 401, "Bot right": 200, "right": 200} {
		got := r.do("GET", "/api/v10/gateway/bot", auth, nil)
		if got.status != want {
			t.Errorf("%q: %+v", auth, got)
		}
		if want != 200 {
			continue
		}
		var v discordgo.GatewayBotResponse
		if err := json.Unmarshal([]byte(got.body), &v); err != nil || v.Shards != 16 || v.SessionStartLimit.MaxConcurrency != 1000 || v.SessionStartLimit.Remaining < 16 {
			t.Errorf("%s: %+v %v", got.body, v, err)
		}
	}
	if got := r.do("POST", "/api/v10/gateway", "", nil); got.status != 404 {
		t.Errorf("another method: %+v", got)
	}
}

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

func TestNewRefusesBadConfigs(t *testing.T) {
	l := discord.NewLimiter(discord.LimiterConfig{})
	for name, c := range map[string]Config{
		"no address": {Limiter: l}, "no limiter": {API: discord.DefaultAPI}, "another scheme": {API: "ftp://x/api", Limiter: l},
		"waits": {API: discord.DefaultAPI, Limiter: l, MaxWait: time.Hour, Deadline: time.Minute},
	} {
		if _, err := New(c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	// A base with a path in front of /api keeps it.
	var uri string
	r := newRig(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { uri = r.RequestURI }), func(c *Config) {
		c.API = strings.Replace(c.API, "/api", "/behind/api", 1)
	})
	r.do("GET", "/api/v8/users/@me", "", nil)
	if uri != "/behind/api/v8/users/@me" {
		t.Errorf("arrived at %s", uri)
	}
}
