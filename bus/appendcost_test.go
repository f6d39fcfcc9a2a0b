package bus

import (
	"testing"
	"time"
)

// TestAppendCostFindsTheCheaperWay plays disks whose costs are known and looks what is
// chosen for groups of each size once it has learnt.
func TestAppendCostFindsTheCheaperWay(t *testing.T) {
	for _, tc := range []struct {
		name             string
		single, batch    time.Duration
		singles, batches int // a size of which each way must be chosen
	}{
		{"a sync of 0.15 ms", 150 * time.Microsecond, 2700 * time.Microsecond, 12, 25},
		{"a sync of 2 ms", 2 * time.Millisecond, 12 * time.Millisecond, 4, 9},
		{"a sync of 20 ms", 20 * time.Millisecond, 100 * time.Millisecond, 4, 8},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newAppendCost()
			store := func(n int) bool {
				if c.batchIsCheaper(n) {
					c.sawBatch(tc.batch)
					return true
				}
				c.sawSingles(n, time.Duration(n)*tc.single)
				return false
			}
			for i := range 2000 {
				store(1 + i*7%100)
			}
			wrong := 0
			for range 100 {
				if store(tc.singles) {
					wrong++
				}
				if !store(tc.batches) {
					wrong++
				}
			}
			if wrong > 10 { // what was not tried for long is tried again
				t.Errorf("%d of 200 groups went the slower way; learnt: one by one %s, batch %s", wrong, c.single, c.batch)
			}
		})
	}
}

// TestAppendCostRecoversFromAPause has one way look very slow once and wants it back
// under a load that alone would never try it.
func TestAppendCostRecoversFromAPause(t *testing.T) {
	c := newAppendCost()
	c.sawSingles(3, 3*time.Second)
	tries := 0
	for c.batchIsCheaper(8) {
		c.sawBatch(2700 * time.Microsecond)
		if tries++; tries > 1000 {
			t.Fatalf("after %d batches: one by one counts as %s", tries, c.single)
		}
	}
	c.sawBatch(3 * time.Second)
	for tries = 0; !c.batchIsCheaper(40); tries++ {
		c.sawSingles(40, 40*200*time.Microsecond)
		if tries > 1000 {
			t.Fatalf("after %d groups of singles: a batch counts as %s", tries, c.batch)
		}
	}
}
