package bot

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/bot/checkup"
	"splashtail/bot/command"
	"splashtail/bot/protect"
	"splashtail/bot/rules"
	"splashtail/bot/words"
	"splashtail/bus"
)

// protection is the part that stops attackers.
type protection struct {
	engine *protect.Engine
	teller *protect.Teller
	rules  *rules.Store
	hits   *prometheus.CounterVec
}

// newHits counts met limits; every process counts those that it responded to.
func newHits() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "splashtail_limits_hits_total",
		Help: "Limits that somebody met, by what was counted, what the limit does, and whether that was done (ok, failed)."}, []string{"action", "response", "result"})
}

// hit counts a met limit.
func (g *protection) hit(_ context.Context, _ protect.Policy, h bus.LimitHit) {
	g.hits.WithLabelValues(string(h.Kind), string(h.Respond), protect.ResultWord(h.Result)).Inc()
}

// protect makes the part, lets it watch events and gives its commands.
func (t *Bot) protect(p *parts, w *words.Catalogue) []command.Command {
	set := func(ctx context.Context, g bus.GuildID) (bus.GuildSettings, error) { return p.settings.Of(ctx, g) }
	p.guard.hits = newHits()
	policy := protect.NewPolicies(set, t.log).Of
	p.guard.teller = protect.NewTeller(protect.TellerConfig{Bot: t.bot, Words: w, Policy: policy, Instance: t.cfg.Instance}, t.b, t.log)
	p.guard.engine = protect.New(protect.Config{
		Bot: t.bot, Self: t.Self, Stored: p.stored.At, Policy: policy, Alert: p.guard.hit, RaidAlert: p.guard.teller.Raid, SilentAlert: p.guard.teller.Silent,
	}, t.b, t.log)
	p.watchers = append(p.watchers, watcher{events: protect.Events(), restore: p.guard.restore, handle: p.guard.engine.Handle})
	return append(
		rules.Commands(rules.Tools{Bus: t.b, Store: func() *rules.Store { return p.guard.rules }, Settings: set}),
		checkup.Commands(checkup.Tools{Bus: t.b, Self: func() string { return t.Self().String() }, Settings: set,
			Limits: func(ctx context.Context, g bus.GuildID) ([]bus.LimitRule, error) { return p.guard.rules.Of(ctx, g) }})...,
	)
}

// restore reads again what was counted, once the limits of guilds are known.
func (g *protection) restore(ctx context.Context) error {
	select {
	case <-g.engine.Ready():
		return g.engine.Restore(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}
