package upstream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"splashtail/internal/discord"
	"splashtail/internal/pause"
)

// findPlan finds out how many shards there are: what is set, what the sessions of before
// say, or else Discord, which is asked until it answers. False when ctx ended first.
func (u *Upstream) findPlan(ctx context.Context) bool {
	for failures := 0; ctx.Err() == nil; failures++ {
		shards, err := u.countShards(ctx)
		if err == nil {
			u.mu.Lock()
			u.shards, u.trouble, u.refused = shards, "", false
			u.mu.Unlock()
			close(u.planned)
			return true
		}
		if ctx.Err() != nil {
			return false
		}
		var answer *discord.APIError
		refused := errors.As(err, &answer) && answer.Status == 401
		u.mu.Lock()
		u.trouble, u.refused = "Discord did not say how to connect: "+err.Error(), u.refused || refused
		u.mu.Unlock()
		if refused {
			u.log.Error("Discord refuses the bot's token; set DISCORD_BOT_TOKEN", "err", err)
			failures = max(failures, 6)
		} else {
			u.log.Warn("Discord did not say how to connect; trying again", "err", err)
		}
		pause.For(ctx, max(backoff(failures), 250*time.Millisecond))
	}
	return false
}

func (u *Upstream) countShards(ctx context.Context) (int, error) {
	if err := u.loadPlan(ctx); err != nil {
		return 0, err
	}
	if n := u.chosen(); n > 0 {
		return n, nil
	}
	if u.cfg.Shards > 0 {
		return u.cfg.Shards, nil
	}
	if n, err := u.countBefore(ctx); err != nil || n > 0 {
		return n, err
	}
	w, err := u.greeting(ctx)
	return w.shards, err
}

// countBefore gives the number of shards of the sessions that can still be resumed, so
// that a recommendation that changed does not end them all, and processes that start at
// different times agree; 0 when there are none.
func (u *Upstream) countBefore(ctx context.Context) (int, error) {
	all, err := u.sessions.All(ctx, ">")
	if err != nil {
		return 0, err
	}
	count, newest := 0, time.Now().Add(-resumable)
	for _, e := range all {
		var shards, shard int
		if _, err := fmt.Sscanf(e.Key, "%d.%d", &shards, &shard); err == nil && e.Value.At.After(newest) {
			count, newest = shards, e.Value.At
		}
	}
	return count, nil
}
