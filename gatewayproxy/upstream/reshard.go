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
//  2. The plan says that a number is about to take over, and every process leaves its old
//     sessions; their leases, in our hands, say that it has.
//  3. The scouts read to the end of the stream, so that it is known which events of each
//     new session are in it. That is written down, and then the plan is changed: one
//     write, before which everything can be taken back, and behind which everything goes
//     on, whoever dies.
//  4. The new shards resume the scouts' sessions like any others, see enter in plan.go.

// Times of a change.
const (
	leaveTimeout = 20 * time.Second // the old shards have to be left
	drainTimeout = 3 * time.Second  // a new session may be behind an old one
	showTimeout  = 2 * time.Minute  // Discord may take to show all guilds
	keepTurns    = 8
	maxShards    = 16384
)

// Change is what a verb that takes longer than its answer has begun.
type Change struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Reshard begins to change the number of shards. Whether it is done is told by Status, and
// by COMMANDS when it is over. Errors say why nothing was begun.
func (u *Upstream) Reshard(ctx context.Context, to int, asked bus.VerbRequest) (Change, error) {
	refused := func(code bus.Code, reason, format string, args ...any) (Change, error) {
		return Change{}, bus.Errorf(code, reason, format+"; nothing was changed", args...)
	}
	from := u.Shards()
	switch {
	case to < 1 || to > maxShards:
		return refused(bus.CodeInvalid, "bad_count", "the target is the new number of shards, 1 to %d", maxShards)
	case len(u.cfg.Only) > 0:
		return refused(bus.CodeInvalid, "fixed", "SHARD_ID says which shards each process holds; change it and NUM_SHARDS instead")
	case from == 0:
		return refused(bus.CodeUnavailable, "not_ready", "the number of shards is not known yet")
	case to == from:
		return refused(bus.CodeInvalid, "same", "there are %d shards already", to)
	}
	budget, err := u.gate.look(ctx)
	if err != nil {
		return Change{}, err
	}
	if err := refuse(budget, to, time.Now()); err != nil {
		return Change{}, err
	}
	if p, _ := u.planNow(); p.Next != 0 {
		return refused(bus.CodeConflict, "busy", "another change is under way")
	}
	lease, err := bus.Acquire(u.work, u.b, bus.ReshardLease(), shardLease, u.cfg.Instance)
	if bus.IsCode(err, bus.CodeConflict) {
		return refused(bus.CodeConflict, "busy", "another change is under way")
	}
	if err != nil {
		return Change{}, err
	}
	u.changing.Go(func() {
		ctx, cancel := lease.Context(u.work)
		defer cancel()
		err := u.newChange(from, to).run(ctx)
		outcome := fmt.Sprintf("done: from %d to %d shards", from, to)
		if err != nil {
			outcome = fmt.Sprintf("failed: there are still %d shards: %v", from, err)
			u.log.Error("the number of shards was not changed", "shards", from, "wanted", to, "err", err)
		} else {
			u.log.Info("another number of shards serves", "shards", to, "before", from)
		}
		u.say("")
		giveUp(u.work, lease)
		u.recordChange(u.work, "reshard", asked, outcome)
	})
	return Change{from, to}, nil
}

func (u *Upstream) say(text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.change = text
}

// recordChange keeps how a change ended in the log of commands.
func (u *Upstream) recordChange(ctx context.Context, verb string, asked bus.VerbRequest, outcome string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	subject, err := bus.CommandSubject(u.cfg.Component, verb)
	if err != nil {
		return
	}
	c := bus.Command{V: 1, ID: newID(), Component: u.cfg.Component, Verb: verb, Actor: asked.Actor, Reason: asked.Reason, Outcome: outcome, At: time.Now().UTC()}
	if _, err := bus.Publish(ctx, u.b, subject, c, bus.WithID(c.ID)); err != nil {
		u.log.Warn("how a change of the number of shards ended was not recorded", "err", err)
	}
}

// change is one change of the number of shards.
type change struct {
	u        *Upstream
	from, to int
	scouts   []*scout
	shards   []*shard // of the scouts

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
	left := sync.OnceFunc(func() { leave(); scouts.Wait() })
	defer left()
	if err := c.shown(ctx); err != nil {
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
			return false, errors.New("the process ended, or lost the right to change the number of shards")
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
	plan.Shards, plan.Next, plan.Configured, plan.At = c.to, 0, u.cfg.Shards, time.Now().UTC()
	plan.Turns = append(plan.Turns, bus.ShardTurn{ID: newID(), From: c.from, To: c.to, Epoch: u.epoch, At: plan.At})
	plan.Turns = plan.Turns[max(0, len(plan.Turns)-keepTurns):]
	if _, err := u.plans.Update(ctx, bus.ShardPlanKey, plan, revision); err != nil {
		if found, gerr := u.plans.Get(context.WithoutCancel(ctx), bus.ShardPlanKey); gerr != nil || found.Value.Next != 0 || found.Value.Shards != c.to {
			return fmt.Errorf("the new plan was not stored: %w", err)
		}
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

func (c *change) takeBack(ctx context.Context, plan bus.ShardPlan, revision uint64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	for k := range c.to {
		key := bus.UpstreamKey(c.to, k)
		_ = errors.Join(c.u.sessions.Delete(ctx, key, 0), c.u.readies.Delete(ctx, key, 0)) // they end by themselves
	}
	plan.Next = 0
	if _, err := c.u.plans.Update(ctx, bus.ShardPlanKey, plan, revision); err != nil {
		c.u.log.Error("the old shards are taken up a little later", "err", err)
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
			if wait(within, 20*time.Millisecond); within.Err() != nil {
				return olds, fmt.Errorf("the old shard %d was not left within %s", n, leaveTimeout)
			}
		}
	}
	return olds, nil
}

// drain reads the stream to its end, and waits until the new sessions have brought what
// is in it.
func (c *change) drain(ctx context.Context) error {
	last, err := bus.Last(ctx, c.u.b, bus.AllDispatches())
	if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
		return err
	}
	ok, err := c.await(ctx, leaveTimeout, func() (bool, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.seen >= last.Seq, nil
	})
	if err != nil {
		return err
	}
	if !ok {
		return errors.New("the stream could not be read to its end")
	}
	late := 0
	if _, err := c.await(ctx, drainTimeout, func() (bool, error) {
		late = 0
		for _, sc := range c.scouts {
			_, owed, err := sc.state()
			if err != nil {
				return false, err
			}
			late += owed
		}
		return late == 0, nil
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
	now := time.Now()
	for k, sc := range c.scouts {
		if shown, _, err := sc.state(); err != nil || !shown {
			return errors.Join(fmt.Errorf("the new shard %d began another session in the last moment", k), err)
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
