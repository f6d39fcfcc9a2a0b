package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
	"splashtail/jobs/work"
)

// maxNotes bounds what a worker holds of a job's notes, keys and values, in bytes.
const maxNotes = 64 << 20

// How long a note may take to be stored, and the wait between two tries.
const (
	noteTime  = 10 * time.Second
	noteAgain = 250 * time.Millisecond
)

// notes are what was noted of a job, read once and then kept here. Every note is stored behind the one before it, by
// its place: when somebody else has added one, ours is refused.
type notes struct {
	b       *bus.Bus
	to      bus.Subject[bus.JobNote]
	from    bus.Filter[bus.JobNote]
	attempt int

	mu    sync.Mutex
	last  uint64 // place of the newest note
	size  int
	byKey map[string]json.RawMessage
	stuck error // a note may be stored or not: nothing more can be added behind it
}

func newNotes(b *bus.Bus, job bus.Job) *notes {
	return &notes{b: b, to: bus.JobNoteSubject(job.Guild, job.ID), from: bus.JobNotes(job.Guild, job.ID), attempt: job.Attempt, byKey: map[string]json.RawMessage{}}
}

// load reads what earlier attempts noted and adds a line of our own, behind which they cannot add any.
func (n *notes) load(ctx context.Context) error {
	if n.attempt == 1 {
		return nil // nobody was here before
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for ctx.Err() == nil {
		err := bus.ReadAll(ctx, n.b, n.from, n.last+1, func(d bus.Delivery[bus.JobNote]) error {
			if d.Value.Attempt > n.attempt {
				return work.ErrLost
			}
			n.last = d.Seq
			return n.keep(d.Value.Key, d.Value.Value)
		})
		if err != nil {
			return err
		}
		seq, err := bus.PublishAfter(ctx, n.b, n.to, bus.JobNote{V: 1, Attempt: n.attempt}, n.last)
		if err == nil {
			n.last = seq
			return nil
		}
		if !bus.IsCode(err, bus.CodeConflict) {
			return err
		}
		// The worker before us has just added one: read that too.
	}
	return ctx.Err()
}

// keep holds a note; a later one of a key replaces it.
func (n *notes) keep(key string, v json.RawMessage) error {
	if key == "" {
		return nil
	}
	if old, ok := n.byKey[key]; ok {
		n.size -= len(key) + len(old)
	}
	n.size += len(key) + len(v)
	if n.size > maxNotes {
		return work.Permanent(fmt.Errorf("the notes of one job have at most %d MiB; the job cannot go on", maxNotes>>20))
	}
	n.byKey[key] = v
	return nil
}

func (n *notes) get(key string, v any) (bool, error) {
	n.mu.Lock()
	data, ok := n.byKey[key]
	n.mu.Unlock()
	if !ok || v == nil {
		return ok, nil
	}
	if err := json.Unmarshal(data, v); err != nil {
		return true, fmt.Errorf("the note %s cannot be read: %w", key, err)
	}
	return true, nil
}

// each gives h the notes whose keys begin with prefix, in no order.
func (n *notes) each(prefix string, h func(json.RawMessage)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for key, v := range n.byKey {
		if strings.HasPrefix(key, prefix) {
			h(v)
		}
	}
}

// count counts the notes whose keys begin with prefix.
func (n *notes) count(prefix string) (c int) {
	n.each(prefix, func(json.RawMessage) { c++ })
	return c
}

// encode gives a note or outcome as JSON within its bound.
func encode(v any) (json.RawMessage, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("this cannot be kept as JSON: %w", err)
	}
	if len(data) > work.MaxNote {
		return nil, fmt.Errorf("what is kept at once has at most %d KiB, not %d", work.MaxNote>>10, len(data)>>10)
	}
	return data, nil
}

func (n *notes) put(ctx context.Context, key string, v any) error {
	if !work.GoodKey(key) {
		return fmt.Errorf("%q is no key of a note: letters, digits, dots, dashes and slashes, at most 128", key)
	}
	return n.set(ctx, key, v)
}

// set stores a note under any key.
func (n *notes) set(ctx context.Context, key string, v any) error {
	data, err := encode(v)
	if err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stuck != nil {
		return n.stuck
	}
	seq, err := n.publish(ctx, bus.JobNote{V: 1, Attempt: n.attempt, Key: key, Value: data})
	if err != nil {
		return err
	}
	n.last = seq
	return n.keep(key, data)
}

// publish stores a note. An answer that was lost is looked up, so that what is stored is known.
func (n *notes) publish(ctx context.Context, note bus.JobNote) (uint64, error) {
	// What was done on Discord must be noted although the job is to stop now.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), noteTime)
	defer stop()
	for {
		seq, err := bus.PublishAfter(ctx, n.b, n.to, note, n.last)
		switch {
		case err == nil:
			return seq, nil
		case bus.IsCode(err, bus.CodeConflict) && bus.AsError(err).Reason == "changed":
			if seq, ours := n.stored(ctx, note); ours {
				return seq, nil
			}
			n.stuck = work.ErrLost
			return 0, n.stuck
		case !bus.IsCode(err, bus.CodeUnavailable):
			return 0, err
		case ctx.Err() != nil:
			n.stuck = bus.Errorf(bus.CodeUnavailable, "unconfirmed", "a note may be stored or not; the job begins again from what is: %w", err)
			return 0, n.stuck
		}
		pause.For(ctx, noteAgain)
	}
}

// stored finds a note of ours right behind the last one that we know of.
func (n *notes) stored(ctx context.Context, note bus.JobNote) (seq uint64, ours bool) {
	page, _, err := bus.ReadPage(ctx, n.b, n.from, n.last+1, 1)
	if err != nil || len(page) == 0 {
		return 0, false
	}
	v := page[0].Value
	return page[0].Seq, v.Attempt == note.Attempt && v.Key == note.Key && string(v.Value) == string(note.Value)
}
