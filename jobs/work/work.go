// Package work is the line between the engine that makes a job survive and the kinds of work that jobs do. A kind is a
// type that implements Work; it sees the engine as a Run and nothing else, so the same kind runs on a server's durable
// queue and, with Local, on somebody's own machine.
//
// What comes in: arguments that a kind decodes and checks. What goes out: notes (what is done and may not be done twice),
// lines for people, progress. Read first: Run, then Work.
package work

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"splashtail/bus"
	"splashtail/internal/secret"
)

// Work is one job's work, made anew for every job by its kind and filled with that job's arguments alone.
type Work interface {
	// Check says what is wrong with the arguments, as a sentence for people, before the job is taken. It asks nobody.
	Check() error
	// Run does the work, or the rest of it: it may be called again after a crash at any point, with the notes that were
	// taken. It returns when ctx ends, within one call of Discord. A returned error is retried unless it is Permanent.
	Run(ctx context.Context, r Run) error
}

// Run is a job in the hands of a worker.
type Run interface {
	// Job is the job as it was submitted. ID is also what an operation's id starts with.
	Job() Job
	// Noted reads into v what an earlier call of Note kept under key, and says whether there was one.
	Noted(key string, v any) (bool, error)
	// Note keeps v, as JSON of at most MaxNote bytes, under key: durable when it returns. A later note of the same key
	// replaces it. It fails with ErrLost, and ctx ends, when another worker has taken the job over: then nothing more may
	// be done. Keys are letters, digits, dots, dashes and slashes, at most 128 bytes.
	Note(ctx context.Context, key string, v any) error
	// Step runs f unless a step of this name was finished before, and notes that it is finished. Its name is shown as
	// the phase of the job's progress.
	Step(ctx context.Context, name string, f func(ctx context.Context) error) error
	// Say adds a line to the job's log, which people read: a sentence without secrets. Lines past the limit of a job's
	// log push out older ones.
	Say(level Level, format string, args ...any)
	// Progress says how much of the current step is done. It is cheap: what is shown is thinned out.
	Progress(done, total int)
	// Waiting says why nothing happens until a moment; the next Progress or Say ends it.
	Waiting(until time.Time, why string)
	// Secret gives a secret that was sealed with the job, such as a password; ok is false when there is none.
	Secret(name string) (v secret.Value, ok bool)
	// Put streams a file that belongs to the job, and goes when the job's record goes. The same name again replaces it.
	Put(ctx context.Context, name string, r io.Reader) (size int64, err error)
	// Open streams a file of this or of another job of the same guild back.
	Open(ctx context.Context, job, name string) (io.ReadCloser, error)
	// Outcome sets what the job's record tells when it is finished: as JSON, at most MaxNote bytes.
	Outcome(v any) error
}

// Job is what a worker knows of the job that it has.
type Job struct {
	ID          string // 26 letters and digits, sortable by time
	Kind        bus.JobKind
	Guild       bus.GuildID
	By          bus.UserID // who asked; 0: a schedule
	Attempt     int        // 1 for the first
	SubmittedAt time.Time
}

// Operation is the id of one act of a job on Discord: what stands behind "op=" in the audit log's reason, so that after a
// crash the truth can be looked up. key is the note's key under which the act's result is kept.
func (j Job) Operation(key string) string { return j.ID + "/" + key }

// MaxNote bounds a note and an outcome, in bytes.
const MaxNote = 512 << 10

// Level says how much a line of a job's log matters.
type Level string

// The levels of a job's log.
const (
	Info    Level = "info"
	Warning Level = "warning" // something was left out or done in another way
	Failure Level = "error"   // something that was asked for could not be done
)

// ErrLost says that another worker has this job now.
var ErrLost = errors.New("another worker has taken this job over; this one stops without touching anything more")

// Permanent marks an error that a retry cannot mend: the job ends as failed. A nil err gives nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent tells whether err, or what it wraps, is marked by Permanent.
func IsPermanent(err error) bool { return errors.As(err, new(*permanentError)) }

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Snooze ends this attempt without counting it and asks for another one at a moment: for waits that are longer than a
// worker should hold a job. why is shown to people while it waits.
func Snooze(until time.Time, why string) error { return &SnoozeError{Until: until, Why: why} }

// SnoozeError is what Snooze gives.
type SnoozeError struct {
	Until time.Time
	Why   string
}

func (e *SnoozeError) Error() string {
	return fmt.Sprintf("waiting until %s: %s", e.Until.UTC().Format(time.RFC3339), e.Why)
}
