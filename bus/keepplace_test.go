package bus_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

// notes collects what a reader was handed, per key and in order.
type notes struct {
	mu  sync.Mutex
	got map[string][]string
	at  chan string
}

func newNotes() *notes { return &notes{got: map[string][]string{}, at: make(chan string, 1000)} }

func (n *notes) of(key string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.got[key])
}

func codeOf(d bus.Delivery[bus.CaptureEvent]) string { return d.Value.Code.String() }

// reads runs a reader with a kept place; h may be nil.
func (n *notes) reads(t *testing.T, b *bus.Bus, h func(context.Context, bus.Delivery[bus.CaptureEvent]) error) (stop func()) {
	return running(t, func(ctx context.Context) error {
		d := bus.Durable{Name: "test-reader", Workers: 4, Backoff: func(uint64) time.Duration { return time.Millisecond }}
		return bus.FollowKept(ctx, b, d, bus.AllCapture(), codeOf, func(ctx context.Context, d bus.Delivery[bus.CaptureEvent]) error {
			if h != nil {
				if err := h(ctx, d); err != nil {
					return err
				}
			}
			n.mu.Lock()
			n.got[codeOf(d)] = append(n.got[codeOf(d)], d.Value.Payload)
			n.mu.Unlock()
			n.at <- codeOf(d) + d.Value.Payload
			return nil
		})
	})
}

func (n *notes) await(t *testing.T, last string) {
	t.Helper()
	for receive(t, n.at) != last {
	}
}

// TestFollowKeptGoesOnWhereItStopped: after an orderly stop nothing comes twice.
func TestFollowKeptGoesOnWhereItStopped(t *testing.T) {
	b, n := bustest.New(t), newNotes()
	publishN(t, b, "AAAAAAAA", 0, 50)
	stop := n.reads(t, b, nil)
	n.await(t, "AAAAAAAA49")
	stop()
	publishN(t, b, "AAAAAAAA", 50, 50)
	n.reads(t, b, nil)
	n.await(t, "AAAAAAAA99")
	if got := n.of("AAAAAAAA"); len(got) != 100 || got[49] != "49" || got[50] != "50" {
		t.Errorf("%v", got)
	}
}

// TestFollowKeptHandsOverAgainWhatWasNotDone: one key is stuck when the reader ends. The
// next one gets its messages again in order, the oldest first, and misses none.
func TestFollowKeptHandsOverAgainWhatWasNotDone(t *testing.T) {
	b, n := bustest.New(t), newNotes()
	publishN(t, b, "AAAAAAAA", 0, 3)
	publishN(t, b, "BBBBBBBB", 0, 3)
	stop := n.reads(t, b, func(ctx context.Context, d bus.Delivery[bus.CaptureEvent]) error {
		if d.Value.Payload == "1" && codeOf(d) == "AAAAAAAA" {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	n.await(t, "BBBBBBBB2")
	stop()
	publishN(t, b, "AAAAAAAA", 3, 1)
	again := newNotes()
	again.reads(t, b, nil)
	again.await(t, "AAAAAAAA3")
	if got := again.of("AAAAAAAA"); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("the stuck key got %v", got)
	}
	if got := n.of("BBBBBBBB"); !slices.Equal(got, []string{"0", "1", "2"}) {
		t.Errorf("the other key got %v", got)
	}
}

// TestFollowKeptTriesAgainAndParks: what fails for a reason that passes is tried again
// before what is behind it; what can never be taken is parked, once.
func TestFollowKeptTriesAgainAndParks(t *testing.T) {
	b, n := bustest.New(t), newNotes()
	publishN(t, b, "AAAAAAAA", 0, 4)
	tries := 0
	stop := n.reads(t, b, func(_ context.Context, d bus.Delivery[bus.CaptureEvent]) error {
		switch d.Value.Payload {
		case "1":
			if tries++; tries < 8 {
				return bus.Errorf(bus.CodeUnavailable, "away", "not now")
			}
		case "2":
			panic("never")
		}
		return nil
	})
	n.await(t, "AAAAAAAA3")
	stop()
	if got := n.of("AAAAAAAA"); !slices.Equal(got, []string{"0", "1", "3"}) || tries != 8 {
		t.Errorf("%v after %d tries", got, tries)
	}
	parked, _, err := bus.ReadPage(t.Context(), b, bus.AllParked(), 1, 10)
	if err != nil || len(parked) != 1 || parked[0].Value.Durable != "test-reader" || parked[0].Value.Sequence != 3 || parked[0].Value.Tries != 5 {
		t.Errorf("parked: %+v, %v", parked, err)
	}
}

// TestFollowKeptAfterTheStreamLostItsEnd: a server that is killed can lose messages, and
// gives their sequences to new ones; none of those is passed over.
func TestFollowKeptAfterTheStreamLostItsEnd(t *testing.T) {
	b := bustest.New(t)
	publishN(t, b, "AAAAAAAA", 0, 10)
	all, _, err := bus.ReadPage(t.Context(), b, bus.AllCapture(), 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	info, err := bus.InfoOf(t.Context(), b, bus.AllCapture())
	if err != nil {
		t.Fatal(err)
	}
	places, err := bus.OpenRecords(t.Context(), b, bus.Positions())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		place bus.Position
		first string
	}{
		"as it was":            {bus.Position{V: 1, Epoch: info.Epoch, Seq: 6, At: all[5].Time}, "6"},
		"other messages there": {bus.Position{V: 1, Epoch: info.Epoch, Seq: 9, At: all[4].Time.Add(time.Nanosecond)}, "5"},
		"another life":         {bus.Position{V: 1, Epoch: "older", Seq: 6, At: all[5].Time}, "0"},
		"beyond the end":       {bus.Position{V: 1, Epoch: info.Epoch, Seq: 99, At: all[9].Time.Add(time.Nanosecond)}, "10"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := places.Put(t.Context(), "test-reader", c.place); err != nil {
				t.Fatal(err)
			}
			n := newNotes()
			defer n.reads(t, b, nil)()
			if c.first == "10" {
				publishN(t, b, "AAAAAAAA", 10, 1)
			}
			if got := receive(t, n.at); got != "AAAAAAAA"+c.first {
				t.Errorf("the first is %s, want %s", got, c.first)
			}
		})
	}
}

// TestFollowKeptYieldsToAnotherReader: of two who move one place, the second to write
// notices and stops.
func TestFollowKeptYieldsToAnotherReader(t *testing.T) {
	b := bustest.New(t)
	places, err := bus.OpenRecords(t.Context(), b, bus.Positions())
	if err != nil {
		t.Fatal(err)
	}
	publishN(t, b, "AAAAAAAA", 0, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- bus.FollowKept(t.Context(), b, bus.Durable{Name: "test-reader"}, bus.AllCapture(), codeOf, func(ctx context.Context, _ bus.Delivery[bus.CaptureEvent]) error {
			_, err := places.Put(ctx, "test-reader", bus.Position{V: 1, Epoch: "x", Seq: 1})
			return err
		})
	}()
	if err := receive(t, ended); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("it ended with %v", err)
	}
}
