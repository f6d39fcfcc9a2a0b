package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"splashtail/internal/gateway"
)

func readChunk(t *testing.T, m message) membersChunk {
	t.Helper()
	// wireMember writes its times in a form of its own, so only what is asked for is read.
	var raw struct {
		GuildID  ID                     `json:"guild_id"`
		Members  []struct{ User idKey } `json:"members"`
		Index    int                    `json:"chunk_index"`
		Count    int                    `json:"chunk_count"`
		NotFound []ID                   `json:"not_found"`
		Pres     []struct{ User idKey } `json:"presences"`
		Nonce    *string                `json:"nonce"`
	}
	if err := json.Unmarshal(m.D, &raw); err != nil || m.name() != "GUILD_MEMBERS_CHUNK" {
		t.Fatalf("%s %.200s: %v", m.name(), m.D, err)
	}
	c := membersChunk{GuildID: raw.GuildID, Index: raw.Index, Count: raw.Count, NotFound: raw.NotFound, Nonce: raw.Nonce}
	for _, u := range raw.Members {
		c.Members = append(c.Members, wireMember{User: wireUser{ID: u.User.ID}})
	}
	for _, u := range raw.Pres {
		c.Presences = append(c.Presences, wirePresence{User: u.User})
	}
	return c
}

func TestAllMembersInChunks(t *testing.T) {
	w := newGatewayWorld(t, patient())
	for range 2100 {
		w.ok(w.AddMember(w.guild, w.user("Crew")))
	}
	c := w.dial("/?v=10")
	c.ready(identity(w.all, IntentGuilds|IntentGuildMembers))
	c.event("GUILD_CREATE")
	c.raw(fmt.Sprintf(`{"op":8,"d":{"guild_id":%d,"query":"","limit":0,"nonce":"n1"}}`, w.guild)) // a number, as discord.py sends it
	seen := map[ID]bool{}
	for i := range 3 {
		k := readChunk(t, c.read())
		if k.GuildID != w.guild || k.Index != i || k.Count != 3 || k.Nonce == nil || *k.Nonce != "n1" || len(k.Members) > membersPerChunk {
			t.Fatalf("chunk %d: index %d of %d, %d members, nonce %v", i, k.Index, k.Count, len(k.Members), k.Nonce)
		}
		for _, m := range k.Members {
			seen[m.User.ID] = true
		}
	}
	if len(seen) != 2106 {
		t.Errorf("%d members came", len(seen))
	}
	c.raw(fmt.Sprintf(`{"op":8,"d":{"guild_id":["%s"],"query":"","limit":0,"nonce":"n2"}}`, w.guild)) // a list, as discordgo sends it
	var limited struct {
		Opcode int
		Retry  float64 `json:"retry_after"`
		Meta   struct {
			Guild ID `json:"guild_id"`
			Nonce string
		}
	}
	m := c.read()
	w.ok(json.Unmarshal(m.D, &limited))
	if m.name() != "RATE_LIMITED" || limited.Opcode != 8 || limited.Retry <= 0 || limited.Retry > 30 || limited.Meta.Guild != w.guild || limited.Meta.Nonce != "n2" {
		t.Errorf("the second request got %s %s", m.name(), m.D)
	}
}

func TestSomeMembers(t *testing.T) {
	w := newGatewayWorld(t, patient())
	w.ok(w.SetPresence(w.ana, "online"))
	c := w.dial("/?v=10")
	c.ready(identity(w.all, IntentGuilds|IntentGuildPresences))
	c.event("GUILD_CREATE")
	for _, tc := range []struct {
		d                 string
		members, notFound int
		presences         int
		nonce             bool
	}{
		{`"query":"A","limit":5`, 1, 0, 0, false},
		{`"query":"zzz","limit":1`, 0, 0, 0, false},
		{`"query":"","limit":2,"nonce":"x"`, 2, 0, 0, true},
		{`"user_ids":"` + w.bo.String() + `"`, 1, 0, 0, false},
		{`"user_ids":["` + w.ana.String() + `","5"],"presences":true,"nonce":"` + strings.Repeat("n", 32) + `"`, 1, 1, 1, true},
		{`"user_ids":["` + w.ana.String() + `"],"nonce":"` + strings.Repeat("n", 33) + `"`, 1, 0, 0, false},
	} {
		c.raw(`{"op":8,"d":{"guild_id":"` + w.guild.String() + `",` + tc.d + `}}`)
		k := readChunk(t, c.read())
		if k.Count != 1 || k.Index != 0 || len(k.Members) != tc.members || len(k.NotFound) != tc.notFound || len(k.Presences) != tc.presences || (k.Nonce != nil) != tc.nonce {
			t.Errorf("%s: %+v", tc.d, k)
		}
	}
	for d, code := range map[string]int{
		`"query":"","limit":0`:             gateway.CloseDisallowedIntents, // all, without the members intent
		`"limit":0`:                        gateway.CloseDecode,
		`"query":"a","user_ids":["1"]`:     gateway.CloseDecode,
		`"query":"a","limit":"many"`:       gateway.CloseDecode,
		`"query":"a","guild_id":["1","2"]`: gateway.CloseDecode,
		`"user_ids":["x"]`:                 gateway.CloseDecode,
	} {
		c := w.dial("/?v=10")
		c.ready(identity(w.all, IntentGuilds))
		c.raw(`{"op":8,"d":{"guild_id":"` + w.guild.String() + `",` + d + `}}`)
		if got := c.closed(); got != code {
			t.Errorf("%s: closed with %d, want %d", d, got, code)
		}
	}
}

// TestBotJoinsVoice checks op 4 and what it sends to whom.
func TestBotJoinsVoice(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c, other := w.dial("/?v=10"), w.dial("/?v=10")
	c.ready(identity(w.all, IntentGuilds|IntentGuildVoiceStates))
	c.event("GUILD_CREATE")
	d := identity(w.bot, IntentGuilds|IntentGuildVoiceStates)
	other.ready(d)
	other.event("GUILD_CREATE")
	join := func(channel string) {
		c.raw(`{"op":4,"d":{"guild_id":"` + w.guild.String() + `","channel_id":` + channel + `,"self_mute":true,"self_deaf":false}}`)
	}
	type state struct {
		Guild    ID     `json:"guild_id"`
		Channel  *ID    `json:"channel_id"`
		User     ID     `json:"user_id"`
		Session  string `json:"session_id"`
		SelfMute bool   `json:"self_mute"`
		Member   struct{ User idKey }
	}
	stateOf := func(m message) (s state) {
		t.Helper()
		if m.name() != "VOICE_STATE_UPDATE" {
			t.Fatalf("came %s", m.name())
		}
		w.ok(json.Unmarshal(m.D, &s))
		return s
	}
	join(`"` + w.text.String() + `"`) // ignored: no voice there
	join(`"1"`)                       // ignored: no such channel
	join(`"` + w.voice.String() + `"`)
	s := stateOf(c.read())
	if s.Guild != w.guild || *s.Channel != w.voice || s.User != w.all.ID || s.Session != c.id || !s.SelfMute || s.Member.User.ID != w.all.ID {
		t.Errorf("%+v", s)
	}
	if m := c.read(); m.name() != "VOICE_SERVER_UPDATE" || keysOf(t, m.D)["endpoint"] == nil {
		t.Errorf("came %s %s", m.name(), m.D)
	}
	stateOf(other.read())
	join("null")
	if s := stateOf(c.read()); s.Channel != nil {
		t.Errorf("%+v", s)
	}
	stateOf(other.read())
	w.ok(w.SetVoice(w.guild, w.bo, true, true)) // no VOICE_SERVER_UPDATE came to the other in between
	if s := stateOf(other.read()); s.User != w.bo {
		t.Errorf("%+v", s)
	}
	w.ok(w.SetOverwrite(w.guild, w.voice, w.all.ID, Overwrite{Deny: Connect}))
	join(`"` + w.voice.String() + `"`)
	for _, m := range c.sync() {
		if m.name() == "VOICE_SERVER_UPDATE" || m.name() == "VOICE_STATE_UPDATE" && stateOf(m).User == w.all.ID {
			t.Errorf("without CONNECT came %s %s", m.name(), m.D)
		}
	}
	if v, _ := w.VoiceState(w.guild, w.all.ID); v.Channel != 0 {
		t.Error("the bot is in voice without CONNECT")
	}
}

// TestAskedForOtherThings checks presence, sounds and channel info.
func TestAskedForOtherThings(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c := w.dial("/?v=10")
	d := identity(w.all, IntentGuilds|IntentGuildPresences)
	d["presence"] = json.RawMessage(`{"status":"","game":{},"afk":false,"since":0}`) // as discordgo sends it: ignored
	c.ready(d)
	c.event("GUILD_CREATE")
	c.raw(`{"op":3,"d":{"since":null,"activities":[{"name":"Among Us","type":0}],"status":"dnd","afk":false}}`)
	if m := c.read(); m.name() != "PRESENCE_UPDATE" || string(keysOf(t, m.D)["status"]) != `"dnd"` || string(keysOf(t, m.D)["guild_id"]) != `"`+w.guild.String()+`"` {
		t.Errorf("came %s %s", m.name(), m.D)
	}
	c.raw(`{"op":3,"d":{"since":null,"activities":[],"status":"invisible","afk":false}}`)
	if m := c.read(); string(keysOf(t, m.D)["status"]) != `"offline"` {
		t.Errorf("invisible shows as %s", m.D)
	}
	c.raw(`{"op":31,"d":{"guild_ids":["` + w.guild.String() + `","5"]}}`)
	if m := c.read(); m.name() != "SOUNDBOARD_SOUNDS" || string(keysOf(t, m.D)["guild_id"]) != `"`+w.guild.String()+`"` {
		t.Errorf("came %s %s", m.name(), m.D)
	}
	c.raw(`{"op":43,"d":{"guild_id":"` + w.guild.String() + `","fields":["status"]}}`)
	if m := c.read(); m.name() != "CHANNEL_INFO" {
		t.Errorf("came %s %s", m.name(), m.D)
	}
	c.raw(`{"op":43,"d":{"guild_id":"` + w.guild.String() + `"}}`)
	if code := c.closed(); code != gateway.CloseDecode {
		t.Errorf("closed with %d", code)
	}
}
