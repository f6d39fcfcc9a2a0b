package incident

import (
	"context"
	"errors"
	"time"

	"splashtail/bus"
)

// Follow opens an incident for every hit of a limit that responded, and carries on what is
// approved and not done, until ctx ends. Errors: the bus cannot be used.
func (k *Book) Follow(ctx context.Context) error {
	if err := k.Resume(ctx); err != nil && ctx.Err() == nil {
		k.log.Warn("an undo could not be carried on; it is tried again at the next start", "err", err)
	}
	return bus.Consume(ctx, k.b, bus.Durable{Name: "bot-incidents", Workers: 4}, bus.AllLimitHits(),
		func(d bus.Delivery[bus.LimitHit]) string { return d.Value.Guild.String() },
		func(ctx context.Context, d bus.Delivery[bus.LimitHit]) error {
			_, err := k.OfHit(ctx, d.Value)
			return err
		})
}

// Resume carries on every undo that is approved and not done, one after the other, but for
// those that another process is at. It gives the first error.
func (k *Book) Resume(ctx context.Context) error {
	list, err := k.list(ctx, ">")
	for _, i := range list {
		if i.Undo == nil || !i.Undo.Done.IsZero() {
			continue
		}
		if _, failed := k.Run(ctx, i.Guild, i.ID, nil); failed != nil && !bus.IsCode(failed, bus.CodeConflict) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// undoTTL is how long an undo of a process that died keeps others from carrying it on.
const undoTTL = 10 * time.Second
