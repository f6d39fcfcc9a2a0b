package upstream

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// share is how many shards this process may hold among those that live: with two
// processes each has half, with one it has all.
type share struct {
	log *slog.Logger

	mu      sync.Mutex
	of      int // shards
	live    int // processes, at least 1
	holding []chan struct{}
	changed chan struct{} // closed and replaced at every change
}

func newShare(shards int, log *slog.Logger) *share {
	return &share{of: shards, live: 1, log: log, changed: make(chan struct{})}
}

func (h *share) fair() int { return (h.of + h.live - 1) / h.live }

func (h *share) news() {
	close(h.changed)
	h.changed = make(chan struct{})
}

// await returns when there is room for another shard.
func (h *share) await(ctx context.Context) {
	for {
		h.mu.Lock()
		room, changed := len(h.holding) < h.fair(), h.changed
		h.mu.Unlock()
		if room {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}

// take counts a shard that was just got; false when others should have it. release is
// closed when it is to be given up.
func (h *share) take() (release chan struct{}, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.holding) >= h.fair() {
		return nil, false
	}
	release = make(chan struct{})
	h.holding = append(h.holding, release)
	return release, true
}

// give counts a shard as given up.
func (h *share) give(release chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, r := range h.holding {
		if r == release {
			h.holding = append(h.holding[:i], h.holding[i+1:]...)
			break
		}
	}
	h.news()
}

// set takes in how many processes live; too many shards are given up.
func (h *share) set(live int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if live = max(live, 1); live == h.live {
		return
	}
	h.log.Info("another number of processes shares the shards", "processes", live)
	h.live = live
	for i := h.fair(); i < len(h.holding); i++ {
		select {
		case <-h.holding[i]: // told already
		default:
			close(h.holding[i])
		}
	}
	h.news()
}

// watchShare counts the processes that live.
func (u *Upstream) watchShare(ctx context.Context, share *share) {
	live := map[string]bool{}
	for ctx.Err() == nil {
		clear(live)
		told := false
		err := u.gateways.Watch(ctx, "*", func(e bus.Entry[bus.LeaseHolder], all bool) error {
			switch {
			case all:
				told = true
			case e.Deleted:
				delete(live, e.Key)
			default:
				live[e.Key] = true
			}
			if told {
				share.set(len(live))
			}
			return nil
		})
		if err != nil {
			u.log.Debug("the other processes cannot be watched; trying again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

// announce says to the others that this process lives.
func (u *Upstream) announce(ctx context.Context) {
	for ctx.Err() == nil {
		lease, err := bus.AwaitLease(ctx, u.b, bus.GatewayLease(u.life), shardLease, u.cfg.Instance)
		if err != nil {
			return // ctx has ended
		}
		<-lease.Lost()
		if ctx.Err() != nil {
			give, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			if err := lease.Release(give); err != nil {
				u.log.Debug("the others learn later that this process ends", "err", err)
			}
			cancel()
		}
	}
}
