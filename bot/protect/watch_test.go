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
	telling  protect.TellerConfig
	asked    chan struct{} // what a test has been asked already
}

// newTelling is a world with everything that a teller needs, and no engine.
func newTelling(t *testing.T) *post { return newPostWithout(t, bus.GuildSettings{}) }

func newPostWithout(t *testing.T, set bus.GuildSettings) *post {
	p := &post{World: bottest.New(t), raids: make(chan protect.RaidNews, 16), silences: make(chan protect.SilentNews, 16), asked: make(chan struct{}, 1)}
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
	p.telling = protect.TellerConfig{Bot: p.Bot, Words: w, Policy: protect.NewPolicies(store.Of, bustest.Log(t)).Of, Instance: "one"}
	return p
}

// newPost starts an engine with everything that the bot gives it.
func newPost(t *testing.T, set bus.GuildSettings) *post {
	p := newPostWithout(t, set)
	teller := protect.NewTeller(p.telling, p.Bus, bustest.Log(t))
	p.Run(teller.Run)
	p.engine = protect.New(protect.Config{Bot: p.Bot, Self: p.Self, Policy: p.telling.Policy,
		RaidAlert: func(ctx context.Context, q protect.Policy, n protect.RaidNews) { teller.Raid(ctx, q, n); p.raids <- n },
		SilentAlert: func(ctx context.Context, q protect.Policy, n protect.SilentNews) {
			teller.Silent(ctx, q, n)
			p.silences <- n
		},
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
	t.Parallel()
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
	p.awaitActions(dmg.Joins)
	p.join(1) // behind all of them
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
	t.Parallel()
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
	t.Parallel()
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
		page, _, err := bus.ReadPage(ctx, p.Bus, bus.ActionsIn(p.GuildID()), 1, 1000)
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

// TestMessagesCountWhereALimitSaysSo: a spammer meets it, a webhook is nobody, and without
// a limit no message is kept.
func TestMessagesCountWhereALimitSaysSo(t *testing.T) {
	t.Parallel()
	p := newPost(t, bus.GuildSettings{})
	_, err := p.Discord.As(p.Member).Send(p.Text, "before the limit")
	p.OK(err)
	p.join(1)
	rules, err := bus.OpenRecords(t.Context(), p.Bus, bus.LimitRules())
	p.OK(err)
	r := bus.LimitRule{V: 1, ID: "spam", Name: "Spam", Kind: bus.ActionMessageCreate, Count: 4, Window: 60, Respond: bus.RespondKick, At: time.Now().Add(-time.Minute)}
	_, err = rules.Put(t.Context(), bus.LimitKey(p.GuildID(), r.ID), r)
	p.OK(err)
	p.OK(p.engine.Knows(t.Context(), p.GuildID(), r.ID))
	hook, token, err := p.Discord.As(p.Owner).CreateWebhook(p.Text, "news")
	p.OK(err)
	for i := range 4 {
		_, err = p.Discord.RunWebhook(hook, token, fmt.Sprint("news ", i))
		p.OK(err)
		_, err = p.Discord.As(p.Member).Send(p.Text, fmt.Sprint("spam ", i))
		p.OK(err)
	}
	p.told("Limit met: Spam")
	if _, here := p.snapshot().Members[p.Member]; here {
		t.Error("the spammer is still there")
	}
	page, _, err := bus.ReadPage(t.Context(), p.Bus, bus.ActionsIn(p.GuildID()), 1, 100)
	p.OK(err)
	messages := 0
	for _, d := range page {
		if d.Value.Kind == bus.ActionMessageCreate {
			messages++
		}
	}
	if messages != 4 {
		t.Errorf("%d messages were kept, want the spammer's 4", messages)
	}
}

func (p *post) snapshot() sandbox.Snapshot {
	s, _ := p.Discord.Snapshot(p.Guild)
	return s
}

// TestWhoAGuildTrusts: an exemption holds until its end, and quarantine leaves the role
// that the guild has set.
func TestWhoAGuildTrusts(t *testing.T) {
	t.Parallel()
	p := newPost(t, bus.GuildSettings{})
	store, err := settings.Open(t.Context(), p.Bus)
	p.OK(err)
	p.OK(store.Change(t.Context(), p.GuildID(), 1, func(v *bus.GuildSettings) error {
		v.Quarantine = p.Jail.String()
		v.Exempt = []bus.Exemption{
			{Grantee: bus.Grantee{User: p.OtherMod.String()}, Until: time.Now().Add(time.Hour)},
			{Grantee: bus.Grantee{User: p.Mod.String()}, Until: time.Now().Add(-time.Second)},
		}
		return nil
	}))
	rules, err := bus.OpenRecords(t.Context(), p.Bus, bus.LimitRules())
	p.OK(err)
	r := bus.LimitRule{V: 1, ID: "rooms", Name: "Rooms", Kind: bus.ActionChannelAdd, Count: 1, Window: 60, Respond: bus.RespondQuarantine, At: time.Now().Add(-time.Minute)}
	_, err = rules.Put(t.Context(), bus.LimitKey(p.GuildID(), r.ID), r)
	p.OK(err)
	p.OK(p.engine.Knows(t.Context(), p.GuildID(), r.ID))
	p.ID(p.Discord.As(p.OtherMod).CreateChannel(p.Guild, "trusted", sandbox.TextChannel, 0))
	p.ID(p.Discord.As(p.Mod).CreateChannel(p.Guild, "not any more", sandbox.TextChannel, 0))
	alarm := p.told("Limit met: Rooms")
	if strings.Contains(string(alarm.JSON), p.OtherMod.String()) {
		t.Errorf("who is trusted was hit: %s", alarm.JSON)
	}
	members := p.snapshot().Members
	if got := members[p.Mod]; len(got) != 1 || got[0] != "quarantine" {
		t.Errorf("the moderator has %v", got)
	}
	if got := members[p.OtherMod]; len(got) != 1 || got[0] != "moderators" {
		t.Errorf("who is trusted has %v", got)
	}
}

// TestARaidGoesOnAfterARestart: a process that knows the raid only from what is stored
// pauses invites when the one before did not come to it, and lifts the pause in the end.
func TestARaidGoesOnAfterARestart(t *testing.T) {
	t.Parallel()
	p := newPost(t, bus.GuildSettings{})
	for i := range 6 {
		p.join(bus.UserID(1000 + i))
	}
	await(t, p.raids, "the raid")
	_, err := p.Discord.As(p.Owner).Do("PUT", "/guilds/"+p.Guild.String()+"/incident-actions", map[string]any{"invites_disabled_until": nil})
	p.OK(err)
	second := make(chan protect.RaidNews, 4)
	e := protect.New(protect.Config{Bot: p.Bot, Self: p.Self, RaidAlert: func(_ context.Context, _ protect.Policy, n protect.RaidNews) { second <- n }}, p.Bus, bustest.Log(t))
	p.Run(e.Run)
	<-e.Ready()
	p.OK(e.Restore(t.Context()))
	if n := await(t, second, "the raid again"); n.Joins != 6 || n.Over || !p.invitesOff() {
		t.Errorf("%+v, invites off: %t", n, p.invitesOff())
	}
	e.Tick(t.Context(), time.Now().Add(protect.CalmFor))
	if n := await(t, second, "its end"); !n.Over || p.invitesOff() {
		t.Errorf("%+v, invites off: %t", n, p.invitesOff())
	}
}
