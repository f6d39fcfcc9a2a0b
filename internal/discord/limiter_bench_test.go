package discord

import (
	"fmt"
	"testing"
)

// BenchmarkLimiter is what the limiter itself costs a request that need not wait, with a
// thousand guilds known to it.
func BenchmarkLimiter(b *testing.B) {
	l := NewLimiter(LimiterConfig{Global: 1 << 30})
	asks := make([]Ask, 1000)
	for i := range asks {
		asks[i] = ask("token", "PATCH", fmt.Sprintf("/guilds/%d/members/1", i+1), 0)
	}
	rl := RateLimit{Known: true, Limit: 1 << 20, Remaining: 1<<20 - 1, ResetAfter: maxReset, Bucket: "h"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p, err := l.Acquire(b.Context(), asks[i%len(asks)])
		if err != nil {
			b.Fatal(err)
		}
		p.Done(200, rl, nil)
	}
}
