package muteproxy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/redistest"
	"splashtail/internal/sandbox"

	"github.com/redis/go-redis/v9"
)

// redisRig is a rig with a real Redis in the place of AutoMuteUs'.
func newRedisRig(t *testing.T, bots, members int) (*rig, *redistest.Server, *redis.Client) {
	t.Helper()
	s := redistest.Start(t)
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), MaxRetries: -1})
	t.Cleanup(func() { c.Close() })
	r := newRig(t, bots, members)
	r.cfg.RedisAddr = s.Addr()
	return r, s, c
}

// startWhole is start for tests that look inside.
func (r *rig) startWhole() (m *Muteproxy, stop func()) {
	r.t.Helper()
	b := must[*bus.Bus](r.t)(r.bus.Component(r.t.Context(), "muteproxy"))
	m = must[*Muteproxy](r.t)(New(r.cfg, b, bustest.Log(r.t)))
	end := run(r.t, m.Run)
	select {
	case <-m.Ready():
	case <-time.After(20 * time.Second):
		r.t.Fatal("muteproxy was not ready within 20 s")
	}
	return m, func() { end(); bustest.Close(r.t, b) }
}

// awaitRecords waits until the stored records are as wanted.
func awaitRecords[T any](r *rig, kept bus.Kept[T], what string, ok func(map[string]T) bool) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	store := must[*bus.Records[T]](r.t)(bus.OpenRecords(ctx, r.bus, kept))
	seen, there := map[string]T{}, fmt.Errorf("they are there")
	err := store.Watch(ctx, ">", func(e bus.Entry[T], live bool) error {
		switch {
		case live:
		case e.Deleted:
			delete(seen, e.Key)
		default:
			seen[e.Key] = e.Value
		}
		if ok(seen) {
			return there
		}
		return nil
	})
	if err != there {
		r.t.Fatalf("never: %s (%v); stored are %+v", what, err, seen)
	}
}

const migrationMark = markPrefix + "alltokens"

func TestTheAncestorsTokensAreTakenOverOnce(t *testing.T) {
	t.Parallel()
	r, _, rdb := newRedisRig(t, 4, 1)
	r.cfg.Workers = nil
	tokens := map[string]any{
		"h0": r.apps[0].Token, // the primary one is no worker
		"h1": r.apps[1].Token,
		"h2": "Bot " + r.apps[2].Token + "\n",
		"h3": "not a token at all",
		"h4": "",
	}
	r.ok(rdb.HSet(t.Context(), keyAllTokens, tokens).Err())
	m, stop := r.startWhole()
	awaitRecords(r, bus.SealedTokens(), "two sealed tokens and the mark", func(all map[string]bus.SealedToken) bool {
		_, marked := all[migrationMark]
		return marked && len(all) == 3
	})
	if n := m.tokens.count(); n != 3 {
		t.Errorf("%d tokens are in use, want the primary one and two workers", n)
	}
	if left, err := rdb.HLen(t.Context(), keyAllTokens).Result(); err != nil || int(left) != len(tokens) {
		t.Errorf("the ancestor's list has %d entries now, %v", left, err)
	}
	stop()

	r.ok(rdb.HSet(t.Context(), keyAllTokens, "h5", r.apps[3].Token).Err())
	m, _ = r.startWhole()
	if done, err := newRedisEdge(m).migrate(t.Context()); !done || err != nil {
		t.Errorf("asked again: %t, %v", done, err)
	}
	awaitTokens(t, m, 3) // the stored ones come back, the new one of the ancestor's list does not
}

// awaitTokens waits until the stored tokens were read, which goes on behind a start.
func awaitTokens(t *testing.T, m *Muteproxy, want int) {
	t.Helper()
	deadline, tick := time.After(20*time.Second), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for m.tokens.count() < want {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("%d tokens are in use, want %d", m.tokens.count(), want)
		}
	}
	if n := m.tokens.count(); n != want {
		t.Errorf("%d tokens are in use, want %d", n, want)
	}
}

func TestAMigrationThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	r, s, rdb := newRedisRig(t, 2, 1)
	r.cfg.Workers = nil
	r.ok(rdb.HSet(t.Context(), keyAllTokens, "h1", r.apps[1].Token).Err())
	s.Kill()
	m, _ := r.startWhole() // Redis away is no reason not to start
	edge := newRedisEdge(m)
	if done, err := edge.migrate(t.Context()); done || err == nil {
		t.Errorf("without Redis: %t, %v", done, err)
	}
	s.Again()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if done, err := edge.migrate(ended); done || err == nil {
		t.Errorf("without the bus: %t, %v", done, err)
	}
	awaitTokens(t, m, 1)
	if done, err := edge.migrate(t.Context()); !done || err != nil {
		t.Errorf("with both: %t, %v", done, err)
	}
	awaitTokens(t, m, 2)
}

func liveGame(r *rig, rdb *redis.Client, at time.Time) {
	r.t.Helper()
	r.ok(rdb.ZAdd(r.t.Context(), keyGames, redis.Z{Score: float64(at.Unix()), Member: code}).Err())
}

// allOf wants n records that all fit.
func allOf(n int, fits func(bus.VoiceRecord) bool) func(map[string]bus.VoiceRecord) bool {
	return func(all map[string]bus.VoiceRecord) bool {
		for _, rec := range all {
			if !fits(rec) {
				return false
			}
		}
		return len(all) == n
	}
}

func TestAGameThatEndedWhileWeWereDownFreesItsPlayers(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(r *rig, rdb *redis.Client){
		"removed":   func(r *rig, rdb *redis.Client) { r.ok(rdb.ZRem(r.t.Context(), keyGames, code).Err()) },
		"forgotten": func(r *rig, rdb *redis.Client) { liveGame(r, rdb, time.Now().Add(-gameOver-time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, _, rdb := newRedisRig(t, 2, 3)
			liveGame(r, rdb, time.Now())
			m, stop := r.startWhole()
			if status, a := r.modify("http://"+m.Addr(), code, r.body(5, silent, silent, muted)); status != 200 {
				t.Fatalf("%d %+v", status, a)
			}
			r.ok(newRedisEdge(m).freeAfterGames(t.Context()))
			awaitRecords(r, bus.VoiceRecords(), "the game is noted as seen with all three", allOf(3, func(v bus.VoiceRecord) bool {
				return v.Applied != nil && v.Applied.GameSeen
			}))
			r.expect(silent, silent, muted) // a live game frees nobody
			stop()
			end(r, rdb)
			r.startWhole()
			r.expect(free, free, free)
		})
	}
}

func TestAGameThatRedisNeverHadAllowsNoConclusion(t *testing.T) {
	t.Parallel()
	r, s, _ := newRedisRig(t, 1, 1)
	m, _ := r.startWhole()
	if status, a := r.modify("http://"+m.Addr(), code, r.body(0, silent)); status != 200 {
		t.Fatalf("%d %+v", status, a)
	}
	edge := newRedisEdge(m)
	awaitRecords(r, bus.VoiceRecords(), "the mute is noted", allOf(1, bus.VoiceRecord.Settled))
	r.ok(edge.freeAfterGames(t.Context()))
	s.Kill()
	if err := edge.freeAfterGames(t.Context()); err == nil {
		t.Error("without Redis it says that it has looked")
	}
	if n := r.patches(); n[200] != 1 || len(n) != 1 {
		t.Errorf("requests: %v", n)
	}
	r.expect(silent)
}

func TestShortCodesDoNotShowTheCode(t *testing.T) {
	for _, c := range []string{code, "x", "", "longer than a code"} {
		if got := shortCode(c); c != "" && strings.Contains(got, c) || got == "" {
			t.Errorf("%q is shown as %q", c, got)
		}
	}
}

// TestMaxWorkersBoundsWhatIsOnItsWay has many places and lets only two requests travel.
func TestMaxWorkersBoundsWhatIsOnItsWay(t *testing.T) {
	t.Parallel()
	const latency = 40 * time.Millisecond
	r := newRig(t, 3, 9)
	r.discord.SetLatency(latency, 0)
	r.cfg.MaxWorkers = 2
	url, _ := r.start()
	if status, a := r.modify(url, code, r.body(5, all(9, silent)...)); status != 200 || a.Worker+a.Official != 9 {
		t.Errorf("%d %+v", status, a)
	}
	var at []time.Time
	for _, q := range r.discord.Requests(0, 1000) {
		if q.Route == sandbox.RoutePatchMember {
			at = append(at, q.At)
		}
	}
	for i := 2; i < len(at); i++ {
		// Of three in a row the first was answered before the third came.
		if d := at[i].Sub(at[i-2]); d < latency {
			t.Errorf("requests %d to %d came within %s, although each takes %s and two may travel", i-2, i, d, latency)
		}
	}
}

func TestDefaultsAreThoseOfGalactus(t *testing.T) {
	c := Config{}.withDefaults()
	if c.AckTimeout != 2*time.Second || c.TaskTimeout != time.Second || c.MaxReq5Sec != 7 || c.MaxWorkers != 0 || c.coldStart() != 5 {
		t.Errorf("%+v", c)
	}
	if c := (Config{MaxReq5Sec: 3, AckTimeout: time.Minute}).withDefaults(); c.coldStart() != 3 || c.AckTimeout != time.Minute {
		t.Errorf("%+v", c)
	}
}
