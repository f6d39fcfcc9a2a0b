package discord

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestLimiterMakesRoomWithoutLosingWhoAsks: with as many buckets as there can be, what is idle
// is forgotten, once a second; the token that asks keeps its budget.
func TestLimiterMakesRoomWithoutLosingWhoAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{})
		asking, idle := ask("a", "GET", "/guilds/1", 0), ask("b", "GET", "/guilds/1", 0)
		l.sweep(time.Now()) // not what is looked at here
		l.buckets = maxBuckets
		enter := func(what string, kept bool) {
			t.Helper()
			l.token(idle, time.Now().Add(-time.Second))
			own := l.token(asking, time.Now())
			if _, err := l.enter(t.Context(), asking, time.Now()); err == nil {
				t.Errorf("%s: there is room", what)
			}
			if l.tokens[asking.tokenKey()] != own {
				t.Errorf("%s: the budget of the token that asks was forgotten", what)
			}
			if _, there := l.tokens[idle.tokenKey()]; there != kept {
				t.Errorf("%s: an idle token is kept: %t, want %t", what, there, kept)
			}
		}
		enter("at first", false)
		enter("at once again", true)
		time.Sleep(time.Second)
		enter("a second later", false)
	})
}
