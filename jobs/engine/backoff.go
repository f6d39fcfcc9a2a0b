package engine

import (
	"math/rand/v2"
	"time"
)

// maxBackoff bounds the wait between two attempts.
const maxBackoff = 10 * time.Minute

// backoff is the wait after the n-th failure (1 is the first): first, doubling up to maxBackoff, give or take a fifth,
// so that many jobs that failed together do not come back together.
func backoff(first time.Duration, n int) time.Duration {
	d := first
	for range min(max(n, 1)-1, 40) {
		if d *= 2; d >= maxBackoff {
			break
		}
	}
	d = min(d, maxBackoff)
	return d - d/5 + rand.N(2*d/5+1)
}
