package upstream

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"splashtail/bus"
)

const scoutedGuild = bus.GuildID(7)

// newScouting is a scout whose session has shown its guilds.
func newScouting(t *testing.T) *scout {
	t.Helper()
	c := newScout(&place{})
	c.begin(bus.Dispatch{Event: eventReady, Data: json.RawMessage(`{"guilds":[{"id":"7"}]}`)}, &session{id: "new"})
	if c.showing() != "" {
		t.Fatal("a guild is still to be shown")
	}
	brings(t, c, bus.Dispatch{Guild: scoutedGuild, Event: "GUILD_CREATE", Seq: 2, Data: json.RawMessage(`{"id":"7"}`)})
	if c.showing() != "new" {
		t.Fatal("every guild was shown")
	}
	return c
}

// brings has the new session bring an event.
func brings(t *testing.T, c *scout, d bus.Dispatch) {
	t.Helper()
	if err := c.publish(t.Context(), d, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// said is the message n; its number in the new session is 10 more.
func said(n int) bus.Dispatch {
	return bus.Dispatch{Guild: scoutedGuild, Event: "MESSAGE_CREATE", Seq: int64(10 + n), Data: fmt.Appendf(nil, `{"id":"%d","content":"c"}`, n)}
}

// skips are the events of the new session that are not stored again.
func skips(c *scout) (seqs []int64) {
	for _, s := range c.takeover(time.Now().Add(time.Hour)).Taken.Skip {
		seqs = append(seqs, int64(s[0]))
	}
	return seqs
}

// TestWhatAnOldSessionReadsLateIsOwedByNobody: it stores what came before the guild was
// shown when the new session has gone on already.
func TestWhatAnOldSessionReadsLateIsOwedByNobody(t *testing.T) {
	c := newScouting(t)
	brings(t, c, said(3))
	brings(t, c, said(4))
	for place, n := range []int{1, 2, 3} {
		c.stored(said(n), uint64(place+1))
	}
	if _, owed, err := c.state(); owed != 0 || err != nil {
		t.Errorf("%d events are owed: %v", owed, err)
	}
	// Message 4 is not stored; everything before it is.
	if s := c.takeover(time.Now().Add(time.Hour)); s.Taken.From != 13 || len(s.Taken.Skip) != 0 {
		t.Errorf("%+v", s.Taken)
	}
	again := said(1)
	again.Seq = 15
	brings(t, c, again)
	if got := skips(c); len(got) != 0 {
		t.Errorf("a later event that says the same is not stored: %v", got)
	}
}

// TestTheNewSessionOwesWhatTheOldOneHasStoredMore: until it brings it.
func TestTheNewSessionOwesWhatTheOldOneHasStoredMore(t *testing.T) {
	c := newScouting(t)
	brings(t, c, said(1))
	for place, n := range []int{1, 2, 3} {
		c.stored(said(n), uint64(place+1))
	}
	if _, owed, _ := c.state(); owed != 2 {
		t.Errorf("%d events are owed", owed)
	}
	brings(t, c, said(2))
	brings(t, c, said(3))
	if _, owed, _ := c.state(); owed != 0 {
		t.Errorf("%d events are owed", owed)
	}
	if s := c.takeover(time.Now().Add(time.Hour)); s.Seq != 13 {
		t.Errorf("%+v", s)
	}
}

// TestWhatIsProvenToBeOlderIsForgotten: so that no later event that says the same is taken
// for it, and nobody waits for it.
func TestWhatIsProvenToBeOlderIsForgotten(t *testing.T) {
	c := newScouting(t)
	c.stored(said(1), 1)
	c.stored(said(2), 2)
	c.forget(1)
	if _, owed, _ := c.state(); owed != 1 {
		t.Errorf("%d events are owed", owed)
	}
	brings(t, c, said(2))
	again := said(1)
	again.Seq = 13
	brings(t, c, again)
	if _, owed, _ := c.state(); owed != 0 {
		t.Errorf("%d events are owed", owed)
	}
	if s := c.takeover(time.Now().Add(time.Hour)); s.Seq != 12 {
		t.Errorf("what is not stored is left out: %+v", s)
	}
}

// TestAFormIsTheSameInBothSessions: although each seals what is secret in it anew.
func TestAFormIsTheSameInBothSessions(t *testing.T) {
	form := func(id, sealed string) eventKey {
		return keyOf(bus.Dispatch{Guild: scoutedGuild, Event: "INTERACTION_CREATE", Data: fmt.Appendf(nil, `{"id":%q,"type":5,"data":{"components":[{"value":%q}]}}`, id, sealed)})
	}
	if form("1", "sealed:a") != form("1", "sealed:b") {
		t.Error("one form counts as two")
	}
	if form("1", "sealed:a") == form("2", "sealed:a") {
		t.Error("two forms count as one")
	}
}

// TestProofsHoldForTheSessionsThatWereThere: one that began anew since lacks what came in
// between.
func TestProofsHoldForTheSessionsThatWereThere(t *testing.T) {
	c := &change{scouts: []*scout{newScouting(t)}}
	c.begun = c.sessions()
	if err := c.kept(); err != nil {
		t.Error(err)
	}
	c.scouts[0].begin(bus.Dispatch{Event: eventReady, Data: json.RawMessage(`{"guilds":[{"id":"7"}]}`)}, &session{id: "another"})
	if err := c.kept(); err == nil {
		t.Error("it shows nothing yet")
	}
	c.scouts[0].take(bus.Dispatch{Guild: scoutedGuild, Event: "GUILD_CREATE", Seq: 2, Data: json.RawMessage(`{"id":"7"}`)}, time.Now())
	if err := c.kept(); err == nil {
		t.Error("it is another one")
	}
}
