package protect

import (
	"context"
	"time"

	"splashtail/bus"
	"splashtail/internal/guilds"
)

// unanswered is how old a hit may be that nobody responded to because the process died in
// between. Later people have acted, or the actor has come to reason.
const unanswered = 15 * time.Minute

// Restore counts again what was counted before a restart, or by the process that worked
// for the shard before, and responds to hits and raids that were left unanswered. To be called
// after Ready and before the first Handle; calling it again adds what is new.
func (e *Engine) Restore(ctx context.Context) error {
	now := time.Now()
	err := readAll(ctx, e.b, bus.AllLimitHits(), func(h bus.LimitHit) {
		if now.Sub(h.At) < rememberFor {
			e.begin(h)
		}
	})
	if err != nil {
		return err
	}
	var open []bus.LimitHit
	raids := map[bus.GuildID]*watch{}
	err = readAll(ctx, e.b, bus.AllActions(), func(a bus.Action) {
		if a.Kind == bus.ActionMemberJoin {
			w := e.watchOf(a.Guild)
			w.mu.Lock()
			if w.joins.add(a.ID, a.At) {
				raids[a.Guild] = w
			}
			w.mu.Unlock()
		}
		for _, h := range e.add(a) {
			if now.Sub(h.At) < unanswered {
				open = append(open, h)
			}
		}
	})
	if err != nil {
		return err
	}
	for _, h := range open {
		e.answer(ctx, h, guilds.Mark{})
	}
	for g, w := range raids {
		e.resume(ctx, g, w, now)
	}
	return nil
}

// resume goes on with a raid: one that has just begun was perhaps not responded to, one
// whose pause of invites is over is history.
func (e *Engine) resume(ctx context.Context, g bus.GuildID, w *watch, now time.Time) {
	w.mu.Lock()
	r := w.joins.raid
	begins := r != nil && now.Sub(r.began) < unanswered
	w.until = now // to be renewed if it goes on
	if r != nil && now.Sub(r.busy) > pauseFor {
		w.joins.over(now)
	}
	w.mu.Unlock()
	if begins {
		e.raidBegan(ctx, g, w)
	}
}

// readAll reads everything that is stored when it is called.
func readAll[T any](ctx context.Context, b *bus.Bus, f bus.Filter[T], h func(T)) error {
	return bus.ReadAll(ctx, b, f, 1, func(d bus.Delivery[T]) error {
		h(d.Value)
		return nil
	})
}
