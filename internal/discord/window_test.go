package discord

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// The tests of Window put it against a Discord of which only the clock is simulated: a
// counter per window that opens with its first request, at the end of a network that
// takes its time in both directions and loses answers.

// fakeDiscord counts as Discord does.
type fakeDiscord struct {
	limit  int
	length time.Duration
	opened time.Time // of the window; zero: none was
	used   int
}

// hit decides a request that arrives now.
func (d *fakeDiscord) hit(now time.Time) (rl RateLimit, refused bool) {
	if d.opened.IsZero() || !now.Before(d.opened.Add(d.length)) {
		d.opened, d.used = now, 0
	}
	// Discord rounds to milliseconds.
	after := d.opened.Add(d.length).Sub(now).Round(time.Millisecond)
	if d.used >= d.limit {
		return RateLimit{Known: true, Limit: d.limit, ResetAfter: after}, true
	}
	d.used++
	return RateLimit{Known: true, Limit: d.limit, Remaining: d.limit - d.used, ResetAfter: after}, false
}

// match is one run of a Window against a fakeDiscord.
type match struct {
	t      *testing.T
	r      *rand.Rand
	now    time.Time
	events []event
	w      *Window
	d      *fakeDiscord

	slowest time.Duration // of one direction
	quick   time.Duration
	lose    float64 // share of answers that are lost
	quiet   bool    // answers carry no headers

	left, inFlight, served, refusals int
	blocked                          time.Time
	oddest                           string // what was wrong first
}

type event struct {
	at time.Time
	do func()
}

func (m *match) after(d time.Duration, do func()) {
	m.events = append(m.events, event{m.now.Add(d), do})
}

func (m *match) trip() time.Duration {
	return m.quick + time.Duration(m.r.Int64N(int64(m.slowest-m.quick)+1))
}

func (m *match) fault(format string, args ...any) {
	if m.oddest == "" {
		m.oddest = fmt.Sprintf("at %s: ", m.now.Sub(start)) + fmt.Sprintf(format, args...)
	}
}

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// send starts one request and lets it arrive, be decided, and be answered.
func (m *match) send() {
	if m.now.Before(m.blocked) {
		m.fault("a request goes although a 429 asked to wait")
	}
	m.left--
	m.inFlight++
	ticket := m.w.Take(m.now)
	m.after(m.trip(), func() {
		rl, refused := m.d.hit(m.now)
		lost := m.r.Float64() < m.lose
		m.after(m.trip(), func() {
			m.inFlight--
			switch {
			case lost:
				m.w.Lost(ticket)
				m.served++ // it was made; that nobody said so is not the budget's business
			case refused:
				m.refusals++
				m.w.Refused(ticket, m.now, rl.ResetAfter)
				m.blocked = m.now.Add(rl.ResetAfter)
				m.left++
			default:
				m.served++
				if m.quiet {
					rl = RateLimit{}
				}
				m.w.Done(ticket, m.now, rl)
			}
		})
	})
}

// play works through the backlog and says how long that took.
func (m *match) play() time.Duration {
	for steps := 0; m.left > 0 || m.inFlight > 0; steps++ {
		if steps > 200_000 {
			m.fault("it does not come to an end: %d left", m.left)
			break
		}
		for m.left > 0 && m.w.Free(m.now) > 0 {
			m.send()
		}
		var next time.Time
		if m.left > 0 {
			next = m.w.Next(m.now)
			if !next.IsZero() && !next.After(m.now) {
				m.fault("it may go now and may not")
				break
			}
			if next.IsZero() && m.inFlight == 0 {
				m.fault("nothing is on its way and it waits for an answer, %d left", m.left)
				break
			}
		}
		if !m.step(next) {
			break
		}
	}
	return m.now.Sub(start)
}

// step goes to the next moment at which something happens: an event or next.
func (m *match) step(next time.Time) bool {
	first := -1
	for i, e := range m.events {
		if first < 0 || e.at.Before(m.events[first].at) {
			first = i
		}
	}
	if first < 0 && next.IsZero() {
		m.fault("nothing happens any more")
		return false
	}
	if first < 0 || !next.IsZero() && next.Before(m.events[first].at) {
		m.now = next
		return true
	}
	e := m.events[first]
	m.events = slices.Delete(m.events, first, first+1)
	m.now = e.at
	e.do()
	return true
}

// newMatch makes a match of random shape.
func newMatch(t *testing.T, seed uint64) *match {
	r := rand.New(rand.NewPCG(seed, 1))
	limit := 1 + r.IntN(10)
	m := &match{t: t, r: r, now: start, left: 1 + r.IntN(60),
		d:     &fakeDiscord{limit: limit, length: time.Duration(1000+r.IntN(9000)) * time.Millisecond},
		quick: time.Duration(r.IntN(50)) * time.Millisecond,
		w:     NewWindow(1 + r.IntN(limit)),
	}
	m.slowest = m.quick + time.Duration(1+r.IntN(200))*time.Millisecond
	return m
}

// TestWindowNeverExceedsNorStarves plays matches of every shape in which the first guess
// is not above the limit: no request is refused, and all are served about as fast as the
// limit allows.
func TestWindowNeverExceedsNorStarves(t *testing.T) {
	for seed := range uint64(3000) {
		windowHolds(t, seed)
	}
}

// FuzzWindow is the same for as long as one likes.
func FuzzWindow(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(windowHolds)
}

func windowHolds(t *testing.T, seed uint64) {
	m := newMatch(t, seed)
	n := m.left
	took := m.play()
	// Each window ends with its length, the slack, and one round trip at most; the first
	// one may have served less than the limit, until a header told what it is.
	windows := (n + m.d.limit - 1) / m.d.limit
	most := time.Duration(windows)*(m.d.length+slack+2*m.slowest) + 4*m.slowest
	if m.oddest == "" && (m.refusals > 0 || m.served != n || took > most) {
		m.fault("%d of %d were served in %s, bound %s, %d refusals", m.served, n, took, most, m.refusals)
	}
	if m.oddest != "" {
		t.Errorf("seed %d (limit %d per %s, guess %d, %s to %s each way, %d requests): %s", seed, m.d.limit, m.d.length, m.w.guess, m.quick, m.slowest, n, m.oddest)
	}
}

// TestWindowOutlivesBadNetworks loses answers, leaves headers out, guesses too high and
// lets strangers use the budget: then refusals happen, but each is obeyed and everything
// is served in the end.
func TestWindowOutlivesBadNetworks(t *testing.T) {
	for seed := range uint64(2000) {
		m := newMatch(t, seed)
		n := m.left
		m.lose = 0.3 * m.r.Float64()
		m.quiet = m.r.IntN(4) == 0
		m.w.Guess(1 + m.r.IntN(20))
		for range m.r.IntN(20) { // strangers with the same token
			m.after(time.Duration(m.r.Int64N(int64(20*time.Second))), func() { m.d.hit(m.now) })
		}
		m.play()
		if m.oddest == "" && m.served != n {
			m.fault("%d of %d were served", m.served, n)
		}
		// A refusal of every request in every window would be a client that does not learn.
		if m.oddest == "" && !m.quiet && m.refusals > 40+2*n {
			m.fault("%d refusals for %d requests", m.refusals, n)
		}
		if m.oddest != "" {
			t.Errorf("seed %d: %s", seed, m.oddest)
		}
	}
}
