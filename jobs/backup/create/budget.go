package create

import (
	"context"
	"sync"
)

// budget gives bytes to the chunks of a wave in their order, whatever order they are read in: equal guilds give equal
// backups. Each chunk takes or passes exactly once; the earliest that has done neither never waits, so that none waits for
// ever.
type budget struct {
	mu     sync.Mutex
	left   int64
	next   int // the chunk whose turn it is
	passed map[int]bool
	wait   map[int]chan struct{}
}

func newBudget(left int64) *budget {
	return &budget{left: max(left, 0), passed: map[int]bool{}, wait: map[int]chan struct{}{}}
}

// take waits until all chunks before i have taken or passed, and gives as much of need as there is.
func (b *budget) take(ctx context.Context, i int, need int64) (int64, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.next != i {
		ready := make(chan struct{})
		b.wait[i] = ready
		b.mu.Unlock()
		select {
		case <-ready:
		case <-ctx.Done():
		}
		b.mu.Lock()
		if err := ctx.Err(); err != nil {
			return 0, err
		}
	}
	n := min(max(need, 0), b.left)
	b.left -= n
	b.done(i)
	return n, nil
}

// pass says that chunk i takes nothing more. It never waits.
func (b *budget) pass(i int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if i >= b.next {
		b.done(i)
	}
}

// done moves on to the next chunk that has not taken or passed.
func (b *budget) done(i int) {
	b.passed[i] = true
	for b.passed[b.next] {
		delete(b.passed, b.next)
		b.next++
	}
	if ready := b.wait[b.next]; ready != nil {
		close(ready)
		delete(b.wait, b.next)
	}
}
