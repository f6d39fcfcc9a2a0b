package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// This file keeps in step with the plan, which says how many shards there are: all
// processes hold those of one number, or none while another number takes over.

// loadPlan reads the plan once, before it is watched.
func (u *Upstream) loadPlan(ctx context.Context) error {
	found, err := u.plans.Get(ctx, bus.ShardPlanKey)
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("the plan of the shards cannot be read: %w", err)
	}
	u.takePlan(found)
	return nil
}

func (u *Upstream) takePlan(p bus.Entry[bus.ShardPlan]) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if p.Revision <= u.plan.Revision {
		return
	}
	u.plan = p
	close(u.turned)
	u.turned = make(chan struct{})
}

func (u *Upstream) watchPlan(ctx context.Context) {
	for ctx.Err() == nil {
		err := u.plans.Watch(ctx, bus.ShardPlanKey, func(e bus.Entry[bus.ShardPlan], all bool) error {
			if !all && !e.Deleted {
				u.takePlan(e)
			}
			return nil
		})
		if err != nil && ctx.Err() == nil {
			u.log.Debug("the plan of the shards cannot be watched; trying again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
}

// planNow gives the plan and a channel that is closed when it changes.
func (u *Upstream) planNow() (bus.ShardPlan, <-chan struct{}) {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.plan.Value, u.turned
}

// chosen is the number of shards that the plan says; 0 when it says none, or NUM_SHARDS
// was changed since.
func (u *Upstream) chosen() int {
	p, _ := u.planNow()
	if len(u.cfg.Only) > 0 || p.Configured != u.cfg.Shards {
		return 0
	}
	return p.Shards
}

// generations holds the shards of one number after the other until ctx ends.
func (u *Upstream) generations(ctx context.Context) {
	for ctx.Err() == nil {
		p, news := u.planNow()
		if p.Next != 0 && len(u.cfg.Only) == 0 {
			u.takeBack(ctx)
			select {
			case <-news:
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		count := u.Shards()
		if n := u.chosen(); n > 0 {
			if err := u.enter(ctx, p); err != nil {
				u.log.Warn("the new shards cannot begin to serve; trying again", "err", err)
				pause.For(ctx, time.Second)
				continue
			}
			count = n
			u.mu.Lock()
			u.shards = n
			u.mu.Unlock()
		}
		u.generation(ctx, count)
	}
}

// generation holds the shards of one number until the plan has another.
func (u *Upstream) generation(ctx context.Context, count int) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		u.holdAll(ctx, count)
	}()
	for ctx.Err() == nil {
		p, news := u.planNow()
		if n := u.chosen(); len(u.cfg.Only) == 0 && (p.Next != 0 || n > 0 && n != count) {
			cancel()
			break
		}
		select {
		case <-news:
		case <-ctx.Done():
		}
	}
	<-ended
}

// takeBack ends a change that its process left in the middle: the old number stays.
func (u *Upstream) takeBack(ctx context.Context) {
	lease, err := bus.Acquire(ctx, u.b, bus.ReshardLease(), shardLease, u.cfg.Instance)
	if err != nil {
		return // who makes the change lives, or another one takes it back
	}
	defer giveUp(ctx, lease)
	found, err := u.plans.Get(ctx, bus.ShardPlanKey)
	if err != nil || found.Value.Next == 0 {
		return
	}
	next := found.Value.Next
	found.Value.Next, found.Value.At = 0, time.Now().UTC()
	if _, err := u.plans.Update(ctx, bus.ShardPlanKey, found.Value, found.Revision); err != nil {
		u.log.Warn("a change of the number of shards could not be taken back yet", "err", err)
		return
	}
	u.log.Error("a change of the number of shards was cut off and is taken back; ask for it again", "shards", found.Value.Shards, "wanted", next)
	u.recordChange(ctx, "reshard", bus.VerbRequest{Actor: u.cfg.Instance, Reason: "its process died"}, fmt.Sprintf("failed: the change from %d to %d shards was cut off and taken back", found.Value.Shards, next))
}

// giveUp releases a lease also at the end of ctx.
func giveUp(ctx context.Context, lease *bus.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_ = lease.Release(ctx) // else it expires
}

// enter puts the latest turn into the stream before the first event behind it. Every
// process may do it, and again after a crash: the messages have ids.
func (u *Upstream) enter(ctx context.Context, p bus.ShardPlan) error {
	if len(p.Turns) == 0 {
		return nil
	}
	turn := p.Turns[len(p.Turns)-1]
	if turn.Epoch != u.epoch {
		return nil // nothing of before is in this stream
	}
	if last, err := bus.Last(ctx, u.b, bus.DispatchesNamed(bus.EventShardsChanged)); err == nil && last.Value.Session == turn.ID && turn.Place == last.Seq && turn.Through > 0 {
		return nil
	} else if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
		return err
	} else if turn.Place > 0 && time.Since(turn.At) > time.Minute {
		return nil // it has left the stream by its age
	}
	var sessions []string
	var readies []bus.Dispatch
	for k := range turn.To {
		s, err := u.sessions.Get(ctx, bus.UpstreamKey(turn.To, k))
		if err != nil {
			return err
		}
		r, err := u.readies.Get(ctx, bus.UpstreamKey(turn.To, k))
		if err != nil {
			return err
		}
		seq := s.Value.Seq
		if s.Value.Taken != nil {
			seq = s.Value.Taken.From
		}
		sessions = append(sessions, s.Value.Session)
		readies = append(readies, bus.Dispatch{Shard: k, Event: eventReady, Session: s.Value.Session, Seq: seq, Data: r.Value.Data})
	}
	mark, err := bus.ShardsChangedOf(turn, sessions)
	if err != nil {
		return err
	}
	var places []uint64
	for _, d := range append([]bus.Dispatch{mark}, readies...) {
		subject, err := bus.DispatchSubject(d)
		if err != nil {
			return err
		}
		at, err := bus.Publish(ctx, u.b, subject, d, bus.WithID(d.ID()))
		if err != nil {
			return err
		}
		places = append(places, at)
	}
	return u.noteTurn(ctx, turn.ID, places[0], places[len(places)-1])
}

// noteTurn writes down where a turn is in the stream.
func (u *Upstream) noteTurn(ctx context.Context, id string, place, through uint64) error {
	for {
		found, err := u.plans.Get(ctx, bus.ShardPlanKey)
		if err != nil {
			return err
		}
		last := len(found.Value.Turns) - 1
		if last < 0 || found.Value.Turns[last].ID != id || found.Value.Turns[last].Place == place {
			return nil
		}
		found.Value.Turns[last].Place, found.Value.Turns[last].Through = place, through
		if _, err = u.plans.Update(ctx, bus.ShardPlanKey, found.Value, found.Revision); !bus.IsCode(err, bus.CodeConflict) {
			return err
		}
	}
}

// withGuilds gives a READY that names other guilds.
func withGuilds(ready json.RawMessage, guilds []bus.GuildID) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(ready, &members); err != nil {
		return nil, err
	}
	type stub struct {
		ID          string `json:"id"`
		Unavailable bool   `json:"unavailable"`
	}
	stubs := []stub{}
	for _, id := range guilds {
		stubs = append(stubs, stub{id.String(), true})
	}
	var err error
	if members["guilds"], err = json.Marshal(stubs); err != nil {
		return nil, err
	}
	return json.Marshal(members)
}
