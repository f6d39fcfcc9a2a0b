package rest

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"splashtail/internal/discord"
)

// BenchmarkOverhead measures what the pass-through adds to a request, against the same
// request sent to the server directly: p50 and p99 in milliseconds. The aim is a p50
// below 1 ms.
func BenchmarkOverhead(b *testing.B) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		h := w.Header()
		h.Set("X-RateLimit-Limit", "1000000")
		h.Set("X-RateLimit-Remaining", "999999")
		h.Set("X-RateLimit-Reset-After", "3600")
		h.Set("X-RateLimit-Bucket", "b")
		_, _ = w.Write([]byte(`{"id":"1"}`))
	}))
	defer up.Close()
	p, err := New(Config{API: up.URL + "/api/v10", Limiter: discord.NewLimiter(discord.LimiterConfig{Global: 1_000_000})})
	if err != nil {
		b.Fatal(err)
	}
	door := httptest.NewServer(p)
	defer door.Close()
	const rounds = 2000
	for b.Loop() {
		direct, through := make([]time.Duration, rounds), make([]time.Duration, rounds)
		for i := range rounds { // in turns, so that both meet the same load
			direct[i] = request(b, up.URL)
			through[i] = request(b, door.URL)
		}
		slices.Sort(direct)
		slices.Sort(through)
		ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
		b.ReportMetric(ms(through[rounds/2]-direct[rounds/2]), "p50-ms")
		b.ReportMetric(ms(through[rounds*99/100]-direct[rounds*99/100]), "p99-ms")
		b.ReportMetric(0, "ns/op")
	}
}

func request(b *testing.B, base string) time.Duration {
	req, err := http.NewRequestWithContext(b.Context(), "GET", base+"/api/v10/guilds/1/members/2", nil)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bot token")
	start := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		b.Fatalf("status %d", resp.StatusCode)
	}
	return time.Since(start)
}
