package protect

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"splashtail/bot/settings"
	"splashtail/bus"
)

// policyWithin bounds the reading of a guild's settings, which comes before a response.
const policyWithin = 2 * time.Second

// Policies gives the policy of guilds from what they have set.
type Policies struct {
	of  func(context.Context, bus.GuildID) (bus.GuildSettings, error)
	log *slog.Logger

	mu    sync.Mutex
	known map[bus.GuildID]bus.GuildSettings // as last read, of guilds in which somebody met a limit
}

// NewPolicies makes policies from a reader of settings.
func NewPolicies(of func(context.Context, bus.GuildID) (bus.GuildSettings, error), log *slog.Logger) *Policies {
	return &Policies{of: of, log: log, known: map[bus.GuildID]bus.GuildSettings{}}
}

// Of gives a guild's policy as it is now. When the settings cannot be read, what was last
// read holds: an attack is not the time to wait.
func (p *Policies) Of(g bus.GuildID) Policy {
	ctx, cancel := context.WithTimeout(context.Background(), policyWithin)
	defer cancel()
	v, err := p.of(ctx, g)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.log.Error("a guild's settings cannot be read; those last read are used", "guild", g, "err", err)
		v = p.known[g]
	} else {
		p.known[g] = v
	}
	return Policy{AlertChannel: v.AlertChannel, Quarantine: v.Quarantine, Language: v.Language,
		Exempt: func(actor bus.UserID, roles []string, kind bus.ActionKind, at time.Time) bool {
			return settings.Exempt(v, id(actor), roles, kind, at)
		}}
}
