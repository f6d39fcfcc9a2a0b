package bus

import (
	"context"
	"strings"

	"github.com/nats-io/nats.go"
)

// What processes of jobs call out to each other, stored nowhere: a hint that arrives saves a wait, one that is lost
// costs a second or a few.

const nudgeNew = "new"

func nudgeSubject(what string) string { return join(rootJob, "nudge", what) }

// NudgeJobs says that there is something in the queues.
func NudgeJobs(b *Bus) { b.nudge(nudgeNew) }

// NudgeJob says that a job's record was changed by somebody who does not work on it.
func NudgeJob(b *Bus, id string) { b.nudge(id) }

func (b *Bus) nudge(what string) {
	if err := b.nc.Publish(nudgeSubject(what), nil); err != nil {
		b.log.Debug("a nudge was not sent", "err", err)
	}
}

// OnNudge calls h with the id of a job, or with an empty one when there is something in the queues, until ctx ends. h
// must be quick.
func OnNudge(ctx context.Context, b *Bus, h func(id string)) error {
	sub, err := b.nc.Subscribe(nudgeSubject("*"), func(m *nats.Msg) {
		id := m.Subject[strings.LastIndexByte(m.Subject, '.')+1:]
		if id == nudgeNew {
			id = ""
		}
		h(id)
	})
	if err != nil {
		return AsError(err)
	}
	context.AfterFunc(ctx, func() { _ = sub.Unsubscribe() })
	if err := b.nc.FlushTimeout(callTimeout); err != nil {
		return AsError(err)
	}
	return nil
}
