// Package engine makes jobs survive. It knows the bus and work.Work, and neither Discord nor any kind of job.
//
// What comes in: submissions (submit.go), work items from the queues (pull.go), timers whose time has come (due.go), and
// what operators ask (control.go). What goes out: runs of work.Work, each in the hands of one worker, and their records.
//
// The life of a job. Its record is created, then an item is placed in its queue, whose subject is a place of its lane (lane.go),
// unless it is held until somebody lets it begin (hold.go).
// A worker takes the item, writes itself into the record with a new attempt number (claim.go) and runs the work
// (run.go). The attempt number fences everything that a worker writes: the record is written by compare-and-set, and a
// note (notes.go) names the note before it, so a worker that was paused and replaced cannot add anything. At the end
// (finish.go) the record is written first and the item removed second. What a crash leaves between two writes, the
// sweeper (sweep.go) mends.
//
// Read first: this file, then kind.go, claim.go and run.go.
package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bus"
	"splashtail/internal/seal"
)

// Config says how an engine runs. A zero field means its default, except for Kinds and Sealer.
type Config struct {
	Kinds    []Kind
	Workers  int    // jobs at a time in this process; 0: 10
	Instance string // names this process; must be unique on the bus
	Version  string
	Sealer   *seal.Sealer // for the secrets of jobs
	Metrics  prometheus.Registerer
	Timing   Timing
}

// Timing is how often and how long; zero fields mean the defaults.
type Timing struct {
	AckWait time.Duration // after the last sign of life, how long until another worker gets a job: 10 s
	Beat    time.Duration // between two signs of life: 3 s
	Poll    time.Duration // how often queues are looked into without a hint: 500 ms
	Sweep   time.Duration // how often crashes are mended and records expire: 5 s
	Stale   time.Duration // how long a record may stand still before the sweeper looks at it: 10 s
	Drain   time.Duration // at the end, how long jobs may go on before they are stopped and handed back: 5 s
	Near    time.Duration // a wait up to this long is spent in the queue, a longer one as a timer: 60 s
	Lane    time.Duration // how often a job that waits for another looks whether the lane is free: 15 s
	Retry   time.Duration // the wait after a first failure; it doubles: 2 s
	Held    time.Duration // how long a job is held that nobody releases: 24 h
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&t.AckWait, 10*time.Second)
	set(&t.Beat, 3*time.Second)
	set(&t.Poll, 500*time.Millisecond)
	set(&t.Sweep, 5*time.Second)
	set(&t.Stale, 10*time.Second)
	set(&t.Drain, 5*time.Second)
	set(&t.Near, time.Minute)
	set(&t.Lane, 15*time.Second)
	set(&t.Retry, 2*time.Second)
	set(&t.Held, 24*time.Hour)
	return t
}

// Engine is one process's part in the work of all.
type Engine struct {
	cfg   Config
	t     Timing
	b     *bus.Bus
	log   *slog.Logger
	kinds map[bus.JobKind]Kind
	m     metrics
	ready chan struct{}
	wake  chan struct{} // there may be something in the queues

	jobs      *bus.Jobs
	records   *bus.Records[bus.Job]
	onces     *bus.Records[bus.JobOnce]
	pauses    *bus.Records[bus.JobPause]
	seals     *bus.Records[bus.JobSealed]
	schedules *bus.Records[bus.JobSchedule]
	files     *bus.Blobs

	mu      sync.Mutex
	running map[string]*run // by job
	paused  map[bus.JobKind]bus.JobPause
}

// New checks the config. It does no I/O and starts nothing.
func New(cfg Config, b *bus.Bus, log *slog.Logger) (*Engine, error) {
	if cfg.Workers == 0 {
		cfg.Workers = 10
	}
	if cfg.Metrics == nil {
		cfg.Metrics = prometheus.NewRegistry()
	}
	if cfg.Sealer == nil || cfg.Instance == "" {
		return nil, errors.New("the engine of jobs needs a key for secrets and a name of its own")
	}
	e := &Engine{cfg: cfg, t: cfg.Timing.withDefaults(), b: b, log: log, kinds: map[bus.JobKind]Kind{}, m: newMetrics(cfg.Metrics),
		ready: make(chan struct{}), wake: make(chan struct{}, 1), running: map[string]*run{}, paused: map[bus.JobKind]bus.JobPause{}}
	for _, k := range cfg.Kinds {
		k = k.withDefaults()
		if err := k.check(); err != nil {
			return nil, err
		}
		if _, twice := e.kinds[k.Name]; twice {
			return nil, fmt.Errorf("the kind of job %s is listed twice", k.Name)
		}
		for _, o := range e.kinds {
			// The subject of an item is the lock of its lane, and the queue is a part of it.
			if o.Lane == k.Lane && (o.Queue != k.Queue || o.Sole != k.Sole || o.Places != k.Places) {
				return nil, fmt.Errorf("the kinds of job %s and %s share the lane %s but not its queue and places, so they would not exclude each other", o.Name, k.Name, k.Lane)
			}
		}
		e.kinds[k.Name] = k
	}
	return e, nil
}

// Ready is closed when jobs are taken and worked on.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run works until ctx ends; jobs that run then have Timing.Drain to end, and are handed back where they stand. Errors:
// the bus cannot be used.
func (e *Engine) Run(ctx context.Context) error {
	if err := e.open(ctx); err != nil {
		return fmt.Errorf("the engine of jobs cannot use the bus: %w", err)
	}
	if err := e.janitor(ctx); err != nil {
		return fmt.Errorf("the queues of jobs cannot be tidied: %w", err)
	}
	if err := e.loadPauses(ctx); err != nil {
		return fmt.Errorf("the pauses of jobs cannot be read: %w", err)
	}
	work, stop := context.WithCancel(ctx)
	defer stop()
	if err := bus.OnNudge(work, e.b, e.nudged); err != nil {
		return err
	}
	queues, err := e.openQueues(ctx)
	if err != nil {
		return err
	}
	service, err := e.serve(work)
	if err != nil {
		return err
	}
	var parts sync.WaitGroup
	failed := make(chan error, 4)
	part := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(work); err != nil && work.Err() == nil {
				failed <- fmt.Errorf("%s: %w", name, err)
			}
		})
	}
	part("pauses of kinds", e.watchPauses)
	part("timers of jobs", e.followDue)
	part("the sweeper of jobs", e.sweep)
	part("the queues of jobs", func(ctx context.Context) error { return e.pull(ctx, queues) })
	close(e.ready)
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	stop()
	parts.Wait()
	return errors.Join(err, service.Stop())
}

// open opens the buckets.
func (e *Engine) open(ctx context.Context) error {
	var errs [7]error
	e.jobs, errs[0] = bus.OpenJobs(ctx, e.b)
	e.records, errs[1] = bus.OpenRecords(ctx, e.b, bus.AllJobs())
	e.onces, errs[2] = bus.OpenRecords(ctx, e.b, bus.JobOnces())
	e.pauses, errs[3] = bus.OpenRecords(ctx, e.b, bus.JobPauses())
	e.seals, errs[4] = bus.OpenRecords(ctx, e.b, bus.JobSeals())
	e.schedules, errs[5] = bus.OpenRecords(ctx, e.b, bus.JobSchedules())
	e.files, errs[6] = bus.OpenBackups(ctx, e.b)
	return errors.Join(errs[:]...)
}

// janitor removes items that a killed server has brought back although their jobs have ended: they block their lane.
func (e *Engine) janitor(ctx context.Context) error {
	if !e.b.UncleanStart() {
		return nil
	}
	n, err := bus.RemoveFinished(ctx, e.b, bus.AllJobRuns(), func(ctx context.Context, d bus.Delivery[bus.JobItem]) (bool, error) {
		return e.orphan(ctx, d.Value)
	})
	if n > 0 {
		e.log.Warn("the queues held items of jobs that have ended; they were removed", "count", n)
	}
	return err
}

// orphan says whether nobody may work on an item any more.
func (e *Engine) orphan(ctx context.Context, item bus.JobItem) (bool, error) {
	r, err := e.records.Get(ctx, bus.JobKey(item.Guild, item.ID))
	if bus.IsCode(err, bus.CodeNotFound) {
		return true, nil // a record is there before its item
	}
	if err != nil {
		return false, err
	}
	return r.Value.State.Ended() || r.Value.Generation > item.Generation, nil
}

// nudged hears what other processes call out.
func (e *Engine) nudged(id string) {
	if id == "" {
		e.hint()
		return
	}
	e.mu.Lock()
	r := e.running[id]
	e.mu.Unlock()
	if r != nil {
		r.look()
	}
}

// hint makes the next look into the queues happen at once.
func (e *Engine) hint() {
	select {
	case e.wake <- struct{}{}:
	default:
	}
}
