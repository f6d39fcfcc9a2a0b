package upstream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"splashtail/bus"
)

// This file changes the number of shards while events flow:
//
//  1. Scouts begin the new sessions beside the old ones and follow what those store.
//  2. When every new session has shown its guilds, the old ones prove that everything is
//     stored that Discord sent them before (proof.go, catchup.go). What a new session has
//     not had, because it came before the guild was shown, is in the stream then; of all
//     that comes later the new session has a copy.
//  3. The plan says that a number is about to take over, and every process leaves its old
//     sessions; their leases, in our hands, say that it has.
//  4. The scouts read to the end of the stream, and the new sessions prove that they have
//     had what Discord sent until now, so that it is known which events of each new
//     session are stored. That is written down, and then the plan is changed: one write,
//     before which everything can be taken back, and behind which everything goes on,
//     whoever dies.
//  5. The new shards resume the scouts' sessions like any others, see enter in plan.go.

// showTimeout is how long Discord may take to show all guilds.
const showTimeout = 2 * time.Minute

// change is one change of the number of shards.
type change struct {
	u        *Upstream
	from, to int
	scouts   []*scout
	shards   []*shard // of the scouts
	begun    []string // the scouts' sessions that the proofs hold for
	refused  []int    // old shards that Discord refuses, so that they can prove nothing

	mu      sync.Mutex
	seen    uint64 // place in the stream up to where the scouts know it
	readErr error
	news    chan struct{}
}

func (u *Upstream) newChange(from, to int) *change {
	c := &change{u: u, from: from, to: to, news: make(chan struct{}, 1)}
	for k := range to {
		s := newShard(u, to, k)
		s.quiet, s.label = true, "next-"+strconv.Itoa(k)
		sc := newScout(s.place)
		s.pub = sc
		c.scouts, c.shards = append(c.scouts, sc), append(c.shards, s)
	}
	return c
}

func (c *change) run(ctx context.Context) error {
	info, err := bus.InfoOf(ctx, c.u.b, bus.AllDispatches())
	if err != nil {
		return err
	}
	c.seen = info.Last
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup
	defer parts.Wait()
	defer cancel()
	parts.Go(func() { c.follow(ctx, info.Last+1) })
	scouting, leave := context.WithCancel(ctx)
	defer leave()
	var scouts sync.WaitGroup
	for _, s := range c.shards {
		scouts.Go(func() {
			s.sessions(scouting)
			s.wires.Wait()
		})
	}
	left := sync.OnceFunc(func() {
		leave()
		scouts.Wait()
		for _, s := range c.shards {
			c.u.m.forget(s.label)
		}
	})
	defer left()
	if err := c.shown(ctx); err != nil {
		return err
	}
	if err := c.caughtUp(ctx); err != nil {
		return err
	}
	return c.turn(ctx, left)
}

// follow shows the scouts what the old sessions store.
func (c *change) follow(ctx context.Context, from uint64) {
	err := bus.Follow(ctx, c.u.b, bus.Follower{Batch: 128}, bus.AllDispatches(), from, func(_ context.Context, ms []bus.Delivery[bus.Dispatch]) error {
		for _, m := range ms {
			k := m.Value.Shard
			if m.Value.Guild != 0 {
				k = int(uint64(m.Value.Guild) >> 22 % uint64(c.to))
			}
			if k < c.to {
				c.scouts[k].stored(m.Value, m.Seq)
			}
		}
		c.mu.Lock()
		c.seen = ms[len(ms)-1].Seq
		c.mu.Unlock()
		c.wake()
		return nil
	})
	c.mu.Lock()
	c.readErr = err
	c.mu.Unlock()
	c.wake()
}

func (c *change) wake() {
	select {
	case c.news <- struct{}{}:
	default:
	}
}

var errNoRight = errors.New("the process ended, or lost the right to change the number of shards")

// await looks again and again whether ok, until it is or the time is over.
func (c *change) await(ctx context.Context, limit time.Duration, ok func() (bool, error)) (bool, error) {
	late := time.NewTimer(limit)
	defer late.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		c.mu.Lock()
		broken := c.readErr
		c.mu.Unlock()
		if broken != nil {
			return false, broken
		}
		if done, err := ok(); done || err != nil {
			return done, err
		}
		select {
		case <-c.news:
		case <-tick.C:
		case <-late.C:
			return false, nil
		case <-ctx.Done():
			return false, errNoRight
		}
	}
}

// shown waits until every new session has begun and knows its guilds. One IDENTIFY after
// the other may be sent, so that the limit grows with their number.
func (c *change) shown(ctx context.Context) error {
	limit := showTimeout + time.Duration(c.to)*(c.u.cfg.IdentifyGap+time.Second)
	missing := 0
	ok, err := c.await(ctx, limit, func() (bool, error) {
		missing = 0
		for k, sc := range c.scouts {
			shown, _, err := sc.state()
			if err != nil {
				return false, err
			}
			if st := c.shards[k].status(); st.State == stateStopped || st.State == stateBudget {
				return false, fmt.Errorf("the new shard %d is %s: %s", k, st.State, st.Why)
			}
			if !shown {
				missing++
			}
		}
		c.u.say(fmt.Sprintf("from %d to %d shards: %d of the new sessions are ready, the old ones serve", c.from, c.to, c.to-missing))
		return missing == 0, nil
	})
	if err == nil && !ok {
		err = fmt.Errorf("%d of the new sessions did not become ready within %s", missing, limit)
	}
	return err
}
