package bus_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

// place is where an appended event is: its message and what it says.
type place struct {
	seq uint64
	at  string // code/payload
}

// readAll gives every stored event, in order.
func readAll(t *testing.T, b *bus.Bus, batch int) []place {
	t.Helper()
	info, err := bus.InfoOf(t.Context(), b, bus.AllCapture())
	if err != nil {
		t.Fatal(err)
	}
	var all []place
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err = bus.Follow(ctx, b, bus.Follower{Batch: batch}, bus.AllCapture(), 1, func(_ context.Context, ds []bus.Delivery[bus.CaptureEvent]) error {
		for _, d := range ds {
			all = append(all, place{d.Seq, d.Value.Code.String() + "/" + d.Value.Payload})
		}
		if ds[len(ds)-1].Seq == info.Last {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) {
		t.Fatalf("the stream was not read to its end: %v", err)
	}
	return all
}

// TestAppenderKeepsOrderAndShares has many goroutines append at once: each one's own
// events must stay in order, every place told must be the true one, and there must be
// far fewer messages than events.
func TestAppenderKeepsOrderAndShares(t *testing.T) {
	b := bustest.New(t)
	a := bus.NewAppender(b, 1024, bus.CaptureSharing())
	running(t, a.Run)
	const writers, each = 64, 30
	var told sync.Map
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			code := fmt.Sprintf("WRITER%02d", w)
			for i := range each {
				e := event(t, code, i)
				seq, err := a.Append(t.Context(), bus.CaptureSubject(e.Code, e.Kind), fmt.Sprintf("%s-%d", code, i), e)
				if err != nil {
					t.Error(err)
					return
				}
				told.Store(place{seq, code + "/" + e.Payload}, true)
			}
		})
	}
	wg.Wait()
	for _, batch := range []int{1, 100, 10_000} { // of the reader
		next, got, messages := map[string]int{}, 0, map[uint64]bool{}
		for _, p := range readAll(t, b, batch) {
			if _, ok := told.Load(p); !ok {
				t.Errorf("place %d holds %s, which its writer was not told", p.seq, p.at)
			}
			code, n, _ := strings.Cut(p.at, "/")
			if want := strconv.Itoa(next[code]); n != want {
				t.Errorf("%s: got %s, want %s", code, n, want)
			}
			next[code]++
			got++
			messages[p.seq] = true
		}
		if got != writers*each {
			t.Errorf("read %d of %d", got, writers*each)
		}
		if len(messages) > got/2 {
			t.Errorf("%d events are in %d messages", got, len(messages))
		}
	}
}

// TestAppenderBoundsAMessage has events wait together that are too large for one message.
func TestAppenderBoundsAMessage(t *testing.T) {
	b := bustest.New(t)
	a := bus.NewAppender(b, 64, bus.CaptureSharing())
	var wg sync.WaitGroup
	const n = 40
	for i := range n {
		wg.Go(func() {
			e := event(t, "AAAAAAAA", i)
			e.Payload = strings.Repeat(string(rune('a'+i%26)), 16<<10)
			if _, err := a.Append(t.Context(), bus.CaptureSubject(e.Code, e.Kind), strconv.Itoa(i), e); err != nil {
				t.Error(err)
			}
		})
	}
	running(t, a.Run) // after the line has formed, most likely
	wg.Wait()
	all := readAll(t, b, 256)
	if len(all) != n {
		t.Errorf("%d events are stored, want %d", len(all), n)
	}
	sizes := map[uint64]int{}
	for _, p := range all {
		if sizes[p.seq] += len(p.at); sizes[p.seq] > 100<<10 {
			t.Errorf("message %d has %d bytes at least", p.seq, sizes[p.seq])
		}
	}
}

// TestAppenderTellsOfConnectionsAlone has facts about connections wait in line with many
// events: each must be found under its own subject, and once although it is said twice.
func TestAppenderTellsOfConnectionsAlone(t *testing.T) {
	b := bustest.New(t)
	a := bus.NewAppender(b, 256, bus.CaptureSharing())
	var wg sync.WaitGroup
	for i := range 30 {
		for _, kind := range []bus.CaptureKind{bus.CapturePlayer, bus.CaptureConnection, bus.CaptureConnection} {
			e := event(t, fmt.Sprintf("GAMES%03d", i), i)
			e.Kind = kind
			wg.Go(func() {
				if _, err := a.Append(t.Context(), bus.CaptureSubject(e.Code, e.Kind), fmt.Sprintf("%s-%d", kind, i), e); err != nil {
					t.Error(err)
				}
			})
		}
	}
	running(t, a.Run)
	wg.Wait()
	latest := 0
	err := bus.Latest(t.Context(), b, bus.CaptureOf(bus.CaptureConnection), func(bus.Delivery[bus.CaptureEvent]) error { latest++; return nil })
	if err != nil || latest != 30 {
		t.Errorf("%d connections are found by subject (%v), want 30", latest, err)
	}
	if all := readAll(t, b, 256); len(all) != 60 {
		t.Errorf("%d events are stored, want 60", len(all))
	}
}

// TestAppenderWaitsForTheServer kills the bus under an appender that goes on after it:
// what was told to be stored is stored once, whatever was sent twice.
func TestAppenderWaitsForTheServer(t *testing.T) {
	cfg := bustest.Config(t)
	server := bustest.Open(t, cfg)
	cfg.Addr = strings.TrimPrefix(server.URL(), "nats://")
	client, err := bus.Open(t.Context(), bus.Config{URL: server.URL()}, bustest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer bustest.Close(t, client)
	a := bus.NewAppender(client, 256, bus.CaptureSharing())
	running(t, a.Run)
	var wg sync.WaitGroup
	const writers, each = 32, 40
	half := make(chan struct{}, writers)
	for w := range writers {
		wg.Go(func() {
			code := fmt.Sprintf("WRITER%02d", w)
			for i := range each {
				if i == each/2 {
					half <- struct{}{}
				}
				e := event(t, code, i)
				if _, err := a.Append(t.Context(), bus.CaptureSubject(e.Code, e.Kind), fmt.Sprintf("%s-%d", code, i), e); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	receive(t, half)
	bustest.Close(t, server)
	server = bustest.Open(t, cfg)
	wg.Wait()
	next := map[string]int{}
	for _, p := range readAll(t, server, 256) {
		code, n, _ := strings.Cut(p.at, "/")
		if want := strconv.Itoa(next[code]); n != want {
			t.Errorf("%s: got %s, want %s", code, n, want)
		}
		next[code]++
	}
	for code, n := range next {
		if n != each {
			t.Errorf("%s has %d events, want %d", code, n, each)
		}
	}
	if len(next) != writers {
		t.Errorf("%d writers are found, want %d", len(next), writers)
	}
}
