package moderate_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"splashtail/bot/moderate"
	"splashtail/bus"
	"splashtail/bus/bustest"
)

const (
	guild = bus.GuildID(41)
	user  = bus.UserID(7)
)

// rig is a bus with a keeper, and a stand-in for the component jobs that does no work.
type rig struct {
	t         *testing.T
	b         *bus.Bus
	k         *moderate.Keeper
	records   *bus.Records[bus.Punishment]
	jobs      *bus.Records[bus.Job]
	asked     chan bus.JobSubmit
	cancelled chan string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, b: bustest.New(t), asked: make(chan bus.JobSubmit, 64), cancelled: make(chan string, 8)}
	var err error
	r.records, err = bus.OpenRecords(t.Context(), r.b, bus.Punishments())
	r.ok(err)
	r.jobs, err = bus.OpenRecords(t.Context(), r.b, bus.AllJobs())
	r.ok(err)
	r.k = r.keeper("one")
	return r
}

func (r *rig) keeper(instance string) *moderate.Keeper {
	r.t.Helper()
	k := moderate.NewKeeper(moderate.KeeperConfig{Instance: instance, Again: 10 * time.Millisecond}, r.b, bustest.Log(r.t))
	r.ok(k.Open(r.t.Context()))
	return k
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// run runs a keeper until stop, which waits for its end.
func (r *rig) run(k *moderate.Keeper) (stop func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.t.Context()))
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	stop = func() {
		if ctx.Err() != nil {
			return
		}
		cancel()
		if err := <-done; err != nil {
			r.t.Error(err)
		}
	}
	r.t.Cleanup(stop)
	return stop
}

// serve takes jobs in: the same key gives the same job.
func (r *rig) serve() {
	r.t.Helper()
	once := map[string]bus.Job{}
	stop, err := bus.Serve(r.t.Context(), r.b, bus.JobSubmitCall(), func(ctx context.Context, s bus.JobSubmit) (bus.Job, error) {
		job, known := once[s.Key]
		if !known {
			job = bus.Job{V: 1, ID: bus.NewJobID(time.Now()), Kind: s.Kind, Guild: s.Guild, Args: s.Args, State: bus.JobWaiting}
			once[s.Key] = job
		}
		_, err := r.jobs.Put(ctx, bus.JobKey(job.Guild, job.ID), job)
		r.asked <- s // behind the record: who waits for it may read that
		return job, err
	})
	r.ok(err)
	r.t.Cleanup(stop)
	stop, err = bus.Serve(r.t.Context(), r.b, bus.JobCancelCall(), func(_ context.Context, q bus.JobRequest) (bus.Job, error) {
		r.cancelled <- q.Target
		return bus.Job{}, nil
	})
	r.ok(err)
	r.t.Cleanup(stop)
}

func (r *rig) plan(op string, until time.Time) {
	r.t.Helper()
	r.ok(r.k.Plan(r.t.Context(), bus.Punishment{V: 1, Guild: guild, User: user, Op: op, At: time.Now().UTC(), Until: until}))
}

// until waits for a state of the record.
func (r *rig) until(what string, is func(bus.Entry[bus.Punishment]) bool) bus.Punishment {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 20*time.Second)
	defer cancel()
	var got bus.Punishment
	found := errors.New("found")
	err := r.records.Watch(ctx, bus.PunishmentKey(guild, user), func(e bus.Entry[bus.Punishment], live bool) error {
		if live || !is(e) {
			return nil
		}
		got = e.Value
		return found
	})
	if !errors.Is(err, found) {
		r.t.Fatalf("the record is not %s: %v", what, err)
	}
	return got
}

func (r *rig) hasJob(e bus.Entry[bus.Punishment]) bool { return !e.Deleted && e.Value.Job != "" }

// ask waits for a submission.
func (r *rig) ask() bus.JobSubmit {
	r.t.Helper()
	select {
	case s := <-r.asked:
		return s
	case <-time.After(20 * time.Second):
		r.t.Fatal("no job was asked for within 20 s")
		return bus.JobSubmit{}
	}
}

// TestAJobThatNobodyTookIsAskedForAgain: while no worker answers nothing is lost, and the job
// is written into the record once one does.
func TestAJobThatNobodyTookIsAskedForAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	until := time.Now().Add(time.Hour).UTC()
	r.plan("op1", until)
	r.run(r.k)
	r.serve()
	if s := r.ask(); s.Key != "op1" || !s.At.Equal(until) || s.Kind != bus.JobPunishmentEnd {
		t.Errorf("asked for %+v", s)
	}
	p := r.until("one with a job", r.hasJob)
	if _, err := r.jobs.Get(t.Context(), bus.JobKey(guild, p.Job)); err != nil {
		t.Errorf("the job of the record: %v", err)
	}
}

// TestTheNextProcessLooksAtEveryRecord: a job that is there is left alone, one that is gone is
// asked for anew, and one that somebody cancelled means that the ban stays.
func TestTheNextProcessLooksAtEveryRecord(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	stop := r.run(r.k)
	r.plan("op1", time.Now().Add(time.Hour))
	job := r.until("one with a job", r.hasJob).Job
	stop()
	r.ask()

	r.ok(r.jobs.Delete(t.Context(), bus.JobKey(guild, job), 0))
	stop = r.run(r.keeper("two"))
	if s := r.ask(); s.Key != "op1" {
		t.Errorf("asked for %+v", s)
	}
	stop()
	there, err := r.jobs.Get(t.Context(), bus.JobKey(guild, job))
	r.ok(err)
	there.Value.State = bus.JobCancelled
	_, err = r.jobs.Put(t.Context(), bus.JobKey(guild, job), there.Value)
	r.ok(err)
	r.run(r.keeper("three"))
	r.until("gone", func(e bus.Entry[bus.Punishment]) bool { return e.Deleted })
	if n := len(r.asked); n != 0 {
		t.Errorf("%d jobs more were asked for", n)
	}
}

// TestForgetCancelsTheJob that would do nothing, and leaves one that is due: it may be what
// has just lifted the ban.
func TestForgetCancelsTheJob(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.serve()
	r.run(r.k)
	r.plan("due", time.Now().Add(-time.Second))
	r.until("one with a job", r.hasJob)
	r.ok(r.k.Forget(t.Context(), guild, user, time.Now().Add(time.Second)))
	r.plan("early", time.Now().Add(time.Hour))
	p := r.until("one with a job", r.hasJob)
	r.ok(r.k.Forget(t.Context(), guild, user, p.At)) // planned later than what is forgotten
	if _, known, err := r.k.Planned(t.Context(), guild, user); err != nil || !known {
		t.Errorf("a newer plan was forgotten: %v", err)
	}
	r.ok(r.k.Forget(t.Context(), guild, user, time.Now().Add(time.Second)))
	if _, known, err := r.k.Planned(t.Context(), guild, user); err != nil || known {
		t.Errorf("the plan is still there: %v", err)
	}
	if got := <-r.cancelled; got != p.Job || len(r.cancelled) != 0 {
		t.Errorf("%s was cancelled, and %d more; want %s alone", got, len(r.cancelled), p.Job)
	}
}
