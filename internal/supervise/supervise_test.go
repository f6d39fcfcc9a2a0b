package supervise_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"splashtail/internal/supervise"
)

// diary notes what happened in which order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

func (d *diary) all() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.lines)
}

// part is ready after `takes`, needs `drains` to stop and notes both.
func part(d *diary, name string, tier int, takes, drains time.Duration) supervise.Part {
	ready := make(chan struct{})
	return supervise.Part{Name: name, Tier: tier, Ready: ready, Run: func(ctx context.Context) error {
		time.AfterFunc(takes, func() { d.note("ready " + name); close(ready) })
		<-ctx.Done()
		d.note("stop " + name)
		<-time.After(drains)
		d.note("end " + name)
		return nil
	}}
}

func newGroup(b supervise.Bounds) *supervise.Group {
	return supervise.New(slog.New(slog.DiscardHandler), b)
}

func TestStartsInOrderAndStopsByTier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := &diary{}, newGroup(supervise.Bounds{})
		ctx, cancel := context.WithCancel(t.Context())
		for _, p := range []supervise.Part{
			part(d, "bus", 9, 3*time.Second, 0),
			part(d, "door", 0, time.Second, time.Second),
			part(d, "sockets", 1, time.Second, 0),
		} {
			if err := g.Start(ctx, p); err != nil {
				t.Fatal(err)
			}
		}
		cancel()
		if err := g.Wait(ctx); err != nil {
			t.Fatalf("Wait after a wished end: %v", err)
		}
		if err := g.Stop(); err != nil {
			t.Fatal(err)
		}
		want := []string{"ready bus", "ready door", "ready sockets",
			"stop door", "end door", "stop sockets", "end sockets", "stop bus", "end bus"}
		if got := d.all(); !slices.Equal(got, want) {
			t.Errorf("order\n got %q\nwant %q", got, want)
		}
	})
}

func TestOneFailureStopsAllAndIsNamedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := &diary{}, newGroup(supervise.Bounds{})
		if err := g.Start(t.Context(), part(d, "bus", 9, 0, 0)); err != nil {
			t.Fatal(err)
		}
		broken := errors.New("disk full")
		err := g.Start(t.Context(), supervise.Part{Name: "writer", Run: func(ctx context.Context) error {
			<-time.After(time.Minute)
			return broken
		}})
		if err != nil {
			t.Fatal(err)
		}
		err = g.Wait(t.Context())
		if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "writer: ") {
			t.Errorf("Wait = %v, want the disk fault, named", err)
		}
		if err := g.Stop(); err != nil {
			t.Errorf("Stop repeated the cause: %v", err)
		}
		if got := d.all(); !slices.Contains(got, "end bus") {
			t.Errorf("the healthy part was left running: %q", got)
		}
	})
}

func TestEndingUnaskedIsAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGroup(supervise.Bounds{})
		err := g.Start(t.Context(), supervise.Part{Name: "quitter", Ready: make(chan struct{}),
			Run: func(context.Context) error { return nil }})
		if err == nil || !strings.Contains(err.Error(), "quitter: ended by itself") {
			t.Errorf("Start = %v", err)
		}
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := &diary{}, newGroup(supervise.Bounds{Start: 5 * time.Second, Stop: 10 * time.Second})
		err := g.Start(t.Context(), part(d, "sleeper", 0, time.Hour, 0))
		if !errors.Is(err, supervise.ErrSlowStart) {
			t.Errorf("Start = %v, want ErrSlowStart", err)
		}
		if err := g.Start(t.Context(), part(d, "stuck", 1, 0, time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := g.Start(t.Context(), part(d, "bus", 9, 0, 0)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		err = g.Stop()
		if !errors.Is(err, supervise.ErrSlowStop) || !strings.Contains(err.Error(), "stuck") {
			t.Errorf("Stop = %v, want ErrSlowStop naming stuck", err)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("Stop took %v, the bound is 10s", took)
		}
		synctest.Wait()
		if got := d.all(); !slices.Contains(got, "end bus") {
			t.Errorf("past the bound the rest is told to stop at once; got %q", got)
		}
		<-time.After(2 * time.Hour) // no time at all in here; lets the stuck one end
	})
}

func TestAnInterruptedStartStillStopsEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, g := &diary{}, newGroup(supervise.Bounds{})
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if err := g.Start(ctx, part(d, "slow", 0, time.Minute, 0)); !errors.Is(err, context.Canceled) {
			t.Errorf("Start = %v, want context.Canceled", err)
		}
		if err := g.Stop(); err != nil {
			t.Error(err)
		}
		if got := d.all(); !slices.Contains(got, "end slow") {
			t.Errorf("got %q", got)
		}
	})
}
