package guilds_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/gatewayproxy/guilds"
	"splashtail/gatewayproxy/upstream"
	"splashtail/internal/discord"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
)

const patience = 30 * time.Second

// runUntilEnd runs something until the test has ended or stop is called.
func runUntilEnd(t *testing.T, run func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	done := false
	stop = func() {
		if done {
			return
		}
		done = true
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("it ended with %v", err)
		}
	}
	t.Cleanup(stop)
	return stop
}

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
	runUntilEnd(t, u.Run)
}

func newStore(t *testing.T, b *bus.Bus) (s *guilds.Store, stop func()) {
	t.Helper()
	s = guilds.New(guilds.Config{Instance: "test", WriteEvery: 20 * time.Millisecond}, b, bustest.Log(t))
	return s, runUntilEnd(t, s.Run)
}

func publish(t *testing.T, b *bus.Bus, d bus.Dispatch) uint64 {
	t.Helper()
	s, err := bus.DispatchSubject(d)
	if err != nil {
		t.Fatal(err)
	}
	seq, err := bus.Publish(t.Context(), b, s, d, bus.WithID(d.ID()))
	if err != nil {
		t.Fatal(err)
	}
	return seq
}

// keepReady stores what READY said, as the holder of the shard does.
func keepReady(t *testing.T, b *bus.Bus, at uint64, d string) {
	t.Helper()
	readies, err := bus.OpenRecords(t.Context(), b, bus.ShardReadies())
	if err != nil {
		t.Fatal(err)
	}
	info, err := bus.InfoOf(t.Context(), b, bus.AllDispatches())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := readies.Put(t.Context(), bus.UpstreamKey(1, 0), bus.ShardReady{V: 1, Epoch: info.Epoch, Stream: at, Data: json.RawMessage(d), At: time.Now()}); err != nil {
		t.Fatal(err)
	}
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
	runUntilEnd(t, d.Run)
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
	store, _ := newStore(t, b)
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
// place that it names, while events come.
func TestASnapshotBelongsToItsPlace(t *testing.T) {
	b := bustest.New(t)
	publish(t, b, bus.Dispatch{Event: "READY", Session: "s", Seq: 1, Data: json.RawMessage(`{"user":{"id":"99"},"guilds":[{"id":"7","unavailable":true}],"shard":[0,1]}`)})
	base := publish(t, b, bus.Dispatch{Guild: 7, Event: "GUILD_CREATE", Session: "s", Seq: 2, Data: json.RawMessage(`{"id":"7","name":"0"}`)})
	store, _ := newStore(t, b)
	if err := store.Await(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range 500 {
			publish(t, b, bus.Dispatch{Guild: 7, Event: "GUILD_UPDATE", Session: "s", Seq: int64(3 + i), Data: fmt.Appendf(nil, `{"id":"7","name":"%d"}`, i+1)})
		}
	}()
	seen := 0
	for last := uint64(0); last < base+500; {
		all, place := store.Snapshot(0)
		var g struct{ Name string }
		if err := json.Unmarshal(all[0].JSON, &g); err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprint(place - base); g.Name != want {
			t.Fatalf("at %d the guild is %s, want %s", place, g.Name, want)
		}
		if place > last {
			seen++
		}
		last = place
	}
	<-done
	t.Logf("%d places were seen", seen)
}

// TestGuildsSurviveARestart: what is stored and what the stream has make the same guilds,
// also when the stream's oldest part is gone.
func TestGuildsSurviveARestart(t *testing.T) {
	b := bustest.New(t)
	ready := `{"user":{"id":"99"},"guilds":[{"id":"7"},{"id":"8"},{"id":"9"}],"shard":[0,1]}`
	at := publish(t, b, bus.Dispatch{Event: "READY", Session: "s", Seq: 1, Data: json.RawMessage(ready)})
	keepReady(t, b, at, ready)
	publish(t, b, bus.Dispatch{Guild: 7, Event: "GUILD_CREATE", Session: "s", Seq: 2, Data: json.RawMessage(`{"id":"7","name":"seven"}`)})
	publish(t, b, bus.Dispatch{Guild: 8, Event: "GUILD_CREATE", Session: "s", Seq: 3, Data: json.RawMessage(`{"id":"8","name":"eight"}`)})
	publish(t, b, bus.Dispatch{Guild: 9, Event: "GUILD_DELETE", Session: "s", Seq: 4, Data: json.RawMessage(`{"id":"9","unavailable":true}`)})
	store, stop := newStore(t, b)
	if err := store.Await(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	records, err := bus.OpenRecords(t.Context(), b, bus.GuildSnapshots())
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the guilds are stored", func() bool {
		all, err := records.All(t.Context(), ">")
		return err == nil && len(all) == 3
	})
	stop()
	publish(t, b, bus.Dispatch{Guild: 7, Event: "GUILD_UPDATE", Session: "s", Seq: 5, Data: json.RawMessage(`{"id":"7","name":"SEVEN"}`)})
	publish(t, b, bus.Dispatch{Guild: 8, Event: "GUILD_DELETE", Session: "s", Seq: 6, Data: json.RawMessage(`{"id":"8"}`)})
	if r, err := records.Get(t.Context(), "7"); err != nil || r.Value.Stream != 4 || len(r.Value.Data) == 0 {
		t.Fatalf("%+v %v", r, err)
	}
	again, stop := newStore(t, b)
	<-again.Ready()
	all, place := again.Snapshot(0)
	if place != 6 || len(all) != 2 || all[0].ID != 7 || string(all[0].JSON) != `{"id":"7","name":"SEVEN","unavailable":false,"members":[]}` || all[1].ID != 9 || !all[1].Unavailable {
		t.Errorf("at %d: %+v", place, all)
	}
	if d, known := again.READY(0); !known || string(d) != ready {
		t.Errorf("READY %s", d)
	}
	until(t, "what is gone is gone from the bus", func() bool {
		_, err := records.Get(t.Context(), "8")
		return bus.IsCode(err, bus.CodeNotFound)
	})
	stop()
}

// TestANewSessionDropsWhatItDoesNotName: guilds that were left while nobody looked.
func TestANewSessionDropsWhatItDoesNotName(t *testing.T) {
	b := bustest.New(t)
	id := func(n uint64) string { return fmt.Sprint(n << 22) }
	session := func(name string, shard int, guilds string) {
		publish(t, b, bus.Dispatch{Shard: shard, Event: "READY", Session: name, Seq: 1, Data: fmt.Appendf(nil, `{"user":{"id":"99"},"guilds":[%s],"shard":[%d,2]}`, guilds, shard)})
	}
	create := func(n uint64, shard int, session string, seq int64) {
		publish(t, b, bus.Dispatch{Shard: shard, Guild: bus.GuildID(n << 22), Event: "GUILD_CREATE", Session: session, Seq: seq, Data: fmt.Appendf(nil, `{"id":"%s"}`, id(n))})
	}
	session("a", 0, `{"id":"`+id(2)+`"},{"id":"`+id(4)+`"}`)
	session("b", 1, `{"id":"`+id(3)+`"}`)
	create(2, 0, "a", 2)
	create(4, 0, "a", 3)
	create(3, 1, "b", 2)
	session("c", 0, `{"id":"`+id(4)+`"},{"id":"`+id(6)+`"}`)
	store, _ := newStore(t, b)
	<-store.Ready()
	zero, _ := store.Snapshot(0)
	one, _ := store.Snapshot(1)
	if len(zero) != 2 || zero[0].ID != 4<<22 || len(zero[0].JSON) == 0 || zero[0].Unavailable || zero[1].ID != 6<<22 || !zero[1].Unavailable || len(one) != 1 {
		t.Errorf("%+v %+v", zero, one)
	}
}
