package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// Acceptance check 28: a cancelled job stops within one call, and tells what it had changed.
func TestACancelReachesARunningJobAtOnce(t *testing.T) {
	started := make(chan struct{}, 10) // nobody hears of those that begin again while the engines stop
	r := newRig(t, func(ctx context.Context, _ act, r work.Run) error {
		for i := 0; ; i++ {
			if err := r.Outcome(map[string]int{"deleted": i}); err != nil {
				return err
			}
			if i == 3 {
				started <- struct{}{}
				<-ctx.Done() // stands for a call that ends with its context
				return ctx.Err()
			}
		}
	})
	r.mod = func(c *engine.Config) { c.Timing.Beat = time.Minute } // so that only the call can have told
	r.start("a")
	r.start("b")
	j := r.submit(kindSole, 5, "x")
	<-started
	asked := time.Now()
	if _, err := r.jobs.Cancel(t.Context(), bus.JobRequest{Actor: "ann", Target: j.ID, Guild: 5}); err != nil {
		t.Fatal(err)
	}
	done := r.awaitState(j, bus.JobCancelled)
	if took := time.Since(asked); took > 5*time.Second || string(done.Outcome) != `{"deleted":3}` || done.Cancel.By != "ann" {
		t.Errorf("after %v: %+v", took, done)
	}
	if _, err := r.jobs.Cancel(t.Context(), bus.JobRequest{Target: j.ID}); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("a second time: %v", err)
	}
	r.submit(kindSole, 5, "the lane is free again")
}

func TestACancelEndsWhatHasNotBegun(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return errors.New("ran") })
	r.mod = func(c *engine.Config) { c.Kinds[0].Tries = 1 }
	e := r.start("a")
	later, err := e.Submit(t.Context(), bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("x"), At: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, there, err := bus.JobTimerSet(t.Context(), r.b, bus.TimerOfJob(5, later.ID)); err != nil || !there {
		t.Fatalf("it has no timer: %v", err)
	}
	done, err := r.jobs.Cancel(t.Context(), bus.JobRequest{Target: later.ID})
	if err != nil || done.State != bus.JobCancelled || done.Attempt != 0 {
		t.Errorf("%+v %v", done, err)
	}
	if _, there, err := bus.JobTimerSet(t.Context(), r.b, bus.TimerOfJob(5, later.ID)); err != nil || there {
		t.Errorf("its timer is still there: %v", err)
	}
}

func TestAPausedKindBeginsNothingUntilItIsResumed(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return nil })
	r.start("a")
	r.start("b")
	if _, err := r.jobs.Pause(t.Context(), bus.JobRequest{Target: string(kindFree), Actor: "ann", Reason: "Discord has an outage"}); err != nil {
		t.Fatal(err)
	}
	j := r.submit(kindFree, 5, "x")
	w := r.awaitState(j, bus.JobWaiting)
	if !w.Wait.Pause || w.Wait.Why != "jobs of this kind were paused by ann: Discord has an outage" || w.Attempt != 0 {
		t.Errorf("it waits: %+v", w)
	}
	r.awaitState(r.submit(kindSole, 5, "another kind"), bus.JobCompleted)
	if _, err := r.jobs.Resume(t.Context(), bus.JobRequest{Target: string(kindFree)}); err != nil {
		t.Fatal(err)
	}
	r.awaitState(j, bus.JobCompleted)
	if _, err := r.jobs.Pause(t.Context(), bus.JobRequest{Target: "nope"}); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("a kind that is none: %v", err)
	}
}

// A process that starts knows of the pauses before it begins anything.
func TestAPausedKindIsPausedFromTheStart(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return errors.New("ran") })
	r.mod = func(c *engine.Config) { c.Kinds[1].Tries = 1 }
	pauses, err := bus.OpenRecords(t.Context(), r.b, bus.JobPauses())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pauses.Put(t.Context(), string(kindSole), bus.JobPause{V: 1, By: "ann"}); err != nil {
		t.Fatal(err)
	}
	var left []bus.Job
	for g := bus.GuildID(1); g <= 10; g++ {
		left = append(left, r.submitByHand(g))
	}
	r.start("a")
	for _, j := range left {
		if w := r.await(j, "begun or put to wait", func(j bus.Job) bool { return j.State != bus.JobPending }); w.State != bus.JobWaiting || !w.Wait.Pause || w.Attempt != 0 {
			t.Fatalf("it is %+v", w)
		}
	}
}

// Two processes to which somebody gave one name still exclude each other, and both hear what is asked of their jobs.
func TestTwoProcessesOfOneName(t *testing.T) {
	var runs atomic.Int32
	started := make(chan struct{}, 1)
	r := newRig(t, func(ctx context.Context, a act, _ work.Run) error {
		if a.Text == "long" {
			started <- struct{}{}
			<-ctx.Done()
			return ctx.Err()
		}
		runs.Add(1)
		return nil
	})
	r.mod = func(c *engine.Config) { c.Timing.Beat, c.Timing.AckWait = time.Minute, 2*time.Minute }
	r.start("same")
	r.start("same")
	for g := bus.GuildID(1); g <= 10; g++ {
		long := r.submit(kindSole, g, "long")
		<-started
		if _, err := r.jobs.Cancel(t.Context(), bus.JobRequest{Target: long.ID}); err != nil {
			t.Fatal(err)
		}
		r.awaitState(long, bus.JobCancelled)
		if done := r.awaitState(r.submit(kindFree, g, "x"), bus.JobCompleted); done.Attempt != 1 || done.Takeovers != 0 {
			t.Errorf("%+v", done)
		}
	}
	if runs.Load() != 10 {
		t.Errorf("10 jobs ran %d times", runs.Load())
	}
}
