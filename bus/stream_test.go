package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

func event(t testing.TB, code string, n int) bus.CaptureEvent {
	return bus.CaptureEvent{V: 1, Code: mustCode(t, code), Kind: bus.CaptureState, Payload: strconv.Itoa(n)}
}

func publishN(t *testing.T, b *bus.Bus, code string, from, n int) {
	t.Helper()
	for i := from; i < from+n; i++ {
		e := event(t, code, i)
		if _, err := bus.Publish(t.Context(), b, bus.CaptureSubject(e.Code, e.Kind), e); err != nil {
			t.Fatal(err)
		}
	}
}

// running runs f until the test calls stop, which waits for its end.
func running(t *testing.T, f func(ctx context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

func receive[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came within 20 s")
		panic("unreachable")
	}
}

func TestPublishWithOneIDStoresOnce(t *testing.T) {
	b := bustest.New(t)
	e := event(t, "AAAAAAAA", 1)
	first, err := bus.Publish(t.Context(), b, bus.CaptureSubject(e.Code, e.Kind), e, bus.WithID("x"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := bus.Publish(t.Context(), b, bus.CaptureSubject(e.Code, e.Kind), e, bus.WithID("x"))
	if err != nil || second != first {
		t.Errorf("the repetition gave place %d, %v; want %d", second, err, first)
	}
	info, err := bus.InfoOf(t.Context(), b, bus.AllCapture())
	if err != nil || info.Last != first {
		t.Errorf("the stream ends at %d (%v), want %d", info.Last, err, first)
	}
}

func TestPublishRefusesWhatIsTooLarge(t *testing.T) {
	b := bustest.New(t)
	e := event(t, "AAAAAAAA", 1)
	e.Payload = string(make([]byte, 256<<10))
	if _, err := bus.Publish(t.Context(), b, bus.CaptureSubject(e.Code, e.Kind), e); err == nil {
		t.Error("a message over the stream's limit was stored")
	}
}

func TestFollowGoesOnFromItsPlaceAndWaitsForMore(t *testing.T) {
	b := bustest.New(t)
	publishN(t, b, "AAAAAAAA", 0, 10)
	got := make(chan string, 100)
	running(t, func(ctx context.Context) error {
		return bus.Follow(ctx, b, bus.Follower{}, bus.AllCapture(), 6, func(_ context.Context, ds []bus.Delivery[bus.CaptureEvent]) error {
			for _, d := range ds {
				got <- d.Value.Payload
			}
			return nil
		})
	})
	publishN(t, b, "AAAAAAAA", 10, 5)
	for i := 5; i < 15; i++ {
		if v := receive(t, got); v != strconv.Itoa(i) {
			t.Fatalf("got %s, want %d", v, i)
		}
	}
}

func TestFollowEndsWithItsHandlersError(t *testing.T) {
	b := bustest.New(t)
	publishN(t, b, "AAAAAAAA", 0, 3)
	want := errors.New("full")
	err := bus.Follow(t.Context(), b, bus.Follower{}, bus.AllCapture(), 1, func(context.Context, []bus.Delivery[bus.CaptureEvent]) error { return want })
	if !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

func TestLatestGivesTheNewestPerSubject(t *testing.T) {
	b := bustest.New(t)
	publishN(t, b, "AAAAAAAA", 0, 5)
	publishN(t, b, "BBBBBBBB", 5, 3)
	got := map[string]string{}
	err := bus.Latest(t.Context(), b, bus.CaptureOf(bus.CaptureState), func(d bus.Delivery[bus.CaptureEvent]) error {
		got[d.Value.Code.String()] = d.Value.Payload
		return nil
	})
	if err != nil || len(got) != 2 || got["AAAAAAAA"] != "4" || got["BBBBBBBB"] != "7" {
		t.Errorf("got %v, %v", got, err)
	}
	if err := bus.Latest(t.Context(), b, bus.CaptureOf(bus.CaptureLobby), func(bus.Delivery[bus.CaptureEvent]) error { return errors.New("none expected") }); err != nil {
		t.Error(err)
	}
}

func byCode(d bus.Delivery[bus.CaptureEvent]) string { return d.Value.Code.String() }

// TestConsumeKeepsAKeysOrderThroughRetries fails every message twice: a later one of
// the same key must never overtake, and other keys must go on meanwhile.
func TestConsumeKeepsAKeysOrderThroughRetries(t *testing.T) {
	b := bustest.New(t)
	const keys, each = 5, 20
	for i := range each {
		for k := range keys {
			publishN(t, b, fmt.Sprintf("KEYKEY%02d", k), i, 1)
		}
	}
	var mu sync.Mutex
	tries := map[string]int{}
	done := make(chan [2]string, keys*each)
	running(t, func(ctx context.Context) error {
		d := bus.Durable{Name: "test", Workers: 4, Tries: 10, Backoff: func(uint64) time.Duration { return time.Millisecond }}
		return bus.Consume(ctx, b, d, bus.AllCapture(), byCode, func(_ context.Context, d bus.Delivery[bus.CaptureEvent]) error {
			id := d.Value.Code.String() + d.Value.Payload
			mu.Lock()
			defer mu.Unlock()
			if tries[id]++; tries[id] < 3 {
				return errors.New("not yet")
			}
			done <- [2]string{d.Value.Code.String(), d.Value.Payload}
			return nil
		})
	})
	next := map[string]int{}
	for range keys * each {
		v := receive(t, done)
		if want := strconv.Itoa(next[v[0]]); v[1] != want {
			t.Fatalf("%s: got %s, want %s", v[0], v[1], want)
		}
		next[v[0]]++
	}
}

func TestConsumeParksWhatCannotBeTaken(t *testing.T) {
	for name, c := range map[string]struct {
		handler func() error
		code    bus.Code
		calls   int64
	}{
		"invalid":  {func() error { return bus.Errorf(bus.CodeInvalid, "nonsense", "no") }, bus.CodeInvalid, 1},
		"panics":   {func() error { panic("boom") }, bus.CodeInternal, 3},
		"internal": {func() error { return errors.New("broken") }, bus.CodeInternal, 3},
	} {
		t.Run(name, func(t *testing.T) {
			b := bustest.New(t)
			publishN(t, b, "AAAAAAAA", 1, 2)
			var calls atomic.Int64
			after := make(chan string, 1)
			running(t, func(ctx context.Context) error {
				d := bus.Durable{Name: "test", Tries: 3, Backoff: func(uint64) time.Duration { return time.Millisecond }}
				return bus.Consume(ctx, b, d, bus.AllCapture(), byCode, func(_ context.Context, d bus.Delivery[bus.CaptureEvent]) error {
					if d.Value.Payload == "2" {
						after <- "2"
						return nil
					}
					calls.Add(1)
					return c.handler()
				})
			})
			receive(t, after) // the key goes on behind the parked message
			parked := firstParked(t, b)
			if parked.Code != c.code || parked.Sequence != 1 || parked.Durable != "test" || len(parked.Data) == 0 {
				t.Errorf("parked %+v", parked)
			}
			if calls.Load() != c.calls {
				t.Errorf("the handler was called %d times, want %d", calls.Load(), c.calls)
			}
		})
	}
}

func firstParked(t *testing.T, b *bus.Bus) bus.Parked {
	t.Helper()
	var parked bus.Parked
	stop := errors.New("enough")
	err := bus.Follow(t.Context(), b, bus.Follower{}, bus.AllParked(), 1, func(_ context.Context, ds []bus.Delivery[bus.Parked]) error {
		parked = ds[0].Value
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	return parked
}

func TestConsumeGoesOnAfterAReaderIsGone(t *testing.T) {
	b := bustest.New(t)
	publishN(t, b, "AAAAAAAA", 0, 10)
	d := bus.Durable{Name: "test"}
	blocked := make(chan struct{})
	stop := running(t, func(ctx context.Context) error {
		return bus.Consume(ctx, b, d, bus.AllCapture(), byCode, func(ctx context.Context, d bus.Delivery[bus.CaptureEvent]) error {
			if d.Value.Payload == "4" {
				close(blocked)
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
	})
	receive(t, blocked)
	stop()
	got := make(chan string, 10)
	running(t, func(ctx context.Context) error {
		return bus.Consume(ctx, b, d, bus.AllCapture(), byCode, func(_ context.Context, d bus.Delivery[bus.CaptureEvent]) error {
			got <- d.Value.Payload
			return nil
		})
	})
	for i := 4; i < 10; i++ {
		if v := receive(t, got); v != strconv.Itoa(i) {
			t.Fatalf("the next reader got %s, want %d", v, i)
		}
	}
}
