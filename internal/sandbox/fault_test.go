package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func jsonBody(s string) io.Reader { return strings.NewReader(s) }

func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name   string
		fault  Fault
		status int
		scope  string
		muted  bool // what the fault left behind
		json   bool
	}{
		{"500", Fault{Kind: Fault500}, 500, "", false, true},
		{"500 after the work", Fault{Kind: Fault500, After: true}, 500, "", true, true},
		{"502", Fault{Kind: Fault502}, 502, "", false, false},
		{"502 after the work", Fault{Kind: Fault502, After: true}, 502, "", true, false},
		{"429 user", Fault{Kind: FaultLimitUser, RetryAfter: 1500 * time.Millisecond}, 429, "user", false, true},
		{"429 shared", Fault{Kind: FaultLimitShared, RetryAfter: 1500 * time.Millisecond}, 429, "shared", false, true},
		{"429 global", Fault{Kind: FaultLimitGlobal, RetryAfter: 1500 * time.Millisecond}, 429, "global", false, true},
		{"429 edge", Fault{Kind: FaultLimitEdge, RetryAfter: 1500 * time.Millisecond}, 429, "", false, false},
		{"429 never works first", Fault{Kind: FaultLimitUser, After: true, RetryAfter: 1500 * time.Millisecond}, 429, "user", false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, Config{})
			w.ok(w.AddFault(tc.fault))
			got := w.patch(w.ana, `{"mute":true}`)
			if got.Status != tc.status || got.Header.Get("X-RateLimit-Scope") != tc.scope || (got.Header.Get("Content-Type") == "application/json") != tc.json {
				t.Errorf("%d %s %v", got.Status, got.Body, got.Header)
			}
			if v, _ := w.VoiceState(w.guild, w.ana); v.Mute != tc.muted {
				t.Errorf("muted: %v, want %v", v.Mute, tc.muted)
			}
			if tc.status == 429 && got.Header.Get("Retry-After") != "2" {
				t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
			}
			// A sublimit has used the bucket and says so; the other scopes say nothing of it.
			hasBucket := got.Header.Get("X-RateLimit-Remaining") == "4"
			if want := tc.scope == "user" || tc.scope == "shared"; hasBucket != want {
				t.Errorf("bucket headers: %v", got.Header)
			}
			if r := w.Requests(0, 0); len(r) != 1 || r[0].Fault != tc.fault.Kind || r[0].Status != tc.status {
				t.Errorf("logged %+v", r)
			}
			if got := w.patch(w.ana, `{"mute":true}`); got.Status != 200 {
				t.Errorf("the next request: %d", got.Status)
			}
			if left := w.Faults(); len(left) != 0 {
				t.Errorf("faults left: %v", left)
			}
		})
	}
}

func TestFaultsPickTheirRequests(t *testing.T) {
	w := newWorld(t, Config{})
	w.ok(w.AddMember(w.guild, w.other.ID))
	w.ok(w.AddFault(Fault{Kind: Fault500, Count: 2, App: w.bot.ID, Guild: w.guild, Route: RoutePatchMember}))
	for _, step := range []struct {
		req    request
		status int
	}{
		{request{method: "GET", path: w.memberPath(w.ana)}, 200},
		{request{method: "PATCH", path: w.memberPath(w.ana), body: `{}`, auth: "Bot " + w.other.Token}, 200},
		{request{method: "PATCH", path: "/guilds/1/members/2", body: `{}`}, 404},
		{request{method: "PATCH", path: w.memberPath(w.ana), body: `{}`}, 500},
		{request{method: "PATCH", path: w.memberPath(w.bo), body: `{}`}, 500},
		{request{method: "PATCH", path: w.memberPath(w.ana), body: `{}`}, 200},
	} {
		if got := w.do(step.req); got.Status != step.status {
			t.Errorf("%s %s: %d, want %d", step.req.method, step.req.path, got.Status, step.status)
		}
	}
	w.ok(w.AddFault(Fault{Kind: Fault502, Count: -1}))
	for range 3 {
		if got := w.patch(w.ana, `{}`); got.Status != 502 {
			t.Errorf("for ever: %d", got.Status)
		}
	}
	w.ClearFaults()
	if got := w.do(request{method: "GET", path: w.memberPath(w.ana)}); got.Status != 200 {
		t.Errorf("cleared: %d", got.Status)
	}
	if w.AddFault(Fault{Kind: "gremlin"}) == nil || w.AddFault(Fault{Kind: Fault500, Route: "GET /nothing"}) == nil {
		t.Error("a fault that cannot strike was armed")
	}
	for range maxFaults {
		w.ok(w.AddFault(Fault{Kind: Fault500}))
	}
	if w.AddFault(Fault{Kind: Fault500}) == nil {
		t.Error("more faults than the bound")
	}
}

func TestConnectionFaultsOverTCP(t *testing.T) {
	for _, after := range []bool{false, true} {
		w := newWorld(t, Config{})
		base, client := w.serve()
		patch := func(ctx context.Context) error {
			req, _ := http.NewRequestWithContext(ctx, "PATCH", base+w.memberPath(w.ana), jsonBody(`{"mute":true}`))
			req.Header.Set("Authorization", "Bot "+w.bot.Token)
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			return err
		}
		w.ok(w.AddFault(Fault{Kind: FaultReset, After: after}))
		if err := patch(t.Context()); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("reset: %v", err)
		}
		w.ok(w.AddFault(Fault{Kind: FaultTimeout, After: after, Delay: time.Millisecond}))
		if err := patch(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("bounded timeout: %v", err)
		}
		w.ok(w.AddFault(Fault{Kind: FaultTimeout, After: after}))
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- patch(ctx) }()
		w.ok(w.AwaitRequests(t.Context(), 3, nil))
		select {
		case err := <-done:
			t.Errorf("answered: %v", err)
		default:
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("timeout: %v", err)
		}
		if v, _ := w.VoiceState(w.guild, w.ana); v.Mute != after {
			t.Errorf("after=%v: muted %v", after, v.Mute)
		}
		for _, r := range w.Requests(0, 0) {
			if r.Status != 0 {
				t.Errorf("logged %+v", r)
			}
		}
	}
}

func TestLatencyIsSplitAroundTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{Latency: 60 * time.Millisecond})
		w.ok(w.AddFault(Fault{Kind: FaultSlow, Delay: time.Second}))
		start := time.Now()
		got := w.patch(w.ana, `{"mute":true}`)
		if took := time.Since(start); took != 1060*time.Millisecond || got.Status != 200 {
			t.Errorf("slow: %d after %v", got.Status, took)
		}
		r := w.Requests(0, 0)[0]
		if !r.At.Equal(start) || r.Decided.Sub(start) != 30*time.Millisecond {
			t.Errorf("arrived %v, decided after %v", r.At.Sub(start), r.Decided.Sub(start))
		}
		if c := w.VoiceChanges(w.LastVoiceChange()-1, 0)[0]; c.At.Sub(start) != 30*time.Millisecond {
			t.Errorf("changed after %v", c.At.Sub(start))
		}
		w.SetLatency(10*time.Millisecond, 20*time.Millisecond)
		for range 20 {
			start = time.Now()
			w.do(request{method: "GET", path: "/users/@me"})
			if took := time.Since(start); took < 10*time.Millisecond || took > 30*time.Millisecond {
				t.Errorf("with jitter: %v", took)
			}
		}
	})
}

// A client that gives up on the way there was never heard; one that gives up on the way back was.
func TestClientThatLeaves(t *testing.T) {
	for _, tc := range []struct {
		leaves time.Duration
		muted  bool
	}{{20 * time.Millisecond, false}, {40 * time.Millisecond, true}} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, Config{Latency: 60 * time.Millisecond})
			ctx, cancel := context.WithTimeout(t.Context(), tc.leaves)
			defer cancel()
			req := httptest.NewRequestWithContext(ctx, "PATCH", "http://127.0.0.1/api/v10"+w.memberPath(w.ana), jsonBody(`{"mute":true}`))
			req.Header.Set("Authorization", "Bot "+w.bot.Token)
			req.Header.Set("Content-Type", "application/json")
			func() {
				defer func() {
					if v := recover(); v != nil && v != http.ErrAbortHandler {
						panic(v)
					}
				}()
				w.ServeHTTP(httptest.NewRecorder(), req)
			}()
			if v, _ := w.VoiceState(w.guild, w.ana); v.Mute != tc.muted {
				t.Errorf("left after %v: muted %v", tc.leaves, v.Mute)
			}
		})
	}
}
