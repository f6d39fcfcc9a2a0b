package command

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90m": 90 * time.Minute, "1d 12h": 36 * time.Hour, "2w": 14 * 24 * time.Hour, "1H30M": 90 * time.Minute, "1s": time.Second,
		"3650d": MaxDuration,
		"":      0, "0s": 0, "5": 0, "m": 0, "1.5h": 0, "-1h": 0, "1h1d": 0, "1h1h": 0, "1y": 0, "3651d": 0, "999999999w": 0, "99999999999s": 0, "1h 5": 0, "１h": 0,
	} {
		got, err := ParseDuration(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v, want %v", text, got, err, want)
		}
	}
}

// FuzzParseDuration: whatever is typed, a time comes out that is in bounds, or a refusal.
func FuzzParseDuration(f *testing.F) {
	f.Add("1d 12h")
	f.Add("999999999w999999999d")
	f.Fuzz(func(t *testing.T, text string) {
		if d, err := ParseDuration(text); err == nil && (d < time.Second || d > MaxDuration) {
			t.Errorf("%q became %v", text, d)
		}
	})
}
