package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/pause"
	"splashtail/internal/secret"
)

const (
	// identifyGap is how long a bucket of max_concurrency rests after an IDENTIFY:
	// Discord's 5 s and what a frame may take on its way.
	identifyGap = 5500 * time.Millisecond
	// gapLease outlives the gap by itself when its holder ends in the middle of it: at
	// least two thirds of it are left then.
	gapLease = 9 * time.Second
	// lookEvery is how often one process asks Discord for the budget.
	lookEvery = 30 * time.Second
)

// gate gives out the right to send an IDENTIFY: one per bucket and gap over all
// processes, and none when the budget comes to its end. Discord resets the token of an
// application that sends too many.
type gate struct {
	b        *bus.Bus
	log      *slog.Logger
	m        *meters
	api      *api
	token    secret.Value
	instance string
	gap      time.Duration
	lock     *identifyLock // nil: no Redis, so no AutoMuteUs that shares the token
	budgets  *bus.Records[bus.IdentifyBudget]

	asking sync.Mutex // held while Discord is asked

	mu     sync.Mutex
	looked time.Time
	told   *gatewayInfo // not taken in yet
	toldAt time.Time
	last   bus.IdentifyBudget
}

// permit is the right to send one IDENTIFY.
type permit struct {
	g     *gate
	lease *bus.Lease
}

// key names the application in keys of the bus.
func (g *gate) key() string { return g.token.Hash() }

// permit waits for the turn of a shard. It fails with CodeLimited, and RetryAfter, when
// the budget allows no IDENTIFY, and with ctx's error.
func (g *gate) permit(ctx context.Context, shard, shards int) (*permit, error) {
	budget, err := g.look(ctx)
	if err != nil {
		return nil, err
	}
	if err := refuse(budget, shards, time.Now()); err != nil {
		return nil, err
	}
	key := bus.IdentifyLease(g.token.Hash8(), shard%max(budget.MaxConcurrency, 1))
	lease, err := bus.AwaitLease(ctx, g.b, key, gapLease, g.instance)
	if err != nil {
		return nil, err
	}
	if g.lock != nil {
		if err := g.lock.take(ctx); err != nil {
			g.log.Warn("Redis does not say whether AutoMuteUs begins a session now; going on without", "err", err)
		}
	}
	p := &permit{g, lease}
	if ctx.Err() != nil {
		p.cancel(ctx)
		return nil, ctx.Err()
	}
	return p, nil
}

// refuse keeps a reserve, so that an operator can still begin all shards once.
func refuse(b bus.IdentifyBudget, shards int, now time.Time) error {
	if b.Total == 0 || b.Remaining > shards+b.Total/20 || !now.Before(b.ResetAt) {
		return nil
	}
	return &bus.Error{Code: bus.CodeLimited, Reason: "identify_budget", RetryAfter: b.ResetAt.Sub(now),
		Message: fmt.Sprintf("only %d of %d new sessions are left until %s; no more are begun before that, because Discord resets the token of a bot that uses them up. Sessions that can be resumed go on. Look for what makes the process begin sessions again and again", b.Remaining, b.Total, b.ResetAt.UTC().Format(time.RFC3339))}
}

// look gives the budget: what is recorded, and from time to time what Discord says.
func (g *gate) look(ctx context.Context) (bus.IdentifyBudget, error) {
	g.asking.Lock() // many shards begin at once, and one answer is enough for all
	defer g.asking.Unlock()
	g.mu.Lock()
	fresh := time.Since(g.looked) < lookEvery
	g.mu.Unlock()
	stored, err := g.budgets.Get(ctx, g.key())
	switch {
	case err == nil && fresh:
		g.note(stored.Value, false)
		return stored.Value, nil
	case err != nil && !bus.IsCode(err, bus.CodeNotFound):
		return bus.IdentifyBudget{}, fmt.Errorf("the budget of new sessions cannot be read: %w", err)
	}
	told, err := g.ask(ctx)
	if err != nil {
		return bus.IdentifyBudget{}, fmt.Errorf("it is not known how many new sessions Discord allows: %w", err)
	}
	now := combine(stored.Value, told.budget(time.Now()), time.Now())
	if _, err := g.budgets.Put(ctx, g.key(), now); err != nil {
		return bus.IdentifyBudget{}, fmt.Errorf("the budget of new sessions cannot be stored: %w", err)
	}
	g.note(now, true)
	return now, nil
}

// tell hands over an answer of Discord that somebody else has got.
func (g *gate) tell(info gatewayInfo) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told, g.toldAt = &info, time.Now()
}

// ask asks Discord, unless it was asked a moment ago: it allows few of these requests.
func (g *gate) ask(ctx context.Context) (gatewayInfo, error) {
	g.mu.Lock()
	told, fresh := g.told, time.Since(g.toldAt) < lookEvery
	g.told = nil
	g.mu.Unlock()
	if told != nil && fresh {
		return *told, nil
	}
	return g.api.gatewayBot(ctx)
}

// combine takes what Discord says, or less when we have sent more than it has counted.
func combine(stored, told bus.IdentifyBudget, now time.Time) bus.IdentifyBudget {
	if now.Before(stored.ResetAt) && stored.Remaining < told.Remaining {
		told.Remaining, told.ResetAt = stored.Remaining, stored.ResetAt
	}
	return told
}

func (g *gate) note(b bus.IdentifyBudget, looked bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last = b
	if looked {
		g.looked = time.Now()
	}
	g.m.budget.Set(float64(b.Remaining))
}

// budget is the last that is known, for the status.
func (g *gate) budget() bus.IdentifyBudget {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.last
}

// spend counts the IDENTIFY that is about to be sent, before it is: a crash in between
// costs one of a thousand, the other order could cost the token.
func (p *permit) spend(ctx context.Context, shards int) error {
	for {
		stored, err := p.g.budgets.Get(ctx, p.g.key())
		if err != nil {
			return err
		}
		now := stored.Value
		if err := refuse(now, shards, time.Now()); err != nil {
			return err
		}
		now.Remaining--
		_, err = p.g.budgets.Update(ctx, p.g.key(), now, stored.Revision)
		if err == nil {
			p.g.note(now, false)
			return nil
		}
		if !bus.IsCode(err, bus.CodeConflict) || ctx.Err() != nil {
			return err
		}
	}
}

// sent lets the bucket rest and then gives it on. It returns when that is done.
func (p *permit) sent(ctx context.Context) {
	pause.For(ctx, p.g.gap)
	if ctx.Err() == nil {
		p.cancel(ctx)
	} // else it expires, so that the gap holds over our end
}

// cancel gives the right back unused.
func (p *permit) cancel(ctx context.Context) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	if err := p.lease.Release(ctx); err != nil {
		p.g.log.Debug("the turn to begin a session was not given on; it expires", "err", err)
	}
}
