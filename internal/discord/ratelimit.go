package discord

import (
	"math"
	"net/http"
	"strconv"
	"time"
)

// RateLimit is what the headers of one answer say about its rate limit.
type RateLimit struct {
	Known      bool // false: the answer had no such headers
	Limit      int
	Remaining  int
	ResetAfter time.Duration // from when Discord wrote the answer
	Bucket     string
}

// maxReset bounds what a header can make us wait: role creation, the longest limit
// that is known, resets after two days.
const maxReset = 72 * time.Hour

// ParseRateLimit reads the X-RateLimit headers. Headers that make no sense count as
// none.
func ParseRateLimit(h http.Header) RateLimit {
	limit, err1 := strconv.Atoi(h.Get("X-RateLimit-Limit"))
	remaining, err2 := strconv.Atoi(h.Get("X-RateLimit-Remaining"))
	after, err3 := strconv.ParseFloat(h.Get("X-RateLimit-Reset-After"), 64)
	if err1 != nil || err2 != nil || err3 != nil || limit < 1 || remaining < 0 || remaining > limit || after < 0 || math.IsNaN(after) {
		return RateLimit{}
	}
	return RateLimit{Known: true, Limit: limit, Remaining: remaining, ResetAfter: seconds(after), Bucket: h.Get("X-RateLimit-Bucket")}
}

// seconds turns a header's seconds into a duration between 0 and maxReset.
func seconds(s float64) time.Duration {
	if math.IsNaN(s) || s < 0 {
		return 0
	}
	if s > maxReset.Seconds() {
		return maxReset
	}
	return time.Duration(s * float64(time.Second))
}
