package upstream

import (
	"context"
	"fmt"
	"time"

	"splashtail/bus"
)

// This file begins a change of the number of shards, and tells how it goes and ends.

const maxShards = 16384

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
		c := u.newChange(from, to)
		err := c.run(ctx)
		outcome := fmt.Sprintf("done: from %d to %d shards%s", from, to, c.gaps())
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
