package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"splashtail/bus"
)

// Rolling is what a rolling restart has begun.
type Rolling struct {
	Shards int `json:"shards"`
}

// RollingRestart begins to connect one shard after the other anew, whichever process holds
// it. Sessions are resumed, so that it costs no IDENTIFY and no event. It goes on only when
// a shard is live again; one that is not within Config.ResumeWithin ends it. Status tells
// how far it is, COMMANDS how it ended. Errors say why nothing was begun.
func (u *Upstream) RollingRestart(asked bus.VerbRequest) (Rolling, error) {
	count := u.Shards()
	if count == 0 {
		return Rolling{}, bus.Errorf(bus.CodeUnavailable, "not_ready", "the number of shards is not known yet; nothing was restarted")
	}
	lease, err := bus.Acquire(u.work, u.b, bus.ReshardLease(), shardLease, u.cfg.Instance)
	if bus.IsCode(err, bus.CodeConflict) {
		return Rolling{}, bus.Errorf(bus.CodeConflict, "busy", "another restart or change of the shards is under way; nothing was restarted")
	}
	if err != nil {
		return Rolling{}, err
	}
	u.changing.Go(func() {
		ctx, cancel := lease.Context(u.work)
		defer cancel()
		done, err := u.roll(ctx, count, asked)
		outcome := fmt.Sprintf("done: %d shards were restarted", done)
		if err != nil {
			outcome = fmt.Sprintf("failed: %v; %d of %d shards were restarted, the others were left alone", err, done, count)
			u.log.Error("a rolling restart was given up", "err", err, "restarted", done, "shards", count)
		}
		u.say("")
		giveUp(u.work, lease)
		u.recordChange(u.work, "rolling-restart", asked, outcome)
	})
	return Rolling{count}, nil
}

// roll restarts the shards and says how many it did.
func (u *Upstream) roll(ctx context.Context, count int, asked bus.VerbRequest) (done int, err error) {
	for n := range count {
		u.say(fmt.Sprintf("rolling restart: shard %d of %d", n, count))
		if err := u.restartShard(ctx, count, n, asked); err != nil {
			return n, err
		}
	}
	return count, nil
}

// restartShard returns when the shard is live again.
func (u *Upstream) restartShard(ctx context.Context, count, number int, asked bus.VerbRequest) error {
	ctx, cancel := context.WithTimeout(ctx, u.cfg.ResumeWithin)
	defer cancel()
	info, err := bus.InfoOf(ctx, u.b, bus.AllShardEvents())
	if err != nil {
		return err
	}
	order := bus.ShardOrder{Verb: "restart", Actor: asked.Actor, Reason: "rolling restart: " + asked.Reason}
	if _, err := bus.Do(ctx, u.b, bus.ShardCall(count, number), order); err != nil {
		return fmt.Errorf("shard %d cannot be restarted: %w", number, err)
	}
	live := errors.New("live")
	var last bus.ShardEvent
	err = bus.Follow(ctx, u.b, bus.Follower{}, bus.AllShardEvents(), info.Last+1, func(_ context.Context, ms []bus.Delivery[bus.ShardEvent]) error {
		for _, m := range ms {
			if e := m.Value; e.Shard == number && e.Shards == count {
				last = e
				if e.Change == bus.ShardResumed || e.Change == bus.ShardIdentified {
					return live
				}
			}
		}
		return nil
	})
	switch {
	case errors.Is(err, live):
		return nil
	case ctx.Err() != nil && last.Change != "":
		return fmt.Errorf("shard %d did not come back within %s, it is %s (%s)", number, u.cfg.ResumeWithin.Round(time.Millisecond), last.Change, last.Reason)
	case ctx.Err() != nil:
		return fmt.Errorf("shard %d did not come back within %s", number, u.cfg.ResumeWithin.Round(time.Millisecond))
	}
	return err
}
