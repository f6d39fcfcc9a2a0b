package discord

import "time"

// Window is the learnt budget of one rate limit: one token, one route, one guild.
// Discord counts requests in windows that open with their first request; the headers
// of each answer tell how many are left and when the window ends. A Window counts the
// requests that are on their way besides, so that it never promises what they will
// use. It is not safe for concurrent use; its owner is one goroutine or holds a lock.
type Window struct {
	guess  int           // requests per window until a header was seen
	limit  int           // from headers; 0 until then
	length time.Duration // of a window, as far as known

	measured bool // length is from an answer

	gen      uint64    // counts windows; 0: none was opened yet
	opened   time.Time // start of the window's first request
	resets   time.Time // zero until an answer told
	used     int       // requests of this window
	inFlight int       // of those, not answered yet
	carried  int       // unanswered requests of earlier windows; they may count in this one
	left     int       // the lowest "remaining" that an answer told; -1: none did
	blocked  time.Time // after a 429
}

const (
	// defaultLength is the window of the member route, 5 s as it is seen everywhere.
	defaultLength = 5 * time.Second
	// slack is added to the end of a window: clocks of two machines tick apart.
	slack = 20 * time.Millisecond
	// sameEnd is how far two answers may differ about the end of one window.
	sameEnd = 500 * time.Millisecond
)

// NewWindow makes a window that allows guess requests until it knows better.
func NewWindow(guess int) *Window {
	return &Window{guess: max(guess, 1), length: defaultLength, left: -1}
}

// Ticket is one request that a Window let go.
type Ticket struct{ gen uint64 }

// Limit tells the limit from Discord's headers, or 0 while none was seen.
func (w *Window) Limit() int { return w.limit }

// Guess sets what a window allows until it has seen a header itself.
func (w *Window) Guess(n int) { w.guess = max(n, 1) }

// Free tells how many requests may be sent now.
func (w *Window) Free(now time.Time) int {
	if now.Before(w.blocked) {
		return 0
	}
	if w.over(now) {
		return max(w.allowance()-w.inFlight-w.carried, 0)
	}
	free := w.allowance() - w.used - w.carried
	if w.left >= 0 {
		free = min(free, w.left-w.inFlight-w.carried)
	}
	return max(free, 0)
}

// Next tells when Free becomes greater than zero if no answer comes before. The zero
// time means that only an answer can tell.
func (w *Window) Next(now time.Time) time.Time {
	switch {
	case w.Free(now) > 0:
		return now
	case now.Before(w.blocked):
		return w.blocked
	case w.over(now):
		return time.Time{} // requests of the last window are on their way still
	default:
		return w.end()
	}
}

func (w *Window) allowance() int {
	if w.limit > 0 {
		return w.limit
	}
	return w.guess
}

// end is when the open window ends; zero while only an answer can tell.
func (w *Window) end() time.Time {
	if !w.resets.IsZero() {
		return w.resets
	}
	if w.inFlight == 0 {
		return w.opened.Add(w.length + slack) // every request of it went without an answer
	}
	return time.Time{}
}

// over says whether no window is open.
func (w *Window) over(now time.Time) bool {
	if w.gen == 0 {
		return true
	}
	end := w.end()
	return !end.IsZero() && !now.Before(end)
}

// Take counts a request that is sent now. Its caller has asked Free before.
func (w *Window) Take(now time.Time) Ticket {
	if w.over(now) {
		w.gen++
		w.carried += w.inFlight
		w.opened, w.resets, w.used, w.inFlight, w.left = now, time.Time{}, 0, 0, -1
	}
	w.used++
	w.inFlight++
	return Ticket{w.gen}
}

// Done learns from an answer.
func (w *Window) Done(t Ticket, now time.Time, rl RateLimit) {
	w.settle(t)
	if !rl.Known {
		return
	}
	w.limit = rl.Limit
	end := now.Add(rl.ResetAfter + slack)
	switch {
	case t.gen != w.gen && w.resets.IsZero():
		// It was sent in the last window. If Discord counted it in one that is open after
		// ours began, then in ours; when that ends, an answer of its own will tell.
		if end.After(w.opened.Add(slack)) {
			w.used = max(w.used+1, rl.Limit-rl.Remaining)
		}
	case t.gen != w.gen && end.Before(w.resets.Add(-sameEnd)):
		// The answer of a window that is gone never raises or lowers the budget.
	case w.resets.IsZero() || end.After(w.resets.Add(sameEnd)):
		// The first answer, or Discord's window is a later one than we thought.
		if !w.resets.IsZero() {
			w.used = max(w.inFlight, rl.Limit-rl.Remaining)
			w.left = -1
		}
		w.resets = end
		w.learn(rl)
	case end.Before(w.resets.Add(-sameEnd)):
	default:
		// The answer that came fastest knows best; but where windows are so short that a
		// later one looks the same, the latest end is the safe one.
		if end.Before(w.resets) != w.short() {
			w.resets = end
		}
		w.learn(rl)
	}
}

func (w *Window) learn(rl RateLimit) {
	if w.left < 0 || rl.Remaining < w.left {
		w.left = rl.Remaining
	}
	w.used = max(w.used, rl.Limit-rl.Remaining)
	if rl.ResetAfter > 0 && rl.Remaining == rl.Limit-1 {
		w.length, w.measured = rl.ResetAfter, true // the answer to a window's first request tells its length
	}
}

// short says whether two windows in a row may look like one, see sameEnd.
func (w *Window) short() bool { return !w.measured || w.length < 2*sameEnd }

// Lost is told of a request that got no answer; it may have been counted.
func (w *Window) Lost(t Ticket) { w.settle(t) }

// Refused learns from a 429: nothing goes before retryAfter is over.
func (w *Window) Refused(t Ticket, now time.Time, retryAfter time.Duration) {
	w.settle(t)
	until := now.Add(retryAfter + slack)
	if until.After(w.blocked) {
		w.blocked = until
	}
	w.left, w.used = 0, max(w.used, w.allowance())
	if w.resets.Before(until) {
		w.resets = until
	}
}

func (w *Window) settle(t Ticket) {
	if t.gen == w.gen && w.inFlight > 0 {
		w.inFlight--
	} else if t.gen != w.gen && w.carried > 0 {
		w.carried--
	}
}
