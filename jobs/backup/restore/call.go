package restore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"splashtail/internal/discord"
	"splashtail/internal/pause"
	"splashtail/jobs/work"
)

// maxHold is how long a limit of Discord is waited for with the job in hand; a longer wait gives the worker back.
const maxHold = 10 * time.Minute

// call sends one request, again once a limit of Discord has passed. The answers of f that say that nothing was done are the
// only ones that it repeats.
func (x *run) call(ctx context.Context, f func(ctx context.Context) error) error {
	for {
		within, cancel := context.WithTimeout(ctx, maxHold)
		err := f(within)
		cancel()
		left, limited := limitedFor(err)
		if !limited || ctx.Err() != nil {
			return err
		}
		until := x.now().Add(left)
		why := fmt.Sprintf("Discord takes more of this at %s", until.UTC().Format("15:04 MST"))
		if left > maxHold {
			return work.Snooze(until, why)
		}
		x.Waiting(until, why)
		if err := wait(ctx, left); err != nil {
			return err
		}
	}
}

// limitedFor tells whether a request was refused for being too early, and for how long.
func limitedFor(err error) (time.Duration, bool) {
	var ours *discord.LimitedError
	var theirs *discord.APIError
	switch {
	case errors.As(err, &ours):
		passes := ours.Reason == discord.ReasonQueueFull || ours.Reason == discord.ReasonTooLong ||
			ours.Reason == discord.ReasonInvalid || ours.Reason == discord.ReasonEdge
		return max(ours.RetryAfter, time.Second), passes
	case errors.As(err, &theirs) && theirs.Status == http.StatusTooManyRequests:
		return max(theirs.RetryAfter, time.Second), true
	}
	return 0, false
}

// wait waits d; its error is that of ctx, which has ended before.
func wait(ctx context.Context, d time.Duration) error {
	if !pause.For(ctx, d) {
		return ctx.Err()
	}
	return nil
}

// refusal gives Discord's no to a request that it understood, which another try would get again; ok is false for all other
// errors, after which the request may have been executed, and for nil.
func refusal(err error) (why string, ok bool) {
	var ours *discord.LimitedError
	e, refused := discord.Refusal(err)
	switch {
	case refused:
		return e.Error(), true
	case errors.As(err, &ours) && (ours.Reason == discord.ReasonForbidden || ours.Reason == discord.ReasonWebhookGone):
		return ours.Error(), true
	}
	return "", false
}

// gone tells whether a thing that was to be deleted is not there, as wished.
func gone(err error) bool {
	var e *discord.APIError
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}
