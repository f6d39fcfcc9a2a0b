package protect_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bot/protect"
	"splashtail/bus"
	"splashtail/internal/guilds"
	"splashtail/internal/sandbox"
)

// requests lists what was asked of Discord since a request, by method.
func (g *guard) requests(since uint64) map[string]int {
	n := map[string]int{}
	for _, q := range g.Discord.Requests(since, 1<<20) {
		if strings.HasPrefix(q.Path, "/guilds/") {
			n[q.Method]++
		}
	}
	return n
}

func (g *guard) last() (seq uint64) {
	for _, q := range g.Discord.Requests(0, 1<<20) {
		seq = max(seq, q.Seq)
	}
	return seq
}

// attack lets the moderator delete three channels.
func (g *guard) attack(rooms []sandbox.ID) bus.LimitHit {
	g.T.Helper()
	for _, c := range rooms {
		g.OK(g.Discord.As(g.Mod).DeleteChannel(c))
	}
	return g.hit()
}

func (g *guard) rooms() (ids []sandbox.ID) {
	g.T.Helper()
	for range 3 {
		ids = append(ids, g.ID(g.Discord.AddChannel(g.Guild, "room", sandbox.TextChannel)))
	}
	return ids
}

func (g *guard) roles(user sandbox.ID) []string {
	g.T.Helper()
	snap, ok := g.Discord.Snapshot(g.Guild)
	if !ok {
		g.T.Fatal("the guild is gone")
	}
	return snap.Members[user]
}

// place puts the moderators above the bot, or below it again.
func (g *guard) place(above bool) {
	g.T.Helper()
	order := []sandbox.ID{g.Jail, g.ModRole, g.BotRole}
	if above {
		order = []sandbox.ID{g.Jail, g.BotRole, g.ModRole}
	}
	var body []map[string]any
	for i, id := range order {
		body = append(body, map[string]any{"id": id.String(), "position": i + 1})
	}
	_, err := g.Discord.As(g.Owner).Do(http.MethodPatch, "/guilds/"+g.Guild.String()+"/roles", body)
	g.OK(err)
}

// TestNobodyIsAskedBeforeAnAttackerIsStopped: what the gateway has shown is enough.
func TestNobodyIsAskedBeforeAnAttackerIsStopped(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	stored := g.Stored()
	g.cfg.Stored = stored.At
	g.limit(bus.ActionChannelRemove, 3, bus.RespondStripRoles)
	rooms := g.rooms()
	g.Feed()
	g.Everybody(stored)
	g.start("e")
	before := g.last()
	if h := g.attack(rooms); h.Result != "ok" || len(g.roles(g.Mod)) > 0 {
		t.Errorf("%+v; the attacker has %v", h, g.roles(g.Mod))
	}
	if n := g.requests(before); n[http.MethodGet] > 0 || n[http.MethodPatch] != 1 {
		t.Errorf("requests: %v", n)
	}
}

// old gives a view that was right some time ago, in place of every later one.
type old struct {
	from func(context.Context, bus.GuildID, guilds.Mark) (guilds.View, error)
	view atomic.Pointer[guilds.View]
	used atomic.Int32
}

func (o *old) at(ctx context.Context, id bus.GuildID, after guilds.Mark) (guilds.View, error) {
	if v := o.view.Load(); v != nil {
		o.used.Add(1)
		return *v, nil
	}
	return o.from(ctx, id, after)
}

// freeze keeps the guild as it is once it fits.
func (g *guard) freeze(o *old, fits func(guilds.View) bool) {
	g.T.Helper()
	ctx, cancel := context.WithTimeout(g.T.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		v, err := o.from(ctx, g.GuildID(), guilds.Mark{})
		if err == nil && fits(v) {
			o.view.Store(&v)
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			g.T.Fatalf("the guild was never seen as it is: %v", err)
		}
	}
}

// TestAnOldViewLetsNobodyGo: by an old view the actor stands above the bot, or is trusted,
// or stands below it and does not any more. Discord knows better each time.
func TestAnOldViewLetsNobodyGo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name         string
		first, after func(g *guard)
		fits         func(g *guard, v guilds.View) bool
		result       string
		stripped     bool
	}{
		{"stood above the bot", func(g *guard) { g.place(true) }, func(g *guard) { g.place(false) }, above, "ok", true},
		{"stands above the bot now", func(*guard) {}, func(g *guard) { g.place(true) }, func(g *guard, v guilds.View) bool { return !above(g, v) }, "failed: the actor's highest role", false},
		{"was trusted", func(g *guard) { g.OK(g.Discord.As(g.Owner).AddRole(g.Guild, g.Mod, g.Jail)) },
			func(g *guard) { g.OK(g.Discord.As(g.Owner).RemoveRole(g.Guild, g.Mod, g.Jail)) },
			func(g *guard, v guilds.View) bool {
				m, _ := v.Member(bus.UserID(g.Mod))
				return strings.Contains(string(m), g.Jail.String())
			}, "ok", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			g := newGuard(t)
			stored := g.Stored()
			o := &old{from: stored.At}
			g.cfg.Stored = o.at
			g.cfg.Policy = func(bus.GuildID) protect.Policy {
				return protect.Policy{Exempt: func(_ bus.UserID, roles []string, _ bus.ActionKind, _ time.Time) bool {
					return slices.Contains(roles, g.Jail.String())
				}}
			}
			g.limit(bus.ActionChannelRemove, 3, bus.RespondStripRoles)
			rooms := g.rooms()
			g.Feed()
			g.Everybody(stored)
			c.first(g)
			g.freeze(o, func(v guilds.View) bool { return c.fits(g, v) })
			c.after(g)
			g.start("e")
			if h := g.attack(rooms); !strings.HasPrefix(h.Result, c.result) || len(g.roles(g.Mod)) == 0 != c.stripped {
				t.Errorf("%+v; the attacker has %v", h, g.roles(g.Mod))
			}
			if o.used.Load() == 0 {
				t.Error("the old view was not used")
			}
		})
	}
}

// above says whether a view has the moderators above the bot.
func above(g *guard, v guilds.View) bool {
	places := map[string]string{}
	for r := range v.List("roles") {
		text := string(r)
		for _, id := range []sandbox.ID{g.ModRole, g.BotRole} {
			if strings.Contains(text, `"id":"`+id.String()+`"`) {
				_, rest, _ := strings.Cut(text, `"position":`)
				places[id.String()] = rest[:1]
			}
		}
	}
	return places[g.ModRole.String()] > places[g.BotRole.String()]
}
