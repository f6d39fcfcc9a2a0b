package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"splashtail/internal/redistest"
)

// redisServer is a real redis-server that can be killed, with a look into it.
type redisServer struct {
	*redistest.Server
	t   testing.TB
	rdb *redis.Client
}

// startRedis runs a server that has every write on disk before it confirms it, as a Redis must that is to survive a kill.
func startRedis(t testing.TB) *redisServer {
	t.Helper()
	s := redistest.Start(t)
	rdb := redis.NewClient(&redis.Options{Addr: s.Addr(), Protocol: 2, DisableIdentity: true, MaxRetries: -1})
	t.Cleanup(func() { rdb.Close() })
	return &redisServer{s, t, rdb}
}

// seenBy is the same server for another test, usually a part of the one that started it.
func (r *redisServer) seenBy(t testing.TB) *redisServer { return &redisServer{r.Server, t, r.rdb} }

// eventually asks every few milliseconds until check has no error.
func eventually(t testing.TB, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s: %v", what, err)
		}
	}
}

// The names that AutoMuteUs and its companions know.
func jobsKey(code string) string    { return "automuteus:jobs:" + code }
func roomKey(code string) string    { return "automuteus:roomcode:" + code }
func readyKey(code string) string   { return "automuteus:capture:muteready:" + code }
func notifyName(code string) string { return jobsKey(code) + ":notify" }

// jobs are the elements of a game's list, as they lie there.
func (r *redisServer) jobs(code string) []string {
	r.t.Helper()
	all, err := r.rdb.LRange(r.t.Context(), jobsKey(code), 0, -1).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	return all
}

// awaitJobs waits until the list has exactly these elements; it fails as soon as it has another one.
func (r *redisServer) awaitJobs(code string, want ...string) {
	r.t.Helper()
	eventually(r.t, "the list of the game is complete", func(context.Context) error {
		got := r.jobs(code)
		if n := min(len(got), len(want)); len(got) > len(want) || !slices.Equal(got[:n], want[:n]) {
			r.t.Fatalf("the list of %s has\n  %s\nwant\n  %s", code, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
		}
		if len(got) < len(want) {
			return fmt.Errorf("%d of %d elements are there", len(got), len(want))
		}
		return nil
	})
}

// ttl is the time to live of a key in seconds; -1 without one, -2 without the key.
func (r *redisServer) ttl(key string) int {
	r.t.Helper()
	d, err := r.rdb.TTL(r.t.Context(), key).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	if d < 0 {
		return int(d)
	}
	return int(d / time.Second)
}

// setTTL shortens the life of a key, so that it shows whether somebody renews it.
func (r *redisServer) setTTL(key string, seconds int) {
	r.t.Helper()
	ok, err := r.rdb.Expire(r.t.Context(), key, time.Duration(seconds)*time.Second).Result()
	if err != nil || !ok {
		r.t.Fatalf("%s has no time to live to set: %v", key, err)
	}
}

func (r *redisServer) set(key, value string) {
	r.t.Helper()
	if err := r.rdb.Set(r.t.Context(), key, value, 0).Err(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *redisServer) get(key string) string {
	r.t.Helper()
	v, err := r.rdb.Get(r.t.Context(), key).Result()
	if err != nil {
		r.t.Fatalf("%s: %v", key, err)
	}
	return v
}

// publish sends a message and wants it to reach that many subscribers.
func (r *redisServer) publish(channel, payload string, receivers int64) {
	r.t.Helper()
	n, err := r.rdb.Publish(r.t.Context(), channel, payload).Result()
	if err != nil || n != receivers {
		r.t.Fatalf("%s reached %d subscribers (%v), want %d", channel, n, err, receivers)
	}
}

// subscribers counts who listens to a game's channels from the broker's side.
func (r *redisServer) subscribers(code string) int64 {
	r.t.Helper()
	channels := []string{jobsKey(code) + ":ack", "automuteus:tasks:subscribe:" + code, "automuteus:tasks:list:" + code}
	counts, err := r.rdb.PubSubNumSub(r.t.Context(), channels...).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	var sum int64
	for _, n := range counts {
		sum += n
	}
	return sum
}

// ear listens to channels.
type ear struct {
	t  testing.TB
	ps *redis.PubSub
}

// listen returns once the server has confirmed every channel.
func (r *redisServer) listen(channels ...string) *ear {
	r.t.Helper()
	ps := r.rdb.Subscribe(r.t.Context(), channels...)
	r.t.Cleanup(func() { ps.Close() })
	for range channels {
		if _, err := ps.ReceiveTimeout(r.t.Context(), patience); err != nil {
			r.t.Fatal(err)
		}
	}
	return &ear{r.t, ps}
}

// hear wants exactly these messages next, each "channel payload".
func (e *ear) hear(want ...string) {
	e.t.Helper()
	for _, w := range want {
		m, err := e.ps.ReceiveTimeout(e.t.Context(), patience)
		if err != nil {
			e.t.Fatalf("waited for %q: %v", w, err)
		}
		msg, ok := m.(*redis.Message)
		if !ok || msg.Channel+" "+msg.Payload != w {
			e.t.Fatalf("heard %v, want %q", m, w)
		}
	}
}
