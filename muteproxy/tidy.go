package muteproxy

import (
	"context"
	"time"

	"splashtail/bus"
)

// How long records are kept: those that say that somebody is free a day, so that a
// repeated wish finds them, any other a week.
const (
	keepFree = 24 * time.Hour
	keepAny  = 7 * 24 * time.Hour
)

// tidy wakes members whose retry is due, every second, and removes old records, every
// ten minutes.
func (w *wishes) tidy(ctx context.Context) {
	wake, sweep := time.NewTicker(time.Second), time.NewTicker(10*time.Minute)
	defer wake.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-wake.C:
			w.wakeDue(time.Now())
		case <-sweep.C:
			w.removeOld(ctx, time.Now())
		}
	}
}

func (w *wishes) wakeDue(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for who, due := range w.owed {
		if due.Sub(now) <= linger {
			w.route(who)
		}
	}
}

func (w *wishes) removeOld(ctx context.Context, now time.Time) {
	removed := 0
	for who, e := range w.snapshot() {
		if !expired(e.Value, now) || ctx.Err() != nil {
			continue
		}
		if err := w.store.Delete(ctx, who.key(), e.Revision); err != nil && !bus.IsCode(err, bus.CodeConflict) {
			w.m.log.Warn("an old voice record could not be removed; trying again later", "guild", who.guild, "user", who.user, "err", err)
			return
		}
		removed++
	}
	if removed > 0 {
		w.m.log.Debug("old voice records were removed", "count", removed)
	}
}

// expired says whether a record has nothing to tell any more.
func expired(r bus.VoiceRecord, now time.Time) bool {
	age := now.Sub(r.Wish.At)
	if r.Settled() && r.Wish.Free() {
		return age > keepFree
	}
	return age > keepAny
}
