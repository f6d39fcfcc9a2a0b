package pause_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"splashtail/internal/pause"
)

// TestForEndsWithTheTimeOrTheContext: whichever comes first, and it says which.
func TestForEndsWithTheTimeOrTheContext(t *testing.T) {
	for _, c := range []struct {
		name          string
		wait, ctx     time.Duration // ctx: when it ends
		passed        bool
		took          time.Duration
		endedAtOutset bool
	}{
		{name: "the time passes", wait: time.Minute, ctx: time.Hour, passed: true, took: time.Minute},
		{name: "the context ends", wait: time.Hour, ctx: time.Minute, took: time.Minute},
		{name: "the context has ended", wait: time.Hour, endedAtOutset: true},
		{name: "no time", ctx: time.Hour, passed: true},
		{name: "less than no time", wait: -time.Second, ctx: time.Hour, passed: true},
		{name: "no time, and the context has ended", endedAtOutset: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), max(c.ctx, time.Second))
				defer cancel()
				if c.endedAtOutset {
					cancel()
				}
				begun := time.Now()
				if got := pause.For(ctx, c.wait); got != c.passed {
					t.Errorf("it says %t", got)
				}
				if took := time.Since(begun); took != c.took {
					t.Errorf("it took %s, want %s", took, c.took)
				}
			})
		})
	}
}
