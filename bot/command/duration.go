package command

import (
	"strconv"
	"strings"
	"time"
)

// MaxDuration is the longest that ParseDuration takes.
const MaxDuration = 10 * 365 * 24 * time.Hour

// ParseDuration reads what people type for a time: whole numbers with w, d, h, m or s,
// the larger unit first, each at most once, with or without spaces: 90m, 1d 12h, 2w. It
// means exactly what it says: a day has 24 hours. Anything else is a Refusal.
func ParseDuration(text string) (time.Duration, error) {
	bad := Refuse("error.duration")
	units := "wdhms"
	length := map[byte]time.Duration{'w': 7 * 24 * time.Hour, 'd': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	rest := strings.ToLower(strings.ReplaceAll(text, " ", ""))
	var sum time.Duration
	for rest != "" {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if digits == 0 || digits > 9 || digits == len(rest) {
			return 0, bad
		}
		at := strings.IndexByte(units, rest[digits])
		if at < 0 {
			return 0, bad
		}
		n, err := strconv.Atoi(rest[:digits])
		if err != nil || time.Duration(n) > MaxDuration/length[units[at]] {
			return 0, bad
		}
		sum += time.Duration(n) * length[units[at]]
		units, rest = units[at+1:], rest[digits+1:]
	}
	if sum < time.Second || sum > MaxDuration {
		return 0, bad
	}
	return sum, nil
}
