package protect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bot/protect"
	"splashtail/bot/settings"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// post is a world whose engine tells people.
type post struct {
	*bottest.World
	engine   *protect.Engine
	raids    chan protect.RaidNews
	silences chan protect.SilentNews
}

// newPost starts an engine with everything that the bot gives it.
func newPost(t *testing.T, set bus.GuildSettings) *post {
	p := &post{World: bottest.New(t), raids: make(chan protect.RaidNews, 16), silences: make(chan protect.SilentNews, 16)}
	store, err := settings.Open(t.Context(), p.Bus)
	p.OK(err)
	p.OK(store.Change(t.Context(), p.GuildID(), 1, func(v *bus.GuildSettings) error {
		*v = set
		if set.AlertChannel == "" {
			v.AlertChannel = p.Text.String()
		}
		return nil
	}))
	w, err := words.Load()
	p.OK(err)
	teller := protect.NewTeller(p.Bot, w, bustest.Log(t))
	p.Run(teller.Run)
	p.engine = protect.New(protect.Config{Bot: p.Bot, Self: p.Self, Policy: protect.NewPolicies(store.Of, bustest.Log(t)).Of, Alert: teller.Hit,
		RaidAlert:   func(ctx context.Context, q protect.Policy, n protect.RaidNews) { teller.Raid(ctx, q, n); p.raids <- n },
		SilentAlert: func(ctx context.Context, q protect.Policy, n protect.SilentNews) { teller.Silent(ctx, q, n); p.silences <- n },
	}, p.Bus, bustest.Log(t))
	p.Run(p.engine.Run)
	<-p.engine.Ready()
	p.OK(p.engine.Restore(t.Context()))
	p.Feed()
	p.Run(func(ctx context.Context) error {
		return bus.Consume(ctx, p.Bus, bus.Durable{Name: "t"}, bus.AllDispatches(), func(d bus.Delivery[bus.Dispatch]) string { return d.Value.Guild.String() }, p.engine.Handle)
	})
	return p
}

func await[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(30 * time.Second):
		t.Fatalf("%s did not come within 30 s", what)
		panic("unreachable")
	}
}

// told waits for a message with a text in the alert channel.
func (p *post) told(want string) sandbox.Message {
	p.T.Helper()
	var found sandbox.Message
	ctx, cancel := context.WithTimeout(p.T.Context(), 30*time.Second)
	defer cancel()
	err := p.Discord.Await(ctx, func() bool {
		for _, m := range p.Discord.Messages(p.Text) {
			if strings.Contains(string(m.JSON), want) {
				found = m
				return true
			}
		}
		return false
	})
	if err != nil {
		p.T.Fatalf("%q was not told: %v", want, err)
	}
	return found
}

func (p *post) invitesOff() bool {
	s, _ := p.Discord.Snapshot(p.Guild)
	return len(s.Incident) > 0
}

// TestARaidPausesInvites: the fifth within a minute begins it, nobody gets in any more,
// and once it is calm the door is open again and private messages are as they were.
func TestARaidPausesInvites(t *testing.T) {
	p := newPost(t, bus.GuildSettings{})
	invite, err := p.Discord.As(p.Owner).CreateInvite(p.Text)
	p.OK(err)
	dmg, err := p.Discord.Raid(t.Context(), sandbox.Attack{Guild: p.Guild, Most: 200, Every: 10 * time.Millisecond}, invite, 0, "")
	if err != nil || dmg.StoppedBy == nil {
		t.Fatalf("the raid was not stopped: %+v, %v", dmg, err)
	}
	began := await(t, p.raids, "the raid")
	if began.Joins != 5 || began.Over || began.Result != "ok" || time.Until(began.Until) > time.Hour || time.Until(began.Until) < 50*time.Minute {
		t.Errorf("%+v", began)
	}
	p.told("Join raid")
	p.engine.Tick(t.Context(), time.Now())
	if !p.invitesOff() {
		t.Error("invites are on in the middle of the raid")
	}
	p.engine.Tick(t.Context(), time.Now().Add(protect.CalmFor))
	ended := await(t, p.raids, "the end of the raid")
	if !ended.Over || ended.Joins < 5 || ended.Result != "ok" || p.invitesOff() {
		t.Errorf("%+v, invites off: %t", ended, p.invitesOff())
	}
	p.told("The join raid is over")
}

// TestALongerPauseOfSomebodyElseStays: it is neither shortened nor lifted.
func TestALongerPauseOfSomebodyElseStays(t *testing.T) {
	p := newPost(t, bus.GuildSettings{Language: "de"})
	until := time.Now().Add(10 * time.Hour).UTC().Format(time.RFC3339)
	for i := range 5 {
		p.OK(p.Discord.AddMember(p.Guild, p.ID(p.Discord.AddUser(fmt.Sprint("guest", i)))))
		if i == 3 {
			_, err := p.Discord.As(p.Owner).Do("PUT", "/guilds/"+p.Guild.String()+"/incident-actions", map[string]any{"invites_disabled_until": until, "dms_disabled_until": until})
			p.OK(err)
		}
	}
	if n := await(t, p.raids, "the raid"); !n.Until.IsZero() || n.Result != "ok" {
		t.Errorf("%+v", n)
	}
	p.told("Beitrittswelle")
	p.engine.Tick(t.Context(), time.Now().Add(protect.CalmFor))
	await(t, p.raids, "the end")
	s, _ := p.Discord.Snapshot(p.Guild)
	if len(s.Incident) != 2 {
		t.Errorf("of both pauses %v are left", s.Incident)
	}
}

// TestDestructionWithoutANameIsTold: the bot does not see the audit log and says so.
func TestDestructionWithoutANameIsTold(t *testing.T) {
	p := newPost(t, bus.GuildSettings{})
	var rooms []sandbox.ID
	for i := range 6 {
		rooms = append(rooms, p.ID(p.Discord.AddChannel(p.Guild, fmt.Sprint("room-", i), sandbox.TextChannel)))
	}
	for _, r := range rooms[:3] { // these are explained
		p.OK(p.Discord.As(p.Mod).DeleteChannel(r))
	}
	p.awaitActions(3)
	p.engine.Tick(t.Context(), time.Now().Add(protect.SilentGrace))
	select {
	case n := <-p.silences:
		t.Fatalf("what the audit log explains was told: %+v", n)
	default:
	}
	p.OK(p.Discord.SetRolePermissions(p.Guild, p.BotRole, bottest.BotPermissions&^sandbox.ViewAuditLog))
	for _, r := range rooms[3:] {
		p.OK(p.Discord.As(p.Mod).DeleteChannel(r))
	}
	p.handled("CHANNEL_DELETE", rooms[5])
	p.engine.Tick(t.Context(), time.Now().Add(protect.SilentGrace))
	if n := await(t, p.silences, "the alarm"); n.Count != 3 {
		t.Errorf("%+v", n)
	}
	p.told("Destruction without a name")
}

// awaitActions waits until so many actions are kept.
func (p *post) awaitActions(n int) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.T.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		page, _, err := bus.ReadPage(ctx, p.Bus, bus.ActionsIn(p.GuildID()), 1, 100)
		p.OK(err)
		if len(page) >= n {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.T.Fatalf("%d actions are kept, want %d", len(page), n)
		}
	}
}

// handled waits for an event to be on the stream, puts a join behind it and waits until
// that was counted: events of a guild come in order.
func (p *post) handled(event string, id sandbox.ID) {
	p.T.Helper()
	ctx, cancel := context.WithTimeout(p.T.Context(), 30*time.Second)
	defer cancel()
	seen := make(chan struct{})
	go func() {
		defer close(seen)
		_ = bus.Follow(ctx, p.Bus, bus.Follower{}, bus.DispatchesNamed(event), 1, func(_ context.Context, list []bus.Delivery[bus.Dispatch]) error {
			for _, d := range list {
				if strings.Contains(string(d.Value.Data), id.String()) {
					return context.Canceled
				}
			}
			return nil
		})
	}()
	<-seen
	p.join(bus.UserID(id))
}

// join lets a made-up user join, and waits until that is counted.
func (p *post) join(user bus.UserID) {
	p.T.Helper()
	data := fmt.Appendf(nil, `{"guild_id":%q,"user":{"id":"%d"},"joined_at":%q}`, p.Guild.String(), uint64(user), time.Now().UTC().Format(time.RFC3339))
	p.Publish(bus.Dispatch{Guild: p.GuildID(), Event: "GUILD_MEMBER_ADD", Session: fmt.Sprint("join", user), Seq: 1, Data: json.RawMessage(data)})
	ctx, cancel := context.WithTimeout(p.T.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		page, _, err := bus.ReadPage(ctx, p.Bus, bus.ActionsIn(p.GuildID()), 1, 1000)
		p.OK(err)
		for _, d := range page {
			if d.Value.Actor == user {
				return
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.T.Fatal("the join was not counted within 30 s")
		}
	}
}
