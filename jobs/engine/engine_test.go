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

// Acceptance check 19, J4: no field of one submission ever reaches another. Also 100 guilds on 4 workers, none twice.
func TestArgumentsNeverCross(t *testing.T) {
	var mu sync.Mutex
	seen := map[bus.GuildID][]string{}
	r := newRig(t, func(_ context.Context, a act, r work.Run) error {
		mu.Lock()
		defer mu.Unlock()
		pw, _ := r.Secret("password")
		seen[r.Job().Guild] = append(seen[r.Job().Guild], a.Text+"/"+a.Guild+"/"+pw.Reveal())
		return nil
	})
	for i := range 4 {
		r.start(fmt.Sprintf("w%d", i))
	}
	var all sync.WaitGroup
	jobs := make([]bus.Job, 101)
	for g := 1; g <= 100; g++ {
		all.Go(func() {
			s := bus.JobSubmit{Kind: kindSole, Guild: bus.GuildID(g), Args: args(fmt.Sprint("t", g))}
			if g%2 == 0 { // the others leave these fields out
				s.Args = []byte(fmt.Sprintf(`{"text":"t%d","guild":"%d"}`, g, g))
				s.Secrets = bus.JobSecrets{"password": fmt.Sprint("secret", g)}
			}
			var err error
			if jobs[g], err = r.jobs.Submit(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for g := 1; g <= 100; g++ {
		r.awaitState(jobs[g], bus.JobCompleted)
		want := fmt.Sprintf("t%d//", g)
		if g%2 == 0 {
			want = fmt.Sprintf("t%d/%d/secret%d", g, g, g)
		}
		mu.Lock()
		if got := seen[bus.GuildID(g)]; len(got) != 1 || got[0] != want {
			t.Errorf("guild %d ran %v, want %s once", g, got, want)
		}
		mu.Unlock()
	}
}

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

// Acceptance checks 24 and 25, H8, J5: arguments that name another guild, are unknown, or are wrong make no job, with a
// stable code.
func TestSubmissionsThatAreRefused(t *testing.T) {
	r := newRig(t, nil)
	r.start("one")
	for name, c := range map[string]struct {
		s      bus.JobSubmit
		code   bus.Code
		reason string
	}{
		"another guild":       {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{"text":"x","guild":"6"}`)}, bus.CodeDenied, "other_guild"},
		"as the ancestor":     {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{"ServerID":"6"}`)}, bus.CodeDenied, "other_guild"},
		"as a number":         {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{"guild_id":6}`)}, bus.CodeDenied, "other_guild"},
		"no guild":            {bus.JobSubmit{Kind: kindFree, Args: args("x")}, bus.CodeInvalid, "no_guild"},
		"no such kind":        {bus.JobSubmit{Kind: "nope", Guild: 5}, bus.CodeInvalid, "no_kind"},
		"an unknown field":    {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{"txet":"x"}`)}, bus.CodeInvalid, "bad_args"},
		"what its kind says":  {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("bad")}, bus.CodeInvalid, "bad_args"},
		"no object":           {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`[]`)}, bus.CodeInvalid, "bad_args"},
		"two objects":         {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{} {}`)}, bus.CodeInvalid, "bad_payload"},
		"too large":           {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args(strings.Repeat("x", engine.MaxArgs))}, bus.CodeInvalid, "args_too_large"},
		"a secret in clear":   {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("hunter22"), Secrets: bus.JobSecrets{"password": "hunter22"}}, bus.CodeInvalid, "secret_in_args"},
		"a secret too large":  {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("x"), Secrets: bus.JobSecrets{"password": strings.Repeat("x", 2000)}}, bus.CodeInvalid, "bad_secrets"},
		"a key that is wrong": {bus.JobSubmit{Kind: "../x", Guild: 5}, bus.CodeInvalid, "no_kind"},
	} {
		_, err := r.jobs.Submit(t.Context(), c.s)
		if e := bus.AsError(err); e == nil || e.Code != c.code || e.Reason != c.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := r.jobs.List(t.Context(), bus.JobQuery{}); err != nil || len(list.Jobs) != 0 {
		t.Errorf("records are left: %+v, %v", list, err)
	}
}

// A submission that is repeated with its key gives the first one's job, whoever it reaches.
func TestARepeatedSubmissionMakesOneJob(t *testing.T) {
	var runs atomic.Int32
	r := newRig(t, func(context.Context, act, work.Run) error { runs.Add(1); return nil })
	a, b := r.start("a"), r.start("b")
	var mu sync.Mutex
	ids := map[string]bool{}
	var all sync.WaitGroup
	var last bus.Job
	for i := range 20 {
		all.Go(func() {
			e := []*engine.Engine{a.Engine, b.Engine}[i%2]
			j, err := e.Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: 5, Args: args("x"), Key: "k"})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[j.ID], last = true, j
		})
	}
	all.Wait()
	r.awaitState(last, bus.JobCompleted)
	if len(ids) != 1 || runs.Load() != 1 {
		t.Errorf("it became %v and ran %d times", ids, runs.Load())
	}
	if j, err := a.Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: 6, Args: args("x"), Key: "k"}); err != nil || ids[j.ID] {
		t.Errorf("the key of another guild gave its job: %v %v", j.ID, err)
	}
}

// Acceptance checks 26, H7 and H12: a job and its files are found with their own guild only.
func TestAJobOfAnotherGuildIsNotFound(t *testing.T) {
	var source atomic.Value
	r := newRig(t, func(ctx context.Context, a act, r work.Run) error {
		if a.Text == "make" {
			_, err := r.Put(ctx, "backup", strings.NewReader("x"))
			return err
		}
		_, err := r.Open(ctx, source.Load().(string), "backup")
		return work.Permanent(err)
	})
	r.start("one")
	made := r.awaitState(r.submit(kindFree, 5, "make"), bus.JobCompleted)
	source.Store(made.ID)
	if own := r.awaitState(r.submit(kindFree, 5, "open"), bus.JobCompleted); own.Error != nil {
		t.Errorf("its own guild: %+v", own.Error)
	}
	if other := r.awaitState(r.submit(kindFree, 6, "open"), bus.JobFailed); other.Error.Code != bus.CodeNotFound {
		t.Errorf("another guild: %+v", other.Error)
	}
	for name, try := range map[string]func() error{
		"get":  func() error { _, err := r.jobs.Get(t.Context(), 6, made.ID); return err },
		"file": func() error { _, _, err := r.jobs.OpenFile(t.Context(), 6, made.ID, "backup"); return err },
		"cancel": func() error {
			_, err := r.jobs.Cancel(t.Context(), bus.JobRequest{Guild: 6, Target: made.ID})
			return err
		},
		"retry": func() error {
			_, err := r.jobs.Retry(t.Context(), bus.JobRequest{Guild: 6, Target: made.ID})
			return err
		},
		"watch": func() error {
			return r.jobs.Watch(t.Context(), 6, made.ID, 0, func(bus.JobLine) error { return nil })
		},
	} {
		if err := try(); !bus.IsCode(err, bus.CodeNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"*", ">", "a.b", "../" + made.ID, ""} {
		if _, err := r.jobs.Get(t.Context(), 5, id); !bus.IsCode(err, bus.CodeInvalid) {
			t.Errorf("the id %q: %v", id, err)
		}
	}
}

// Acceptance check 28: a cancelled job stops within one call, and tells what it had changed.
func TestACancelReachesARunningJobAtOnce(t *testing.T) {
	started := make(chan struct{}, 1)
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

// Acceptance check 22: what a crash leaves between record and item is placed by the sweeper.
func TestARecordWithoutAnItemIsSwept(t *testing.T) {
	r := newRig(t, func(context.Context, act, work.Run) error { return nil })
	records, err := bus.OpenRecords(t.Context(), r.b, bus.AllJobs())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	orphan := func(state bus.JobState) bus.Job {
		j := bus.Job{V: 1, ID: bus.NewJobID(now), Kind: kindSole, Guild: bus.GuildID(len(state)), Lane: "guild", Queue: bus.JobsLow, Sole: true, Args: args("x"), State: state, Generation: 1, Submitted: now, Changed: now}
		if state == bus.JobWaiting {
			j.Wait = &bus.JobWait{Until: now, Why: "x"}
		}
		if state == bus.JobRunning {
			j.Attempt, j.Worker, j.Started = 1, "dead", now // J9: its worker and its item are gone
		}
		if _, err := records.Create(t.Context(), bus.JobKey(j.Guild, j.ID), j); err != nil {
			t.Fatal(err)
		}
		return j
	}
	left := []bus.Job{orphan(bus.JobPending), orphan(bus.JobWaiting)}
	r.start("a")
	for _, j := range left {
		r.awaitState(j, bus.JobCompleted)
	}
	r.awaitState(orphan(bus.JobRunning), bus.JobCompleted)
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

// Urgent jobs come first, and the least urgent are not starved.
func TestUrgentJobsComeFirst(t *testing.T) {
	var mu sync.Mutex
	var order []string
	gate := make(chan struct{})
	r := newRig(t, func(_ context.Context, a act, _ work.Run) error {
		<-gate
		mu.Lock()
		defer mu.Unlock()
		order = append(order, a.Text)
		return nil
	})
	r.mod = func(c *engine.Config) {
		c.Workers = 1
		high := c.Kinds[0]
		high.Name, high.Queue = "test-high", bus.JobsHigh
		low := c.Kinds[0]
		low.Name, low.Queue = "test-low", bus.JobsLow
		c.Kinds = append(c.Kinds, high, low)
	}
	e := r.start("a")
	r.awaitState(r.submit("test-low", 1, "first"), bus.JobRunning)
	var jobs []bus.Job
	for range 4 {
		jobs = append(jobs, r.submit("test-low", 1, "low"), r.submit("test-high", 1, "high"))
	}
	close(gate)
	for _, j := range jobs {
		r.awaitState(j, bus.JobCompleted)
	}
	_ = e
	highs := 0
	for i, text := range order[1:] {
		if text == "high" {
			highs += 4 - i
		}
	}
	if highs < 4+3+2-1 { // all of 4 first would be 10; one in eight rounds goes the other way
		t.Errorf("the order was %v", order)
	}
}

func TestMain(m *testing.M) { workerOrTests(m) }
