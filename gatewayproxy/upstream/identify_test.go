package upstream

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"splashtail/bus"
	"splashtail/internal/redistest"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

func TestTheBudgetKeepsAReserve(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		total, remaining, shards int
		reset                    time.Time
		refused                  bool
	}{
		{1000, 1000, 1, now.Add(time.Hour), false},
		{1000, 52, 1, now.Add(time.Hour), false},
		{1000, 51, 1, now.Add(time.Hour), true},
		{1000, 200, 150, now.Add(time.Hour), true},
		{1000, 0, 1, now, false}, // it has been reset meanwhile
		{0, 0, 1, now.Add(time.Hour), false},
	} {
		err := refuse(bus.IdentifyBudget{Total: c.total, Remaining: c.remaining, ResetAt: c.reset}, c.shards, now)
		if (err != nil) != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil && (bus.AsError(err).RetryAfter != time.Hour || !strings.Contains(err.Error(), "2026-11-24T13:00:00Z")) {
			t.Errorf("%v does not say when", err)
		}
	}
}

func TestDiscordsCountAndOursCombine(t *testing.T) {
	now := time.Now()
	later := now.Add(time.Hour)
	for _, c := range []struct{ stored, told, want bus.IdentifyBudget }{
		{bus.IdentifyBudget{}, bus.IdentifyBudget{Remaining: 9, ResetAt: later}, bus.IdentifyBudget{Remaining: 9, ResetAt: later}},
		{bus.IdentifyBudget{Remaining: 5, ResetAt: later}, bus.IdentifyBudget{Remaining: 9, ResetAt: later}, bus.IdentifyBudget{Remaining: 5, ResetAt: later}},
		{bus.IdentifyBudget{Remaining: 9, ResetAt: later}, bus.IdentifyBudget{Remaining: 5, ResetAt: later}, bus.IdentifyBudget{Remaining: 5, ResetAt: later}},
		{bus.IdentifyBudget{Remaining: 1, ResetAt: now.Add(-time.Second)}, bus.IdentifyBudget{Remaining: 9, ResetAt: later}, bus.IdentifyBudget{Remaining: 9, ResetAt: later}},
	} {
		if got := combine(c.stored, c.told, now); got != c.want {
			t.Errorf("%+v and %+v: %+v", c.stored, c.told, got)
		}
	}
}

// TestARestartStormIsRefused: a process that begins sessions again and again stops before
// Discord would reset the token, says when it goes on, and still resumes.
func TestARestartStormIsRefused(t *testing.T) {
	w := newWorld(t, 1, sandbox.GatewaySettings{IdentifyLimit: 4})
	u := w.start(w.config())
	w.live(u)
	w.until("the shard waits for its budget", func() bool {
		w.d.CloseSessions(sandbox.Sessions{}, 4009)
		return u.Status().Held[0].State == stateBudget
	})
	if n := w.d.Identifies(); n != 3 {
		t.Errorf("%d of 4 IDENTIFYs were used, want 3", n)
	}
	err := u.Check(t.Context())
	if err == nil || !strings.Contains(err.Error(), "new sessions are left until") {
		t.Errorf("readiness says %v", err)
	}
	st := u.Status()
	if st.Budget.Total != 4 || st.Budget.Remaining > 1 || !st.Budget.ResetAt.After(time.Now()) {
		t.Errorf("%+v", st.Budget)
	}
	w.until("the event", func() bool {
		last, err := bus.Last(t.Context(), w.b, bus.AllShardEvents())
		return err == nil && last.Value.Change == bus.ShardWaiting && last.Value.Until.After(time.Now())
	})
}

// TestIdentifiesKeepTheirDistance: shards of one bucket of max_concurrency begin one after
// the other, also over two processes, and Discord never has to refuse one.
func TestIdentifiesKeepTheirDistance(t *testing.T) {
	w := newWorld(t, 4, sandbox.GatewaySettings{Shards: 4, MaxConcurrency: 2, IdentifyEvery: 300 * time.Millisecond})
	cfg := w.config()
	cfg.IdentifyGap = 330 * time.Millisecond
	a := w.start(cfg)
	cfg = w.config()
	cfg.IdentifyGap, cfg.Instance = 330*time.Millisecond, "other"
	b := w.start(cfg)
	w.until("all four shards are live", func() bool { return liveShards(a)+liveShards(b) == 4 })
	if c := w.d.GatewayCounts(); c.TooEarly != 0 || c.Identifies != 4 {
		t.Errorf("%+v", c)
	}
}

func liveShards(u *running) (n int) {
	for _, s := range u.Status().Held {
		if s.State == stateLive {
			n++
		}
	}
	return n
}

// TestTheIdentifyLockIsShared: we wait while AutoMuteUs has the key, take it as it does,
// and a Redis that is away holds nothing up for long.
func TestTheIdentifyLockIsShared(t *testing.T) {
	server := redistest.Start(t)
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: 2})
	defer rdb.Close()
	const key = "automuteus:token:lock" + "a.b.c"
	if err := rdb.Set(t.Context(), key, "", 700*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	l := newIdentifyLock(server.Addr(), "", secret.Value{}, secret.New("a.b.c"))
	defer l.close()
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := l.take(t.Context()); err != nil {
			t.Error(err)
		}
	})
	if n := rdb.Exists(t.Context(), key).Val(); n != 1 {
		t.Error("the key of AutoMuteUs was gone at once")
	}
	wait.Wait()
	ttl, text := rdb.PTTL(t.Context(), key).Val(), rdb.Get(t.Context(), key).Val()
	if ttl <= 700*time.Millisecond || ttl > 5*time.Second || text != "" {
		t.Errorf("ttl %v, value %q", ttl, text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.take(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	server.Kill()
	if err := l.take(t.Context()); err == nil {
		t.Error("no error without Redis")
	}
}
