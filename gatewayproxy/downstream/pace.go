package downstream

import (
	"context"
	"sync"
	"time"

	"splashtail/internal/pause"
)

// pace counts a connection's frames: Discord allows 120 in any 60 seconds.
type pace struct {
	at [framesPerMinute]time.Time // of the last frames, a ring
	n  int
}

// allow notes a frame and says whether it was one too many.
func (p *pace) allow(now time.Time) bool {
	oldest := p.at[p.n%framesPerMinute]
	p.at[p.n%framesPerMinute] = now
	p.n++
	return oldest.IsZero() || now.Sub(oldest) >= time.Minute
}

const (
	identifyEvery = 50 * time.Millisecond
	resumeEvery   = time.Second
	badTokens     = 10
	badTokenEvery = 6 * time.Second
	// longestTurn bounds how long an attempt waits; it is past what libraries wait for.
	longestTurn = 10 * time.Second
	maxAttempts = 16384 // keys
)

// attempts lets each key try so often at once and then at a rate; who tries faster waits
// for his turn. A refusal would only make him try again.
type attempts struct {
	mu   sync.Mutex
	full map[string]time.Time // when the key has all its tries again
}

func newAttempts() *attempts { return &attempts{full: map[string]time.Time{}} }

// await returns when it is the key's turn, or ctx's error.
func (a *attempts) await(ctx context.Context, key string, burst int, every time.Duration) error {
	turn := a.turn(time.Now(), key, burst, every)
	if turn > 0 {
		pause.For(ctx, min(turn, longestTurn))
	}
	return ctx.Err()
}

// turn notes an attempt and gives how long it waits.
func (a *attempts) turn(now time.Time, key string, burst int, every time.Duration) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.full) >= maxAttempts {
		for k, t := range a.full {
			if !t.After(now) {
				delete(a.full, k)
			}
		}
		if len(a.full) >= maxAttempts {
			clear(a.full) // better a burst too many than to grow
		}
	}
	full := a.full[key]
	if full.Before(now) {
		full = now
	}
	full = full.Add(every)
	late := full.Sub(now) - time.Duration(burst)*every
	// Who is far beyond his rate does not owe more than the longest wait.
	a.full[key] = now.Add(min(full.Sub(now), time.Duration(burst)*every+longestTurn))
	return max(late, 0)
}
