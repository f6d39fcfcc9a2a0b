package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// This file is the moment of a change at which the new sessions take over.

// Times of a takeover.
const (
	leaveTimeout  = 20 * time.Second // the old shards have to be left
	drainTimeout  = time.Minute      // a new session may be behind an old one
	drainPatience = 5 * time.Second  // and what it has not brought for so long it will not bring
)

// keepTurns bounds how many turns the plan remembers.
const keepTurns = 8

// turn makes the new sessions take over. Before its last write everything is taken back
// when something fails.
func (c *change) turn(ctx context.Context, left func()) (err error) {
	u := c.u
	u.say(fmt.Sprintf("from %d to %d shards: the old ones are left", c.from, c.to))
	revision, plan, err := c.announce(ctx)
	if err != nil {
		return err
	}
	committed := false
	var olds []*bus.Lease
	defer func() {
		for _, l := range olds {
			giveUp(ctx, l)
		}
		if !committed {
			c.takeBack(ctx, plan, revision)
		}
	}()
	if olds, err = c.leaveOld(ctx); err != nil {
		return err
	}
	if err := c.drain(ctx); err != nil {
		return err
	}
	left()
	if err := c.write(ctx); err != nil {
		return err
	}
	if err := c.decide(ctx, plan, revision); err != nil {
		return err
	}
	committed = true
	for n := range c.from {
		key := bus.UpstreamKey(c.from, n)
		if err := errors.Join(u.sessions.Delete(ctx, key, 0), u.readies.Delete(ctx, key, 0)); err != nil {
			u.log.Debug("a session that is over is still on record", "shard", n, "err", err)
		}
	}
	return nil
}

// announce tells every process to leave the old sessions.
func (c *change) announce(ctx context.Context) (revision uint64, plan bus.ShardPlan, err error) {
	u := c.u
	found, err := u.plans.Get(ctx, bus.ShardPlanKey)
	switch {
	case bus.IsCode(err, bus.CodeNotFound):
		plan = bus.ShardPlan{V: 1, Shards: c.from, Configured: u.cfg.Shards, Next: c.to, At: time.Now().UTC()}
		revision, err = u.plans.Create(ctx, bus.ShardPlanKey, plan)
	case err == nil:
		plan = found.Value
		if plan.Configured != u.cfg.Shards {
			plan.Turns = nil // NUM_SHARDS was changed since: what was before leads to nothing
		}
		plan.Shards, plan.Configured, plan.Next, plan.At = c.from, u.cfg.Shards, c.to, time.Now().UTC()
		revision, err = u.plans.Update(ctx, bus.ShardPlanKey, plan, found.Revision)
	}
	return revision, plan, err
}

// decide writes that the new number counts.
func (c *change) decide(ctx context.Context, plan bus.ShardPlan, revision uint64) error {
	turn := bus.ShardTurn{ID: newID(), From: c.from, To: c.to, Epoch: c.u.epoch, At: time.Now().UTC()}
	plan.Shards, plan.Next, plan.Configured, plan.At = c.to, 0, c.u.cfg.Shards, turn.At
	plan.Turns = append(slices.Clone(plan.Turns), turn)
	plan.Turns = plan.Turns[max(0, len(plan.Turns)-keepTurns):]
	if _, err := c.u.plans.Update(ctx, bus.ShardPlanKey, plan, revision); err != nil && !c.decided(ctx) {
		return fmt.Errorf("the new plan was not stored: %w", err)
	}
	return nil
}

// decided says whether the write that decides was made although its answer was lost.
func (c *change) decided(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for {
		found, err := c.u.plans.Get(ctx, bus.ShardPlanKey)
		if err == nil {
			return found.Value.Next == 0 && found.Value.Shards == c.to
		}
		if pause.For(ctx, proveAgain); ctx.Err() != nil {
			return false
		}
	}
}

// takeBack leaves the plan as it was. The new sessions are forgotten only behind that: if
// the plan has them after all, everybody goes on with them.
func (c *change) takeBack(ctx context.Context, plan bus.ShardPlan, revision uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	plan.Next = 0
	if _, err := c.u.plans.Update(ctx, bus.ShardPlanKey, plan, revision); err != nil {
		c.u.log.Error("the plan of the shards was not taken back here: another process does it, or the new number counts after all", "err", err)
		return
	}
	for k := range c.to {
		key := bus.UpstreamKey(c.to, k)
		_ = errors.Join(c.u.sessions.Delete(ctx, key, 0), c.u.readies.Delete(ctx, key, 0)) // they end by themselves
	}
}

// leaveOld takes the leases of the old shards: then nobody stores anything of them.
func (c *change) leaveOld(ctx context.Context) ([]*bus.Lease, error) {
	var olds []*bus.Lease
	within, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	for n := range c.from {
		// The lease itself lives as long as ctx does.
		for {
			l, err := bus.Acquire(ctx, c.u.b, bus.ShardLease(c.from, n), shardLease, c.u.cfg.Instance)
			if err == nil {
				olds = append(olds, l)
				break
			}
			if !bus.IsCode(err, bus.CodeConflict) {
				return olds, err
			}
			if pause.For(within, 20*time.Millisecond); within.Err() != nil {
				return olds, fmt.Errorf("the old shard %d was not left within %s", n, leaveTimeout)
			}
		}
	}
	return olds, nil
}

// drain reads the stream to its end, and waits until the new sessions have brought what
// is in it. That an event of the old sessions is not among what the new ones have had shows
// that it was for the old ones alone; some patience is left for a Discord that tells its
// sessions at different moments.
func (c *change) drain(ctx context.Context) error {
	if _, err := c.readOn(ctx); err != nil {
		return err
	}
	if err := c.proveNew(ctx, drainTimeout); err != nil {
		return err
	}
	late, moved := 0, time.Now()
	if _, err := c.await(ctx, drainTimeout, func() (bool, error) {
		before := late
		late = 0
		for _, sc := range c.scouts {
			_, owed, err := sc.state()
			if err != nil {
				return false, err
			}
			late += owed
		}
		if late != before {
			moved = time.Now()
		}
		return late == 0 || time.Since(moved) > drainPatience, nil
	}); err != nil {
		return err
	}
	if late > 0 {
		c.u.log.Warn("some events came to the old sessions and not to the new ones; they are stored", "events", late)
	}
	return nil
}

// write leaves the new sessions as any process leaves its own.
func (c *change) write(ctx context.Context) error {
	if err := c.kept(); err != nil {
		return err
	}
	now := time.Now()
	for k, sc := range c.scouts {
		if _, _, err := sc.state(); err != nil {
			return err
		}
		ready, err := sc.readyNow()
		if err != nil {
			return err
		}
		key := bus.UpstreamKey(c.to, k)
		if _, err := c.u.readies.Put(ctx, key, bus.ShardReady{V: 1, Epoch: c.u.epoch, Stream: c.seen, Data: ready, At: now.UTC()}); err != nil {
			return fmt.Errorf("what READY said was not stored: %w", err)
		}
		if _, err := c.u.sessions.Put(ctx, key, sc.takeover(now)); err != nil {
			return fmt.Errorf("a new session was not stored: %w", err)
		}
	}
	return nil
}
