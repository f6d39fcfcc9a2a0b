package engine

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
	"splashtail/internal/secret"
	"splashtail/jobs/work"
)

// run is a job in our hands: the work.Run that its work sees, and what keeps it ours.
type run struct {
	e       *Engine
	kind    Kind
	w       work.Work
	item    *bus.Taken[bus.JobItem]
	attempt int
	self    work.Job // as the work sees it
	key     string   // of its record
	notes   *notes
	voice   *voice
	secrets map[string]string
	cancel  context.CancelCauseFunc
	poke    chan struct{}
	seen    time.Time // when we last knew for certain that the job is ours; by the beating goroutine alone

	mu      sync.Mutex
	job     bus.Job
	rev     uint64
	step    string
	outcome []byte
}

func newRun(e *Engine, k Kind, w work.Work, item *bus.Taken[bus.JobItem], job bus.Job) *run {
	r := &run{e: e, kind: k, w: w, item: item, attempt: job.Attempt, job: job, poke: make(chan struct{}, 1), seen: time.Now(), outcome: job.Outcome}
	r.self = work.Job{ID: job.ID, Kind: job.Kind, Guild: job.Guild, By: job.By, Attempt: job.Attempt, SubmittedAt: job.Submitted}
	r.key = bus.JobKey(job.Guild, job.ID)
	r.notes = newNotes(e.b, job)
	r.voice = newVoice(e, job)
	return r
}

// work runs a job from its claim to its end.
func (e *Engine) work(ctx context.Context, r *run) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r.cancel = cancel
	e.begun(r)
	gauge := e.m.running.WithLabelValues(string(r.kind.Name))
	gauge.Inc()
	begun := time.Now()
	beating, quiet := context.WithCancel(context.WithoutCancel(ctx))
	var beat sync.WaitGroup
	beat.Go(func() { r.beat(beating) })
	err := r.do(ctx)
	r.voice.flush()
	r.finish(ctx, err)
	quiet()
	beat.Wait()
	gauge.Dec()
	e.m.took.WithLabelValues(string(r.kind.Name)).Observe(time.Since(begun).Seconds())
	e.over(r)
	e.hint()
}

// begun makes a run one that others can ask for.
func (e *Engine) begun(r *run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.running[r.self.ID] = r
}

// over ends that, unless a later attempt of this process has taken its place.
func (e *Engine) over(r *run) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.running[r.self.ID] == r {
		delete(e.running, r.self.ID)
	}
}

// do loads what earlier attempts left and does the work.
func (r *run) do(ctx context.Context) (err error) {
	if !r.job.Deadline.IsZero() {
		var stop context.CancelFunc
		ctx, stop = context.WithDeadlineCause(ctx, r.job.Deadline, errDeadline)
		defer stop()
	}
	if err := r.notes.load(ctx); err != nil {
		return r.noteError(err)
	}
	if r.secrets, err = r.e.openSecrets(ctx, r.job); err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = bus.Errorf(bus.CodeInternal, "panic", "the work panicked: %v", p)
			r.e.log.Error("the work of a job panicked", "job", r.self.ID, "kind", string(r.self.Kind), "err", err, "stack", string(debug.Stack()))
		}
	}()
	if err := r.w.Run(ctx, r); err != nil {
		if ctx.Err() != nil && !errors.Is(err, work.ErrLost) {
			return errors.Join(context.Cause(ctx), err)
		}
		return err
	}
	return nil
}

var errDeadline = errors.New("the time for this job is over")

// look makes the next beat happen at once.
func (r *run) look() {
	select {
	case r.poke <- struct{}{}:
	default:
	}
}

// beat says that we live, and notices that somebody cancelled the job or has taken it over.
func (r *run) beat(ctx context.Context) {
	tick := time.NewTicker(r.e.t.Beat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.poke:
		case <-tick.C:
			r.e.settle(r.item.Keep())
			r.voice.flush()
		}
		r.check(ctx)
	}
}

// check compares the record with what we hold.
func (r *run) check(ctx context.Context) {
	ctx, stop := context.WithTimeout(ctx, r.e.t.Beat)
	defer stop()
	rec, err := r.e.records.Get(ctx, r.key)
	switch {
	case err == nil && r.holds(rec.Value):
		r.seen = time.Now()
		if rec.Value.Cancel != nil {
			r.cancel(errCancelled)
		}
	case err == nil || bus.IsCode(err, bus.CodeNotFound):
		r.cancel(work.ErrLost)
	case time.Since(r.seen) > r.e.t.AckWait && ctx.Err() == nil:
		// Nobody has heard of us for so long that another worker may have it.
		r.cancel(work.ErrLost)
	}
}

// holds says whether a record is that of our attempt.
func (r *run) holds(job bus.Job) bool { return job.State == bus.JobRunning && job.Attempt == r.attempt }

// update changes the record, as long as the job is ours.
func (r *run) update(ctx context.Context, change func(*bus.Job)) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.updateLocked(ctx, change)
}

func (r *run) updateLocked(ctx context.Context, change func(*bus.Job)) error {
	for try := 0; ; try++ {
		next := r.job
		next.Files, next.Tries = slices.Clone(next.Files), slices.Clone(next.Tries)
		change(&next)
		rev, err := r.e.records.Update(ctx, r.key, next, r.rev)
		if err == nil {
			r.job, r.rev = next, rev
			return nil
		}
		if !bus.IsCode(err, bus.CodeConflict) && !bus.IsCode(err, bus.CodeUnavailable) || try == 5 {
			return err
		}
		rec, gerr := r.e.records.Get(ctx, r.key)
		switch {
		case gerr != nil && !bus.IsCode(gerr, bus.CodeNotFound):
			pause.For(ctx, 100*time.Millisecond<<try)
		case gerr == nil && r.holds(rec.Value):
			r.job, r.rev = rec.Value, rec.Revision // a wish to cancel, or our own write whose answer was lost
		case gerr == nil && rec.Value.Attempt == r.attempt && rec.Value.State == next.State && !rec.Value.Changed.Before(next.Changed):
			r.job, r.rev = rec.Value, rec.Revision
			return nil // our own last write, whose answer was lost
		default:
			r.cancel(work.ErrLost)
			return work.ErrLost
		}
	}
}

// Job implements work.Run.
func (r *run) Job() work.Job { return r.self }

// Noted implements work.Run.
func (r *run) Noted(key string, v any) (bool, error) { return r.notes.get(key, v) }

// Note implements work.Run.
func (r *run) Note(ctx context.Context, key string, v any) error {
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), work.ErrLost) {
		return work.ErrLost
	}
	return r.noteError(r.notes.put(ctx, key, v))
}

func (r *run) noteError(err error) error {
	if errors.Is(err, work.ErrLost) {
		r.cancel(work.ErrLost)
	}
	return err
}

// stepKey is the note that says that a step is finished.
func stepKey(name string) string { return "step/" + name }

// Step implements work.Run.
func (r *run) Step(ctx context.Context, name string, f func(ctx context.Context) error) error {
	var done bool
	if _, err := r.notes.get(stepKey(name), &done); err != nil || done {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	r.step = name
	r.mu.Unlock()
	r.voice.phase(name)
	if err := f(ctx); err != nil {
		return err
	}
	return r.Note(ctx, stepKey(name), true)
}

// Say implements work.Run.
func (r *run) Say(level work.Level, format string, args ...any) {
	r.voice.say(level, fmt.Sprintf(format, args...))
}

// Progress implements work.Run.
func (r *run) Progress(done, total int) { r.voice.progress(done, total) }

// Waiting implements work.Run.
func (r *run) Waiting(until time.Time, why string) { r.voice.waiting(until, why) }

// Secret implements work.Run.
func (r *run) Secret(name string) (secret.Value, bool) {
	v, ok := r.secrets[name]
	return secret.New(v), ok
}

// Outcome implements work.Run.
func (r *run) Outcome(v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcome = data
	return nil
}
