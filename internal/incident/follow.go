package incident

import (
	"context"
	"errors"
	"sync"
	"time"

	"splashtail/bus"
)

// Times of carrying undos out.
const (
	undoTTL   = 10 * time.Second // how long an undo of a process that died keeps others from it
	tryUndoIn = 15 * time.Second // how long an undo waits that Discord did not answer
)

// Follow opens an incident for every hit of a limit, and carries out what is approved:
// now, or by a process that died before it was done. It ends with ctx. Errors: the bus
// cannot be used.
func (k *Book) Follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var carrying sync.WaitGroup
	defer carrying.Wait()
	ended := make(chan error, 2)
	carrying.Go(func() { ended <- k.carryAll(ctx, &carrying) })
	carrying.Go(func() {
		ended <- bus.Consume(ctx, k.b, bus.Durable{Name: "bot-incidents", Workers: 4}, bus.AllLimitHits(),
			func(d bus.Delivery[bus.LimitHit]) string { return d.Value.Guild.String() },
			func(ctx context.Context, d bus.Delivery[bus.LimitHit]) error {
				_, err := k.OfHit(ctx, d.Value)
				return err
			})
	})
	err := <-ended
	cancel()
	return errors.Join(err, <-ended)
}

// carryAll begins to carry out every undo as it is approved, those approved before first.
func (k *Book) carryAll(ctx context.Context, carrying *sync.WaitGroup) error {
	begun := map[string]bool{} // of the watch's goroutine alone
	for ctx.Err() == nil {
		err := k.all.Watch(ctx, ">", func(e bus.Entry[bus.Incident], live bool) error {
			open := !live && !e.Deleted && e.Value.Undo != nil && e.Value.Undo.Done.IsZero()
			if open && !begun[e.Key] {
				begun[e.Key] = true
				carrying.Go(func() { k.carry(ctx, e.Value.Guild, e.Value.ID) })
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			k.log.Warn("incidents cannot be watched; trying again", "err", err)
			pause(ctx, time.Second)
		}
	}
	return nil
}

// carry carries an undo out, or sees to it that it is done when the process dies that does.
func (k *Book) carry(ctx context.Context, guild bus.GuildID, id string) {
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, k.b, bus.UndoLease(guild), undoTTL, k.holder)
		if err == nil {
			_, err = k.under(ctx, lease, guild, id)
		}
		if err == nil || bus.IsCode(err, bus.CodeNotFound) || ctx.Err() != nil {
			return
		}
		k.log.Warn("an undo stopped; it is carried on soon", "guild", guild, "incident", id, "err", err)
		pause(ctx, tryUndoIn)
	}
}

// Wait waits until an approved undo is done, by whichever process, and tells how far it is
// on the way. Errors: ctx ended first, which stops nothing; as of bus.Records.Watch.
func (k *Book) Wait(ctx context.Context, guild bus.GuildID, id string, progress func(bus.Undo)) (bus.Incident, error) {
	var last bus.Incident
	err := k.all.Watch(ctx, bus.IncidentKey(guild, id), func(e bus.Entry[bus.Incident], live bool) error {
		if live || e.Deleted || e.Value.Undo == nil {
			return nil
		}
		last = e.Value
		if !last.Undo.Done.IsZero() {
			return errDone
		}
		progress(*last.Undo)
		return nil
	})
	if errors.Is(err, errDone) {
		return last, nil
	}
	return last, errors.Join(err, ctx.Err())
}

// errDone ends a watch that has seen the end.
var errDone = errors.New("the undo is done")
