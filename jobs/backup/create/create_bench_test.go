package create

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

// BenchmarkLargeGuild backs a guild at Discord's limits with 100,000 messages up, under Discord's usual rate limits. ratio is
// the time it takes by the time that the limit of all requests of a token alone allows, 50 a second; MiB is the most heap that was in
// use beyond what the sandbox held before, its answers and what the collector lets lie beside the sandbox included. 429s are requests
// that should have waited.
func BenchmarkLargeGuild(b *testing.B) {
	for b.Loop() {
		d := sandbox.New(sandbox.Config{Limits: sandbox.DefaultLimits(), RequestLog: 1})
		app := mustB(d.AddApplication(sandbox.ApplicationSpec{Name: "keeper", MembersIntent: true, MessageContentIntent: true}))(b)
		spec := sandbox.LargeGuild(1)
		spec.Bot = app.ID
		g := mustB(d.Generate(spec))(b)
		var calls atomic.Int64
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
			if strings.HasPrefix(q.URL.Path, "/api/") {
				calls.Add(1)
			}
			d.ServeHTTP(w, q)
		}))
		c := mustB(discord.NewLimitedClient(srv.URL+"/api/v10", discord.NewLimiter(discord.LimiterConfig{})))(b)
		cdn := mustB(discord.NewCDN(srv.URL))(b)
		w := New(Tools{Bot: c.Bot(secret.New(app.Token)), CDN: cdn, TempDir: b.TempDir(), Limits: Limits{Messages: 200_000, PerChannel: 1000}})
		w.BackupArgs = bus.BackupArgs{Messages: 200_000, Members: true}
		run := newRun(nil, bus.GuildID(g.Guild))
		run.dir = b.TempDir()
		heap, stop := peakHeap()
		start := time.Now()
		if err := w.Run(b.Context(), run); err != nil {
			b.Fatal(err)
		}
		took, peak := time.Since(start).Seconds(), stop()-heap
		b.ReportMetric(took/(float64(calls.Load())/50), "ratio")
		b.ReportMetric(took, "s/backup")
		b.ReportMetric(float64(calls.Load()), "requests")
		b.ReportMetric(float64(peak)/(1<<20), "MiB")
		b.ReportMetric(float64(d.Counts().Status[http.StatusTooManyRequests]), "429s")
		b.Logf("%s", run.outcome)
		c.Close()
		cdn.Close()
		srv.Close()
	}
}

func mustB[T any](v T, err error) func(*testing.B) T {
	return func(b *testing.B) T {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		return v
	}
}
