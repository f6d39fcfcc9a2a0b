package protect

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/audit"
)

// watch is what a guild is watched for beside its limits: raids, and destruction that the
// audit log does not explain.
type watch struct {
	mu     sync.Mutex
	joins  *joins
	silent *silent
	until  time.Time // our pause of invites; zero: there is none
}

// RaidNews is that a raid began, or is over.
type RaidNews struct {
	Guild  bus.GuildID
	Began  time.Time
	Joins  int     // so far
	Usual  float64 // per minute
	Over   bool
	Until  time.Time // invites are off until then; zero: they are not, by us
	Result string    // as of a hit; of switching invites off, or on again
}

// SilentNews is that channels or roles disappeared without a word in the audit log.
type SilentNews struct {
	Guild bus.GuildID
	Count int
	At    time.Time
}

// lookEvery is how often it is looked whether a raid is over or an entry has not come.
const lookEvery = 5 * time.Second

// look is the clock of watches until ctx ends.
func (e *Engine) look(ctx context.Context) {
	t := time.NewTicker(lookEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			e.tick(ctx, now)
		}
	}
}

// tick does what has become due in all guilds.
func (e *Engine) tick(ctx context.Context, now time.Time) {
	e.mu.Lock()
	all := make(map[bus.GuildID]*watch, len(e.watches))
	for g, w := range e.watches {
		all[g] = w
	}
	e.mu.Unlock()
	for g, w := range all {
		w.mu.Lock()
		lost := w.silent.due(now)
		ended, over := raid{}, false
		renew := w.joins.raid != nil && !w.until.IsZero() && w.until.Sub(now) < pauseFor/4 && now.Sub(w.joins.raid.busy) < pauseFor
		if w.joins.raid != nil {
			ended, over = w.joins.over(now)
		}
		w.mu.Unlock()
		if lost > 0 {
			e.log.Warn("channels or roles disappeared and the audit log does not say who did it", "guild", g, "count", lost)
			e.cfg.SilentAlert(ctx, e.cfg.Policy(g), SilentNews{Guild: g, Count: lost, At: now})
		}
		switch {
		case over:
			e.raidOver(ctx, g, w, ended)
		case renew:
			e.holdOn(ctx, g, w)
		}
	}
}

func (e *Engine) watchOf(g bus.GuildID) *watch {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := e.watches[g]
	if w == nil {
		w = &watch{joins: newJoins(), silent: newSilent()}
		e.watches[g] = w
	}
	return w
}

// joined takes a join that is kept already.
func (e *Engine) joined(ctx context.Context, a bus.Action) {
	w := e.watchOf(a.Guild)
	w.mu.Lock()
	began := w.joins.add(a.ID, a.At)
	w.mu.Unlock()
	if began {
		e.raidBegan(ctx, a.Guild, w)
	}
}

// vanished takes a deletion of a channel or role.
func (e *Engine) vanished(d bus.Delivery[bus.Dispatch]) error {
	var v struct {
		ID   string `json:"id"`
		Role string `json:"role_id"`
	}
	if err := json.Unmarshal(d.Value.Data, &v); err != nil {
		return bus.Errorf(bus.CodeInvalid, "bad_event", "a deletion cannot be read: %w", err)
	}
	target := v.ID + v.Role // an event has one of them
	if target == "" || d.Value.Guild == 0 {
		return nil
	}
	w := e.watchOf(d.Value.Guild)
	w.mu.Lock()
	defer w.mu.Unlock()
	w.silent.vanished(target, time.Now())
	return nil
}

// explained takes an audit-log entry: what it says was deleted did not go silently.
func (e *Engine) explained(entry audit.Entry) {
	for _, a := range entry.Actions() {
		if a.Kind != bus.ActionChannelRemove && a.Kind != bus.ActionRoleRemove || a.Actor == 0 {
			continue
		}
		w := e.watchOf(entry.Guild)
		w.mu.Lock()
		w.silent.explain(a.Target, time.Now())
		w.mu.Unlock()
	}
}
