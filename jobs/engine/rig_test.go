package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/seal"
	"splashtail/internal/secret"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// The kinds of the tests.
const (
	kindFree bus.JobKind = "test-free" // any number at a time
	kindSole bus.JobKind = "test-sole" // one per guild
)

// act is a work whose deed a test gives.
type act struct {
	Text  string `json:"text"`
	Guild string `json:"guild,omitempty"`
	do    func(ctx context.Context, a act, r work.Run) error
}

func (a *act) Check() error {
	if a.Text == "bad" {
		return errors.New("the text is bad")
	}
	return nil
}

func (a *act) Run(ctx context.Context, r work.Run) error { return a.do(ctx, *a, r) }

type rig struct {
	t    *testing.T
	b    *bus.Bus
	jobs *bus.Jobs
	do   func(ctx context.Context, a act, r work.Run) error
	mod  func(*engine.Config)
}

func fast() engine.Timing {
	return engine.Timing{AckWait: 2 * time.Second, Beat: 300 * time.Millisecond, Poll: 50 * time.Millisecond, Sweep: 200 * time.Millisecond,
		Stale: 500 * time.Millisecond, Drain: 300 * time.Millisecond, Lane: 300 * time.Millisecond, Retry: 10 * time.Millisecond}
}

func sealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := seal.Open(secret.New(strings.Repeat("07", 32)), "")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newRig(t *testing.T, do func(ctx context.Context, a act, r work.Run) error) *rig {
	t.Helper()
	return rigOn(t, bustest.New(t), do)
}

func rigOn(t *testing.T, b *bus.Bus, do func(ctx context.Context, a act, r work.Run) error) *rig {
	t.Helper()
	jobs, err := bus.OpenJobs(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t: t, b: b, jobs: jobs, do: do}
}

func (r *rig) kinds() []engine.Kind {
	mk := func() work.Work { return &act{do: r.do} }
	return []engine.Kind{{Name: kindFree, Make: mk, Tries: 3}, {Name: kindSole, Sole: true, Lane: "guild", Queue: bus.JobsLow, Make: mk, Tries: 3}}
}

// running is an engine that a test started.
type running struct {
	*engine.Engine
	b    *bus.Bus
	stop func()
}

// start starts an engine on a connection of its own; it ends with the test.
func (r *rig) start(name string) running {
	r.t.Helper()
	own, err := r.b.Component(r.t.Context(), name)
	if err != nil {
		r.t.Fatal(err)
	}
	cfg := engine.Config{Kinds: r.kinds(), Instance: name, Sealer: sealer(r.t), Timing: fast()}
	if r.mod != nil {
		r.mod(&cfg)
	}
	e, err := engine.New(cfg, own, bustest.Log(r.t))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				r.t.Errorf("the engine %s: %v", name, err)
			}
			bustest.Close(r.t, own)
		})
	}
	r.t.Cleanup(stop)
	select {
	case <-e.Ready():
	case err := <-ended:
		r.t.Fatalf("the engine did not start: %v", err)
	case <-time.After(20 * time.Second):
		r.t.Fatal("the engine does not get ready")
	}
	return running{e, own, stop}
}

func args(text string) json.RawMessage {
	data, _ := json.Marshal(map[string]string{"text": text})
	return data
}

func (r *rig) submit(kind bus.JobKind, g bus.GuildID, text string) bus.Job {
	r.t.Helper()
	j, err := r.jobs.Submit(r.t.Context(), bus.JobSubmit{Kind: kind, Guild: g, By: 7, Args: args(text)})
	if err != nil {
		r.t.Fatalf("submitting: %v", err)
	}
	return j
}

// await waits until a job's record is as wanted.
func (r *rig) await(j bus.Job, what string, is func(bus.Job) bool) bus.Job {
	r.t.Helper()
	records, err := bus.OpenRecords(r.t.Context(), r.b, bus.AllJobs())
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	var last bus.Job
	found := errors.New("found")
	err = records.Watch(ctx, bus.JobKey(j.Guild, j.ID), func(e bus.Entry[bus.Job], live bool) error {
		if live || e.Deleted {
			return nil
		}
		if last = e.Value; is(last) {
			return found
		}
		return nil
	})
	if !errors.Is(err, found) {
		r.t.Fatalf("the job %s never was %s: %v; last %+v", j.ID, what, err, last)
	}
	return last
}

func (r *rig) awaitState(j bus.Job, s bus.JobState) bus.Job {
	r.t.Helper()
	return r.await(j, string(s), func(j bus.Job) bool { return j.State == s })
}

// leave stores a record as a crash or another process leaves it, without an item.
func (r *rig) leave(j bus.Job) bus.Job {
	r.t.Helper()
	records, err := bus.OpenRecords(r.t.Context(), r.b, bus.AllJobs())
	if err != nil {
		r.t.Fatal(err)
	}
	now := time.Now().UTC()
	j.V, j.ID, j.Args, j.Generation, j.Submitted, j.Changed = 1, bus.NewJobID(now), args("x"), 1, now, now
	j.Lane, j.Queue, j.Sole = string(j.Kind), bus.JobsMiddle, false
	if j.Kind == kindSole {
		j.Lane, j.Queue, j.Sole = "guild", bus.JobsLow, true
	}
	if _, err := records.Create(r.t.Context(), bus.JobKey(j.Guild, j.ID), j); err != nil {
		r.t.Fatal(err)
	}
	return j
}

func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(30 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}
