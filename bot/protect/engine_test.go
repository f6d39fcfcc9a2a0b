package protect_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bot/protect"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// guard is a running engine on a world's events.
type guard struct {
	*bottest.World
	cfg    protect.Config
	alerts chan bus.LimitHit
}

func newGuard(t *testing.T) *guard {
	g := &guard{World: bottest.New(t), alerts: make(chan bus.LimitHit, 64)}
	g.cfg = protect.Config{Bot: g.Bot, Self: g.Self, Alert: func(_ context.Context, _ protect.Policy, h bus.LimitHit) { g.alerts <- h }}
	return g
}

// start runs an engine on a durable position of its own and returns a stop.
func (g *guard) start(name string) (stop func()) {
	g.T.Helper()
	e := protect.New(g.cfg, g.Bus, bustest.Log(g.T))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 2)
	go func() { done <- e.Run(ctx) }()
	<-e.Ready()
	g.OK(e.Restore(g.T.Context()))
	go func() {
		done <- bus.Consume(ctx, g.Bus, bus.Durable{Name: name, Workers: 4}, bus.AllDispatches(),
			func(d bus.Delivery[bus.Dispatch]) string { return d.Value.Guild.String() }, e.Handle)
	}()
	ended := false
	stop = func() {
		if ended {
			return
		}
		ended = true
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				g.T.Error(err)
			}
		}
	}
	g.T.Cleanup(stop)
	return stop
}

func (g *guard) limit(kind bus.ActionKind, count int, respond bus.Response) {
	g.T.Helper()
	rules, err := bus.OpenRecords(g.T.Context(), g.Bus, bus.LimitRules())
	g.OK(err)
	r := bus.LimitRule{V: 1, ID: string(kind), Name: "No " + string(kind), Kind: kind, Count: count, Window: 600, Respond: respond, By: bus.UserID(g.Owner), At: time.Now().Add(-time.Minute).UTC()}
	if respond == bus.RespondTimeout {
		r.Timeout = 3600
	}
	g.OK(r.Check())
	_, err = rules.Put(g.T.Context(), bus.LimitKey(g.GuildID(), r.ID), r)
	g.OK(err)
}

func (g *guard) hit() bus.LimitHit {
	g.T.Helper()
	select {
	case h := <-g.alerts:
		return h
	case <-time.After(30 * time.Second):
		g.T.Fatal("nobody was hit within 30 s")
		return bus.LimitHit{}
	}
}

func (g *guard) nobodyElse() {
	g.T.Helper()
	select {
	case h := <-g.alerts:
		g.T.Errorf("a hit that should not be: %+v", h)
	default:
	}
}

func TestAModeratorWhoDestroysLosesTheirRoles(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	for i := range 6 {
		g.ID(g.Discord.AddChannel(g.Guild, fmt.Sprint("room-", i), sandbox.TextChannel))
	}
	g.limit(bus.ActionChannelRemove, 3, bus.RespondStripRoles)
	g.Feed()
	g.start("t")
	dmg, err := g.Discord.Nuke(t.Context(), sandbox.Attack{Guild: g.Guild, Actor: g.Mod, Every: 100 * time.Millisecond})
	h := g.hit()
	if err != nil || h.Result != "ok" || h.Actor != bus.UserID(g.Mod) || len(h.Causes) != 3 {
		t.Errorf("%+v, %v, damage %+v", h, err, dmg)
	}
	if dmg.StoppedBy == nil {
		t.Errorf("the attack ended by itself: %+v", dmg)
	}
	if roles := snapshot(g).Members[g.Mod]; len(roles) > 0 {
		t.Errorf("the moderator still has %v", roles)
	}
}

func snapshot(g *guard) sandbox.Snapshot {
	s, ok := g.Discord.Snapshot(g.Guild)
	if !ok {
		g.T.Fatal("no guild")
	}
	return s
}

func TestWhoIsAboveTheBotIsReportedAndLaterLimitsStillCount(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	high := g.ID(g.Discord.AddRole(g.Guild, "admins", bottest.BotPermissions)) // above the bot's role
	g.OK(g.Discord.AddMember(g.Guild, g.ID(g.Discord.AddUser("Adam")), high))
	g.limit(bus.ActionChannelAdd, 2, bus.RespondKick)
	g.limit(bus.ActionRoleAdd, 1, bus.RespondAlert)
	g.Feed()
	g.start("t")
	g.OK(g.Discord.As(g.Owner).AddRole(g.Guild, g.Mod, high))
	p := g.Discord.As(g.Mod)
	for i := range 2 {
		g.ID(p.CreateChannel(g.Guild, fmt.Sprint("spam-", i), sandbox.TextChannel, 0))
	}
	if h := g.hit(); !strings.HasPrefix(h.Result, "failed: the actor's highest role") {
		t.Errorf("%+v", h)
	}
	g.ID(p.CreateRole(g.Guild, "x", 0))
	if h := g.hit(); h.Kind != bus.ActionRoleAdd || h.Result != "ok" {
		t.Errorf("%+v", h)
	}
}

func TestTheOwnerTheBotAndTheTrustedAreNeverHit(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	g.cfg.Policy = func(bus.GuildID) protect.Policy {
		return protect.Policy{Exempt: func(actor bus.UserID, _ []string, _ bus.ActionKind, _ time.Time) bool {
			return actor == bus.UserID(g.OtherMod)
		}}
	}
	g.limit(bus.ActionChannelAdd, 1, bus.RespondStripRoles)
	g.Feed()
	g.start("t")
	for i, who := range []sandbox.ID{g.Owner, g.App.ID, g.OtherMod} {
		g.ID(g.Discord.As(who).CreateChannel(g.Guild, fmt.Sprint("room-", i), sandbox.TextChannel, 0))
	}
	g.ID(g.Discord.As(g.Mod).CreateChannel(g.Guild, "last", sandbox.TextChannel, 0)) // events of a guild come in order
	if h := g.hit(); h.Actor != bus.UserID(g.Mod) {
		t.Errorf("%+v", h)
	}
	g.nobodyElse()
}

func TestResponses(t *testing.T) {
	t.Parallel()
	for respond, gone := range map[bus.Response]bool{bus.RespondKick: true, bus.RespondBan: true, bus.RespondTimeout: false, bus.RespondQuarantine: false, bus.RespondAlert: false} {
		t.Run(string(respond), func(t *testing.T) {
			t.Parallel()
			g := newGuard(t)
			g.cfg.Policy = func(bus.GuildID) protect.Policy { return protect.Policy{Quarantine: g.Jail.String()} }
			g.limit(bus.ActionChannelAdd, 1, respond)
			g.Feed()
			g.start("t")
			g.ID(g.Discord.As(g.Mod).CreateChannel(g.Guild, "x", sandbox.TextChannel, 0))
			if h := g.hit(); h.Result != "ok" {
				t.Errorf("%+v", h)
			}
			if _, here := snapshot(g).Members[g.Mod]; here == gone {
				t.Errorf("after %s the moderator is a member: %t", respond, here)
			}
		})
	}
}

// TestARestartKeepsTheCount stops the engine in the middle of a window, again and again:
// the Nth action still hits, once.
func TestARestartKeepsTheCount(t *testing.T) {
	t.Parallel()
	g := newGuard(t)
	g.limit(bus.ActionChannelAdd, 20, bus.RespondStripRoles)
	g.Feed()
	for i := range 20 {
		stop := g.start("t")
		g.ID(g.Discord.As(g.Mod).CreateChannel(g.Guild, fmt.Sprint("room-", i), sandbox.TextChannel, 0))
		if i < 19 {
			stop() // perhaps before, perhaps after it was counted
		}
	}
	if h := g.hit(); h.Result != "ok" || len(h.Causes) != 20 {
		t.Errorf("%+v", h)
	}
	g.nobodyElse()
}
