package protect

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"splashtail/bot/limits"
	"splashtail/bus"
	"splashtail/internal/audit"
	"splashtail/internal/discord"
	"splashtail/internal/guilds"
	"splashtail/internal/pause"
)

// Config is what the engine needs.
type Config struct {
	Bot  *discord.Bot
	Self func() bus.UserID // the bot's own user, whose acts are never counted; known before the first event
	// Stored gives a guild as the gateway has shown it, see guilds.Reader.At; nil: Discord is
	// asked before every response.
	Stored func(context.Context, bus.GuildID, guilds.Mark) (guilds.View, error)
	// Policy gives a guild's settings; nil: the zero Policy for all.
	Policy func(bus.GuildID) Policy
	// Alert tells people about a hit; nil: nobody is told. It must not block for long.
	Alert func(ctx context.Context, p Policy, h bus.LimitHit)
	// RaidAlert and SilentAlert tell of what no limit counts; as Alert otherwise.
	RaidAlert   func(ctx context.Context, p Policy, n RaidNews)
	SilentAlert func(ctx context.Context, p Policy, n SilentNews)
}

// Policy is what a guild has set about its protection.
type Policy struct {
	AlertChannel string // where hits are told; empty: nowhere
	Quarantine   string // the role that bus.RespondQuarantine leaves; empty: none
	Language     string // of what is told; empty: the guild's own
	// Exempt says whether an actor with these roles is trusted with a kind of action;
	// nil: nobody but the owner is.
	Exempt func(actor bus.UserID, roles []string, kind bus.ActionKind, at time.Time) bool
}

// Engine counts what happens in guilds and responds to who meets a limit.
type Engine struct {
	cfg   Config
	b     *bus.Bus
	log   *slog.Logger
	ready chan struct{}
	rules *bus.Records[bus.LimitRule]

	mu       sync.Mutex
	guilds   map[bus.GuildID]*counts
	watches  map[bus.GuildID]*watch
	answered map[string]time.Time // hits that were responded to lately, by their id
}

// counts is one guild's counter. Its lock is held for counting only.
type counts struct {
	mu      sync.Mutex
	counter *limits.Counter
}

// New makes an engine. It does no I/O.
func New(cfg Config, b *bus.Bus, log *slog.Logger) *Engine {
	if cfg.Policy == nil {
		cfg.Policy = func(bus.GuildID) Policy { return Policy{} }
	}
	if cfg.Alert == nil {
		cfg.Alert = func(context.Context, Policy, bus.LimitHit) {}
	}
	if cfg.RaidAlert == nil {
		cfg.RaidAlert = func(context.Context, Policy, RaidNews) {}
	}
	if cfg.SilentAlert == nil {
		cfg.SilentAlert = func(context.Context, Policy, SilentNews) {}
	}
	return &Engine{cfg: cfg, b: b, log: log, ready: make(chan struct{}), guilds: map[bus.GuildID]*counts{}, watches: map[bus.GuildID]*watch{}, answered: map[string]time.Time{}}
}

// Ready is closed once every stored limit is known.
func (e *Engine) Ready() <-chan struct{} { return e.ready }

// Run follows the limits of guilds until ctx ends. Errors: the bus cannot be used.
func (e *Engine) Run(ctx context.Context) error {
	var err error
	if e.rules, err = bus.OpenRecords(ctx, e.b, bus.LimitRules()); err != nil {
		return err
	}
	var clock sync.WaitGroup
	defer clock.Wait()
	clock.Go(func() { e.look(ctx) })
	var once sync.Once
	for ctx.Err() == nil {
		err := e.rules.Watch(ctx, ">", func(r bus.Entry[bus.LimitRule], live bool) error {
			if live {
				once.Do(func() { close(e.ready) })
				return nil
			}
			e.learn(r)
			return nil
		})
		if err != nil && ctx.Err() == nil {
			e.log.Warn("the limits of guilds cannot be watched; trying again", "err", err)
			pause.For(ctx, time.Second)
		}
	}
	return nil
}

// learn takes a limit that was set or removed.
func (e *Engine) learn(r bus.Entry[bus.LimitRule]) {
	guild, id, err := bus.ParseLimitKey(r.Key)
	if err == nil && !r.Deleted {
		err = r.Value.Check()
	}
	if err != nil {
		e.log.Error("a stored limit cannot be used; it is not in force", "key", r.Key, "err", err)
		return
	}
	c := e.of(guild)
	c.mu.Lock()
	defer c.mu.Unlock()
	if r.Deleted {
		c.counter.Remove(id)
		return
	}
	c.counter.Set(r.Value)
}

func (e *Engine) of(g bus.GuildID) *counts {
	e.mu.Lock()
	defer e.mu.Unlock()
	c := e.guilds[g]
	if c == nil {
		c = &counts{counter: limits.NewCounter()}
		e.guilds[g] = c
	}
	return c
}

// Events lists the events that Handle wants.
func Events() []string {
	return []string{"GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_MEMBER_ADD", "MESSAGE_CREATE", "CHANNEL_DELETE", "GUILD_ROLE_DELETE"}
}

// Handle takes one event. Events of a guild come in order; one that comes again changes
// nothing. Errors: CodeInvalid for an event that cannot be read, CodeUnavailable when
// what happened could not be kept; it is to be handed over again then.
func (e *Engine) Handle(ctx context.Context, d bus.Delivery[bus.Dispatch]) error {
	switch d.Value.Event {
	case "GUILD_AUDIT_LOG_ENTRY_CREATE":
		entry, err := audit.ParseEntry(d.Value.Data)
		if err != nil {
			return err
		}
		e.explained(entry)
		return e.count(ctx, entry.Actions(), guilds.MarkOf(d))
	case "GUILD_MEMBER_ADD":
		a, err := joinOf(d)
		if err != nil {
			return err
		}
		if err := e.count(ctx, []bus.Action{a}, guilds.MarkOf(d)); err != nil {
			return err
		}
		e.joined(ctx, a)
	case "MESSAGE_CREATE":
		a, counts, err := e.messageOf(d)
		if err != nil || !counts {
			return err
		}
		return e.count(ctx, []bus.Action{a}, guilds.MarkOf(d))
	case "CHANNEL_DELETE", "GUILD_ROLE_DELETE":
		return e.vanished(d)
	}
	return nil
}

// limited says whether a guild counts a kind of action.
func (e *Engine) limited(g bus.GuildID, kind bus.ActionKind) bool {
	e.mu.Lock()
	c := e.guilds[g]
	e.mu.Unlock()
	if c == nil {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.counter.Limits(), func(r bus.LimitRule) bool { return r.Kind == kind })
}

// count counts actions, responds at once to the hits that they complete, and keeps all of
// it. The response goes first: what is kept is for the time after a restart, and what is
// not kept in time comes again.
func (e *Engine) count(ctx context.Context, actions []bus.Action, after guilds.Mark) error {
	var writes []*bus.Write
	for _, a := range actions {
		if a.Actor == 0 || a.Actor == e.cfg.Self() {
			continue
		}
		w, err := bus.BeginPublish(e.b, bus.ActionSubject(a.Guild, a.Kind), a, bus.WithID(actionID(a)))
		if err != nil {
			return err
		}
		writes = append(writes, w)
		for _, h := range e.add(a) {
			e.answer(ctx, h, after)
		}
	}
	for _, w := range writes {
		if _, err := w.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// actionID names an action among all of the stream: joins have ids of our own making, which two guilds can share.
func actionID(a bus.Action) string { return fmt.Sprintf("%d.%d.%s", a.Guild, a.ID, a.Kind) }

func (e *Engine) add(a bus.Action) []bus.LimitHit {
	c := e.of(a.Guild)
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counter.Add(a)
}

// answer responds to a hit, once, and keeps how that went. after is the event that
// completed it; zero when that was some time ago.
func (e *Engine) answer(ctx context.Context, h bus.LimitHit, after guilds.Mark) {
	if !e.begin(h) {
		return
	}
	policy := e.cfg.Policy(h.Guild)
	result, counts := e.respond(ctx, policy, h, after)
	if !counts {
		return // the actor is trusted
	}
	h.Result = result
	e.log.Warn("a limit was met", "guild", h.Guild, "limit", h.Limit, "kind", h.Kind, "actor", h.Actor, "respond", h.Respond, "result", result)
	if _, err := bus.Publish(ctx, e.b, bus.LimitHitSubject(h.Guild), h, bus.WithID(h.ID())); err != nil {
		e.log.Error("a hit could not be kept; after a restart it is responded to again", "guild", h.Guild, "err", err)
	}
	e.cfg.Alert(ctx, policy, h)
}

// rememberFor is how long hits are remembered as responded to: longer than any event is
// handed over again.
const rememberFor = 2 * time.Hour

// begin says whether a hit is new, and remembers it.
func (e *Engine) begin(h bus.LimitHit) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.answered[h.ID()]; known {
		return false
	}
	now := time.Now()
	for id, at := range e.answered {
		if now.Sub(at) > rememberFor {
			delete(e.answered, id)
		}
	}
	e.answered[h.ID()] = now
	return true
}
