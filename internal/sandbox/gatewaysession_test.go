package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"splashtail/internal/gateway"
)

func TestGatewayGreets(t *testing.T) {
	w := newGatewayWorld(t, GatewaySettings{IdentifyEvery: -1, HeartbeatInterval: 45 * time.Second})
	for _, path := range []string{"/?v=10&encoding=json", "?v=10&encoding=json", "/gateway?encoding=json&v=10&unknown=1", "/gateway/?v=9"} {
		c := w.dialQuiet(path)
		m := c.read()
		var h struct {
			Interval int `json:"heartbeat_interval"`
		}
		if err := json.Unmarshal(m.D, &h); err != nil || m.O != gateway.OpHello || h.Interval != 45_000 || m.S != nil || m.T != nil {
			t.Errorf("%s: first frame %+v %s", path, m, m.D)
		}
		r := c.ready(identity(w.all, allIntents))
		version := 10
		if strings.HasSuffix(path, "v=9") {
			version = 9
		}
		if r.Version != version || r.User.ID != w.all.ID || !r.User.Bot || r.Application.ID != w.all.ID || r.Shard != nil {
			t.Errorf("%s: %+v", path, r)
		}
		if r.Application.Flags != flagPresences|flagMembers|flagContent {
			t.Errorf("%s: application flags %d", path, r.Application.Flags)
		}
		if !strings.HasSuffix(r.ResumeURL, gatewayResumePath) || !strings.HasPrefix(r.ResumeURL, w.url) {
			t.Errorf("%s: resume at %q", path, r.ResumeURL)
		}
		if !slices.Equal(r.Guilds, []unavailableGuild{{w.guild, true}}) {
			t.Errorf("%s: guilds %v", path, r.Guilds)
		}
		var g struct {
			ID          ID
			Unavailable *bool
		}
		if m := c.read(); m.name() != "GUILD_CREATE" || *m.S != 2 || json.Unmarshal(m.D, &g) != nil || g.ID != w.guild || g.Unavailable == nil || *g.Unavailable {
			t.Errorf("%s: after READY came %s %.100s", path, m.name(), m.D)
		}
	}
	if n := w.Identifies(); n != 4 {
		t.Errorf("%d IDENTIFYs", n)
	}
}

// frameRefusal is what a client sends and the code that it gets.
type frameRefusal struct {
	what   string
	code   int
	frames []string
}

func (w *gatewayWorld) frameRefusals() []frameRefusal {
	plain := must(w.AddApplication(ApplicationSpec{Name: "plain"}))(w.t)
	with := func(a Application, key string, value any) map[string]any {
		d := identity(a, 0)
		d[key] = value
		if value == nil {
			delete(d, key)
		}
		return d
	}
	frame := func(op int, d any) string { return string(rawJSON(map[string]any{"op": op, "d": d})) }
	ok := frame(gateway.OpIdentify, identity(w.all, 0))
	return []frameRefusal{
		{"unknown op", gateway.CloseUnknownOpcode, []string{ok, frame(12, nil)}},
		{"unknown op before IDENTIFY", gateway.CloseUnknownOpcode, []string{frame(5, nil)}},
		{"no JSON", gateway.CloseDecode, []string{"hello"}},
		{"no object", gateway.CloseDecode, []string{"[1]"}},
		{"no op", gateway.CloseDecode, []string{`{"d":null}`}},
		{"a word for an op", gateway.CloseDecode, []string{`{"op":"1"}`}},
		{"too large", gateway.CloseDecode, []string{`{"op":1,"d":null,"x":"` + strings.Repeat("x", maxFrame) + `"}`}},
		{"heartbeat with a word", gateway.CloseDecode, []string{frame(gateway.OpHeartbeat, "x")}},
		{"presence first", gateway.CloseNotAuthenticated, []string{frame(gateway.OpPresenceUpdate, nil)}},
		{"members first", gateway.CloseNotAuthenticated, []string{frame(gateway.OpRequestGuildMembers, nil)}},
		{"presence without activities", gateway.CloseDecode, []string{ok, `{"op":3,"d":{"since":null,"activities":null,"status":"online","afk":false}}`}},
		{"voice without guild", gateway.CloseDecode, []string{ok, frame(gateway.OpVoiceStateUpdate, map[string]any{"channel_id": nil})}},
		{"token", gateway.CloseAuthenticationFailed, []string{frame(gateway.OpIdentify, with(w.all, "token", "x"))}},
		{"no token", gateway.CloseDecode, []string{frame(gateway.OpIdentify, with(w.all, "token", nil))}},
		{"no intents", gateway.CloseDecode, []string{frame(gateway.OpIdentify, with(w.all, "intents", nil))}},
		{"no properties", gateway.CloseDecode, []string{frame(gateway.OpIdentify, with(w.all, "properties", nil))}},
		{"large threshold", gateway.CloseDecode, []string{frame(gateway.OpIdentify, with(w.all, "large_threshold", 49))}},
		{"shard", gateway.CloseInvalidShard, []string{frame(gateway.OpIdentify, with(w.all, "shard", []int{1, 1}))}},
		{"shard of three", gateway.CloseInvalidShard, []string{frame(gateway.OpIdentify, with(w.all, "shard", []int{0, 1, 2}))}},
		{"shard of none", gateway.CloseInvalidShard, []string{frame(gateway.OpIdentify, with(w.all, "shard", []int{0, 0}))}},
		{"unknown intent", gateway.CloseInvalidIntents, []string{frame(gateway.OpIdentify, with(w.all, "intents", 1<<17))}},
		{"negative intents", gateway.CloseInvalidIntents, []string{frame(gateway.OpIdentify, with(w.all, "intents", -1))}},
		{"privileged intent", gateway.CloseDisallowedIntents, []string{frame(gateway.OpIdentify, with(plain, "intents", IntentMessageContent))}},
		{"twice", gateway.CloseAlreadyAuthenticated, []string{ok, ok}},
		{"resume after identify", gateway.CloseAlreadyAuthenticated, []string{ok, frame(gateway.OpResume, map[string]any{"token": w.all.Token, "session_id": "x", "seq": 1})}},
		{"resume without a number", gateway.CloseDecode, []string{frame(gateway.OpResume, map[string]any{"token": w.all.Token, "session_id": "x"})}},
		{"resume with a wrong token", gateway.CloseAuthenticationFailed, []string{frame(gateway.OpResume, map[string]any{"token": "x", "session_id": "x", "seq": 1})}},
		{"six frames a minute", gateway.CloseRateLimited, slices.Repeat([]string{frame(gateway.OpHeartbeat, nil)}, 6)},
	}
}

// TestGatewayRefuses holds every close code against what causes it.
func TestGatewayRefuses(t *testing.T) {
	w := newGatewayWorld(t, GatewaySettings{IdentifyEvery: -1, FramesPerMinute: 5})
	for _, tc := range w.frameRefusals() {
		t.Run(tc.what, func(t *testing.T) {
			c := w.dial("/?v=10&encoding=json")
			c.t = t
			for _, f := range tc.frames {
				c.raw(f)
			}
			if code := c.closed(); code != tc.code {
				t.Errorf("closed with %d, want %d", code, tc.code)
			}
		})
	}
	for _, path := range []string{"/?v=8&encoding=json", "/?encoding=json"} {
		if code := w.dial(path).closed(); code != gateway.CloseInvalidVersion {
			t.Errorf("%s: closed with %d", path, code)
		}
	}
	for path, status := range map[string]int{
		"/?v=10&encoding=etf": 400, "/?v=10&encoding=xml": 400, "/?v=10&compress=gzip": 400, "/elsewhere?v=10": 404,
	} {
		ws, resp, _, cancel, err := dialGateway(w.url + path)
		if err == nil {
			ws.CloseNow()
			t.Fatalf("%s was upgraded", path)
		}
		cancel()
		if resp == nil || resp.StatusCode != status {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestIdentifyLimits(t *testing.T) {
	w := newGatewayWorld(t, GatewaySettings{IdentifyEvery: time.Hour, MaxConcurrency: 2, IdentifyLimit: 3, Shards: 4})
	shard := func(n int) map[string]any {
		d := identity(w.all, IntentGuilds)
		d["shard"] = []int{n, 4}
		return d
	}
	limit := func() sessionLimit {
		t.Helper()
		r := w.do(request{method: "GET", path: "/gateway/bot", auth: "Bot " + w.all.Token})
		var b gatewayBot
		if err := json.Unmarshal([]byte(r.Body), &b); err != nil || b.Shards != 4 {
			t.Fatalf("%d %s %v", r.Status, r.Body, err)
		}
		return b.Limit
	}
	if l := limit(); l != (sessionLimit{Total: 3, Remaining: 3, MaxConcurrency: 2}) {
		t.Errorf("before: %+v", l)
	}
	first := w.dial("/?v=10")
	first.ready(shard(0))
	w.dial("/?v=10").ready(shard(1)) // another key
	early := w.dial("/?v=10")
	early.send(gateway.OpIdentify, shard(2)) // the key of shard 0
	if m := early.read(); m.O != gateway.OpInvalidSession || string(m.D) != "false" {
		t.Errorf("an early IDENTIFY was answered with op %d %s", m.O, m.D)
	}
	w.SetGateway(GatewaySettings{IdentifyEvery: -1, MaxConcurrency: 2, IdentifyLimit: 3, Shards: 4})
	w.mu.Lock()
	w.gateway.starts[w.all.ID].keys = map[int]time.Time{} // as if the hour were over
	w.mu.Unlock()
	early.ready(shard(2)) // on the same connection
	if l := limit(); l.Remaining != 0 || l.ResetAfter <= 23*3600*1000 || l.ResetAfter > 24*3600*1000 {
		t.Errorf("after three: %+v", l)
	}
	if c := w.GatewayCounts(); c.Identifies != 3 || c.TooEarly != 1 {
		t.Errorf("counts %+v", c)
	}
	over := w.dial("/?v=10")
	over.send(gateway.OpIdentify, shard(3))
	for _, c := range []*gatewayClient{over, first, early} {
		if code := c.closed(); code != gateway.CloseAuthenticationFailed {
			t.Errorf("over the limit: closed with %d", code)
		}
	}
	if r := w.do(request{method: "GET", path: "/users/@me", auth: "Bot " + w.all.Token}); r.Status != http.StatusUnauthorized {
		t.Errorf("the token still works: %d", r.Status)
	}
	if len(w.Sessions()) != 0 {
		t.Errorf("sessions %+v", w.Sessions())
	}
}

// TestResumeReplaysExactly cuts TCP again and again in the middle of a burst: every message comes once and in order.
func TestResumeReplaysExactly(t *testing.T) {
	const total = 5000
	w := newGatewayWorld(t, patient())
	c := w.dial("/?v=10")
	c.ready(identity(w.all, IntentGuilds|IntentGuildMessages|IntentMessageContent))
	done := make(chan error, 1)
	go func() {
		done <- w.Burst(context.Background(), Burst{Guild: w.guild, Channel: w.text, Author: w.ana, Count: total})
	}()
	var got []string
	cuts, resumed := 0, 0
	for len(got) < total {
		m, code := c.next()
		switch {
		case code != 0:
			session, seq := c.id, c.seq
			c = w.dial("/gateway/resume?v=10")
			c.id = session
			c.resume(w.all, session, seq)
			resumed++
		case m.name() == "MESSAGE_CREATE":
			got = append(got, content(t, m))
			if len(got)%700 == 0 && cuts < 5 {
				cuts++
				w.CutSessions(Sessions{App: w.all.ID})
			}
		}
	}
	w.ok(<-done)
	for i, s := range got {
		if want := fmt.Sprintf("burst %d", i+1); s != want {
			t.Fatalf("message %d is %q", i+1, s)
		}
	}
	counts := w.GatewayCounts()
	if counts.Identifies != 1 || resumed == 0 || counts.Resumes != resumed {
		t.Errorf("counts %+v after %d cuts and %d resumes", counts, cuts, resumed)
	}
	for _, r := range w.GatewayRecords(0, 0) {
		if r.Kind == GatewayResumed && (r.Path != gatewayResumePath || r.ResumeSeq == 0) {
			t.Errorf("record %+v", r)
		}
	}
}

func TestResumeEndsWithResumed(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c := w.dial("/?v=10")
	c.ready(identity(w.all, IntentGuilds|IntentGuildMessages|IntentMessageContent))
	c.event("GUILD_CREATE")
	w.say(1)
	c.event("MESSAGE_CREATE")
	seq := c.seq
	w.CutSessions(Sessions{})
	w.await("the cut", func() bool { s := w.Sessions(); return len(s) == 1 && !s[0].Connected })
	w.say(2)
	w.say(3)
	for range 2 { // the second RESUME asks for what the first has brought already
		c2 := w.dial("/?v=10")
		c2.resume(w.all, c.id, seq)
		want := []string{"MESSAGE_CREATE burst 2", "MESSAGE_CREATE burst 3", "RESUMED"}
		for _, name := range want {
			m := c2.read()
			have := m.name()
			if have == "MESSAGE_CREATE" {
				have += " " + content(t, m)
			}
			if have != name {
				t.Fatalf("came %s, want %s", have, name)
			}
		}
		w.say(4)
		if m := c2.read(); content(t, m) != "burst 4" || c2.seq <= seq+3 {
			t.Errorf("after RESUMED came %s as %d", m.D, c2.seq)
		}
		w.CutSessions(Sessions{})
		w.await("the cut", func() bool { s := w.Sessions(); return len(s) == 1 && !s[0].Connected })
		seq = c2.seq
		w.say(2)
		w.say(3)
	}
}

func TestResumeRefused(t *testing.T) {
	w := newGatewayWorld(t, GatewaySettings{IdentifyEvery: -1, SessionLog: 8})
	start := func() *gatewayClient {
		c := w.dial("/?v=10")
		c.ready(identity(w.all, IntentGuilds|IntentGuildMessages))
		c.event("GUILD_CREATE")
		return c
	}
	refused := func(what string, app Application, session string, seq uint64) {
		t.Helper()
		c := w.dial("/?v=10")
		c.resume(app, session, seq)
		if m := c.read(); m.O != gateway.OpInvalidSession || string(m.D) != "false" {
			t.Errorf("%s: op %d %s %s", what, m.O, m.name(), m.D)
		}
		c.seq = 0
		c.ready(identity(w.all, 0)) // on the same connection
	}
	refused("unknown", w.all, "none", 3)
	refused("of another bot", w.bot, start().id, 1)

	c := start()
	w.CutSessions(Sessions{ID: c.id})
	for i := range 9 {
		w.say(i + 1)
	}
	refused("log too short", w.all, c.id, c.seq)
	refused("forgotten since", w.all, c.id, c.seq)

	c = start()
	future := w.dial("/?v=10")
	future.resume(w.all, c.id, c.seq+100)
	if code := future.closed(); code != gateway.CloseInvalidSeq {
		t.Errorf("a number from the future: closed with %d", code)
	}
	for _, code := range []int{1000, 1001} {
		c = start()
		c.ws.Close(websocket.StatusCode(code), "")
		w.await("the end", func() bool {
			return !slices.ContainsFunc(w.Sessions(), func(s GatewaySession) bool { return s.ID == c.id })
		})
		refused("closed by the client", w.all, c.id, c.seq)
	}
	c = start()
	w.SetGateway(GatewaySettings{IdentifyEvery: -1, KeepSession: time.Nanosecond})
	w.CutSessions(Sessions{ID: c.id})
	w.await("the expiry", func() bool {
		return !slices.ContainsFunc(w.Sessions(), func(s GatewaySession) bool { return s.ID == c.id })
	})
	refused("expired", w.all, c.id, c.seq)
}
