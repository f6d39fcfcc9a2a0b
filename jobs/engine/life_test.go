package engine_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

func TestAJobFromItsSubmissionToItsEnd(t *testing.T) {
	r := newRig(t, func(ctx context.Context, a act, r work.Run) error {
		r.Say(work.Info, "hello %s", a.Text)
		r.Progress(1, 2)
		if n, err := r.Put(ctx, "out.txt", strings.NewReader("bytes of "+a.Text)); err != nil || n != int64(len("bytes of x")) {
			return fmt.Errorf("%d %w", n, err)
		}
		return r.Outcome(map[string]string{"said": a.Text})
	})
	r.start("one")
	j := r.submit(kindFree, 5, "x")
	done := r.awaitState(j, bus.JobCompleted)
	if string(done.Outcome) != `{"said":"x"}` || done.Attempt != 1 || done.Worker != "one" || done.By != 7 || done.Expires.Before(time.Now().Add(29*24*time.Hour)) || done.Failures != 0 {
		t.Errorf("the record tells %+v", done)
	}
	f, info, err := r.jobs.OpenFile(t.Context(), 5, j.ID, "out.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil || string(text) != "bytes of x" || info.Size != 10 {
		t.Errorf("the file holds %q, %v", text, err)
	}
	var said []string
	err = r.jobs.Watch(t.Context(), 5, j.ID, 0, func(l bus.JobLine) error {
		said = append(said, strings.TrimSpace(string(l.State)+" "+l.Text))
		return nil
	})
	if all := strings.Join(said, "|"); err != nil || !strings.Contains(all, "running|") || !strings.Contains(all, "hello x") || !strings.HasSuffix(all, "completed") {
		t.Errorf("the log tells %q, %v", all, err)
	}
}

func TestAFailedJobIsTriedAgainAndThenParkedAndRetriedFromItsStep(t *testing.T) {
	var fail atomic.Bool
	var steps sync.Map
	fail.Store(true)
	count := func(name string) int32 {
		n, _ := steps.LoadOrStore(name, new(atomic.Int32))
		return n.(*atomic.Int32).Add(1)
	}
	r := newRig(t, func(ctx context.Context, _ act, r work.Run) error {
		err := r.Step(ctx, "one", func(ctx context.Context) error { count("one"); return r.Note(ctx, "cursor", 5) })
		if err != nil {
			return err
		}
		return r.Step(ctx, "two", func(context.Context) error {
			count("two")
			var cursor int
			if ok, err := r.Noted("cursor", &cursor); !ok || err != nil || cursor != 5 {
				return work.Permanent(fmt.Errorf("the cursor is %d %v %w", cursor, ok, err))
			}
			if fail.Load() {
				return errors.New("Discord is away")
			}
			return nil
		})
	})
	r.start("a")
	j := r.submit(kindSole, 5, "x")
	parked := r.awaitState(j, bus.JobFailed)
	if parked.Attempt != 3 || parked.Failures != 3 || parked.Error.Step != "two" || parked.Error.Message != "Discord is away" || len(parked.Tries) != 3 || parked.Tries[0].Result != "failed: Discord is away" {
		t.Errorf("parked: %+v", parked)
	}
	fail.Store(false)
	if _, err := r.jobs.Retry(t.Context(), bus.JobRequest{Target: j.ID, Actor: "ann"}); err != nil {
		t.Fatal(err)
	}
	done := r.awaitState(j, bus.JobCompleted)
	if count("one") != 2 || count("two") != 5 || done.Error != nil || done.Attempt != 4 {
		t.Errorf("the steps ran %d and %d times: %+v", count("one")-1, count("two")-1, done)
	}
	if _, err := r.jobs.Retry(t.Context(), bus.JobRequest{Target: j.ID}); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("a job that is done: %v", err)
	}
}

func TestPermanentErrorsAndPanicsAndDeadlines(t *testing.T) {
	r := newRig(t, func(ctx context.Context, a act, r work.Run) error {
		switch a.Text {
		case "permanent":
			return work.Permanent(errors.New("gone"))
		case "panic":
			panic("oh")
		}
		<-ctx.Done()
		return ctx.Err()
	})
	r.mod = func(c *engine.Config) { c.Kinds[0].Deadline = 300 * time.Millisecond }
	r.start("a")
	if j := r.awaitState(r.submit(kindFree, 5, "permanent"), bus.JobFailed); j.Attempt != 1 || j.Error.Message != "gone" {
		t.Errorf("permanent: %+v", j)
	}
	if j := r.awaitState(r.submit(kindFree, 5, "panic"), bus.JobFailed); j.Attempt != 3 || j.Error.Reason != "panic" {
		t.Errorf("panic: %+v", j)
	}
	if j := r.awaitState(r.submit(kindFree, 5, "slow"), bus.JobFailed); j.Error.Reason != "deadline" {
		t.Errorf("deadline: %+v", j)
	}
}

// A snooze does not count as a failure; a near one keeps its lane, a far one is a timer and frees it.
func TestASnoozeNearAndFar(t *testing.T) {
	for _, near := range []time.Duration{time.Minute, time.Millisecond} {
		var runs atomic.Int32
		r := newRig(t, func(_ context.Context, _ act, r work.Run) error {
			if runs.Add(1) < 4 {
				return work.Snooze(time.Now().Add(200*time.Millisecond), "the limit of Discord")
			}
			return nil
		})
		r.mod = func(c *engine.Config) { c.Timing.Near = near }
		r.start("a")
		j := r.submit(kindSole, 5, "x")
		w := r.awaitState(j, bus.JobWaiting)
		if w.Wait.Why != "the limit of Discord" || w.Wait.InRun != (near == time.Minute) {
			t.Errorf("it waits: %+v", w.Wait)
		}
		done := r.awaitState(j, bus.JobCompleted)
		if done.Failures != 0 || done.Attempt != 4 || done.Takeovers != 0 {
			t.Errorf("after snoozes: %+v", done)
		}
	}
}

// At the end of a process its jobs are handed back, and another process goes on at once behind what was noted.
func TestADrainedJobGoesOnElsewhere(t *testing.T) {
	started := make(chan string, 2)
	r := newRig(t, func(ctx context.Context, _ act, r work.Run) error {
		var had bool
		if _, err := r.Noted("first", &had); err != nil || had {
			return err
		}
		if err := r.Note(ctx, "first", true); err != nil {
			return err
		}
		started <- "x"
		<-ctx.Done()
		return ctx.Err()
	})
	r.mod = func(c *engine.Config) { c.Timing.AckWait = time.Minute } // so that only handing back can be the cause
	a := r.start("a")
	j := r.submit(kindSole, 5, "x")
	<-started
	r.start("b")
	a.stop()
	done := r.awaitState(j, bus.JobCompleted)
	if done.Worker != "b" || done.Attempt != 2 || done.Takeovers != 0 || done.Failures != 0 || !strings.HasPrefix(done.Tries[0].Result, "handed back") {
		t.Errorf("%+v", done)
	}
}

func TestMain(m *testing.M) { workerOrTests(m) }
