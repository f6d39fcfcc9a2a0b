package bus

import (
	"context"
	"time"

	"github.com/nats-io/nats.go"
)

// Headers of a timer, as the server reads them. The library's option cuts the moment to
// seconds, and so fires up to a second early.
const (
	headerTimer       = "Nats-Schedule"
	headerTimerTarget = "Nats-Schedule-Target"
)

// SetJobTimer lets an item appear among AllJobsDue at a moment, in place of what the timer held before. A moment that
// has passed, while no server ran or before the call, means at once. It survives the end of every process.
func SetJobTimer(ctx context.Context, b *Bus, t JobTimer, at time.Time, item JobItem) error {
	m, err := encode(jobTimerSubject(t.guild, t.name), item, nil)
	if err != nil {
		return err
	}
	if m.Header == nil {
		m.Header = nats.Header{}
	}
	m.Header[headerTimer] = []string{"@at " + at.UTC().Format(time.RFC3339Nano)}
	m.Header[headerTimerTarget] = []string{jobDueSubject(t.guild, t.name).name}
	ctx, cancel := bound(ctx, callTimeout)
	defer cancel()
	// An older timer of the subject is replaced by the server.
	if _, err := b.js.PublishMsg(ctx, m); err != nil {
		return AsError(err)
	}
	return nil
}

// StopJobTimer takes a timer back; one that is not there is no error.
func StopJobTimer(ctx context.Context, b *Bus, t JobTimer) error {
	return Purge(ctx, b, filterOf[JobItem](streamJobsSched, jobTimerSubject(t.guild, t.name).name))
}

// JobTimerSet says whether a timer is there, and what it holds.
func JobTimerSet(ctx context.Context, b *Bus, t JobTimer) (JobItem, bool, error) {
	d, err := Last(ctx, b, filterOf[JobItem](streamJobsSched, jobTimerSubject(t.guild, t.name).name))
	if IsCode(err, CodeNotFound) {
		return JobItem{}, false, nil
	}
	if err != nil {
		return JobItem{}, false, err
	}
	return d.Value, true, nil
}
