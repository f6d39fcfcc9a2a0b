package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

func (r *rig) hold(kind bus.JobKind, g bus.GuildID, text string) bus.Job {
	r.t.Helper()
	j, err := r.jobs.Submit(r.t.Context(), bus.JobSubmit{Kind: kind, Guild: g, Actor: "ipc client api", Args: args(text), Hold: "execute_task", Secrets: bus.JobSecrets{"password": "p4ssw0rd"}})
	if err != nil {
		r.t.Fatalf("submitting: %v", err)
	}
	if j.State != bus.JobWaiting || !j.Wait.Held || j.Wait.Why != "waits for execute_task" || j.Actor != "ipc client api" {
		r.t.Fatalf("the job that is to be held is %+v", j)
	}
	return j
}

func (r *rig) release(j bus.Job) (bus.Job, error) {
	return r.jobs.Release(r.t.Context(), bus.JobRequest{Target: j.ID, Guild: j.Guild, Actor: "ipc client api"})
}

func (r *rig) hasSeal(j bus.Job) bool {
	r.t.Helper()
	seals, err := bus.OpenRecords(r.t.Context(), r.b, bus.JobSeals())
	if err != nil {
		r.t.Fatal(err)
	}
	_, err = seals.Get(r.t.Context(), bus.JobKey(j.Guild, j.ID))
	if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
		r.t.Fatal(err)
	}
	return err == nil
}

// A job that is held takes no lane and keeps its secrets; released, it begins once, or is told who is in its way.
func TestAHeldJobBeginsWhenItIsReleased(t *testing.T) {
	var runs atomic.Int32
	free := make(chan struct{})
	r := newRig(t, func(_ context.Context, a act, r work.Run) error {
		if a.Text == "first" {
			<-free
			return nil
		}
		runs.Add(1)
		p, _ := r.Secret("password")
		return r.Outcome(p.Reveal())
	})
	r.start("a")
	j := r.hold(kindSole, 5, "held")
	first := r.submit(kindSole, 5, "first")
	r.awaitState(first, bus.JobRunning)
	if _, err := r.release(j); !bus.IsCode(err, bus.CodeConflict) || bus.AsError(err).Details["job"] != first.ID || !strings.Contains(err.Error(), "nothing was changed") {
		t.Errorf("while another job has the lane: %v", err)
	}
	if now, err := r.jobs.Get(t.Context(), 5, j.ID); err != nil || now.State != bus.JobWaiting || !now.Wait.Held || !r.hasSeal(j) {
		t.Errorf("after a refusal it is %+v, %v", now, err)
	}
	close(free)
	r.awaitState(first, bus.JobCompleted)
	for range 2 { // the second time as one who has lost the answer; it may have ended by then
		if _, err := r.release(j); err != nil && !bus.IsCode(err, bus.CodeConflict) {
			t.Fatal(err)
		}
	}
	done := r.awaitState(j, bus.JobCompleted)
	if string(done.Outcome) != `"p4ssw0rd"` || runs.Load() != 1 || done.Attempt != 1 {
		t.Errorf("it ran %d times: %+v", runs.Load(), done)
	}
	if _, err := r.release(j); !bus.IsCode(err, bus.CodeConflict) || bus.AsError(err).Reason != "ended" {
		t.Errorf("a job that has ended: %v", err)
	}
	if _, err := r.jobs.Release(t.Context(), bus.JobRequest{Target: j.ID, Guild: 6}); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("by another guild: %v", err)
	}
}

// A job that nobody releases ends by itself, with its secrets, and says why.
func TestAHeldJobThatNobodyReleasesEndsWithItsSecrets(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return errors.New("ran") })
	r.mod = func(c *engine.Config) { c.Timing.Held = 100 * time.Millisecond }
	e := r.start("a")
	j := r.hold(kindSole, 5, "x")
	done := r.awaitState(j, bus.JobCancelled)
	if done.Attempt != 0 || done.Cancel.Reason != "nobody let it begin within 100ms" || done.Expires.IsZero() {
		t.Errorf("it ended as %+v", done)
	}
	if _, err := r.release(j); !bus.IsCode(err, bus.CodeConflict) || !strings.Contains(err.Error(), "nobody let it begin") {
		t.Errorf("released too late: %v", err)
	}
	e.stop() // it has done what follows the end
	if r.hasSeal(j) {
		t.Error("its secrets are still there")
	}
}

// Neither the end of its process nor the sweeper moves a job that is held; released elsewhere it begins.
func TestAHeldJobOutlivesItsProcess(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return nil })
	a := r.start("a")
	j := r.hold(kindSole, 5, "x")
	a.stop()
	r.start("b")
	// What stands still for as long and has no item either is swept.
	r.awaitState(r.leave(bus.Job{Kind: kindSole, Guild: 6, State: bus.JobPending}), bus.JobCompleted)
	if now, err := r.jobs.Get(t.Context(), 5, j.ID); err != nil || now.State != bus.JobWaiting || now.Generation != 1 || !r.hasSeal(j) {
		t.Fatalf("it is %+v, %v", now, err)
	}
	if _, err := r.release(j); err != nil {
		t.Fatal(err)
	}
	if done := r.awaitState(j, bus.JobCompleted); done.Worker != "b" {
		t.Errorf("%+v", done)
	}
}

func TestAHeldJobIsCancelledOrRetriedByAnOperator(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return nil })
	e := r.start("a")
	gone, begun := r.hold(kindSole, 5, "x"), r.hold(kindSole, 5, "y")
	if j, err := r.jobs.Cancel(t.Context(), bus.JobRequest{Target: gone.ID, Actor: "ann"}); err != nil || j.State != bus.JobCancelled {
		t.Errorf("cancelled: %+v %v", j, err)
	}
	if _, err := r.jobs.Retry(t.Context(), bus.JobRequest{Target: begun.ID, Actor: "ann"}); err != nil {
		t.Error(err)
	}
	r.awaitState(begun, bus.JobCompleted)
	e.stop()
	if r.hasSeal(gone) || r.hasSeal(begun) {
		t.Error("their secrets are still there")
	}
}

func TestJobsThatAreHeldAreBounded(t *testing.T) {
	r := newRig(t, nil)
	r.start("a")
	for range 25 {
		r.hold(kindFree, 5, "x")
	}
	s := bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("x"), Hold: "execute_task"}
	if _, err := r.jobs.Submit(t.Context(), s); !bus.IsCode(err, bus.CodeLimited) || bus.AsError(err).Reason != "too_many_held" {
		t.Errorf("one more: %v", err)
	}
	s.Guild = 6
	if _, err := r.jobs.Submit(t.Context(), s); err != nil {
		t.Errorf("of another guild: %v", err)
	}
}
