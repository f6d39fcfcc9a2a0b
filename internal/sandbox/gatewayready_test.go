package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"testing"

	"splashtail/internal/gateway"
	"splashtail/internal/sandbox/openapi"
)

// loaded is the description once for all tests: reading it takes seconds under the race detector.
var loaded = sync.OnceValues(func() (*openapi.Spec, error) {
	path, err := openapi.Find()
	if err != nil {
		return nil, nil // it is not at hand
	}
	return openapi.Load(path)
})

// description gives Discord's own description where it is at hand, else nil.
func description(t *testing.T) *openapi.Spec {
	t.Helper()
	spec := must(loaded())(t)
	if spec == nil {
		t.Log("not checked against Discord's description, which is not at hand")
		return nil
	}
	return spec.Fresh()
}

// keysOf takes a JSON object apart.
func keysOf(t *testing.T, raw json.RawMessage) map[string]json.RawMessage {
	t.Helper()
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(raw, &keys); err != nil {
		t.Fatalf("%v in %.200s", err, raw)
	}
	return keys
}

func items(t *testing.T, raw json.RawMessage) []json.RawMessage {
	t.Helper()
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil {
		t.Fatalf("%v in %.200s", err, raw)
	}
	return list
}

// TestGatewayObjectsMatchTheDescription holds what is inside of the events against Discord's schemas, and their own keys
// against what it documents.
func TestGatewayObjectsMatchTheDescription(t *testing.T) {
	w := newGatewayWorld(t, patient())
	w.ok(w.SetOverwrite(w.guild, w.text, w.plain, Overwrite{Allow: SendMessages, Deny: ManageChannels}))
	w.ok(w.SetPresence(w.cat, "idle"))
	spec := description(t)
	fits := func(name string, raw json.RawMessage) {
		t.Helper()
		if spec != nil {
			if err := spec.Component(name, raw); err != nil {
				t.Error(err)
			}
		}
	}
	c := w.dial("/?v=10")
	c.send(gateway.OpIdentify, identity(w.all, allIntents))
	r := keysOf(t, c.read().D)
	for _, key := range []string{"v", "user", "guilds", "session_id", "resume_gateway_url", "application", "private_channels"} {
		if r[key] == nil {
			t.Errorf("READY has no %s", key)
		}
	}
	fits("UserPIIResponse", r["user"])
	g := keysOf(t, c.event("GUILD_CREATE").D)
	fits("GuildResponse", rawJSON(g))
	for _, key := range []string{
		"joined_at", "large", "unavailable", "member_count", "voice_states", "members", "channels", "threads", "presences",
		"stage_instances", "guild_scheduled_events", "soundboard_sounds", "emojis", "stickers", "roles",
	} {
		if g[key] == nil || string(g[key]) == "null" {
			t.Errorf("GUILD_CREATE has no %s", key)
		}
	}
	for _, m := range items(t, g["members"]) {
		fits("GuildMemberResponse", m)
	}
	for _, m := range items(t, g["roles"]) {
		fits("GuildRoleResponse", m)
	}
	channels := items(t, g["channels"])
	for _, m := range channels {
		fits("GuildChannelResponse", m)
	}
	if len(channels) != 2 {
		t.Errorf("%d channels", len(channels))
	}
	states := items(t, g["voice_states"])
	if len(states) != 2 {
		t.Fatalf("%d voice states", len(states))
	}
	keys := slices.Sorted(maps.Keys(keysOf(t, states[0])))
	if slices.Contains(keys, "guild_id") || slices.Contains(keys, "member") || !slices.Contains(keys, "session_id") {
		t.Errorf("a voice state inside of a guild has %v", keys)
	}
	if p := items(t, g["presences"]); len(p) != 1 || string(keysOf(t, p[0])["status"]) != `"idle"` {
		t.Errorf("presences %s", g["presences"])
	}
	w.ok(w.SetVoice(w.guild, w.ana, true, false))
	fits("VoiceStateResponse", c.event("VOICE_STATE_UPDATE").D)
	w.say(1)
	m := keysOf(t, c.event("MESSAGE_CREATE").D)
	delete(m, "member")
	delete(m, "guild_id")
	fits("MessageResponse", rawJSON(m))
	fits("UserResponse", m["author"])
}

// TestGuildCreateMembers checks who is shown, by intent and size of the guild.
func TestGuildCreateMembers(t *testing.T) {
	w := newGatewayWorld(t, patient())
	for range 50 {
		w.ok(w.AddMember(w.guild, w.user("Crew")))
	}
	w.ok(w.SetPresence(w.cat, "dnd"))
	few := []ID{w.ana, w.bo, w.all.ID}
	slices.Sort(few)
	withCat := slices.Sorted(slices.Values(append(slices.Clone(few), w.cat)))
	for _, tc := range []struct {
		what    string
		intents Intents
		large   int
		want    []ID // nil: all
		isLarge bool
	}{
		{"no presences", IntentGuilds | IntentGuildMembers, 250, few, false},
		{"presences", IntentGuilds | IntentGuildPresences, 250, nil, false},
		{"presences, large", IntentGuilds | IntentGuildPresences, 50, withCat, true},
	} {
		c := w.dial("/?v=10")
		d := identity(w.all, tc.intents)
		d["large_threshold"] = tc.large
		c.ready(d)
		var g struct {
			Large   bool
			Count   int `json:"member_count"`
			Members []struct{ User idKey }
		}
		if err := json.Unmarshal(c.event("GUILD_CREATE").D, &g); err != nil {
			t.Fatal(err)
		}
		var got []ID
		for _, m := range g.Members {
			got = append(got, m.User.ID)
		}
		if g.Count != 56 || g.Large != tc.isLarge || tc.want != nil && !slices.Equal(got, tc.want) || tc.want == nil && len(got) != 56 {
			t.Errorf("%s: large %v, %d members, shown %v, want %v", tc.what, g.Large, g.Count, got, tc.want)
		}
	}
}

func TestGuildsByShard(t *testing.T) {
	w := newGatewayWorld(t, GatewaySettings{IdentifyEvery: -1, GuildsPerShard: 40})
	all := []ID{w.guild}
	// Guilds made in the same millisecond share it, and with it their shard: the ids come from the clock.
	for range 40 {
		g := must(w.AddGuild("Other", w.owner))(t)
		w.ok(w.AddMember(g, w.all.ID))
		all = append(all, g)
	}
	one := w.dial("/?v=10")
	one.send(gateway.OpIdentify, identity(w.all, IntentGuilds))
	if code := one.closed(); code != gateway.CloseShardingRequired {
		t.Errorf("41 guilds on one shard of at most 40: closed with %d", code)
	}
	w.SetGateway(patient())
	const n = 3
	seen := map[ID]int{}
	for shard := range n {
		c := w.dial("/?v=10")
		d := identity(w.all, IntentGuilds)
		d["shard"] = []int{shard, n}
		r := c.ready(d)
		if r.Shard == nil || *r.Shard != [2]int{shard, n} {
			t.Errorf("READY says shard %v", r.Shard)
		}
		for _, g := range r.Guilds {
			if int(uint64(g.ID)>>22%n) != shard {
				t.Errorf("guild %s is on shard %d", g.ID, shard)
			}
			seen[g.ID]++
		}
		created := 0
		for _, m := range c.sync() {
			if m.name() == "GUILD_CREATE" {
				created++
			}
		}
		if created != len(r.Guilds) {
			t.Errorf("shard %d: %d guilds in READY, %d created", shard, len(r.Guilds), created)
		}
	}
	for _, g := range all {
		if seen[g] != 1 {
			t.Errorf("guild %s was on %d shards", g, seen[g])
		}
	}
}

func TestOutage(t *testing.T) {
	w := newGatewayWorld(t, patient())
	c := w.dial("/?v=10")
	c.ready(identity(w.all, allIntents))
	c.event("GUILD_CREATE")
	w.ok(w.SetUnavailable(w.guild, true))
	if m := c.event("GUILD_DELETE"); string(keysOf(t, m.D)["unavailable"]) != "true" {
		t.Errorf("an outage was told as %s", m.D)
	}
	w.say(1) // lost
	late := w.dial("/?v=10")
	late.ready(identity(w.all, allIntents))
	if m := late.read(); m.name() != "GUILD_DELETE" || string(keysOf(t, m.D)["unavailable"]) != "true" {
		t.Errorf("a session of the outage got %s %.80s", m.name(), m.D)
	}
	w.ok(w.SetUnavailable(w.guild, false))
	for _, c := range []*gatewayClient{c, late} {
		if m := c.read(); m.name() != "GUILD_CREATE" || string(keysOf(t, m.D)["unavailable"]) != "false" {
			t.Errorf("after the outage came %s %.80s", m.name(), m.D)
		}
	}
}

// TestBotJoinsAndLeaves checks that a guild that comes or goes in a session is no outage.
func TestBotJoinsAndLeaves(t *testing.T) {
	w := newGatewayWorld(t, patient())
	joining := must(w.AddApplication(ApplicationSpec{Name: "late", MembersIntent: true}))(t)
	watcher, c := w.dial("/?v=10"), w.dial("/?v=10")
	watcher.ready(identity(w.all, IntentGuilds|IntentGuildMembers))
	watcher.event("GUILD_CREATE")
	if r := c.ready(identity(joining, IntentGuilds|IntentGuildMembers)); len(r.Guilds) != 0 {
		t.Errorf("guilds %v", r.Guilds)
	}
	w.ok(w.AddMember(w.guild, joining.ID))
	m := c.read()
	if keys := keysOf(t, m.D); m.name() != "GUILD_CREATE" || keys["unavailable"] != nil || len(items(t, keys["members"])) != 3 {
		t.Errorf("on joining came %s %s", m.name(), m.D)
	}
	user := func(m message, name string) ID {
		t.Helper()
		var e struct {
			Guild ID `json:"guild_id"`
			User  idKey
		}
		if err := json.Unmarshal(m.D, &e); err != nil || m.name() != name || e.Guild != w.guild {
			t.Errorf("came %s %s, want %s", m.name(), m.D, name)
		}
		return e.User.ID
	}
	if id := user(watcher.read(), "GUILD_MEMBER_ADD"); id != joining.ID {
		t.Errorf("%s joined", id)
	}
	w.ok(w.AddMember(w.guild, w.cat, w.plain))
	if id := user(watcher.read(), "GUILD_MEMBER_UPDATE"); id != w.cat {
		t.Errorf("%s changed", id)
	}
	w.ok(w.RemoveMember(w.guild, joining.ID))
	if id := user(watcher.read(), "GUILD_MEMBER_REMOVE"); id != joining.ID {
		t.Errorf("%s left", id)
	}
	gone := c.event("GUILD_DELETE")
	if keys := keysOf(t, gone.D); keys["unavailable"] != nil || string(keys["id"]) != `"`+w.guild.String()+`"` {
		t.Errorf("on leaving came %s", gone.D)
	}
	w.say(1)
	if rest := c.sync(); len(rest) != 0 {
		t.Errorf("after leaving came %d frames", len(rest))
	}
}
