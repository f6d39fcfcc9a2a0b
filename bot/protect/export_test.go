package protect

import (
	"context"
	"time"
)

// Tick lets an engine do what would be due at an instant.
func (e *Engine) Tick(ctx context.Context, now time.Time) { e.tick(ctx, now) }

// CalmFor is how long it must be calm after the last busy minute.
const CalmFor = time.Minute + calmFor

// SilentGrace is how long an audit-log entry may take.
const SilentGrace = silentGrace
