package sandbox

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"slices"
	"testing"
)

// deliver makes a session without a connection and gives the events that came to it.
func (w *gatewayWorld) deliver(app Application, version int, intents Intents, do func()) []sent {
	w.t.Helper()
	w.mu.Lock()
	s := &gatewaySession{
		id: newSessionID(), app: w.apps[app.ID], shards: 1, version: version, intents: intents, large: 50,
		log: newRing[sent](256), received: map[int]int{},
	}
	s.conn = &gatewayConn{wake: make(chan struct{}, 1), session: s}
	w.gateway.sessions[s.id] = s
	w.mu.Unlock()
	do()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.gateway.sessions, s.id)
	return s.log.after(0, 0)
}

// eventsByIntent is Discord's table, written down once more.
func eventsByIntent() map[Intents][]string {
	return map[Intents][]string{
		IntentGuilds: {
			"GUILD_CREATE", "GUILD_UPDATE", "GUILD_DELETE", "GUILD_ROLE_CREATE", "GUILD_ROLE_UPDATE", "GUILD_ROLE_DELETE",
			"CHANNEL_CREATE", "CHANNEL_UPDATE", "CHANNEL_DELETE", "CHANNEL_PINS_UPDATE", "THREAD_CREATE", "THREAD_UPDATE",
			"THREAD_DELETE", "THREAD_LIST_SYNC", "THREAD_MEMBER_UPDATE", "STAGE_INSTANCE_CREATE", "STAGE_INSTANCE_DELETE",
			"VOICE_CHANNEL_STATUS_UPDATE", "VOICE_CHANNEL_START_TIME_UPDATE",
		},
		IntentGuildMembers:     {"GUILD_MEMBER_ADD", "GUILD_MEMBER_UPDATE", "GUILD_MEMBER_REMOVE", "THREAD_MEMBERS_UPDATE"},
		IntentGuildModeration:  {"GUILD_AUDIT_LOG_ENTRY_CREATE", "GUILD_BAN_ADD", "GUILD_BAN_REMOVE"},
		IntentGuildExpressions: {"GUILD_EMOJIS_UPDATE", "GUILD_STICKERS_UPDATE", "GUILD_SOUNDBOARD_SOUND_CREATE", "GUILD_SOUNDBOARD_SOUNDS_UPDATE"},
		IntentGuildIntegrations: {
			"GUILD_INTEGRATIONS_UPDATE", "INTEGRATION_CREATE", "INTEGRATION_UPDATE", "INTEGRATION_DELETE",
		},
		IntentGuildWebhooks:    {"WEBHOOKS_UPDATE"},
		IntentGuildInvites:     {"INVITE_CREATE", "INVITE_DELETE"},
		IntentGuildVoiceStates: {"VOICE_STATE_UPDATE", "VOICE_CHANNEL_EFFECT_SEND"},
		IntentGuildPresences:   {"PRESENCE_UPDATE"},
		IntentGuildMessages:    {"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK"},
		IntentGuildReactions: {
			"MESSAGE_REACTION_ADD", "MESSAGE_REACTION_REMOVE", "MESSAGE_REACTION_REMOVE_ALL", "MESSAGE_REACTION_REMOVE_EMOJI",
		},
		IntentGuildTyping:          {"TYPING_START"},
		IntentScheduledEvents:      {"GUILD_SCHEDULED_EVENT_CREATE", "GUILD_SCHEDULED_EVENT_USER_ADD"},
		IntentAutoModConfiguration: {"AUTO_MODERATION_RULE_CREATE", "AUTO_MODERATION_RULE_DELETE"},
		IntentAutoModExecution:     {"AUTO_MODERATION_ACTION_EXECUTION"},
		IntentGuildPolls:           {"MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE"},
	}
}

// TestIntentsFilter sends every event that has an intent to sessions that have every intent but one, and that one alone.
func TestIntentsFilter(t *testing.T) {
	w := newGatewayWorld(t, patient())
	w.ok(w.AddMember(w.guild, w.all.ID, must(w.AddRole(w.guild, "admin", Administrator))(t)))
	byIntent := eventsByIntent()
	always := []string{
		"INTERACTION_CREATE", "ENTITLEMENT_CREATE", "SUBSCRIPTION_CREATE", "USER_UPDATE", "VOICE_SERVER_UPDATE",
		"APPLICATION_COMMAND_PERMISSIONS_UPDATE", "CHANNEL_INFO", "SOMETHING_NEW",
	}
	var every []string
	for _, names := range byIntent {
		every = append(every, names...)
	}
	every = append(every, always...)
	for bit := range 26 {
		intent := Intents(1) << bit
		if knownIntents&intent == 0 {
			continue
		}
		for _, have := range []Intents{intent, knownIntents &^ intent} {
			got := w.deliver(w.all, 10, have, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				for _, name := range every {
					w.emit(w.guild, name, struct{}{})
				}
			})
			for _, name := range every {
				want := slices.Contains(always, name)
				for need, names := range byIntent {
					want = want || have&need != 0 && slices.Contains(names, name)
				}
				if came := slices.ContainsFunc(got, func(e sent) bool { return e.name == name }); came != want {
					t.Errorf("intents %b: %s came %v, want %v", have, name, came, want)
				}
			}
		}
	}
	if bits.OnesCount32(uint32(knownIntents)) != 21 {
		t.Errorf("known intents %b", knownIntents)
	}
}

// TestDirectEventsGoToShardZero checks the other intents of the same events, the shard and the one application.
func TestDirectEventsGoToShardZero(t *testing.T) {
	w := newGatewayWorld(t, patient())
	direct := map[string]Intents{
		"MESSAGE_CREATE": IntentDirectMessages, "CHANNEL_PINS_UPDATE": IntentDirectMessages, "TYPING_START": IntentDirectTyping,
		"MESSAGE_REACTION_ADD": IntentDirectReactions, "MESSAGE_POLL_VOTE_ADD": IntentDirectPolls, "INTERACTION_CREATE": 0,
	}
	for name, intent := range direct {
		send := func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.emitTo(w.all.ID, 0, name, map[string]string{"content": "psst"})
		}
		if got := w.deliver(w.all, 10, intent, send); len(got) != 1 || string(got[0].body) != `{"content":"psst"}` {
			t.Errorf("%s with its intent: %v", name, got)
		}
		if got := w.deliver(w.all, 10, knownIntents&^intent, send); intent != 0 && len(got) != 0 {
			t.Errorf("%s without its intent came", name)
		}
		if got := w.deliver(w.bot, 10, knownIntents, send); len(got) != 0 {
			t.Errorf("%s came to another application", name)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for shard := range 2 {
		s := &gatewaySession{shard: shard, shards: 2}
		if s.serves(0) != (shard == 0) || s.serves(3<<22) != (shard == 1) {
			t.Errorf("shard %d of 2 serves 0: %v, 3: %v", shard, s.serves(0), s.serves(3<<22))
		}
	}
}

// TestMessageContent checks who sees what a message says.
func TestMessageContent(t *testing.T) {
	w := newGatewayWorld(t, patient())
	noSwitch := must(w.AddApplication(ApplicationSpec{Name: "no switch"}))(t)
	w.ok(w.AddMember(w.guild, noSwitch.ID))
	msg := func(author ID, mentions ...ID) map[string]any {
		list := []idKey{}
		for _, id := range mentions {
			list = append(list, idKey{id})
		}
		inner := map[string]any{"id": "5", "content": "inner", "embeds": []int{1}}
		return map[string]any{
			"id": "7", "channel_id": w.text, "author": idKey{author}, "mentions": list, "content": "secret", "embeds": []int{1},
			"attachments": []int{1}, "components": []int{1}, "poll": map[string]int{"a": 1}, "type": 0, "referenced_message": inner,
		}
	}
	for _, tc := range []struct {
		what    string
		app     Application
		version int
		intents Intents
		payload any
		event   string
		sees    bool
	}{
		{"v10 with the intent", w.all, 10, IntentGuildMessages | IntentMessageContent, msg(w.ana), "MESSAGE_CREATE", true},
		{"v10 without", w.all, 10, IntentGuildMessages, msg(w.ana), "MESSAGE_CREATE", false},
		{"v10 without, edited", w.all, 10, IntentGuildMessages, msg(w.ana), "MESSAGE_UPDATE", false},
		{"own", w.all, 10, IntentGuildMessages, msg(w.all.ID), "MESSAGE_CREATE", true},
		{"mentioned", w.all, 10, IntentGuildMessages, msg(w.ana, w.bo, w.all.ID), "MESSAGE_CREATE", true},
		{"another is mentioned", w.all, 10, IntentGuildMessages, msg(w.ana, w.bo), "MESSAGE_CREATE", false},
		{"v9", w.all, 9, IntentGuildMessages, msg(w.ana), "MESSAGE_CREATE", true},
		{"v9 without the switch", noSwitch, 9, IntentGuildMessages, msg(w.ana), "MESSAGE_CREATE", false},
	} {
		got := w.deliver(tc.app, tc.version, tc.intents, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.emit(w.guild, tc.event, tc.payload)
		})
		if len(got) != 1 {
			t.Fatalf("%s: %d events", tc.what, len(got))
		}
		var have, full map[string]any
		w.ok(json.Unmarshal(got[0].body, &have))
		w.ok(json.Unmarshal(rawJSON(tc.payload), &full))
		blank := fmt.Sprintf("%q %v %v %v %v", have["content"], have["embeds"], have["attachments"], have["components"], have["poll"]) == `"" [] [] [] <nil>` &&
			fmt.Sprint(have["referenced_message"]) == "map[content: embeds:[] id:5]"
		if have["id"] != "7" || have["type"] != 0.0 || tc.sees && len(have) != len(full) || tc.sees == blank {
			t.Errorf("%s: %s", tc.what, got[0].body)
		}
	}
}

// TestEventsNeedPermission checks the events that Discord only sends to those who may know.
func TestEventsNeedPermission(t *testing.T) {
	w := newGatewayWorld(t, patient())
	role := must(w.AddRole(w.guild, "staff", 0))(t)
	w.ok(w.AddMember(w.guild, w.all.ID, role))
	about := map[string]any{"channel_id": w.text}
	for _, tc := range []struct {
		event string
		needs Permissions
	}{
		{"GUILD_AUDIT_LOG_ENTRY_CREATE", ViewAuditLog},
		{"GUILD_BAN_ADD", BanMembers},
		{"GUILD_BAN_REMOVE", ViewAuditLog},
		{"INVITE_CREATE", ManageChannels},
		{"AUTO_MODERATION_ACTION_EXECUTION", ManageGuild},
	} {
		for _, p := range []Permissions{0, tc.needs} {
			w.ok(w.SetRolePermissions(w.guild, role, p))
			got := w.deliver(w.all, 10, knownIntents, func() {
				w.mu.Lock()
				defer w.mu.Unlock()
				w.emit(w.guild, tc.event, about)
			})
			if (len(got) == 1) != (p != 0) {
				t.Errorf("%s with permissions %d came %d times", tc.event, p, len(got))
			}
		}
	}
	w.ok(w.SetOverwrite(w.guild, w.text, w.guild, Overwrite{Deny: ViewChannel}))
	if got := w.deliver(w.all, 10, knownIntents, func() { w.say(1) }); len(got) != 0 {
		t.Errorf("a message of a hidden channel came")
	}
	w.ok(w.SetOverwrite(w.guild, w.text, w.all.ID, Overwrite{Allow: ViewChannel}))
	if got := w.deliver(w.all, 10, knownIntents, func() { w.say(1) }); len(got) != 1 {
		t.Errorf("a message of a channel that the bot may see came %d times", len(got))
	}
}

// TestEventsAboutTheBotItself come without the members intent.
func TestEventsAboutTheBotItself(t *testing.T) {
	w := newGatewayWorld(t, patient())
	for _, tc := range []struct {
		event   string
		payload any
		want    int
	}{
		{"GUILD_MEMBER_UPDATE", map[string]any{"user": idKey{w.all.ID}}, 1},
		{"GUILD_MEMBER_UPDATE", map[string]any{"user": idKey{w.ana}}, 0},
		{"THREAD_MEMBERS_UPDATE", map[string]any{"added_members": []any{map[string]any{"user_id": w.all.ID}}}, 1},
		{"THREAD_MEMBERS_UPDATE", map[string]any{"removed_member_ids": []ID{w.ana, w.all.ID}}, 1},
		{"THREAD_MEMBERS_UPDATE", map[string]any{"removed_member_ids": []ID{w.ana}}, 0},
	} {
		got := w.deliver(w.all, 10, knownIntents&^IntentGuildMembers, func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.emit(w.guild, tc.event, tc.payload)
		})
		if len(got) != tc.want {
			t.Errorf("%s %s came %d times, want %d", tc.event, rawJSON(tc.payload), len(got), tc.want)
		}
	}
	if got := w.deliver(w.other, 10, knownIntents, func() { w.say(1) }); len(got) != 0 {
		t.Errorf("%d events came to a bot that is not in the guild", len(got))
	}
}
