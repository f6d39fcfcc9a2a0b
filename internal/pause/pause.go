// Package pause waits between two tries, no longer than somebody wants the second one.
package pause

import (
	"context"
	"time"
)

// For waits d, or until ctx ends, and says whether the whole time has passed. Without a time
// to wait it says whether ctx is still open.
func For(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
