package discord

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

func TestLimiterUsesWholeWindowsAndIsNeverRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, map[string]simRule{simMembers: {"m", 5, 5 * time.Second}})
		start := time.Now()
		var asks []Ask
		for u := range 100 {
			asks = append(asks, memberEdit("a", 1, u+1))
		}
		s.all(asks...)
		took := time.Since(start)
		// 20 windows of 5 s; the first begins with one probe, and each change of window
		// costs the way there and back at most.
		if s.limited != 0 || took > 19*5*time.Second+20*300*time.Millisecond {
			t.Errorf("%d requests were refused, it took %s", s.limited, took)
		}
	})
}

func TestLimiterKeepsTokensAndMajorsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, map[string]simRule{simMembers: {"m", 5, time.Minute}})
		start := time.Now()
		var asks []Ask
		for _, token := range []string{"a", "b", "c"} {
			for guild := range 4 {
				for u := range 5 {
					asks = append(asks, memberEdit(token, guild+1, u+1))
				}
			}
		}
		s.all(asks...)
		if took := time.Since(start); took > 2*time.Second || s.limited != 0 {
			t.Errorf("12 buckets of 5 took %s for 60 requests, %d refused", took, s.limited)
		}
	})
}

// Two routes turn out to share one bucket: from the first answers on they are counted
// together, and what is on its way by then is reckoned with.
func TestLimiterMergesRoutesWithOneHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, map[string]simRule{simMembers: {"x", 4, time.Second}, simBans: {"x", 4, time.Second}})
		var asks []Ask
		for u := range 30 {
			asks = append(asks, memberEdit("a", 1, u+1), ask("a", "PUT", fmt.Sprintf("/guilds/1/bans/%d", u+1), 0))
		}
		s.all(asks...)
		if s.limited != 0 {
			t.Errorf("%d refused", s.limited)
		}
		if n := s.l.Stats().Buckets; n > 3 {
			t.Errorf("%d buckets for one", n)
		}
	})
}

// A route whose hash changes while many wait for it carries on with the new one.
func TestLimiterFollowsAChangedHash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, map[string]simRule{simSend: {"old", 5, time.Second}})
		s.answer = func(Ask) (int, *APIError) {
			if len(s.heard) == 12 {
				s.rules[simSend] = simRule{"new", 2, time.Second}
			}
			return 200, nil
		}
		s.all(times(40, ask("a", "POST", "/channels/1/messages", 0))...)
		// What was on its way by the old bucket can hit the new one, but not more than that.
		if s.limited > 5 || len(s.heard) != 40+s.limited {
			t.Errorf("%d refused, %d heard", s.limited, len(s.heard))
		}
	})
}

func TestLimiterKeepsTheLimitOverAllRoutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{Global: 50}, nil)
		s.global = 50
		start := time.Now()
		var asks []Ask
		for i := range 500 {
			asks = append(asks, memberEdit("a", i+1, 1)) // urgent: may use all of it
		}
		s.all(asks...)
		took := time.Since(start)
		// 50 in each second and round trip of up to 260 ms.
		if s.limited != 0 || took > 10*1300*time.Millisecond {
			t.Errorf("%d refused, took %s", s.limited, took)
		}
	})
}

func TestLimiterLetsInteractionsPass(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{Global: 10}, nil)
		s.global = 10
		for i := range 100 {
			go func() { _ = s.call(t.Context(), ask("a", "GET", fmt.Sprintf("/guilds/%d", i+1), ClassBackup)) }()
		}
		synctest.Wait()
		start := time.Now()
		var asks []Ask
		for i := range 100 {
			asks = append(asks, ask("a", "POST", fmt.Sprintf("/interactions/%d/token%d/callback", i, i), 0),
				ask("a", "PATCH", fmt.Sprintf("/webhooks/1/%s%d/messages/@original", interactionToken, i), 0))
		}
		s.all(asks...)
		if took := time.Since(start); took > 300*time.Millisecond {
			t.Errorf("interactions took %s behind a full limit", took)
		}
		<-time.After(time.Minute) // the others end, so that the bubble can
	})
}

func TestLimiterPutsTheUrgentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{Global: 10}, map[string]simRule{simMembers: {"m", 2, 10 * time.Second}})
		s.global = 10
		s.all(memberEdit("a", 1, 1), memberEdit("a", 1, 2))
		// One bucket: what came last but is urgent goes first when the next window opens.
		for u := range 2 {
			go func() {
				_ = s.call(t.Context(), ask("a", "PATCH", fmt.Sprintf("/guilds/1/members/%d", 10+u), ClassBackup))
			}()
		}
		synctest.Wait()
		for u := range 2 {
			go func() { _ = s.call(t.Context(), memberEdit("a", 1, 20+u)) }()
		}
		// All routes together: a backup at full speed leaves room for a ban at once.
		for i := range 60 {
			go func() { _ = s.call(t.Context(), ask("a", "GET", fmt.Sprintf("/guilds/%d/roles", i), ClassBackup)) }()
		}
		synctest.Wait()
		start := time.Now()
		s.all(ask("a", "PUT", "/guilds/7/bans/1", 0))
		if took := time.Since(start); took > 300*time.Millisecond {
			t.Errorf("a ban waited %s behind a backup", took)
		}
		<-time.After(time.Minute)
		var order []Class
		for _, h := range s.heard {
			if h.ask.routeKey() == simMembers {
				order = append(order, h.ask.Class)
			}
		}
		if len(order) != 6 || order[2] == ClassBackup || order[3] == ClassBackup || order[4] != ClassBackup {
			t.Errorf("classes in order of arrival: %v", order)
		}
	})
}

// One hour of everything at random, with a Discord whose limits nobody has told us.
func TestLimiterUnderRandomLoad(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				rng := rand.New(rand.NewPCG(seed, 7))
				rules := map[string]simRule{}
				paths := []string{"GET /guilds/%d", "PATCH /guilds/%d/members/2", "POST /channels/%d/messages", "PUT /guilds/%d/bans/3", "DELETE /channels/%d/messages/4"}
				for i, p := range paths {
					method, path := cut(p)
					r := RouteOf(method, fmt.Sprintf(path, 1), time.Time{})
					rules[method+" "+r.Template] = simRule{fmt.Sprint("h", i), 1 + rng.IntN(10), time.Duration(1+rng.IntN(50)) * 200 * time.Millisecond}
				}
				s := newSim(t, LimiterConfig{}, rules)
				s.global = 50
				var asks []Ask
				for range 400 {
					method, path := cut(paths[rng.IntN(len(paths))])
					asks = append(asks, ask([]string{"a", "b"}[rng.IntN(2)], method, fmt.Sprintf(path, 1+rng.IntN(3)), Class(1+rng.IntN(4))))
				}
				for len(asks) > 0 { // in bursts
					n := min(len(asks), 1+rng.IntN(100))
					for _, a := range asks[:n] {
						go func() {
							if err := s.call(t.Context(), a); err != nil {
								t.Error(err)
							}
						}()
					}
					asks = asks[n:]
					<-time.After(time.Duration(rng.IntN(5000)) * time.Millisecond)
				}
				<-time.After(time.Hour)
				if s.limited != 0 || len(s.heard) != 400 {
					t.Errorf("%d refused, %d of 400 heard", s.limited, len(s.heard))
				}
				if st := s.l.Stats(); st.Waiting != 0 {
					t.Errorf("%d wait still", st.Waiting)
				}
			})
		})
	}
}

func cut(s string) (method, path string) {
	_, _ = fmt.Sscanf(s, "%s %s", &method, &path)
	return
}

func TestLimiterGivesUpWhenTheTurnIsTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{MaxQueue: 3}, map[string]simRule{simMembers: {"m", 1, 30 * time.Second}})
		s.all(memberEdit("a", 1, 1))
		start := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		e := wantReason(t, s.call(ctx, memberEdit("a", 1, 2)), ReasonTooLong)
		if time.Since(start) != 0 || e.RetryAfter < 29*time.Second || e.RetryAfter > 31*time.Second {
			t.Errorf("told after %s to wait %s", time.Since(start), e.RetryAfter)
		}
		// The wait of those behind others is estimated too.
		for u := range 3 {
			go func() { _ = s.call(t.Context(), memberEdit("a", 1, 10+u)) }()
		}
		synctest.Wait()
		wantReason(t, s.call(t.Context(), memberEdit("a", 1, 3)), ReasonQueueFull)
		ctx, cancel = context.WithCancel(t.Context())
		s.l.cfg.MaxQueue = 10
		done := make(chan error, 1)
		go func() { done <- s.call(ctx, memberEdit("a", 1, 4)) }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("a wait that was given up: %v", err)
		}
		<-time.After(5 * time.Minute)
		if len(s.heard) != 4 || s.limited != 0 {
			t.Errorf("%d heard, %d refused", len(s.heard), s.limited)
		}
	})
}

func TestLimiterForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, map[string]simRule{simMembers: {"m", 5, time.Second}})
		for i := range 300 {
			s.all(memberEdit(fmt.Sprint("token", i), i+1, 1), ask("", "POST", fmt.Sprintf("/interactions/%d/x%d/callback", i, i), 0))
		}
		if st := s.l.Stats(); st.Tokens < 300 || st.Buckets < 600 {
			t.Errorf("%+v: the test makes too little to forget", st)
		}
		<-time.After(idleAfter + sweepInterval)
		s.all(memberEdit("z", 1, 1))
		if st := s.l.Stats(); st.Tokens > 2 || st.Buckets > 2 || len(s.l.facts) > 0 {
			t.Errorf("%+v after a pause", st)
		}
	})
}

// A route that nothing is known of waits while the bucket of its sibling, which may be its
// own, is used up; and it gets its turn however busy the sibling is.
func TestLimiterLetsASiblingFindOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const put, del = "PUT /guilds/{id}/members/{id}/roles/{id}", "DELETE /guilds/{id}/members/{id}/roles/{id}"
		s := newSim(t, LimiterConfig{}, map[string]simRule{put: {"r", 5, time.Second}, del: {"r", 5, time.Second}})
		for i := range 200 {
			go func() { _ = s.call(t.Context(), ask("a", "PUT", fmt.Sprintf("/guilds/1/members/%d/roles/1", i), 0)) }()
		}
		<-time.After(1500 * time.Millisecond)
		s.all(times(3, ask("a", "DELETE", "/guilds/1/members/9/roles/1", ClassMessage))...)
		<-time.After(5 * time.Minute)
		if s.limited != 0 || len(s.heard) != 203 {
			t.Errorf("%d refused, %d heard", s.limited, len(s.heard))
		}
		for i, h := range s.heard {
			if h.ask.routeKey() == del {
				if i > 30 {
					t.Errorf("the first of the other route came after %d", i)
				}
				break
			}
		}
	})
}
