package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/internal/discord"
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

// FuzzAPIPath: what is accepted is the end of what came, and has no part that a server
// could take for a step up or for two parts.
func FuzzAPIPath(f *testing.F) {
	for _, p := range []string{"/api/v10/users/@me", "/api/users/@me", "/api/v10/../x", "/api/v10/a%2Fb", "/api/v/x", "/api//x", "/api/v10/%zz", "/api/v9/x/."} {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, path string) {
		rest, ok := apiPath(path)
		if !ok {
			return
		}
		if !strings.HasPrefix(rest, "/") || !strings.HasSuffix(path, rest) || !strings.HasPrefix(path, "/api/") {
			t.Fatalf("%q became %q", path, rest)
		}
		plain, err := url.PathUnescape(rest)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(plain, "/") != strings.Count(rest, "/") || strings.Contains(plain, "\\") {
			t.Fatalf("%q has other parts than %q", rest, plain)
		}
		for _, part := range strings.Split(plain, "/")[1:] {
			if part == "" || part == "." || part == ".." {
				t.Fatalf("%q has the part %q", plain, part)
			}
		}
	})
}
