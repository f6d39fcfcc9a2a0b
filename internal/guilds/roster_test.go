package guilds

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/klauspost/compress/zstd"

	"splashtail/bus"
)

// told hands an entry events, each at the next place.
func told(e *entry, events ...string) {
	for i := 0; i < len(events); i += 2 {
		e.take(bus.Delivery[bus.Dispatch]{Seq: e.changed + 1, Value: bus.Dispatch{Guild: 7, Event: events[i], Data: json.RawMessage(events[i+1])}}, "99")
	}
}

const (
	bare  = `{"id":"7","member_count":3,"roles":[{"id":"30"}],"members":[{"user":{"id":"99","bot":true},"roles":["30"]}]}`
	chunk = `{"guild_id":"7","nonce":"%s","chunk_index":%d,"chunk_count":2,"members":[{"user":{"id":"%d"},"roles":["30","31"]},{"user":{"id":"%d"},"roles":[]}]}`
)

// TestARosterIsWholeWithTheLastAnswer: only the last part of an answer to our own request
// says that there is nobody else, and a new session begins it anew.
func TestARosterIsWholeWithTheLastAnswer(t *testing.T) {
	e := &entry{}
	told(e, "GUILD_CREATE", bare, "GUILD_MEMBERS_CHUNK", fmt.Sprintf(chunk, "of-a-bot", 1, 1, 2), "GUILD_MEMBERS_CHUNK", fmt.Sprintf(chunk, "roster-1", 0, 3, 4))
	if e.roster.whole {
		t.Error("the roster is whole before the last part of the answer")
	}
	told(e, "GUILD_MEMBERS_CHUNK", fmt.Sprintf(chunk, "roster-1", 1, 5, 6))
	v := e.view(e.changed)
	if m, ok := v.Member(5); !ok || !e.roster.whole || string(m) != `{"user":{"id":"5"},"roles":["30","31"]}` {
		t.Errorf("%s %t, whole: %t", m, ok, e.roster.whole)
	}
	told(e, "GUILD_MEMBER_UPDATE", `{"user":{"id":"3"},"roles":[]}`, "GUILD_MEMBER_REMOVE", `{"user":{"id":"1"}}`,
		"GUILD_MEMBER_ADD", `{"user":{"id":"8"},"roles":["31"]}`, "GUILD_ROLE_DELETE", `{"role_id":"30"}`)
	if with := e.roster.with("31"); !slices.Equal(with, []string{"5", "8"}) || e.roster.who["99"] != nil {
		t.Errorf("%v have the role; the bot has %s", with, e.roster.who["99"])
	}
	if r := e.lost.remains; len(r) != 1 || !slices.Equal(r[0].Members, []string{"5", "99"}) {
		t.Errorf("%+v", r)
	}
	if all, _ := v.WithRoles(); len(slices.Collect(all)) != 4 {
		t.Error("a view changed after it was given")
	}
	told(e, "GUILD_CREATE", bare)
	if e.roster.whole || len(e.roster.with("31")) != 2 {
		t.Errorf("after a new session: whole: %t, %v", e.roster.whole, e.roster.with("31"))
	}
	if _, ok := e.view(e.changed).Member(8); ok {
		t.Error("a member of before a new session is shown")
	}
}

// TestARosterIsBounded: past its bound nobody is taken for somebody without roles.
func TestARosterIsBounded(t *testing.T) {
	r := roster{}
	for i := range maxRoster + 5 {
		r.put(fmt.Appendf(nil, `{"user":{"id":"%d"},"roles":["30"]}`, i+1))
	}
	r.note("GUILD_MEMBERS_CHUNK", json.RawMessage(fmt.Sprintf(chunk, "roster-1", 1, 1, 999999)))
	if len(r.who) != maxRoster || r.whole {
		t.Errorf("%d members, whole: %t", len(r.who), r.whole)
	}
}

// TestARosterIsStored: also that it is whole, in the same life of the stream.
func TestARosterIsStored(t *testing.T) {
	dec, err := newDecoder()
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	e := &entry{}
	told(e, "GUILD_CREATE", bare, "GUILD_MEMBERS_CHUNK", fmt.Sprintf(chunk, "roster-1", 1, 5, 6), "GUILD_ROLE_DELETE", `{"role_id":"30"}`)
	r := bus.GuildSnapshot{V: 1, Epoch: "a", Stream: e.changed, Created: e.created}
	pack(enc, &r, e.g.render(), e.lost.remains, e.roster.stored())
	for epoch, whole := range map[string]bool{"a": true, "b": false} {
		back, err := unpack(dec, r, epoch)
		if err != nil || back.roster.whole != whole || !slices.Equal(back.roster.with("31"), []string{"5"}) || len(back.lost.remains) != 1 || back.lost.size != e.lost.size {
			t.Errorf("life %s: %+v, %v", epoch, back, err)
		}
	}
}
