package engine_test

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// Acceptance check 20, J8: of two submissions for one guild, to two workers at once, one is refused with the other's id.
func TestASecondJobOfALaneIsRefusedWithTheFirstOnesID(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, func(ctx context.Context, _ act, _ work.Run) error {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
	a, b := r.start("a"), r.start("b")
	for g := bus.GuildID(1); g <= 20; g++ {
		var ids [2]string
		var errs [2]error
		var both sync.WaitGroup
		for i, e := range []*engine.Engine{a.Engine, b.Engine} {
			both.Go(func() {
				j, err := e.Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: g, Args: args("x")})
				ids[i], errs[i] = j.ID, err
			})
		}
		both.Wait()
		won, lost := 0, 1
		if errs[0] != nil {
			won, lost = 1, 0
		}
		if errs[won] != nil || !bus.IsCode(errs[lost], bus.CodeConflict) || bus.AsError(errs[lost]).Details["job"] != ids[won] {
			t.Fatalf("guild %d: %v %v", g, errs, ids)
		}
		if list, err := r.jobs.List(t.Context(), bus.JobQuery{Guild: g}); err != nil || len(list.Jobs) != 1 {
			t.Fatalf("the refused job left a record: %+v, %v", list, err)
		}
	}
	// The same over the bus, as bot and api ask.
	_, err := r.jobs.Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: 1, Args: args("x")})
	if e := bus.AsError(err); e == nil || e.Code != bus.CodeConflict || len(e.Details["job"]) != 26 {
		t.Errorf("over the bus: %v", err)
	}
	close(release)
}

func TestAQueuedJobWaitsForTheOneBefore(t *testing.T) {
	release := make(chan struct{})
	r := newRig(t, func(ctx context.Context, a act, _ work.Run) error {
		if a.Text == "first" {
			<-release
		}
		return nil
	})
	e := r.start("a")
	first := r.submit(kindSole, 5, "first")
	second, err := e.Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: 5, Args: args("second"), Queued: true})
	if err != nil || second.State != bus.JobWaiting || second.Wait.For != first.ID || !strings.Contains(second.Wait.Why, first.ID) {
		t.Fatalf("%+v %v", second, err)
	}
	close(release)
	done := r.awaitState(second, bus.JobCompleted)
	if f := r.awaitState(first, bus.JobCompleted); f.Finished.After(done.Started) {
		t.Errorf("the second began at %v, before the first ended at %v", done.Started, f.Finished)
	}
}

// An item whose job has ended, as a killed server brings back, blocks nobody's lane.
func TestAnItemOfAnEndedJobFreesItsLane(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return nil })
	e := r.start("a")
	done := r.awaitState(r.submit(kindSole, 5, "x"), bus.JobCompleted)
	e.stop()
	done.Generation = 99 // an id of its own, so that the stream takes it
	if holder, err := bus.PlaceJob(t.Context(), r.b, done); err != nil || holder != nil {
		t.Fatal(holder, err)
	}
	b := r.start("b")
	if _, err := b.Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: 5, Args: args("x")}); err != nil {
		t.Errorf("the lane is blocked: %v", err)
	}
}

// A lane with places takes exactly as many jobs of a guild, however many come at once and to whom, and each next one as a
// place gets free. Contract 3.5: the ancestor counted prunes in the memory of one process.
func TestALaneTakesAsManyJobsAsItHasPlaces(t *testing.T) {
	const places = 3
	begun, free := make(chan string, 100), make(chan struct{}, 100)
	r := newRig(t, func(_ context.Context, _ act, r work.Run) error {
		begun <- r.Job().ID
		<-free
		return nil
	})
	// The sweeper is no part of this: it would place what a slow machine has not placed yet.
	r.mod = func(c *engine.Config) { c.Kinds[1].Places, c.Timing.Stale = places, time.Minute }
	engines := []running{r.start("a"), r.start("b")}
	for g := bus.GuildID(1); g <= 3; g++ {
		var mu sync.Mutex
		took, named := map[string]bool{}, map[string]bool{}
		var all sync.WaitGroup
		for i := range 12 {
			all.Go(func() {
				j, err := engines[i%2].Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: g, Args: args("x")})
				mu.Lock()
				defer mu.Unlock()
				switch {
				case err == nil:
					took[j.ID] = true
				case bus.IsCode(err, bus.CodeConflict) && strings.Contains(err.Error(), "at most 3"):
					named[bus.AsError(err).Details["job"]] = true
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if len(took) != places {
			t.Fatalf("guild %d has %d jobs at a time, want %d", g, len(took), places)
		}
		for range places { // all of them side by side
			if id := receive(t, begun); !took[id] {
				t.Errorf("a job began that was refused")
			}
		}
		for id := range named {
			if !took[id] {
				t.Errorf("a refusal names the job %s, which is not under way", id)
			}
		}
		if list, err := r.jobs.List(t.Context(), bus.JobQuery{Guild: g}); err != nil || len(list.Jobs) != places {
			t.Errorf("guild %d has %d records, %v", g, len(list.Jobs), err)
		}
		next, err := engines[0].Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: g, Args: args("next"), Queued: true})
		if err != nil || next.State != bus.JobWaiting || !took[next.Wait.For] {
			t.Fatalf("the next one: %+v %v", next, err)
		}
		free <- struct{}{}
		if id := receive(t, begun); id != next.ID {
			t.Errorf("the job %s began, want %s", id, next.ID)
		}
		for range places {
			free <- struct{}{}
		}
		r.awaitState(next, bus.JobCompleted)
	}
}

// A sweeper that is faster than a submission places its job: that is no error, and the lane keeps its bound.
func TestASweeperMayOvertakeASubmission(t *testing.T) {
	var now, most atomic.Int32
	r := newRig(t, func(ctx context.Context, _ act, r work.Run) error {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		return r.Note(ctx, "k", 1) // so that it takes a moment
	})
	r.mod = func(c *engine.Config) {
		c.Kinds[1].Places, c.Timing.Stale, c.Timing.Sweep = 2, time.Millisecond, 5*time.Millisecond
	}
	engines := []running{r.start("a"), r.start("b")}
	took := make(chan bus.Job, 40)
	var all sync.WaitGroup
	for i := range cap(took) {
		all.Go(func() {
			j, err := engines[i%2].Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: 5, Args: args("x")})
			if err == nil {
				took <- j
			} else if bus.AsError(err).Reason != "guild_busy" {
				t.Errorf("a submission: %v", err)
			}
		})
	}
	all.Wait()
	close(took)
	for j := range took {
		r.awaitState(j, bus.JobCompleted)
	}
	if m := most.Load(); m < 1 || m > 2 {
		t.Errorf("%d jobs ran at once in a lane of two places", m)
	}
}

func TestPlacesThatNoLaneCanHave(t *testing.T) {
	r := newRig(t, nil)
	for name, change := range map[string]func([]engine.Kind){
		"of a lane that is not sole": func(k []engine.Kind) { k[0].Places = 2 },
		"too many":                   func(k []engine.Kind) { k[1].Places = 21 },
		"less than none":             func(k []engine.Kind) { k[1].Places = -1 },
		"not the same in one lane": func(k []engine.Kind) {
			k[0] = k[1]
			k[0].Name, k[0].Places = "other", 2
		},
	} {
		kinds := r.kinds()
		change(kinds)
		if _, err := engine.New(engine.Config{Kinds: kinds, Instance: "a", Sealer: sealer(t)}, r.b, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("places %s were taken", name)
		}
	}
}
