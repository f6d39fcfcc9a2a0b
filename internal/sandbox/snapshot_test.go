package sandbox

import (
	"slices"
	"testing"
)

// TestSnapshotsSeeEveryChange makes one change after another, each of which somebody in the app could tell.
func TestSnapshotsSeeEveryChange(t *testing.T) {
	w, _ := generated(t, SmallGuild(4))
	w.ok(w.SetBoosts(w.guild, 3))
	g, p := w.guilds[w.guild], w.As(w.owner)
	first := func(kind int) ID {
		for _, id := range sortedIDs(g.channels) {
			if g.channels[id].kind == kind {
				return id
			}
		}
		t.Fatalf("no channel of type %d", kind)
		return 0
	}
	text, forum, voice := g.set.system, first(ForumChannel), first(VoiceChannel)
	role := slices.DeleteFunc(sortedIDs(g.roles), func(id ID) bool { return id == g.id || g.roles[id].managed })[0]
	emoji, sticker, sound, rule := sortedIDs(g.emojis)[0], sortedIDs(g.stickers)[0], sortedIDs(g.sounds)[0], sortedIDs(g.automod)[0]
	event, hook := sortedIDs(g.scheduled)[0], sortedIDs(g.webhooks)[0]
	message := g.channels[text].messages[0].id
	sort := 0 // other than it is
	if at := g.channels[forum].sortOrder; at != nil {
		sort = 1 - *at
	}
	for _, c := range []struct {
		name, method, path string
		body               any
	}{
		{"guild name", "PATCH", guildPath(g.id), Fields{"name": "other"}},
		{"guild icon", "PATCH", guildPath(g.id), Fields{"icon": pixel}},
		{"guild banner", "PATCH", guildPath(g.id), Fields{"banner": pixel}},
		{"system channel flags", "PATCH", guildPath(g.id), Fields{"system_channel_flags": 63}},
		{"widget", "PATCH", guildPath(g.id, "/widget"), Fields{"enabled": !g.widget.Enabled}},
		{"role icon", "PATCH", guildPath(g.id, "/roles/", role.String()), Fields{"icon": pixel}},
		{"role emoji", "PATCH", guildPath(g.id, "/roles/", role.String()), Fields{"unicode_emoji": "🔥"}},
		{"role gradient", "PATCH", guildPath(g.id, "/roles/", role.String()), Fields{"colors": Fields{"primary_color": 1, "secondary_color": 2, "tertiary_color": 3}}},
		{"thread defaults", "PATCH", channelPath(text), Fields{"default_thread_rate_limit_per_user": 77}},
		{"archive default", "PATCH", channelPath(text), Fields{"default_auto_archive_duration": 4320}},
		{"voice quality", "PATCH", channelPath(voice), Fields{"video_quality_mode": 3 - g.channels[voice].quality}},
		{"forum layout", "PATCH", channelPath(forum), Fields{"default_forum_layout": (g.channels[forum].layout + 1) % 3}},
		{"forum reaction", "PATCH", channelPath(forum), Fields{"default_reaction_emoji": Fields{"emoji_name": "🧨"}}},
		{"forum sort", "PATCH", channelPath(forum), Fields{"default_sort_order": sort}},
		{"forum flags", "PATCH", channelPath(forum), Fields{"flags": g.channels[forum].flags ^ flagRequireTag}},
		{"forum tag", "PATCH", channelPath(forum), Fields{"available_tags": []Fields{{"name": "fresh"}}}},
		{"emoji name", "PATCH", guildPath(g.id, "/emojis/", emoji.String()), Fields{"name": "other"}},
		{"emoji roles", "PATCH", guildPath(g.id, "/emojis/", emoji.String()), Fields{"roles": []ID{role}}},
		{"emoji gone", "DELETE", guildPath(g.id, "/emojis/", emoji.String()), nil},
		{"sticker", "PATCH", guildPath(g.id, "/stickers/", sticker.String()), Fields{"description": "other"}},
		{"sound", "PATCH", guildPath(g.id, "/soundboard-sounds/", sound.String()), Fields{"volume": 0.05}},
		{"rule", "PATCH", guildPath(g.id, "/auto-moderation/rules/", rule.String()), Fields{"enabled": !g.automod[rule].enabled}},
		{"rule exempts", "PATCH", guildPath(g.id, "/auto-moderation/rules/", rule.String()), Fields{"exempt_channels": []ID{voice}}},
		{"welcome", "PATCH", guildPath(g.id, "/welcome-screen"), Fields{"description": "other"}},
		{"onboarding", "PUT", guildPath(g.id, "/onboarding"), Fields{"mode": 1 - g.onboarding.mode}},
		{"event", "PATCH", guildPath(g.id, "/scheduled-events/", event.String()), Fields{"name": "other"}},
		{"webhook avatar", "PATCH", "/webhooks/" + hook.String(), Fields{"avatar": pixel}},
		{"pin", "PUT", channelPath(text, "/messages/pins/", message.String()), nil},
		{"message gone", "DELETE", channelPath(text, "/messages/", message.String()), nil},
		{"message", "POST", channelPath(text, "/messages"), Fields{"content": "new"}},
		{"thread", "POST", channelPath(text, "/threads"), Fields{"name": "new", "type": PublicThread}},
		{"post", "POST", channelPath(forum, "/threads"), Fields{"name": "new", "message": Fields{"content": "x"}}},
	} {
		s, h := w.both()
		before := append(s.Diff(Snapshot{}), string(rawJSON(h)))
		if _, err := p.Do(c.method, c.path, c.body); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		s, h = w.both()
		if after := append(s.Diff(Snapshot{}), string(rawJSON(h))); slices.Equal(before, after) {
			t.Errorf("%s: nobody would know", c.name)
		}
	}
}

// TestFilesCountByTheirBytes: the same name with other bytes is another thing.
func TestFilesCountByTheirBytes(t *testing.T) {
	with := func(data []byte) (Snapshot, History) {
		w := newWorld(t, Config{Limits: noLimits()})
		p := w.As(w.owner)
		must(p.CreateEmoji(w.guild, "sus", data))(t)
		must(p.CreateSticker(w.guild, "wave", "x", data))(t)
		must(p.CreateSound(w.guild, "horn", append([]byte("OggS"), data...)))(t)
		must(p.SendFiles(w.text, "look", Upload{"a.png", data}))(t)
		must(p.CreateThread(w.text, "t", PublicThread))(t)
		s, h := w.both()
		s.Members, s.Settings = nil, nil // the ids of people
		return s, h
	}
	a, b := pngOf(1, 500), pngOf(2, 500)
	sa, ha := with(a)
	sb, hb := with(b)
	if len(sa.Diff(sb)) != 3 {
		t.Errorf("differences %v", sa.Diff(sb))
	}
	if x, y := ha.Channels["general"][0].Files, hb.Channels["general"][0].Files; len(x) != 1 || x[0].Name != "a.png" || x[0].File == y[0].File {
		t.Errorf("files %v %v", x, y)
	}
	again, _ := with(a)
	if diff := sa.Diff(again); len(diff) > 0 {
		t.Errorf("the same files differ: %v", diff)
	}
}
