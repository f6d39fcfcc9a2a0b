package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// Acceptance check 22: what a crash leaves between record and item is placed by the sweeper.
func TestARecordWithoutAnItemIsSwept(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return nil })
	now := time.Now().UTC()
	left := []bus.Job{
		r.leave(bus.Job{Kind: kindSole, Guild: 1, State: bus.JobPending}),
		r.leave(bus.Job{Kind: kindSole, Guild: 2, State: bus.JobWaiting, Wait: &bus.JobWait{Until: now, Why: "x"}}),
	}
	r.start("a")
	// J9: its worker and its item are gone.
	left = append(left, r.leave(bus.Job{Kind: kindSole, Guild: 3, State: bus.JobRunning, Attempt: 1, Worker: "dead", Started: now}))
	for _, j := range left {
		r.awaitState(j, bus.JobCompleted)
	}
}

// A job that waits is the timer's matter as long as the server holds one: a sweeper whose clock is ahead begins nothing early.
func TestASweeperAheadOfTheServerLeavesTimersAlone(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return nil })
	r.start("a")
	early := r.leave(bus.Job{Kind: kindFree, Guild: 5, State: bus.JobWaiting, Wait: &bus.JobWait{Until: time.Now().Add(-time.Hour), Why: "as a clock that is an hour ahead sees it"}})
	timer, item := bus.TimerOfJob(5, early.ID), bus.JobItem{V: 1, Guild: 5, ID: early.ID, Generation: 1}
	if err := bus.SetJobTimer(t.Context(), r.b, timer, time.Now().Add(time.Hour), item); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one after the other: between two of them everything that is due is looked at
		r.awaitState(r.leave(bus.Job{Kind: kindFree, Guild: 6, State: bus.JobPending}), bus.JobCompleted)
	}
	if now, err := r.jobs.Get(t.Context(), 5, early.ID); err != nil || now.State != bus.JobWaiting {
		t.Errorf("before its time it is %+v, %v", now, err)
	}
	if err := bus.SetJobTimer(t.Context(), r.b, timer, time.Now(), item); err != nil {
		t.Fatal(err)
	}
	r.awaitState(early, bus.JobCompleted)
	if _, there, err := bus.JobTimerSet(t.Context(), r.b, timer); err != nil || there {
		t.Errorf("a timer that has come is still set: %v", err)
	}
}

// A pause that ended while a job was put to wait for its end does not keep it until it looks by itself.
func TestAJobDoesNotWaitForAPauseThatIsOver(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return nil })
	r.start("a")
	r.awaitState(r.leave(bus.Job{Kind: kindFree, Guild: 5, State: bus.JobWaiting, Wait: &bus.JobWait{Until: time.Now().Add(time.Hour), Why: "x", Pause: true}}), bus.JobCompleted)
}

// Between the end of its time and its removal a job that failed is not retried: its notes may be gone already.
func TestAJobThatHasExpiredIsNotRetried(t *testing.T) {
	r := newRig(t, nil)
	r.mod = func(c *engine.Config) { c.Timing.Sweep = time.Hour } // so that it is still there
	r.start("a")
	now := time.Now().UTC()
	j := r.leave(bus.Job{Kind: kindFree, Guild: 5, State: bus.JobFailed, Finished: now, Expires: now})
	if _, err := r.jobs.Retry(t.Context(), bus.JobRequest{Target: j.ID}); !bus.IsCode(err, bus.CodeNotFound) || !strings.Contains(err.Error(), "expired") {
		t.Errorf("it was retried: %v", err)
	}
}

// Acceptance check 27: a job expires together with its files, notes, log and secrets.
func TestAnExpiredJobLeavesNothing(t *testing.T) {
	r := newRig(t, func(ctx context.Context, _ act, r work.Run) error {
		r.Say(work.Info, "x")
		if err := r.Note(ctx, "k", 1); err != nil {
			return err
		}
		_, err := r.Put(ctx, "f", strings.NewReader("x"))
		return err
	})
	r.mod = func(c *engine.Config) { c.Kinds[0].Keep = 600 * time.Millisecond }
	e := r.start("a")
	j, err := e.Submit(t.Context(), bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("x"), Secrets: bus.JobSecrets{"password": "p4ssw0rd"}})
	if err != nil {
		t.Fatal(err)
	}
	done := r.awaitState(j, bus.JobCompleted)
	records, err := bus.OpenRecords(t.Context(), r.b, bus.AllJobs())
	if err != nil {
		t.Fatal(err)
	}
	gone := errors.New("gone")
	err = records.Watch(t.Context(), bus.JobKey(5, j.ID), func(e bus.Entry[bus.Job], _ bool) error {
		if e.Deleted {
			return gone
		}
		return nil
	})
	if !errors.Is(err, gone) {
		t.Fatal(err)
	}
	blobs, err := bus.OpenBackups(t.Context(), r.b)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := blobs.Open(t.Context(), done.Files[0].Key); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("its file: %v", err)
	}
	if page, _, err := bus.ReadPage(t.Context(), r.b, bus.JobLog(5, j.ID), 0, 5); err != nil || len(page) != 0 {
		t.Errorf("its log: %v %v", page, err)
	}
	if page, _, err := bus.ReadPage(t.Context(), r.b, bus.JobNotes(5, j.ID), 0, 5); err != nil || len(page) != 0 {
		t.Errorf("its notes: %v %v", page, err)
	}
	seals, err := bus.OpenRecords(t.Context(), r.b, bus.JobSeals())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seals.Get(t.Context(), bus.JobKey(5, j.ID)); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("its secrets: %v", err)
	}
}
