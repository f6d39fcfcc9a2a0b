package muteproxy

import (
	"splashtail/bus"
)

// outcome is what became of a wish.
type outcome struct {
	lane       string           // set when Discord confirmed it
	superseded bool             // a newer wish took its place
	failed     *bus.VoiceFailed // no lane could fulfil it
}

// waiter is a poster's interest in one wish.
type waiter struct {
	who  member
	id   string // of the wish
	rev  uint64 // once stored
	done chan outcome
}

// tell resolves the waiters of a member that its newest record answers. It holds mu.
func (w *wishes) tell(who member) {
	e := w.known[who]
	for _, wt := range w.waiting[who] {
		switch rec := e.Value; {
		case wt.rev == 0 || e.Revision < wt.rev:
			// Not stored yet: an older record says nothing about it.
		case rec.Wish.ID != wt.id:
			w.resolve(wt, outcome{superseded: true})
		case rec.Applied != nil && rec.Applied.WishID == wt.id:
			w.resolve(wt, outcome{lane: rec.Applied.Lane})
		case rec.Failed != nil && rec.Failed.WishID == wt.id:
			w.resolve(wt, outcome{failed: rec.Failed})
		}
	}
}

// resolve tells one waiter. It holds mu.
func (w *wishes) resolve(wt *waiter, o outcome) {
	select {
	case wt.done <- o:
	default: // it was told before
	}
	w.drop(wt)
}

// forget ends a poster's interest.
func (w *wishes) forget(waiters []*waiter) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, wt := range waiters {
		w.drop(wt)
	}
}

func (w *wishes) drop(wt *waiter) {
	old := w.waiting[wt.who]
	rest := make([]*waiter, 0, len(old))
	for _, o := range old {
		if o != wt {
			rest = append(rest, o)
		}
	}
	if len(rest) == 0 {
		delete(w.waiting, wt.who)
	} else {
		w.waiting[wt.who] = rest
	}
}
