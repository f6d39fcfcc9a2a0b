package sandbox

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestWindowAgainstModel compares the bucket with the rule spelt out over the whole history: a request is let through
// unless R were let through since the newest window opened, and a window opens with the first request at or after the end
// of the one before.
func TestWindowAgainstModel(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 1))
		l := Limit{Requests: 1 + rng.IntN(7), Window: time.Duration(1+rng.IntN(5000)) * time.Millisecond}
		now := time.UnixMilli(1_700_000_000_000)
		var w window
		var opened []time.Time // of every window
		var passed []time.Time
		for range 400 {
			now = now.Add(time.Duration(rng.Int64N(int64(2*l.Window) / int64(l.Requests))))
			if rng.IntN(20) == 0 {
				now = w.reset // the very moment of the reset
			}
			if len(opened) == 0 || !now.Before(opened[len(opened)-1].Add(l.Window)) {
				opened = append(opened, now)
			}
			open, used := opened[len(opened)-1], 0
			for _, at := range passed {
				if !at.Before(open) {
					used++
				}
			}
			want := used < l.Requests
			if got := w.take(now, l); got != want {
				t.Fatalf("seed %d, %+v at %v: take = %v with %d used since %v", seed, l, now, got, used, open)
			}
			if want {
				passed = append(passed, now)
				used++
			}
			if w.left != l.Requests-used || !w.reset.Equal(open.Add(l.Window)) {
				t.Fatalf("seed %d: left %d reset %v, want %d %v", seed, w.left, w.reset, l.Requests-used, open.Add(l.Window))
			}
			if len(passed) > 64 {
				passed = passed[32:] // older than any open window: R is at most 7
			}
		}
	}
}

func TestPatchBucketHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, Config{})
		start := time.Now()
		for i := range 5 {
			got := w.patch(w.ana, `{"mute":`+strconv.FormatBool(i%2 == 0)+`}`)
			after := (5*time.Second - time.Since(start)).Seconds()
			want := map[string]string{
				"X-RateLimit-Limit": "5", "X-RateLimit-Remaining": strconv.Itoa(4 - i),
				"X-RateLimit-Reset":       strconv.FormatFloat(float64(start.Add(5*time.Second).UnixMilli())/1000, 'f', 3, 64),
				"X-RateLimit-Reset-After": strconv.FormatFloat(after, 'f', 3, 64),
				"X-RateLimit-Bucket":      bucketHash("member-patch"),
				"Retry-After":             "", "X-RateLimit-Scope": "", "X-RateLimit-Global": "",
			}
			for key, v := range want {
				if h := got.Header.Get(key); h != v {
					t.Errorf("request %d: %s = %q, want %q", i, key, h, v)
				}
			}
			advance(700 * time.Millisecond)
		}
		got := w.patch(w.ana, `{"mute":true}`)
		if got.Status != 429 || got.Body != `{"message":"You are being rate limited.","retry_after":1.5,"global":false}` {
			t.Errorf("sixth: %d %s", got.Status, got.Body)
		}
		for key, v := range map[string]string{
			"Retry-After": "2", "X-RateLimit-Scope": "user", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.500",
			"X-RateLimit-Global": "", "Content-Type": "application/json",
		} {
			if h := got.Header.Get(key); h != v {
				t.Errorf("sixth: %s = %q, want %q", key, h, v)
			}
		}
		advance(1500*time.Millisecond - time.Nanosecond)
		if got := w.patch(w.ana, `{"mute":true}`); got.Status != 429 || got.Header.Get("X-RateLimit-Reset-After") != "0.001" {
			t.Errorf("a moment early: %d, reset after %s", got.Status, got.Header.Get("X-RateLimit-Reset-After"))
		}
		advance(time.Nanosecond)
		if got := w.patch(w.ana, `{"mute":true}`); got.Status != 200 || got.Header.Get("X-RateLimit-Remaining") != "4" {
			t.Errorf("after the reset: %d %s", got.Status, got.Body)
		}
	})
}

func TestBucketsAreApart(t *testing.T) {
	w := newWorld(t, Config{})
	second := must(w.AddGuild("Polus", w.owner))(t)
	w.ok(w.AddMember(second, w.bot.ID))
	w.ok(w.AddMember(w.guild, w.other.ID))
	left := func(r request) string { return w.do(r).Header.Get("X-RateLimit-Remaining") }
	patch := request{method: "PATCH", path: w.memberPath(w.ana), body: `{}`}
	for _, step := range []struct {
		what string
		req  request
		left string
	}{
		{"first", patch, "4"},
		{"another member of the guild shares it", request{method: "PATCH", path: w.memberPath(w.bo), body: `{}`}, "3"},
		{"an error uses it too", request{method: "PATCH", path: w.memberPath(w.stranger), body: `{}`}, "2"},
		{"GET has its own", request{method: "GET", path: w.memberPath(w.ana)}, "4"},
		{"another token has its own", request{method: "PATCH", path: w.memberPath(w.ana), body: `{}`, auth: "Bot " + w.other.Token}, "4"},
		{"another guild has its own", request{method: "PATCH", path: "/guilds/" + second.String() + "/members/" + w.ana.String(), body: `{}`}, "4"},
		{"and the first goes on", patch, "1"},
	} {
		if got := left(step.req); got != step.left {
			t.Errorf("%s: %s left, want %s", step.what, got, step.left)
		}
	}
	a, b := w.do(patch).Header.Get("X-RateLimit-Bucket"), w.do(request{method: "GET", path: w.memberPath(w.ana)}).Header.Get("X-RateLimit-Bucket")
	if a == b || len(a) != 32 {
		t.Errorf("bucket hashes %q and %q", a, b)
	}
}

func TestGlobalLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := noLimits()
		limits.Global = 50
		limits.MemberPatch = Limit{1000, time.Hour}
		w := newWorld(t, Config{Limits: limits})
		for i := range 50 {
			if got := w.patch(w.ana, `{}`); got.Status != 200 {
				t.Fatalf("request %d: %d", i, got.Status)
			}
		}
		advance(250 * time.Millisecond)
		got := w.patch(w.ana, `{}`)
		if got.Status != 429 || got.Body != `{"message":"You are being rate limited.","retry_after":0.75,"global":true}` {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		for key, v := range map[string]string{"Retry-After": "1", "X-RateLimit-Scope": "global", "X-RateLimit-Global": "true", "X-RateLimit-Remaining": "", "X-RateLimit-Reset-After": ""} {
			if h := got.Header.Get(key); h != v {
				t.Errorf("%s = %q, want %q", key, h, v)
			}
		}
		if got := w.do(request{method: "GET", path: "/users/@me", auth: "Bot " + w.other.Token}); got.Status != 200 {
			t.Errorf("another token: %d", got.Status)
		}
		advance(750 * time.Millisecond)
		if got := w.patch(w.ana, `{}`); got.Status != 200 || got.Header.Get("X-RateLimit-Remaining") != "949" {
			t.Errorf("a second later: %d, %s left: the refused request must not have used the bucket", got.Status, got.Header.Get("X-RateLimit-Remaining"))
		}
	})
}

func TestInvalidRequestsBan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := noLimits()
		limits.Invalid, limits.BanFor = Limit{4, 10 * time.Minute}, time.Hour
		w := newWorld(t, Config{Limits: limits})
		bad := request{method: "GET", path: "/users/@me", auth: "Bot nobody"}
		for range 3 {
			w.do(bad)
		}
		w.patch(w.cat, `{"mute":true}`) // a 400 does not count
		w.ok(w.AddFault(Fault{Kind: FaultLimitShared}))
		w.patch(w.ana, `{}`) // a shared 429 does not count
		if c := w.Counts(); c.Invalid != 3 || c.Banned {
			t.Errorf("before: %+v", c)
		}
		advance(10 * time.Minute) // the window is over
		for range 4 {
			if got := w.do(bad); got.Status != 401 {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		}
		got := w.patch(w.ana, `{"mute":true}`)
		if got.Status != 429 || json.Valid([]byte(got.Body)) || got.Header.Get("Retry-After") != "3600" || got.Header.Get("X-RateLimit-Scope") != "" {
			t.Errorf("banned: %d %q %v", got.Status, got.Body, got.Header)
		}
		if c := w.Counts(); !c.Banned || c.Limited[ScopeEdge] != 1 {
			t.Errorf("banned: %+v", c)
		}
		advance(time.Hour)
		if got := w.patch(w.ana, `{"mute":true}`); got.Status != 200 {
			t.Errorf("after the ban: %d", got.Status)
		}
	})
}

func TestLimitsAreSettable(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{MemberPatch: Limit{2, time.Hour}}})
	want := DefaultLimits()
	want.MemberPatch = Limit{2, time.Hour}
	if got := w.Limits(); got != want {
		t.Errorf("limits %+v, want %+v", got, want)
	}
	w.patch(w.ana, `{}`)
	w.SetLimits(Limits{MemberPatch: Limit{9, time.Minute}})
	if got := w.patch(w.ana, `{}`).Header; got.Get("X-RateLimit-Limit") != "2" || got.Get("X-RateLimit-Remaining") != "0" {
		t.Errorf("the open window changed: %v", got)
	}
	if got := w.do(request{method: "PATCH", path: w.memberPath(w.ana), body: `{}`, auth: "Bot " + w.other.Token}).Header; got.Get("X-RateLimit-Limit") != "9" {
		t.Errorf("a new window has the old limit: %v", got)
	}
}

// TestConcurrentPatchesNeverExceedTheBucket has many clients at once: exactly R pass per window, the rest get 429.
func TestConcurrentPatchesNeverExceedTheBucket(t *testing.T) {
	w := newWorld(t, Config{Limits: Limits{MemberPatch: Limit{7, time.Hour}}})
	base, client := w.serve()
	var mu sync.Mutex
	status := map[int]int{}
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			req, _ := http.NewRequest("PATCH", base+w.memberPath([]ID{w.ana, w.bo}[i%2]), jsonBody(`{"mute":true}`))
			req.Header.Set("Authorization", "Bot "+w.bot.Token)
			req.Header.Set("Content-Type", "application/json")
			resp, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			status[resp.StatusCode]++
		})
	}
	wg.Wait()
	if status[200] != 7 || status[429] != 33 {
		t.Errorf("status %v", status)
	}
	if c := w.Counts(); c.Status[200] != 7 || c.Status[429] != 33 || c.Limited[ScopeUser] != 33 || c.Requests != 40 {
		t.Errorf("counts %+v", c)
	}
}

func TestWindowsAreBounded(t *testing.T) {
	l := newLimiter(Limits{})
	now := time.Now()
	for i := range maxWindows + 10 {
		l.take(bucketKey{major: strconv.Itoa(i)}, Limit{1, time.Minute}, now)
	}
	if len(l.windows) != maxWindows {
		t.Errorf("%d windows", len(l.windows))
	}
	l.take(bucketKey{major: "later"}, Limit{1, time.Minute}, now.Add(time.Hour))
	if len(l.windows) != 1 {
		t.Errorf("%d windows, want the expired ones gone", len(l.windows))
	}
}
