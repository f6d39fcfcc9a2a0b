package discord

import (
	"encoding/json"
	"testing"
	"time"

	"splashtail/internal/sandbox"
)

// TestReadCalls makes every call of read.go once, past Discord's own description of its answers.
func TestReadCalls(t *testing.T) {
	t.Parallel()
	r := newRig(t, quick())
	spec := sandbox.SmallGuild(9)
	spec.Bot = r.app.ID
	g := must(r.Generate(spec))(t)
	r.checked()
	ctx, guild := bounded(t), g.Guild.String()
	list := func(name string, read func(any) error) (all []map[string]any) {
		t.Helper()
		var raw json.RawMessage
		r.ok(read(&raw))
		if err := json.Unmarshal(raw, &all); err != nil || len(all) == 0 {
			t.Errorf("%s: %v, %.100s", name, err, raw)
		}
		return all
	}
	object := func(name, key string, read func(any) error) {
		t.Helper()
		var raw json.RawMessage
		r.ok(read(&raw))
		var v map[string]json.RawMessage
		if err := json.Unmarshal(raw, &v); err != nil || v[key] == nil {
			t.Errorf("%s: %v, %.100s", name, err, raw)
		}
	}
	var raw json.RawMessage
	object("guild", "owner_id", func(v any) error { return r.bot.ReadGuild(ctx, guild, v) })
	channels := list("channels", func(v any) error { return r.bot.ReadChannels(ctx, guild, v) })
	list("sounds", func(v any) error { return r.bot.ReadSounds(ctx, guild, v) })
	list("automod", func(v any) error { return r.bot.ReadAutoMod(ctx, guild, v) })
	object("welcome", "welcome_channels", func(v any) error { return r.bot.ReadWelcome(ctx, guild, v) })
	object("onboarding", "prompts", func(v any) error { return r.bot.ReadOnboarding(ctx, guild, v) })
	list("events", func(v any) error { return r.bot.ReadEvents(ctx, guild, v) })
	list("webhooks", func(v any) error { return r.bot.ReadWebhooks(ctx, guild, v) })
	list("bans", func(v any) error { return r.bot.ReadBans(ctx, guild, "", 1000, v) })
	list("members", func(v any) error { return r.bot.ReadMembers(ctx, guild, "1", 1000, v) })
	object("active threads", "threads", func(v any) error { return r.bot.ReadActiveThreads(ctx, guild, v) })
	text := ""
	for _, c := range channels {
		if c["type"] == 0.0 && c["last_message_id"] != nil {
			text = c["id"].(string)
		}
	}
	for _, a := range []Archive{ArchivePublic, ArchivePrivate} {
		object(string(a), "threads", func(v any) error {
			return r.bot.ReadArchivedThreads(ctx, text, a, time.Now().UTC().Format(time.RFC3339), v)
		})
	}
	object("joined", "threads", func(v any) error { return r.bot.ReadArchivedThreads(ctx, text, ArchiveJoined, "", v) })
	object("pins", "items", func(v any) error { return r.bot.ReadPins(ctx, text, time.Now(), v) })
	messages := list("messages", func(v any) error { return r.bot.ReadMessages(ctx, text, "", 2, v) })
	id := messages[0]["id"].(string)
	list("older messages", func(v any) error { return r.bot.ReadMessages(ctx, text, id, 1, v) })
	object("message", "content", func(v any) error { return r.bot.ReadMessage(ctx, text, id, v) })
	r.code(r.bot.ReadWelcome(ctx, r.guild.String(), &raw), CodeUnknownWelcome)
	if err := r.bot.ReadGuild(ctx, "1/../2", &raw); err == nil {
		t.Error("an id that is a path")
	}
	r.never429()
}
