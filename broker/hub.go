package broker

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"splashtail/bus"
)

// hub holds the seats of this process: for each connect code that a client of ours has
// claimed, who owns it.
type hub struct {
	cfg  Config
	b    *bus.Bus
	log  *slog.Logger
	m    *meters
	gate *gatekeeper

	events   *bus.Appender[bus.CaptureEvent]
	owners   *owners
	channels *channels
	notes    *notes

	ctx   context.Context // ends when nothing more can be stored; not when the stop begins
	id    string          // of this process's own events
	n     atomic.Uint64
	coded atomic.Int64 // sockets that have sent a valid code

	mu       sync.Mutex
	seats    map[bus.ConnectCode]*seat
	stopping bool
	work     sync.WaitGroup // goroutines of seats
}

// newID gives a random name of 16 hexadecimal digits.
func newID() string {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails, by its contract
	return hex.EncodeToString(b)
}

// claim seats a session as the owner of a code, over whoever sat there; false when we
// are stopping.
func (h *hub) claim(s *session, code bus.ConnectCode) bool {
	for {
		st := h.seat(code)
		if st == nil {
			return false
		}
		if st.claim(h.ctx, s) {
			if s.seat == nil {
				h.coded.Add(1)
			}
			s.code, s.seat = code, st
			return true
		}
		if h.ctx.Err() != nil {
			return false
		}
		// The seat was given up in this very moment; there will be a new one.
	}
}

// seat finds or makes the seat of a code; nil when we are stopping.
func (h *hub) seat(code bus.ConnectCode) *seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return nil
	}
	st := h.seats[code]
	if st == nil {
		st = newSeat(h, code)
		h.seats[code] = st
	}
	return st
}

// find gives the seat of a code, or nil.
func (h *hub) find(code bus.ConnectCode) *seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seats[code]
}

func (h *hub) forget(st *seat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seats[st.code] == st {
		delete(h.seats, st.code)
	}
}

// run starts a goroutine of a seat, unless we have stopped.
func (h *hub) run(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopping {
		return
	}
	h.work.Go(f)
}

func (h *hub) all() []*seat {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]*seat, 0, len(h.seats))
	for _, st := range h.seats {
		all = append(all, st)
	}
	return all
}

// say stores a fact about a code that no client sent.
func (h *hub) say(ctx context.Context, code bus.ConnectCode, kind bus.CaptureKind, yes bool, session, cause string) string {
	return h.store(ctx, h.id+"-"+strconv.FormatUint(h.n.Add(1), 10), bus.CaptureEvent{
		V: 1, Code: code, Kind: kind, Payload: strconv.FormatBool(yes), Session: session, At: time.Now().UTC(), Cause: cause,
	})
}

// vacateAll gives every seat up, reports their clients gone, and returns the codes that
// had an owner. Nothing can be claimed any more.
func (h *hub) vacateAll(ctx context.Context) []string {
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	var (
		mu    sync.Mutex
		codes []string
		wg    sync.WaitGroup
	)
	for _, st := range h.all() {
		wg.Go(func() {
			if st.vacate(ctx, causeShutdown, anyRound) {
				mu.Lock()
				defer mu.Unlock()
				codes = append(codes, st.code.String())
			}
		})
	}
	wg.Wait()
	h.work.Wait()
	return codes
}

// counts gives how many codes have an owner and how many of those take mute tasks.
func (h *hub) counts() (owned, ready int) {
	for _, st := range h.all() {
		o, r := st.state()
		if o {
			owned++
		}
		if r {
			ready++
		}
	}
	return owned, ready
}
