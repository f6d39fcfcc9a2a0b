package downstream

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/gateway"
)

func dispatch(name string, guild bus.GuildID, d string) *event {
	return newEvent(bus.Delivery[bus.Dispatch]{Seq: 1, Value: bus.Dispatch{Guild: guild, Event: name, Data: json.RawMessage(d)}})
}

// TestIntents holds the table of intents: which bit lets an event through, in a guild and
// outside of one. 0 means that it comes to everybody, -1 that it comes to nobody else.
func TestIntents(t *testing.T) {
	for events, want := range map[string][2]uint64{
		"GUILD_CREATE GUILD_UPDATE GUILD_DELETE GUILD_ROLE_CREATE GUILD_ROLE_UPDATE GUILD_ROLE_DELETE CHANNEL_CREATE CHANNEL_UPDATE CHANNEL_DELETE " +
			"THREAD_CREATE THREAD_UPDATE THREAD_DELETE THREAD_LIST_SYNC THREAD_MEMBER_UPDATE STAGE_INSTANCE_CREATE STAGE_INSTANCE_UPDATE STAGE_INSTANCE_DELETE " +
			"VOICE_CHANNEL_STATUS_UPDATE VOICE_CHANNEL_START_TIME_UPDATE": {1 << 0, 1 << 0},
		"CHANNEL_PINS_UPDATE": {1 << 0, 1 << 12},
		"GUILD_MEMBER_ADD GUILD_MEMBER_UPDATE GUILD_MEMBER_REMOVE THREAD_MEMBERS_UPDATE":                         {1 << 1, 1 << 1},
		"GUILD_AUDIT_LOG_ENTRY_CREATE GUILD_BAN_ADD GUILD_BAN_REMOVE":                                            {1 << 2, 1 << 2},
		"GUILD_EMOJIS_UPDATE GUILD_STICKERS_UPDATE GUILD_SOUNDBOARD_SOUND_CREATE GUILD_SOUNDBOARD_SOUNDS_UPDATE": {1 << 3, 1 << 3},
		"GUILD_INTEGRATIONS_UPDATE INTEGRATION_CREATE INTEGRATION_UPDATE INTEGRATION_DELETE":                     {1 << 4, 1 << 4},
		"WEBHOOKS_UPDATE":                              {1 << 5, 1 << 5},
		"INVITE_CREATE INVITE_DELETE":                  {1 << 6, 1 << 6},
		"VOICE_STATE_UPDATE VOICE_CHANNEL_EFFECT_SEND": {1 << 7, 1 << 7},
		"PRESENCE_UPDATE":                              {1 << 8, 1 << 8},
		"MESSAGE_CREATE MESSAGE_UPDATE MESSAGE_DELETE": {1 << 9, 1 << 12},
		"MESSAGE_DELETE_BULK":                          {1 << 9, 1 << 9},
		"MESSAGE_REACTION_ADD MESSAGE_REACTION_REMOVE MESSAGE_REACTION_REMOVE_ALL MESSAGE_REACTION_REMOVE_EMOJI": {1 << 10, 1 << 13},
		"TYPING_START": {1 << 11, 1 << 14},
		"MESSAGE_POLL_VOTE_ADD MESSAGE_POLL_VOTE_REMOVE":                                      {1 << 24, 1 << 25},
		"GUILD_SCHEDULED_EVENT_CREATE GUILD_SCHEDULED_EVENT_USER_ADD":                         {1 << 16, 1 << 16},
		"AUTO_MODERATION_RULE_CREATE AUTO_MODERATION_RULE_UPDATE AUTO_MODERATION_RULE_DELETE": {1 << 20, 1 << 20},
		"AUTO_MODERATION_ACTION_EXECUTION":                                                    {1 << 21, 1 << 21},
		"INTERACTION_CREATE ENTITLEMENT_CREATE ENTITLEMENT_DELETE SUBSCRIPTION_CREATE USER_UPDATE APPLICATION_COMMAND_PERMISSIONS_UPDATE " +
			"SOUNDBOARD_SOUNDS CHANNEL_INFO RATE_LIMITED GUILD_MEMBERS_CHUNK VOICE_SERVER_UPDATE AN_EVENT_OF_TOMORROW GUILD_JOIN_REQUEST_UPDATE": {0, 0},
	} {
		for _, name := range strings.Fields(events) {
			for i, guild := range []bus.GuildID{1, 0} {
				for bit := range 27 {
					_, shown := view{shards: 1, upstream: 1, version: 10, intents: 1 << bit, self: selfID}.show(dispatch(name, guild, `{}`))
					if shown != (want[i] == 0 || want[i] == 1<<bit) {
						t.Errorf("%s in guild %d with bit %d: %t", name, guild, bit, shown)
					}
				}
			}
		}
	}
}

func TestEventsAboutTheBotItself(t *testing.T) {
	none := view{shards: 1, upstream: 1, version: 10, self: selfID}
	for text, want := range map[string]bool{
		`GUILD_MEMBER_UPDATE {"user":{"id":"123"}}`:                   true,
		`GUILD_MEMBER_UPDATE {"user":{"id":"124"}}`:                   false,
		`GUILD_MEMBER_ADD {"user":{"id":"123"}}`:                      false,
		`THREAD_MEMBERS_UPDATE {"added_members":[{"user_id":"123"}]}`: true,
		`THREAD_MEMBERS_UPDATE {"removed_member_ids":["1","123"]}`:    true,
		`THREAD_MEMBERS_UPDATE {"removed_member_ids":["1"]}`:          false,
	} {
		name, d, _ := strings.Cut(text, " ")
		if _, shown := none.show(dispatch(name, 1, d)); shown != want {
			t.Errorf("%s: %t", text, shown)
		}
	}
}

func TestRedaction(t *testing.T) {
	const full = `"content":"secret","embeds":[{"a":1}],"attachments":[1],"components":[2],"poll":{"q":1},"id":"7"`
	const blanked = `"content":"","embeds":[],"attachments":[],"components":[],"id":"7"`
	for name, c := range map[string]struct {
		event, d, want string
		guild          bus.GuildID
	}{
		"of somebody":    {"MESSAGE_CREATE", `{"author":{"id":"9"},` + full + `}`, `{"author":{"id":"9"},` + blanked + `}`, 1},
		"an update":      {"MESSAGE_UPDATE", `{"author":{"id":"9"},` + full + `}`, `{"author":{"id":"9"},` + blanked + `}`, 1},
		"a part only":    {"MESSAGE_UPDATE", `{"id":"7","content":"secret"}`, `{"id":"7","content":""}`, 1},
		"its own":        {"MESSAGE_CREATE", `{"author":{"id":"123"},` + full + `}`, "", 1},
		"mentions it":    {"MESSAGE_CREATE", `{"author":{"id":"9"},"mentions":[{"id":"8"},{"id":"123"}],` + full + `}`, "", 1},
		"direct":         {"MESSAGE_CREATE", `{"author":{"id":"9"},` + full + `}`, "", 0},
		"answer":         {"MESSAGE_CREATE", `{"author":{"id":"9"},"content":"x","referenced_message":{"author":{"id":"8"},"content":"y"}}`, `{"author":{"id":"9"},"content":"","referenced_message":{"author":{"id":"8"},"content":""}}`, 1},
		"answer to it":   {"MESSAGE_CREATE", `{"author":{"id":"9"},"content":"x","referenced_message":{"author":{"id":"123"},"content":"y"}}`, `{"author":{"id":"9"},"content":"","referenced_message":{"author":{"id":"123"},"content":"y"}}`, 1},
		"forward":        {"MESSAGE_CREATE", `{"author":{"id":"9"},"message_snapshots":[{"message":{"content":"y"}},{}]}`, `{"author":{"id":"9"},"message_snapshots":[{"message":{"content":""}},{}]}`, 1},
		"auto mod":       {"AUTO_MODERATION_ACTION_EXECUTION", `{"content":"x","matched_content":"y","rule_id":"1"}`, `{"content":"","matched_content":"","rule_id":"1"}`, 1},
		"an interaction": {"INTERACTION_CREATE", `{"content":"x"}`, "", 1},
	} {
		if c.want == "" {
			c.want = c.d
		}
		v := view{shards: 1, upstream: 1, version: 10, intents: gateway.KnownIntents &^ gateway.IntentMessageContent, self: selfID}
		if got, _ := v.show(dispatch(c.event, c.guild, c.d)); string(got) != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
		for _, open := range []view{{shards: 1, upstream: 1, version: 9, intents: v.intents, self: selfID}, {shards: 1, upstream: 1, version: 10, intents: gateway.KnownIntents, self: selfID}} {
			if got, _ := open.show(dispatch(c.event, c.guild, c.d)); string(got) != c.d {
				t.Errorf("%s: version %d with intents %d sees %s", name, open.version, open.intents, got)
			}
		}
	}
}

// TestNothingSecretPasses: in whatever message, what a bot without the content intent
// sees of others has none of the secret, is valid JSON, and keeps everything else.
func TestNothingSecretPasses(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var message func(depth int) (text string, others bool)
	message = func(depth int) (string, bool) {
		author, secret, others := "9", "SECRET", true
		if r.IntN(4) == 0 {
			author, secret, others = selfID, "open", false
		}
		parts := []string{`"author":{"id":"` + author + `"}`, `"keep":"me"`}
		for _, key := range []string{"content", "embeds", "attachments", "components", "poll"} {
			switch r.IntN(4) {
			case 0:
				parts = append(parts, `"`+key+`":"`+secret+`"`)
			case 1:
				parts = append(parts, `"`+key+`":[{"x":"`+secret+`\"}"}]`)
			case 2:
				parts = append(parts, `"`+key+`":null`)
			}
		}
		if depth > 0 && others { // what its own messages answer is shown with them
			inner, _ := message(depth - 1)
			parts = append(parts, `"referenced_message":`+inner, `"message_snapshots":[{"message":`+inner+`}]`)
		}
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		return "{" + strings.Join(parts, ",") + "}", others
	}
	v := view{shards: 1, upstream: 1, version: 10, intents: gateway.IntentGuildMessages, self: selfID}
	for range 2000 {
		text, _ := message(2)
		d, ok := v.show(dispatch("MESSAGE_CREATE", 1, text))
		if !ok || !json.Valid(d) || strings.Contains(string(d), "SECRET") || strings.Count(string(d), `"keep":"me"`) != strings.Count(text, `"keep":"me"`) {
			t.Fatalf("%s\nbecame %s", text, d)
		}
	}
}

// TestNumbersSurviveALoss: the newest events are lost with a process and stored anew, in
// another order among shards and at other places. A bot that comes back with the number
// of the last event that it got is given exactly the rest.
func TestNumbersSurviveALoss(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		// Two shards; the bot sees shard 0. Discord's events, by shard.
		var stream []*event
		seqs := [2]int64{}
		session := func(shard int) string { return fmt.Sprint("up", shard) }
		add := func(shard int) {
			seqs[shard]++
			stream = append(stream, &event{place: uint64(len(stream) + 1), shard: shard, session: session(shard), seq: seqs[shard]})
		}
		for range 20 + r.IntN(50) {
			add(r.IntN(2))
		}
		base := r.IntN(10)
		v := view{shard: 0, shards: 2, upstream: 2}
		num := numbering{single: true, base: uint64(base), burst: 3}
		var had []int64
		var last uint64
		stop := base + 1 + r.IntN(len(stream)-base)
		for _, e := range stream[base:stop] {
			if v.ofShard(e) {
				last = num.of(e)
				had = append(had, e.seq)
			}
		}
		if len(had) == 0 {
			continue
		}
		// The tail is lost and comes again, shard after shard.
		kept := max(base, stop-r.IntN(15))
		lost := append([]*event(nil), stream[kept:]...)
		stream = stream[:kept]
		for shard := range 2 {
			for _, e := range lost {
				if e.shard == shard {
					stream = append(stream, &event{place: uint64(len(stream) + 1), shard: shard, session: e.session, seq: e.seq})
				}
			}
		}
		again := numbering{single: true, base: uint64(base), burst: 3, parts: num.parts, high: last}
		for _, e := range stream[base:] {
			if v.ofShard(e) && again.of(e) > last {
				had = append(had, e.seq)
			}
		}
		for i := 1; i < len(had); i++ {
			if had[i] != had[i-1]+1 {
				t.Fatalf("seed %d: event %d follows event %d", seed, had[i], had[i-1])
			}
		}
		if had[len(had)-1] != seqs[0] {
			t.Fatalf("seed %d: the last event is %d of %d", seed, had[len(had)-1], seqs[0])
		}
	}
}

func TestNewSessionsWithDiscordGoOnCounting(t *testing.T) {
	n := numbering{single: true, burst: 5}
	var last uint64
	for part := range 20 {
		for seq := range int64(3) {
			if got := n.of(&event{session: fmt.Sprint(part), seq: seq + 10}); got != last+1 && last != 0 || last == 0 && got != 6 {
				t.Fatalf("session %d: event %d has number %d after %d", part, seq, got, last)
			} else {
				last = got
			}
		}
	}
	if len(n.parts) != maxParts {
		t.Errorf("%d parts are kept", len(n.parts))
	}
}
