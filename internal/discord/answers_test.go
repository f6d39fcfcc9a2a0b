package discord

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// What an answer teaches the limiter, one kind of answer each.

// once asks for a permit and answers it at once; it gives how long the permit took.
func (s *sim) once(a Ask, status int, rl RateLimit, refused *APIError) time.Duration {
	s.t.Helper()
	start := time.Now()
	p, err := s.l.Acquire(s.t.Context(), a)
	if err != nil {
		s.t.Fatal(err)
	}
	p.Done(status, rl, refused)
	return time.Since(start)
}

func (s *sim) ok(a Ask) time.Duration {
	s.t.Helper()
	return s.once(a, http.StatusOK, RateLimit{}, nil)
}

func limited(scope string, wait time.Duration) *APIError {
	return &APIError{Status: 429, Scope: scope, Global: scope == ScopeGlobal, RetryAfter: wait}
}

// wantWait wants a permit after about a time.
func (s *sim) wantWait(what string, a Ask, want time.Duration) {
	s.t.Helper()
	if took := s.ok(a); took < want || took > want+100*time.Millisecond {
		s.t.Errorf("%s: waited %s, want %s", what, took, want)
	}
}

func TestAnswerOfASublimitHoldsOnlyItsPart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, nil)
		rename := ask("a", "PATCH", "/channels/5", 0)
		rename.Part = PartOf(rename.Route, []byte(`{"name":"x"}`))
		topic := ask("a", "PATCH", "/channels/5", 0)
		topic.Part = PartOf(topic.Route, []byte(`{"topic":null}`))
		other := ask("a", "PATCH", "/channels/5", 0)
		other.Part = PartOf(other.Route, []byte(`{"rate_limit_per_user":5}`))
		rl := RateLimit{Known: true, Limit: 5, Remaining: 4, ResetAfter: time.Second, Bucket: "h"}
		s.once(rename, 429, rl, limited(ScopeUser, 600*time.Second))
		s.wantWait("other keys", other, 0)
		s.wantWait("another channel", ask("a", "PATCH", "/channels/6", 0), 0)
		start := time.Now()
		s.ok(topic) // waits for the name's limit
		if took := time.Since(start); took < 600*time.Second || took > 601*time.Second {
			t.Errorf("name and topic: waited %s", took)
		}
	})
}

func TestAnswerOfASharedLimitHoldsTheResourceForAllTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, nil)
		a := ask("a", "POST", "/channels/5/messages", 0)
		s.once(a, 429, RateLimit{Known: true, Limit: 10, Remaining: 9, ResetAfter: 64 * time.Second}, limited(ScopeShared, 30*time.Second))
		s.wantWait("another channel", ask("a", "POST", "/channels/6/messages", 0), 0)
		s.wantWait("another token", ask("b", "POST", "/channels/5/messages", 0), 30*time.Second)
		s.wantWait("afterwards", a, 0)
		if n := s.l.Stats().Invalid; n != 0 {
			t.Errorf("a shared 429 counted as invalid: %d", n)
		}
	})
}

func TestAnswerOfTheGlobalLimitHoldsTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, nil)
		s.once(ask("a", "GET", "/guilds/1", 0), 429, RateLimit{}, limited(ScopeGlobal, 7*time.Second))
		s.wantWait("another token", ask("b", "GET", "/guilds/1", 0), 0)
		s.wantWait("an interaction", ask("a", "POST", "/interactions/1/x/callback", 0), 0)
		s.wantWait("another route", ask("a", "GET", "/users/@me", 0), 7*time.Second)
		if st := s.l.Stats(); st.Invalid != 1 || st.Limited["global"] != 1 {
			t.Errorf("%+v", st)
		}
	})
}

func TestAnswerOfTheEdgeStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, nil)
		e := ParseError(429, http.Header{"Retry-After": {"90"}}, []byte("error code: 1015"))
		if !e.Edge {
			t.Fatalf("%+v is not seen as the edge's", e)
		}
		s.once(ask("a", "GET", "/guilds/1", 0), 429, RateLimit{}, e)
		for _, a := range []Ask{ask("b", "GET", "/users/@me", 0), ask("", "POST", "/interactions/1/x/callback", 0)} {
			_, err := s.l.Acquire(t.Context(), a)
			if e := wantReason(t, err, ReasonEdge); e.RetryAfter != 90*time.Second {
				t.Errorf("wait %s", e.RetryAfter)
			}
		}
		<-time.After(91 * time.Second)
		s.ok(ask("a", "GET", "/guilds/1", 0))
	})
}

func TestAnswerWithoutHeadersMeansNoLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, nil)
		a := ask("a", "GET", "/guilds/1", ClassUrgent)
		p, _ := s.l.Acquire(t.Context(), a)
		second := make(chan time.Duration, 1)
		start := time.Now()
		go func() { s.ok(a); second <- time.Since(start) }()
		<-time.After(time.Second)
		p.Done(200, RateLimit{}, nil)
		if took := <-second; took != time.Second {
			t.Errorf("the second request of an unknown route went after %s", took)
		}
		var held []*Permit
		for range 20 {
			p, err := s.l.Acquire(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			held = append(held, p)
		}
		if time.Since(start) != time.Second {
			t.Error("a route without headers was held back")
		}
		for _, p := range held {
			p.Lost()
			p.Lost() // twice does nothing
		}
	})
}

func TestAnswersOfEmojiRoutesAreAwaitedOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, map[string]simRule{"POST /guilds/{id}/emojis": {"e", 50, time.Hour}})
		s.delay = func() time.Duration { return time.Second }
		start := time.Now()
		s.all(times(5, ask("a", "POST", "/guilds/1/emojis", 0))...)
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %s", took)
		}
	})
}

func TestFactsExpireAndAreConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{}, nil)
		a := ask("gone", "GET", "/users/@me", 0)
		unauthorized := &APIError{Status: 401, Message: "401: Unauthorized"}
		s.once(a, 401, RateLimit{}, unauthorized)
		_, err := s.l.Acquire(t.Context(), ask("Bot gone", "GET", "/guilds/1", 0))
		wantReason(t, err, ReasonTokenInvalid)
		s.ok(ask("other", "GET", "/users/@me", 0))
		<-time.After(time.Minute)
		s.once(a, 401, RateLimit{}, unauthorized) // one look per turn, and a longer one each time
		<-time.After(time.Minute)
		_, err = s.l.Acquire(t.Context(), a)
		wantReason(t, err, ReasonTokenInvalid)
		<-time.After(time.Minute)
		s.ok(a) // it was repaired
		s.ok(a)
		s.once(a, 401, RateLimit{}, &APIError{Status: 401, Code: 40001})
		s.ok(a) // another 401 says nothing of the token

		hook := ask("", "POST", "/webhooks/7/secret", 0)
		s.once(hook, 404, RateLimit{}, &APIError{Status: 404, Code: CodeUnknownWebhook})
		_, err = s.l.Acquire(t.Context(), hook)
		wantReason(t, err, ReasonWebhookGone)
		s.ok(ask("", "POST", "/webhooks/7/other", 0))
	})
}

func TestInvalidRequestsAreStoppedBeforeTheBan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSim(t, LimiterConfig{MaxInvalid: 100, Global: 1000}, nil)
		forbidden := &APIError{Status: 403, Code: CodeMissingPermissions}
		read := func(guild string) Ask { return ask("a", "GET", "/guilds/"+guild, 0) }
		ban := ask("a", "PUT", "/guilds/2/bans/1", 0)
		for range 49 {
			s.once(read("1"), 403, RateLimit{}, forbidden)
		}
		s.once(read("1"), 403, RateLimit{}, forbidden) // still asked: 49 are few
		_, err := s.l.Acquire(t.Context(), read("1"))
		wantReason(t, err, ReasonForbidden)
		s.ok(read("3"))
		for s.l.Stats().Invalid < 80 {
			s.once(ban, 429, RateLimit{}, &APIError{Status: 429, Scope: ScopeUser, RetryAfter: time.Millisecond})
		}
		_, err = s.l.Acquire(t.Context(), read("3"))
		if e := wantReason(t, err, ReasonInvalid); e.RetryAfter <= 0 || e.RetryAfter > invalidPeriod+invalidSlot {
			t.Errorf("wait %s", e.RetryAfter)
		}
		for s.l.Stats().Invalid < 95 {
			s.once(ban, 429, RateLimit{}, &APIError{Status: 429, Scope: ScopeUser, RetryAfter: time.Millisecond})
		}
		_, err = s.l.Acquire(t.Context(), ban)
		e := wantReason(t, err, ReasonInvalid)
		<-time.After(e.RetryAfter)
		if level := s.l.invalid.alarm(time.Now()); level == alarmClosed {
			t.Error("the alarm lasts longer than it was said to")
		}
		<-time.After(invalidPeriod + invalidSlot)
		s.ok(read("1"))
	})
}
