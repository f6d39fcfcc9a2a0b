package sandbox

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// TestWhatBackupsRestoreIsTold lets the owner make, change and delete all that a restore makes. Events and audit actions come in
// Discord's order, with objects that fit its description.
func TestWhatBackupsRestoreIsTold(t *testing.T) {
	s := newStage(t)
	spec := description(t)
	s.ok(s.SetRolePermissions(s.guild, s.guild, EveryoneDefault|CreatePublicThreads))
	s.ok(s.p.EditGuild(s.guild, Fields{"features": []string{"COMMUNITY"}, "rules_channel_id": s.text, "public_updates_channel_id": s.text, "verification_level": 1}))
	forum := must(s.p.CreateChannel(s.guild, "help", ForumChannel, 0))(t)
	message := must(s.p.Send(s.text, "hello"))(t)
	c := s.dial("/gateway?v=10&encoding=json")
	c.ready(identity(s.all, allIntents))
	s.told(c)
	for _, d := range s.restored(forum, message) {
		if err := d.do(); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
		var names []string
		for _, m := range s.told(c) {
			name := m.name()
			if name == "GUILD_AUDIT_LOG_ENTRY_CREATE" {
				var e wireAudit
				s.ok(json.Unmarshal(m.D, &struct{ *wireAudit }{&e}))
				if name = fmt.Sprint(e.Action); e.Reason != "tidy up ✓" {
					t.Errorf("%s: reason %q", d.name, e.Reason)
				}
			}
			names = append(names, name)
			schema := map[string]string{"THREAD_CREATE": "ThreadResponse", "THREAD_UPDATE": "ThreadResponse", "MESSAGE_CREATE": "MessageResponse",
				"GUILD_SOUNDBOARD_SOUND_CREATE": "SoundboardSoundResponse", "GUILD_UPDATE": "GuildResponse"}[m.name()]
			if spec != nil && schema != "" {
				if err := spec.Component(schema, m.D); err != nil {
					t.Errorf("%s: %s: %v", d.name, m.name(), err)
				}
			}
		}
		if got := strings.Join(names, " "); got != d.events {
			t.Errorf("%s: told %q, want %q", d.name, got, d.events)
		}
	}
}

// restored are deeds with their events; an audit entry among these is its action.
func (s *stage) restored(forum, message ID) []deed {
	var id ID
	g := s.guild
	at := func(method, path string, body any) func() error {
		return func() error { return s.p.done(method, fmt.Sprintf(path, id), body) }
	}
	kept := func(made func() (ID, error)) func() error {
		return func() (err error) { id, err = made(); return err }
	}
	return []deed{
		{"thread", kept(func() (ID, error) { return s.p.CreateThread(s.text, "talk", PublicThread) }), "THREAD_CREATE 110 MESSAGE_CREATE", ""},
		{"message in it", at("POST", "/channels/%s/messages", Fields{"content": "x"}), "MESSAGE_CREATE", ""},
		{"join", func() error { return s.As(s.ana).done("PUT", channelPath(id, "/thread-members/@me"), nil) }, "THREAD_MEMBERS_UPDATE", ""},
		{"leave", func() error { return s.As(s.ana).done("DELETE", channelPath(id, "/thread-members/@me"), nil) }, "THREAD_MEMBERS_UPDATE", ""},
		{"archive", at("PATCH", "/channels/%s", Fields{"archived": true}), "THREAD_UPDATE 111", ""},
		{"write and wake", at("POST", "/channels/%s/messages", Fields{"content": "x"}), "THREAD_UPDATE MESSAGE_CREATE", ""},
		{"thread gone", at("DELETE", "/channels/%s", nil), "THREAD_DELETE 112", ""},
		{"thread of a message", func() error {
			return s.p.done("POST", channelPath(s.text, "/messages/", message.String(), "/threads"), Fields{"name": "x"})
		}, "MESSAGE_UPDATE THREAD_CREATE 110 MESSAGE_CREATE", ""},
		{"post", kept(func() (ID, error) { return s.p.CreatePost(forum, "p", "x") }), "THREAD_CREATE 110 MESSAGE_CREATE", ""},
		{"pin", func() error { return s.p.Pin(s.text, message) }, "MESSAGE_UPDATE CHANNEL_PINS_UPDATE 74 MESSAGE_CREATE", ""},
		{"unpin", func() error { return s.p.done("DELETE", channelPath(s.text, "/pins/", message.String()), nil) }, "MESSAGE_UPDATE CHANNEL_PINS_UPDATE 75", ""},
		{"emoji", kept(func() (ID, error) { return s.p.CreateEmoji(g, "sus", []byte(pixelBytes())) }), "GUILD_EMOJIS_UPDATE 60", ""},
		{"emoji renamed", at("PATCH", guildPath(g)+"/emojis/%s", Fields{"name": "other"}), "GUILD_EMOJIS_UPDATE 61", ""},
		{"emoji the same", at("PATCH", guildPath(g)+"/emojis/%s", Fields{"name": "other"}), "", ""},
		{"emoji gone", at("DELETE", guildPath(g)+"/emojis/%s", nil), "GUILD_EMOJIS_UPDATE 62", ""},
		{"sticker", kept(func() (ID, error) { return s.p.CreateSticker(g, "wave", "x", []byte(pixelBytes())) }), "GUILD_STICKERS_UPDATE 90", ""},
		{"sticker changed", at("PATCH", guildPath(g)+"/stickers/%s", Fields{"name": "other"}), "GUILD_STICKERS_UPDATE 91", ""},
		{"sticker gone", at("DELETE", guildPath(g)+"/stickers/%s", nil), "GUILD_STICKERS_UPDATE 92", ""},
		{"sound", kept(func() (ID, error) { return s.p.CreateSound(g, "horn", []byte("OggS")) }), "GUILD_SOUNDBOARD_SOUND_CREATE 130", ""},
		{"sound changed", at("PATCH", guildPath(g)+"/soundboard-sounds/%s", Fields{"volume": 0}), "GUILD_SOUNDBOARD_SOUND_UPDATE 131", ""},
		{"sound gone", at("DELETE", guildPath(g)+"/soundboard-sounds/%s", nil), "GUILD_SOUNDBOARD_SOUND_DELETE 132", ""},
		{"rule", kept(func() (ID, error) {
			return s.p.made("POST", guildPath(g, "/auto-moderation/rules"), Fields{"name": "x", "event_type": 1, "trigger_type": 3, "actions": []Fields{{"type": 1}}})
		}), "AUTO_MODERATION_RULE_CREATE 140", ""},
		{"rule changed", at("PATCH", guildPath(g)+"/auto-moderation/rules/%s", Fields{"enabled": true}), "AUTO_MODERATION_RULE_UPDATE 141", ""},
		{"rule gone", at("DELETE", guildPath(g)+"/auto-moderation/rules/%s", nil), "AUTO_MODERATION_RULE_DELETE 142", ""},
		{"event", kept(func() (ID, error) {
			return s.p.made("POST", guildPath(g, "/scheduled-events"), Fields{"name": "x", "privacy_level": 2, "entity_type": 2, "channel_id": s.voice, "scheduled_start_time": later()})
		}), "GUILD_SCHEDULED_EVENT_CREATE 100", ""},
		{"event begins", at("PATCH", guildPath(g)+"/scheduled-events/%s", Fields{"status": 2}), "GUILD_SCHEDULED_EVENT_UPDATE 101", ""},
		{"event gone", at("DELETE", guildPath(g)+"/scheduled-events/%s", nil), "GUILD_SCHEDULED_EVENT_DELETE 102", ""},
		{"welcome screen", func() error {
			return s.p.done("PATCH", guildPath(g, "/welcome-screen"), Fields{"enabled": true})
		}, "GUILD_UPDATE 1", ""},
		{"onboarding", func() error { return s.p.done("PUT", guildPath(g, "/onboarding"), Fields{"mode": 1}) }, "167", ""},
	}
}
