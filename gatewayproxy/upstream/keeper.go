package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"splashtail/bus"
)

// shardLease is how long a dead process keeps its shards from the others.
const shardLease = 4 * time.Second

// keep holds a shard whenever this process may, until ctx ends.
func (u *Upstream) keep(ctx context.Context, number int) {
	for ctx.Err() == nil {
		u.share.await(ctx)
		lease, err := bus.AwaitLease(ctx, u.b, bus.ShardLease(u.plan.shards, number), shardLease, u.cfg.Instance)
		if err != nil {
			return // ctx has ended
		}
		rest := time.Duration(0)
		if release, ok := u.share.take(); ok {
			if u.hold(ctx, number, lease, release) {
				rest = 2 * shardLease
			}
			u.share.give(release)
		}
		give, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		if err := lease.Release(give); err != nil {
			u.log.Debug("a shard was not given on; the right to it expires", "shard", number, "err", err)
		}
		cancel()
		wait(ctx, rest)
	}
}

// hold runs the shard until the right to it is lost, given up, or ctx ends. It says
// whether an operator wants another process to have it.
func (u *Upstream) hold(ctx context.Context, number int, lease *bus.Lease, release <-chan struct{}) (away bool) {
	ctx, cancel := lease.Context(ctx)
	defer cancel()
	s := newShard(u, number)
	u.mu.Lock()
	u.held[number] = s
	u.mu.Unlock()
	defer func() {
		u.mu.Lock()
		delete(u.held, number)
		u.mu.Unlock()
	}()
	stop, err := bus.Serve(ctx, u.b, bus.ShardCall(u.plan.shards, number), s.obey)
	if err != nil {
		s.log.Warn("operators cannot reach the shard", "err", err)
	} else {
		defer stop()
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-release:
			s.log.Info("giving the shard to another process")
		case <-s.released:
		case <-ctx.Done():
		}
		cancel()
	}()
	if err := s.run(ctx); err != nil {
		s.log.Error("the shard cannot be held now; trying again", "err", err)
		wait(ctx, time.Second)
	}
	cancel()
	<-ended
	select {
	case <-s.released:
		return true
	default:
		return false
	}
}

// obey carries out an operator's order and records it.
func (s *shard) obey(ctx context.Context, o bus.ShardOrder) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	var err error
	switch o.Verb {
	case "restart":
		err = s.order(ctx, true)
	case "identify":
		err = s.order(ctx, false)
	case "release":
		s.once.Do(func() { close(s.released) })
	default:
		return nil, bus.Errorf(bus.CodeInvalid, "bad_verb", "%q is not restart, identify or release; nothing was done", o.Verb)
	}
	s.u.record(ctx, s.number, o, err)
	if err != nil {
		return nil, err
	}
	return json.Marshal(s.status())
}

func (s *shard) order(ctx context.Context, keep bool) error {
	select {
	case s.orders <- keep:
		return nil
	case <-ctx.Done():
		return bus.Errorf(bus.CodeUnavailable, "busy", "the shard is just connecting; nothing was done; try again")
	}
}

// record keeps an order in the log of commands.
func (u *Upstream) record(ctx context.Context, shard int, o bus.ShardOrder, err error) {
	subject, serr := bus.CommandSubject(u.cfg.Component, "shard-"+o.Verb)
	if serr != nil {
		return
	}
	c := bus.Command{V: 1, ID: newID(), Component: u.cfg.Component, Verb: "shard-" + o.Verb, Actor: o.Actor,
		Reason: fmt.Sprintf("shard %d: %s", shard, o.Reason), Outcome: "done", At: time.Now().UTC()}
	if err != nil {
		c.Outcome = "failed: " + err.Error()
	}
	if _, err := bus.Publish(ctx, u.b, subject, c, bus.WithID(c.ID)); err != nil {
		u.log.Warn("an order was carried out and not recorded", "shard", shard, "verb", o.Verb, "err", err)
	}
}

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
func (u *Upstream) watchShare(ctx context.Context) {
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
				u.share.set(len(live))
			}
			return nil
		})
		if err != nil {
			u.log.Debug("the other processes cannot be watched; trying again", "err", err)
			wait(ctx, time.Second)
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
