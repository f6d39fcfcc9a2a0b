package discord

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"splashtail/internal/secret"
)

// TestStarvedRouteGoesOnWhenItIsNamed: requests that wait for the global limit go on when meanwhile the first answer tells
// which bucket their route belongs to. They used to be forgotten until the same channel was asked for again.
func TestStarvedRouteGoesOnWhenItIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLimiter(LimiterConfig{Global: 1})
		ask := func(channel string) Ask {
			return Ask{Token: secret.New("t"), Route: RouteOf(http.MethodGet, "/channels/"+channel+"/messages", time.Now()), Class: ClassBackup}
		}
		first, err := l.Acquire(t.Context(), ask("1"))
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan *Permit)
		go func() {
			p, _ := l.Acquire(t.Context(), ask("2"))
			got <- p
		}()
		synctest.Wait() // the second waits for the global limit, on a route that nothing is known of
		header := http.Header{}
		for k, v := range map[string]string{"Bucket": "b", "Limit": "5", "Remaining": "4", "Reset-After": "5"} {
			header.Set("X-RateLimit-"+k, v)
		}
		first.Done(http.StatusOK, ParseRateLimit(header), nil)
		select {
		case p := <-got:
			p.Lost()
		case <-time.After(time.Minute):
			t.Fatal("the second request was forgotten")
		}
	})
}
