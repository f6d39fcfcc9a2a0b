package bot

import (
	"context"

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
}

// protect makes the part, lets it watch events and gives its commands.
func (t *Bot) protect(p *parts, w *words.Catalogue) []command.Command {
	set := func(ctx context.Context, g bus.GuildID) (bus.GuildSettings, error) { return p.settings.Of(ctx, g) }
	policy := protect.NewPolicies(set, t.log).Of
	p.guard.teller = protect.NewTeller(protect.TellerConfig{Bot: t.bot, Words: w, Policy: policy, Instance: t.cfg.Instance}, t.b, t.log)
	p.guard.engine = protect.New(protect.Config{
		Bot: t.bot, Self: t.Self, Policy: policy, RaidAlert: p.guard.teller.Raid, SilentAlert: p.guard.teller.Silent,
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
