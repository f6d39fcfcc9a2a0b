package create

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
)

// TestBudgetGivesInOrder: whoever asks first, the bytes go in the order of the chunks.
func TestBudgetGivesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		b.pass(1)
		got := make([]int64, 5)
		var wg sync.WaitGroup
		for _, i := range []int{4, 3, 2, 0} {
			wg.Go(func() { got[i], _ = b.take(t.Context(), i, 40) })
			synctest.Wait()
		}
		wg.Wait()
		if want := [5]int64{40, 0, 40, 20, 0}; [5]int64(got) != want {
			t.Errorf("%v, want %v", got, want)
		}
		b.pass(4) // after it has taken: nothing
	})
}

// TestBudgetEndsWithItsContext: who waits for others does not outlive the job.
func TestBudgetEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBudget(100)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { _, err := b.take(ctx, 1, 40); done <- err }()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
