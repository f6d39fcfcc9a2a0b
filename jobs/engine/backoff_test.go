package engine

import (
	"testing"
	"testing/quick"
	"time"
)

// For any first wait and any number of failures the wait is positive, within a fifth of doubling, and bounded.
func TestBackoffDoublesWithinItsBound(t *testing.T) {
	holds := func(ms uint16, failures uint16) bool {
		first := time.Duration(ms)*time.Millisecond + time.Millisecond
		n := int(failures%200) + 1
		want := first
		for i := 1; i < n && want < maxBackoff; i++ {
			want *= 2
		}
		want = min(want, maxBackoff)
		got := backoff(first, n)
		return got > 0 && got >= want*4/5 && got <= want*6/5+1
	}
	if err := quick.Check(holds, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
	if backoff(time.Second, 0) <= 0 || backoff(time.Second, 1<<30) > maxBackoff*6/5+1 {
		t.Error("numbers out of range")
	}
}
