package guilds_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/guilds"
)

// script publishes the events of a session one after the other.
type script struct {
	t   *testing.T
	b   *bus.Bus
	seq int64
}

func (s *script) send(guild bus.GuildID, event, d string) uint64 {
	s.t.Helper()
	s.seq++
	return publish(s.t, s.b, bus.Dispatch{Guild: guild, Event: event, Session: "s", Seq: s.seq, Data: json.RawMessage(d)})
}

func (s *script) begin() {
	s.t.Helper()
	s.send(0, "READY", `{"user":{"id":"99"},"guilds":[{"id":"7","unavailable":true}],"shard":[0,1]}`)
	s.send(7, "GUILD_CREATE", `{"id":"7","name":"0","member_count":2,"system_channel_id":"11",
"roles":[{"id":"7","name":"@everyone","position":0},{"id":"30","name":"crew","position":1}],
"channels":[{"id":"10","type":4,"name":"ops"},{"id":"11","name":"bridge","parent_id":"10","permission_overwrites":[{"id":"30","type":0,"allow":"2048","deny":"0"}]},
{"id":"12","name":"log","permission_overwrites":[{"id":"30","type":0,"allow":"0","deny":"2048"}]}],
"members":[{"user":{"id":"1"},"roles":["30"]},{"user":{"id":"99"},"roles":[]}]}`)
}

// stored runs a store until everything so far is stored, and stops it.
func stored(t *testing.T, b *bus.Bus, through uint64) {
	t.Helper()
	positions, err := bus.OpenRecords(t.Context(), b, bus.Positions())
	if err != nil {
		t.Fatal(err)
	}
	_, stop := newStore(t, b)
	until(t, "the guilds are stored", func() bool {
		p, err := positions.Get(t.Context(), "gatewayproxy-guilds")
		return err == nil && p.Value.Seq >= through
	})
	stop()
}

func name(t *testing.T, v guilds.View) string {
	t.Helper()
	var g struct{ Name string }
	if err := json.Unmarshal(v.JSON("members"), &g); err != nil {
		t.Fatal(err)
	}
	return g.Name
}

// TestAReaderIsNotOlderThanTheStream: whether or not a guild was stored, and however long
// ago, a view has every event up to now, and the next one has those of in between.
func TestAReaderIsNotOlderThanTheStream(t *testing.T) {
	s := &script{t: t, b: bustest.New(t)}
	r := guilds.NewReader(s.b, nil)
	if _, err := r.At(t.Context(), 7, guilds.Mark{}); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("a guild that nobody saw: %v", err)
	}
	s.begin()
	at := func(r *guilds.Reader, after guilds.Mark, want string) {
		t.Helper()
		if v, err := r.At(t.Context(), 7, after); err != nil || name(t, v) != want || v.Created != 2 {
			t.Errorf("%v, want %s", err, want)
		}
	}
	at(r, guilds.Mark{}, "0")
	for i := range 20 {
		place := s.send(7, "GUILD_UPDATE", fmt.Sprintf(`{"id":"7","name":"%d"}`, i+1))
		at(r, guilds.Mark{Place: place, Event: "GUILD_UPDATE"}, fmt.Sprint(i+1))
		if i == 9 {
			stored(t, s.b, place)
		}
	}
	place := s.send(7, "MESSAGE_CREATE", `{"id":"1"}`)
	at(r, guilds.Mark{Place: place, Event: "MESSAGE_CREATE"}, "20")
	at(guilds.NewReader(s.b, nil), guilds.Mark{Place: place, Event: "MESSAGE_CREATE"}, "20")
	if _, err := r.At(t.Context(), 7, guilds.Mark{Place: place + 1, Event: "GUILD_UPDATE"}); !bus.IsCode(err, bus.CodeUnavailable) {
		t.Errorf("an event that is not there: %v", err)
	}
	s.send(7, "GUILD_DELETE", `{"id":"7","unavailable":true}`)
	if _, err := r.At(t.Context(), 7, guilds.Mark{}); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("an outage: %v", err)
	}
}

// TestAReaderRefusesWhatHasAGap: events behind what is stored have left the stream.
func TestAReaderRefusesWhatHasAGap(t *testing.T) {
	s := &script{t: t, b: bustest.New(t)}
	s.begin()
	place := s.send(7, "GUILD_UPDATE", `{"id":"7","name":"stored"}`)
	stored(t, s.b, place)
	held := guilds.NewReader(s.b, nil)
	bustest.AgeDispatches(t, s.b, place+1) // nothing that is needed
	for _, r := range []*guilds.Reader{held, guilds.NewReader(s.b, nil)} {
		if v, err := r.At(t.Context(), 7, guilds.Mark{}); err != nil || name(t, v) != "stored" {
			t.Fatalf("an hour later: %v", err)
		}
	}
	s.send(7, "GUILD_UPDATE", `{"id":"7","name":"missed"}`)
	place = s.send(7, "GUILD_ROLE_CREATE", `{"guild_id":"7","role":{"id":"31","name":"r"}}`)
	bustest.AgeDispatches(t, s.b, place)
	for _, r := range []*guilds.Reader{held, guilds.NewReader(s.b, nil)} {
		if v, err := r.At(t.Context(), 7, guilds.Mark{}); !bus.IsCode(err, bus.CodeNotFound) {
			t.Errorf("a guild without its latest events is shown as %+v, %v", v, err)
		}
	}
}

// TestWhatWasDeletedIsKnownLater: what a role and a channel were is stored with the guild,
// also what Discord took from others before it told the deletion.
func TestWhatWasDeletedIsKnownLater(t *testing.T) {
	s := &script{t: t, b: bustest.New(t)}
	s.begin()
	s.send(7, "CHANNEL_UPDATE", `{"guild_id":"7","id":"12","name":"log","permission_overwrites":[]}`)
	role := s.send(7, "GUILD_ROLE_DELETE", `{"guild_id":"7","role_id":"30"}`)
	stored(t, s.b, role)
	s.send(7, "CHANNEL_UPDATE", `{"guild_id":"7","id":"11","name":"bridge","parent_id":null,"permission_overwrites":[]}`)
	s.send(7, "GUILD_UPDATE", `{"id":"7","name":"0","system_channel_id":null}`)
	s.send(7, "CHANNEL_DELETE", `{"guild_id":"7","id":"11","name":"bridge"}`)
	last := s.send(7, "CHANNEL_DELETE", `{"guild_id":"7","id":"10","name":"ops"}`)
	stored(t, s.b, last)
	v, err := guilds.NewReader(s.b, nil).At(t.Context(), 7, guilds.Mark{})
	if err != nil || len(v.Remains) != 3 {
		t.Fatalf("%+v, %v", v.Remains, err)
	}
	r, bridge, ops := v.Remains[0], v.Remains[1], v.Remains[2]
	if r.ID != "30" || !r.Role || r.Stream != role || !slices.Equal(r.Members, []string{"1"}) || !slices.Equal(slices.Sorted(maps.Keys(r.Overwrites)), []string{"11", "12"}) {
		t.Errorf("the role was %+v", r)
	}
	if bridge.ID != "11" || bridge.Role || !slices.Equal(bridge.Settings, []string{"system_channel_id"}) {
		t.Errorf("the channel was %+v", bridge)
	}
	if !slices.Equal(ops.Children, []string{"11"}) {
		t.Errorf("the category was %+v", ops)
	}
}

// TestWhatWasDeletedIsBounded: a guild cannot fill its record with what it deletes.
func TestWhatWasDeletedIsBounded(t *testing.T) {
	s := &script{t: t, b: bustest.New(t)}
	s.begin()
	last := uint64(0)
	long := strings.Repeat("x", 4000)
	for i := range 400 {
		s.send(7, "CHANNEL_CREATE", fmt.Sprintf(`{"guild_id":"7","id":"%d","topic":"%s"}`, 100+i, long))
		last = s.send(7, "CHANNEL_DELETE", fmt.Sprintf(`{"guild_id":"7","id":"%d"}`, 100+i))
	}
	stored(t, s.b, last)
	v, err := guilds.NewReader(s.b, nil).At(t.Context(), 7, guilds.Mark{})
	if err != nil || len(v.Remains) < 100 || len(v.Remains) > 300 || v.Remains[len(v.Remains)-1].ID != "499" {
		t.Errorf("%d remains, %v", len(v.Remains), err)
	}
}
