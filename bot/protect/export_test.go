package protect

import (
	"context"
	"slices"
	"time"

	"splashtail/bus"
)

// Tick lets an engine do what would be due at an instant.
func (e *Engine) Tick(ctx context.Context, now time.Time) { e.tick(ctx, now) }

// CalmFor is how long it must be calm after the last busy minute.
const CalmFor = time.Minute + calmFor

// SilentGrace is how long an audit-log entry may take.
const SilentGrace = silentGrace

// Knows waits until the engine has learned a limit.
func (e *Engine) Knows(ctx context.Context, g bus.GuildID, limit string) error {
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for {
		c := e.of(g)
		c.mu.Lock()
		known := slices.ContainsFunc(c.counter.Limits(), func(r bus.LimitRule) bool { return r.ID == limit })
		c.mu.Unlock()
		if known {
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
