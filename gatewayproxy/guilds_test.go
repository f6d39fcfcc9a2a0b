package gatewayproxy_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/gatewayproxy"
	"splashtail/gatewayproxy/upstream"
	"splashtail/internal/discord"
	"splashtail/internal/guilds"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("never: %s", what)
		}
	}
}

// feed holds a bot's session and stores what comes in a bus of its own.
func feed(t *testing.T, d *sandbox.Discord, app sandbox.Application, b *bus.Bus) {
	t.Helper()
	client, err := discord.NewClient(d.URL())
	if err != nil {
		t.Fatal(err)
	}
	u, err := upstream.New(upstream.Config{Token: secret.New(app.Token), Client: client, IdentifyGap: time.Millisecond}, b, bustest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	run(t, u.Run)
}

// shape decodes a guild so that two can be compared: lists by id, without the members
// that only one of two sessions was sent.
func shape(t *testing.T, d []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(d, &m); err != nil {
		t.Fatalf("%s: %v", d, err)
	}
	for key, v := range m {
		list, ok := v.([]any)
		if !ok {
			continue
		}
		byID := map[string]any{}
		for i, e := range list {
			o, ok := e.(map[string]any)
			switch {
			case !ok:
				byID[fmt.Sprint(i)] = e
			case o["id"] != nil:
				byID[fmt.Sprint(o["id"])] = o
			case o["user_id"] != nil:
				byID[fmt.Sprint(o["user_id"])] = o
			default:
				byID[fmt.Sprint(o["user"].(map[string]any)["id"])] = o
			}
			delete(o, "guild_id")
			delete(o, "self_stream") // the sandbox has it in updates only
		}
		m[key] = byID
	}
	delete(m, "large")
	return m
}

// TestASnapshotIsWhatANewSessionWouldGet changes a guild at random, for a long time, and
// then compares what the patches made of it with the GUILD_CREATE of a new session.
func TestASnapshotIsWhatANewSessionWouldGet(t *testing.T) {
	d := sandbox.New(sandbox.Config{})
	d.SetGateway(sandbox.GatewaySettings{IdentifyEvery: -1})
	run(t, d.Run)
	<-d.Ready()
	must := func(id sandbox.ID, err error) sandbox.ID {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	app, err := d.AddApplication(sandbox.ApplicationSpec{Name: "bot", MembersIntent: true, MessageContentIntent: true})
	if err != nil {
		t.Fatal(err)
	}
	owner := must(d.AddUser("owner"))
	guild := must(d.AddGuild("guild", owner))
	// A bot that may not see a channel is not told of it, and its GUILD_CREATE shows it
	// all the same; this one sees everything.
	all := must(d.AddRole(guild, "all", sandbox.Administrator))
	if err := d.AddMember(guild, app.ID, all); err != nil {
		t.Fatal(err)
	}
	b := bustest.New(t)
	feed(t, d, app, b)
	store := guilds.New(guilds.Config{Instance: "test", WriteEvery: 20 * time.Millisecond}, b, bustest.Log(t))
	run(t, store.Run)
	if err := store.Await(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	edit := editor{d: d, guild: guild, owner: owner, must: must}
	for range 400 {
		edit.one(t)
	}
	// The last event that both sides know.
	mark := must(d.AddChannel(guild, "mark", 0))
	has := func() bool {
		all, _ := store.Snapshot(0)
		if len(all) != 1 || all[0].Unavailable {
			return false
		}
		_, ok := shape(t, all[0].JSON)["channels"].(map[string]any)[mark.String()]
		return ok
	}
	until(t, "the store has the last event", has)
	fresh := bustest.New(t)
	feed(t, d, app, fresh)
	var want bus.Delivery[bus.Dispatch]
	until(t, "a new session has its guild", func() bool {
		want, err = bus.Last(t.Context(), fresh, bus.DispatchesNamed("GUILD_CREATE"))
		return err == nil
	})
	snapshot, _ := store.Snapshot(0)
	a, w := shape(t, snapshot[0].JSON), shape(t, want.Value.Data)
	for id, m := range w["members"].(map[string]any) {
		if !reflect.DeepEqual(m, a["members"].(map[string]any)[id]) {
			t.Errorf("member %s\n got %v\nwant %v", id, a["members"].(map[string]any)[id], m)
		}
	}
	delete(a, "members")
	delete(w, "members")
	for key := range w {
		if !reflect.DeepEqual(a[key], w[key]) {
			t.Errorf("%s\n got %v\nwant %v", key, a[key], w[key])
		}
	}
	for key := range a {
		if _, ok := w[key]; !ok {
			t.Errorf("%s is too much", key)
		}
	}
}

// editor changes a guild at random.
type editor struct {
	d        *sandbox.Discord
	guild    sandbox.ID
	owner    sandbox.ID
	must     func(sandbox.ID, error) sandbox.ID
	channels []sandbox.ID
	voice    []sandbox.ID
	roles    []sandbox.ID
	members  []sandbox.ID
	n        int
}

func pick[T any](s []T) (v T, i int, ok bool) {
	if len(s) == 0 {
		return v, 0, false
	}
	i = rand.N(len(s))
	return s[i], i, true
}

func (e *editor) one(t *testing.T) {
	t.Helper()
	e.n++
	ann := e.d.As(e.owner)
	var err error
	switch rand.N(14) {
	case 0, 1:
		if kind := rand.N(2) * 2; kind == 0 {
			e.channels = append(e.channels, e.must(e.d.AddChannel(e.guild, fmt.Sprintf("text-%d", e.n), 0)))
		} else {
			e.voice = append(e.voice, e.must(e.d.AddChannel(e.guild, fmt.Sprintf("voice-%d", e.n), 2)))
		}
	case 2:
		if c, _, ok := pick(e.channels); ok {
			err = ann.EditChannel(c, sandbox.Fields{"name": fmt.Sprintf("named-%d", e.n), "topic": "t"})
		}
	case 3:
		if c, i, ok := pick(e.channels); ok {
			e.channels = append(e.channels[:i], e.channels[i+1:]...)
			err = ann.DeleteChannel(c)
		}
	case 4:
		e.roles = append(e.roles, e.must(e.d.AddRole(e.guild, fmt.Sprintf("role-%d", e.n), 0)))
	case 5:
		if r, _, ok := pick(e.roles); ok {
			err = ann.EditRole(e.guild, r, sandbox.Fields{"name": fmt.Sprintf("r-%d", e.n), "color": rand.N(1 << 24)})
		}
	case 6:
		if r, i, ok := pick(e.roles); ok {
			e.roles = append(e.roles[:i], e.roles[i+1:]...)
			err = ann.DeleteRole(e.guild, r)
		}
	case 7, 8:
		m := e.must(e.d.AddUser(fmt.Sprintf("user%d", e.n)))
		e.members = append(e.members, m)
		err = e.d.AddMember(e.guild, m)
	case 9:
		if m, i, ok := pick(e.members); ok {
			e.members = append(e.members[:i], e.members[i+1:]...)
			err = e.d.RemoveMember(e.guild, m)
		}
	case 10:
		m, _, ok := pick(e.members)
		if r, _, also := pick(e.roles); ok && also {
			err = ann.AddRole(e.guild, m, r)
		}
	case 11:
		m, _, ok := pick(e.members)
		if c, _, also := pick(e.voice); ok && also {
			err = e.d.JoinVoice(e.guild, m, c)
		}
	case 12:
		if m, _, ok := pick(e.members); ok {
			if _, in := e.d.VoiceState(e.guild, m); in {
				err = e.d.LeaveVoice(e.guild, m)
			}
		}
	case 13:
		err = ann.EditGuild(e.guild, sandbox.Fields{"name": fmt.Sprintf("guild %d", e.n)})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestASnapshotBelongsToItsPlace: what a snapshot shows is exactly what came up to the

// TestWhoHasRolesIsAsked: GUILD_CREATE shows a bot without presences nearly nobody; who
// else there is comes as an answer to a question of the proxy.
func TestWhoHasRolesIsAsked(t *testing.T) {
	d := sandbox.New(sandbox.Config{})
	d.SetGateway(sandbox.GatewaySettings{IdentifyEvery: -1})
	run(t, d.Run)
	<-d.Ready()
	app := must(d.AddApplication(sandbox.ApplicationSpec{Name: "bot", MembersIntent: true, MessageContentIntent: true}))(t)
	guild := must(d.AddGuild("guild", must(d.AddUser("owner"))(t)))(t)
	role, crew := must(d.AddRole(guild, "crew", 0))(t), must(d.AddUser("crew"))(t)
	for _, user := range []sandbox.ID{app.ID, crew} {
		if err := d.AddMember(guild, user, role); err != nil {
			t.Fatal(err)
		}
	}
	b := bustest.New(t)
	p := must(gatewayproxy.New(gatewayproxy.Config{Addr: "127.0.0.1:0", Token: secret.New(app.Token), APIURL: d.URL(), Instance: "one"}, b, bustest.Log(t)))(t)
	run(t, p.Run)
	<-p.Ready()
	until(t, "the proxy can ask", func() bool {
		return p.AskMembers(t.Context(), 0, fmt.Appendf(nil, `{"guild_id":"%s","query":"","limit":0,"nonce":"roster-1"}`, guild)) == nil
	})
	reader := guilds.NewReader(b, nil)
	until(t, "everybody with a role is known", func() bool {
		v, err := reader.At(t.Context(), bus.GuildID(guild), guilds.Mark{})
		if err != nil {
			return false
		}
		who, all := v.WithRoles()
		_, known := v.Member(bus.UserID(crew))
		return all && known && len(slices.Collect(who)) == 2
	})
}
