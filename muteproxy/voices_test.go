package muteproxy

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/guilds"
	"splashtail/internal/pause"
	"splashtail/internal/sandbox"
)

// gateway plays gatewayproxy on the bus: what the sandbox's members do in voice becomes
// events of the stream.
type gateway struct {
	*rig
	seq   int64
	lease *bus.Lease
}

// newGateway shows the guild as it is.
func newGateway(r *rig) *gateway {
	g := &gateway{rig: r}
	var err error
	g.lease, err = bus.Acquire(r.t.Context(), r.bus, bus.GatewayLease("test"), 3*time.Second, "test")
	r.ok(err)
	_, err = bus.Publish(r.t.Context(), r.bus, bus.ShardSubject(bus.ShardIdentified, 0), bus.ShardEvent{V: 1, Shards: 1, Change: bus.ShardIdentified, Instance: "test", At: time.Now()})
	r.ok(err)
	var states []map[string]any
	for _, s := range r.discord.VoiceStates(r.guild) {
		states = append(states, wire(s))
	}
	g.send("GUILD_CREATE", map[string]any{"id": r.guild.String(), "voice_states": states})
	return g
}

func wire(s sandbox.VoiceState) map[string]any {
	w := map[string]any{"guild_id": s.Guild.String(), "user_id": s.User.String(), "mute": s.Mute, "deaf": s.Deaf, "channel_id": nil}
	if s.Channel != 0 {
		w["channel_id"] = s.Channel.String()
	}
	return w
}

func (g *gateway) send(event string, d any) {
	g.t.Helper()
	data, err := json.Marshal(d)
	g.ok(err)
	g.seq++
	e := bus.Dispatch{Guild: bus.GuildID(g.guild), Event: event, Session: "s", Seq: g.seq, Data: data}
	subject, err := bus.DispatchSubject(e)
	g.ok(err)
	_, err = bus.Publish(g.t.Context(), g.bus, subject, e, bus.WithID(e.ID()))
	g.ok(err)
}

// follow shows a member as it stands now.
func (g *gateway) follow(user sandbox.ID) {
	g.t.Helper()
	s, _ := g.discord.VoiceState(g.guild, user)
	g.send("VOICE_STATE_UPDATE", wire(s))
}

// await waits until the mute proxy knows how a member stands.
func (g *gateway) await(m *Muteproxy, user sandbox.ID, fit func(seen) bool) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), 20*time.Second)
	defer cancel()
	who := member{bus.GuildID(g.guild), bus.UserID(user)}
	for {
		if s, ok := m.voices.look(who); ok && fit(s) {
			return
		}
		if pause.For(ctx, 5*time.Millisecond); ctx.Err() != nil {
			g.t.Fatal("the mute proxy did not learn a voice state")
		}
	}
}

func TestNobodyIsCalledWhoStandsAsWished(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 3)
	r.ok(r.discord.SetVoice(r.guild, r.users[0], true, true)) // a moderator was faster
	g := newGateway(r)
	url, m := r.startKept()
	g.await(m, r.users[0], func(s seen) bool { return s.Mute })
	if status, a := r.modify(url, code, r.body(0, all(3, silent)...)); status != 200 || a.Official != 3 {
		t.Errorf("%d %+v", status, a)
	}
	r.expect(all(3, silent)...)
	if n := r.patches(); n[200] != 2 || len(n) != 1 {
		t.Errorf("requests: %v", n)
	}
}

func TestWhatAModeratorChangedIsSentAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	g := newGateway(r)
	url, m := r.startKept()
	g.await(m, r.users[0], func(s seen) bool { return s.inVoice })
	r.modify(url, code, r.body(0, silent))
	r.ok(r.discord.SetVoice(r.guild, r.users[0], false, false))
	g.follow(r.users[0])
	g.await(m, r.users[0], func(s seen) bool { return !s.Mute })
	// Right after a change of ours the gateway may be late, so what it says counts a
	// little later; long before the same wish would be sent again without it.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for r.patches()[200] < 2 && ctx.Err() == nil {
		if status, _ := r.modify(url, code, r.body(0, silent)); status != 200 {
			t.Fatal(status)
		}
		pause.For(ctx, 100*time.Millisecond)
	}
	r.expect(silent)
}

func TestAnAbsentMemberIsAskedAboutOnceAndFreedOnReturn(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	g := newGateway(r)
	url, m := r.startKept()
	g.await(m, r.users[0], func(s seen) bool { return s.inVoice })
	r.modify(url, code, r.body(0, silent))
	r.ok(r.discord.LeaveVoice(r.guild, r.users[0]))
	g.follow(r.users[0])
	g.await(m, r.users[0], func(s seen) bool { return !s.inVoice })
	if status, a := r.modify(url, code, r.body(0, free)); status != 500 || len(a.Failed) != 1 || a.Failed[0].Code != 40032 {
		t.Errorf("%d %+v", status, a)
	}
	m.wishes.wakeDue(time.Now().Add(time.Hour)) // as if the next try were due
	r.ok(r.discord.JoinVoice(r.guild, r.users[0], r.channel))
	g.follow(r.users[0])
	r.expect(free)
	if n := r.patches(); n[400] != 1 || n[200] != 2 {
		t.Errorf("requests: %v", n)
	}
}

func TestALateJoinerGetsTheWishThatWaits(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 2)
	r.ok(r.discord.LeaveVoice(r.guild, r.users[1]))
	g := newGateway(r)
	url, m := r.startKept()
	g.await(m, r.users[0], func(s seen) bool { return s.inVoice })
	if status, a := r.modify(url, code, r.body(0, all(2, muted)...)); status != 500 || len(a.Failed) != 1 {
		t.Errorf("%d %+v", status, a)
	}
	r.ok(r.discord.JoinVoice(r.guild, r.users[1], r.channel))
	g.follow(r.users[1])
	r.expect(all(2, muted)...)
}

func TestADisconnectedShardIsNotBelieved(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 1)
	r.ok(r.discord.SetVoice(r.guild, r.users[0], true, true))
	g := newGateway(r)
	url, m := r.startKept()
	g.await(m, r.users[0], func(s seen) bool { return s.Mute })
	_, err := bus.Publish(t.Context(), r.bus, bus.ShardSubject(bus.ShardDisconnected, 0), bus.ShardEvent{V: 1, Shards: 1, Change: bus.ShardDisconnected, Instance: "test", At: time.Now()})
	r.ok(err)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for known := true; known && ctx.Err() == nil; pause.For(ctx, 5*time.Millisecond) {
		_, known = m.voices.look(member{bus.GuildID(r.guild), bus.UserID(r.users[0])})
	}
	if status, a := r.modify(url, code, r.body(0, silent)); status != 200 || a.Official != 1 {
		t.Errorf("%d %+v", status, a)
	}
	if n := r.patches(); n[200] != 1 {
		t.Errorf("requests: %v; the member was taken for silent by what an unconnected shard had said", n)
	}
}

// storedHoursAgo lets a gateway proxy store the guild with a session of its own, and the
// stream forget everything up to now.
func storedHoursAgo(r *rig) *gateway {
	r.t.Helper()
	g := newGateway(r)
	positions := must[*bus.Records[bus.Position]](r.t)(bus.OpenRecords(r.t.Context(), r.bus, bus.Positions()))
	info := must[bus.StreamInfo](r.t)(bus.InfoOf(r.t.Context(), r.bus, bus.AllDispatches()))
	stop := run(r.t, guilds.New(guilds.Config{Instance: "test", WriteEvery: 10 * time.Millisecond}, r.bus, bustest.Log(r.t)).Run)
	for tries := 0; ; tries++ {
		p, err := positions.Get(r.t.Context(), "gatewayproxy-guilds")
		if err == nil && p.Value.Seq >= info.Last {
			break
		}
		if pause.For(r.t.Context(), 10*time.Millisecond); tries > 2000 {
			r.t.Fatal("the guild was not stored")
		}
	}
	stop()
	bustest.AgeDispatches(r.t, r.bus, info.Last+1)
	return g
}

// trusting waits until what the gateway shows is believed.
func (g *gateway) trusting(m *Muteproxy) {
	g.t.Helper()
	for tries := 0; tries < 2000; tries++ {
		m.voices.mu.Lock()
		ok := m.voices.trusted(0) && m.voices.taken >= m.voices.newest
		m.voices.mu.Unlock()
		if ok {
			return
		}
		pause.For(g.t.Context(), 10*time.Millisecond)
	}
	g.t.Fatal("the gateway is not believed")
}

// TestAfterHoursNobodyIsCalledWhoStandsAsWished: a muteproxy that was away for longer than
// the stream reaches knows who stands in voice, by the guild that gatewayproxy stored and
// what came behind it.
func TestAfterHoursNobodyIsCalledWhoStandsAsWished(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 4)
	for _, u := range r.users[:3] {
		r.ok(r.discord.SetVoice(r.guild, u, true, true))
	}
	g := storedHoursAgo(r)
	r.ok(r.discord.SetVoice(r.guild, r.users[2], false, false)) // behind what is stored
	g.follow(r.users[2])
	url, m := r.startKept()
	g.trusting(m)
	if status, a := r.modify(url, code, r.body(0, all(2, silent)...)); status != 200 || a.Official != 2 {
		t.Errorf("%d %+v", status, a)
	}
	if n := r.patches(); len(n) != 0 {
		t.Errorf("requests for members that stand as wished: %v", n)
	}
	if status, a := r.modify(url, code, r.body(0, all(4, silent)...)); status != 200 || a.Official != 4 {
		t.Errorf("%d %+v", status, a)
	}
	r.expect(all(4, silent)...)
	if n := r.patches(); n[200] != 2 || len(n) != 1 {
		t.Errorf("requests: %v; two members stood otherwise", n)
	}
	r.ok(r.discord.SetVoice(r.guild, r.users[0], false, false)) // behind what was learnt
	g.follow(r.users[0])
	g.await(m, r.users[0], func(s seen) bool { return !s.Mute })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for r.patches()[200] < 3 && ctx.Err() == nil { // what the gateway says counts a little later
		r.modify(url, code, r.body(0, silent))
		pause.For(ctx, 100*time.Millisecond)
	}
	r.expect(all(4, silent)...)
}

// TestAStoredGuildOfAnOlderSessionIsNotBelieved: what happened before the session that the
// shard holds now is in no event, and the guild was not shown since.
func TestAStoredGuildOfAnOlderSessionIsNotBelieved(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1, 2)
	for _, u := range r.users {
		r.ok(r.discord.SetVoice(r.guild, u, true, true))
	}
	g := storedHoursAgo(r)
	g.seq++
	e := bus.Dispatch{Event: "READY", Session: "s", Seq: g.seq, Data: json.RawMessage(`{"user":{"id":"99"},"shard":[0,1]}`)}
	subject, err := bus.DispatchSubject(e)
	r.ok(err)
	_, err = bus.Publish(t.Context(), r.bus, subject, e, bus.WithID(e.ID()))
	r.ok(err)
	for _, u := range r.users { // in no event
		r.ok(r.discord.SetVoice(r.guild, u, false, false))
	}
	url, m := r.startKept()
	g.trusting(m)
	r.modify(url, code, r.body(0, all(2, silent)...))
	r.expect(all(2, silent)...)
	if n := r.patches(); n[200] != 2 {
		t.Errorf("requests: %v", n)
	}
}

// TestAGuildIsNotBelievedBeforeItsEventsAreTaken: at a start, the oldest GUILD_CREATE of
// the stream may be an hour older than the newest voice state.
func TestAGuildIsNotBelievedBeforeItsEventsAreTaken(t *testing.T) {
	v := newVoices(nil, bustest.Log(t), func(member) {})
	v.shards[0], v.alive["p"] = connection{up: true, instance: "p", at: time.Now().Add(-time.Minute)}, bus.LeaseHolder{Holder: "p"}
	v.reset("e", 3)
	take := func(seq uint64, event, d string) {
		e := bus.Delivery[bus.Dispatch]{Seq: seq, Value: bus.Dispatch{Guild: 5, Event: event, Data: json.RawMessage(d)}}
		v.take([]bus.Delivery[bus.Dispatch]{e})
	}
	take(1, "GUILD_CREATE", `{"voice_states":[{"user_id":"7","channel_id":"8","mute":true}]}`)
	if s, ok := v.look(member{5, 7}); ok {
		t.Errorf("an old voice state counts: %+v", s)
	}
	take(3, "VOICE_STATE_UPDATE", `{"user_id":"7","channel_id":"8","mute":false}`)
	if s, ok := v.look(member{5, 7}); !ok || s.Mute {
		t.Errorf("%+v %t", s, ok)
	}
	v.reset("e", 3)
	take(1, "GUILD_CREATE", `{"voice_states":[{"user_id":"7","channel_id":"8","mute":true}]}`)
	v.reached(3) // the newest one could not be read
	if _, ok := v.look(member{5, 7}); !ok {
		t.Error("an event that cannot be read keeps all the others from being believed")
	}
}

func FuzzVoiceStates(f *testing.F) {
	f.Add([]byte(`{"voice_states":[{"user_id":"7","channel_id":"8","mute":true}]}`))
	f.Add([]byte(`{"user_id":"7","channel_id":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v := newVoices(nil, nil, func(member) {})
		whole := bus.Delivery[bus.Dispatch]{Seq: 1, Value: bus.Dispatch{Guild: 5, Event: "GUILD_CREATE", Data: data}}
		one := bus.Delivery[bus.Dispatch]{Seq: 2, Value: bus.Dispatch{Guild: 5, Event: "VOICE_STATE_UPDATE", Data: data}}
		v.take([]bus.Delivery[bus.Dispatch]{whole, one})
		if g := v.guilds[5]; g != nil && g.members[0] != (seen{}) {
			t.Errorf("%q gave nobody a voice state", data)
		}
	})
}
