package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
)

// This file is what stands between the beginning of the new sessions and the moment at
// which the old ones may be left: proofs that nothing of before that moment is missing.

// proveAgain is how soon a session is asked again that could not prove anything.
const proveAgain = 100 * time.Millisecond

// caughtUp waits until the stream has everything that the old sessions were sent before the
// new ones showed their guilds: nobody else has that. It costs no time in which nobody
// serves, so that it is also where everything else comes as near to the present as it can.
func (c *change) caughtUp(ctx context.Context) error {
	c.u.say(fmt.Sprintf("from %d to %d shards: the new sessions are ready, and the old ones prove that they have stored everything", c.from, c.to))
	c.begun = c.sessions()
	if err := c.proveOld(ctx); err != nil {
		return err
	}
	through, err := c.readOn(ctx)
	if err != nil {
		return err
	}
	if err := c.proveNew(ctx, c.u.cfg.ProveWithin); err != nil {
		return err
	}
	pause.For(ctx, lossWindow) // and then no crash takes it back
	for _, sc := range c.scouts {
		sc.forget(through)
	}
	return c.kept()
}

// proveOld has the holder of each old shard prove it, whichever process that is.
func (c *change) proveOld(ctx context.Context) error {
	stopped := make([]string, c.from)
	k, err := proveAll(ctx, c.from, c.u.cfg.ProveWithin, func(ctx context.Context, k int) error {
		p, err := bus.Do(ctx, c.u.b, bus.ShardProofCall(c.from, k), struct{}{})
		stopped[k] = p.Stopped
		return err
	})
	switch {
	case ctx.Err() != nil:
		return errNoRight
	case err != nil:
		return fmt.Errorf("the old shard %d did not prove within %s that everything is stored that Discord sent it: %w", k, c.u.cfg.ProveWithin, err)
	}
	for k, why := range stopped {
		if why != "" {
			c.refused = append(c.refused, k)
			c.u.log.Warn("an old shard cannot prove that everything is stored that Discord sent it; what came just before it was refused may be missing", "shard", k, "why", why)
		}
	}
	return nil
}

// proveNew has the new sessions prove that the scouts have had everything until now.
func (c *change) proveNew(ctx context.Context, within time.Duration) error {
	k, err := proveAll(ctx, c.to, within, func(ctx context.Context, k int) error { return c.shards[k].prove(ctx) })
	switch {
	case ctx.Err() != nil:
		return errNoRight
	case err != nil:
		return fmt.Errorf("the new shard %d did not prove within %s that it has read everything: %w", k, within, err)
	}
	return nil
}

// proveAll asks for n proofs at the same time, each again and again until it is given or the
// time is over. An error is that of the proof k.
func proveAll(ctx context.Context, n int, within time.Duration, prove func(ctx context.Context, k int) error) (k int, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	errs := make([]error, n)
	var all sync.WaitGroup
	for k := range n {
		all.Go(func() { errs[k] = insist(ctx, func(ctx context.Context) error { return prove(ctx, k) }) })
	}
	all.Wait()
	for k, err := range errs {
		if err != nil {
			return k, err
		}
	}
	return 0, nil
}

// insist asks until the answer is yes or ctx has ended; its error is the last that says more
// than that.
func insist(ctx context.Context, ask func(ctx context.Context) error) error {
	var why error
	for {
		try, cancel := context.WithTimeout(ctx, proveTry+time.Second) // who is asked knows better why it is too late
		err := ask(try)
		cancel()
		if err == nil {
			return nil
		}
		if why == nil || ctx.Err() == nil {
			why = err
		}
		if pause.For(ctx, proveAgain); ctx.Err() != nil {
			return why
		}
	}
}

// readOn waits until the scouts know the stream up to where it ends now, and gives that place.
func (c *change) readOn(ctx context.Context) (uint64, error) {
	last, err := bus.Last(ctx, c.u.b, bus.AllDispatches())
	if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
		return 0, err
	}
	ok, err := c.await(ctx, leaveTimeout, func() (bool, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.seen >= last.Seq, nil
	})
	if err == nil && !ok {
		err = errors.New("the stream could not be read to its end")
	}
	return last.Seq, err
}

// sessions are those of the scouts, by shard; an empty one has not shown all its guilds.
func (c *change) sessions() []string {
	ids := make([]string, len(c.scouts))
	for k, sc := range c.scouts {
		ids[k] = sc.showing()
	}
	return ids
}

// kept says whether the new sessions are still those that the proofs hold for. One that
// begins anew lacks what came until it showed its guilds.
func (c *change) kept() error {
	for k, id := range c.sessions() {
		if id == "" || id != c.begun[k] {
			return fmt.Errorf("the new shard %d began another session in the last moment", k)
		}
	}
	return nil
}

// gaps says for which old shards there was no proof; empty when there was one for all.
func (c *change) gaps() string {
	if len(c.refused) == 0 {
		return ""
	}
	return fmt.Sprintf("; Discord had refused the old shards %s, and what it sent them just before may be missing", strings.Trim(fmt.Sprint(c.refused), "[]"))
}
