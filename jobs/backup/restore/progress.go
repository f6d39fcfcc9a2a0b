package restore

import (
	"context"

	"splashtail/jobs/backup/plan"
)

// phase is what people see a restore doing, once the server as it was is kept.
const phase = "restore"

// enterPhase says that the plan is being carried out now.
func (x *run) enterPhase(ctx context.Context) error {
	for _, s := range x.plan.Steps {
		if s.Acts() {
			x.total += 1 + messagesOf(s)
		}
	}
	return x.Step(ctx, phase, func(context.Context) error { return nil })
}

// messagesOf is how many messages a step writes: they count beside steps, since one step can have thousands.
func messagesOf(s plan.Step) (n int) {
	if s.Kind == plan.Messages {
		s.Get("count", &n)
	}
	return n
}

// wrote tells how many messages of a place are there.
func (x *run) wrote(w *writing) {
	x.mu.Lock()
	more := len(w.news) - x.written[w.saved]
	x.written[w.saved] += more
	x.mu.Unlock()
	if more > 0 {
		x.advance(more)
	}
}

// over tells that a step is.
func (x *run) over(s plan.Step) {
	n := 1
	if all := messagesOf(s); all > 0 {
		x.mu.Lock()
		n += all - x.written[s.ID]
		x.mu.Unlock()
	}
	x.advance(n)
}

// advance tells how far the restore is.
func (x *run) advance(by int) {
	x.mu.Lock()
	x.done += by
	done := min(x.done, x.total)
	x.mu.Unlock()
	x.Progress(done, x.total)
}
