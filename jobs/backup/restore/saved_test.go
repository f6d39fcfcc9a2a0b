package restore

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"splashtail/jobs/backup/model"
)

// savedGuild is a backup of a community with some of everything, made of another guild.
func savedGuild(x *rig) *stored {
	b := &stored{Said: map[model.ID][]model.Message{}, Files: map[model.FileKey][]byte{}}
	s := &b.Structure
	s.About = model.About{GuildID: "900", OwnerID: idOf(x.owner), TakenAt: time.Unix(1_700_000_000, 0).UTC()}
	rules, updates, lounge, forum, topic := model.ID("921"), model.ID("922"), model.ID("925"), model.ID("926"), "all of it"
	s.Guild = model.Guild{
		Name: "Skeld", Description: &topic, VerificationLevel: 2, DefaultNotifications: 0, ExplicitContentFilter: 2, PreferredLocale: "de",
		AFKTimeout: 900, AFKChannel: &lounge, SystemChannel: ptr(model.ID("923")), RulesChannel: &rules, UpdatesChannel: &updates,
		WidgetEnabled: true, WidgetChannel: ptr(model.ID("923")), Features: []string{"COMMUNITY"}, Icon: b.png(),
	}
	s.Roles = []model.Role{
		{ID: "900", Name: "@everyone", Permissions: "3072"},
		{ID: "901", Name: "Member", Permissions: "2048", Position: 1, Hoist: true},
		{ID: "902", Name: "Crew", Permissions: "0", Position: 2, Mentionable: true, Colors: model.RoleColors{Primary: 255}},
		{ID: "903", Name: "Crew", Permissions: "8192", Position: 3},
		{ID: "904", Name: "Captain", Permissions: "268435456", Position: 4},
		{ID: "905", Name: "other bot", Permissions: "0", Position: 5, Managed: true, Tags: &model.RoleTags{Bot: "42"}},
	}
	category := func(id model.ID, name string, at int) model.Channel {
		return model.Channel{ID: id, Type: model.TypeCategory, Name: name, Position: at, Overwrites: []model.Overwrite{
			{ID: "900", Deny: "1024", Allow: "0"}, {ID: "901", Allow: "1024", Deny: "0"}, {ID: "905", Allow: "1024", Deny: "0"},
		}}
	}
	channel := func(id model.ID, kind int, name string, parent model.ID, at int) model.Channel {
		c := model.Channel{ID: id, Type: kind, Name: name, Position: at}
		if parent != "" {
			c.Parent = &parent
		}
		return c
	}
	s.Channels = []model.Channel{
		category("910", "Information", 0), category("911", "Talk", 1),
		channel("921", 0, "rules", "910", 0), channel("922", 5, "updates", "910", 1),
		channel("923", 0, "general", "911", 1), channel("924", 0, "memes", "911", 0),
		channel("925", 2, "Lounge", "911", 0), channel("926", 15, "help", "911", 2), channel("927", 13, "Stage", "", 3),
		channel("928", 0, "general", "", 0), channel("929", 0, "general", "", 1),
	}
	s.Channels[4].Topic, s.Channels[4].Slowmode = &topic, 30
	s.Channels[6].Bitrate, s.Channels[6].UserLimit = 128_000, 10
	s.Channels[8].Bitrate = 64_000
	s.Channels[7].Tags = []model.ForumTag{{ID: "931", Name: "open", EmojiID: ptr(model.ID("941"))}, {ID: "932", Name: "done", Moderated: true}}
	s.Channels[4].Overwrites = []model.Overwrite{{ID: "902", Allow: "0", Deny: "2048"}, {ID: idOf(x.users[0]), Type: 1, Allow: "2048", Deny: "0"}}
	s.Emojis = []model.Emoji{{ID: "941", Name: "sus", File: b.png(), Roles: []model.ID{"902"}}, {ID: "942", Name: "sus", File: b.png()}}
	s.Stickers = []model.Sticker{{ID: "943", Name: "vent", Tags: "fire", Format: 1, File: b.png()}}
	s.Sounds = []model.Sound{{ID: "944", Name: "alarm", Volume: 0.5, File: b.file([]byte("OggS" + strings.Repeat("\x00", 60)))}}
	s.AutoMod = []model.AutoModRule{{
		ID: "951", Name: "words", EventType: 1, TriggerType: 1, Trigger: json.RawMessage(`{"keyword_filter":["cat"],"regex_patterns":[],"allow_list":[]}`), Enabled: true,
		Actions:     []model.AutoModAction{{Type: 1}, {Type: 2, Metadata: &model.AutoModMetadata{Channel: "923"}}},
		ExemptRoles: []model.ID{"904"}, ExemptChannels: []model.ID{"924"},
	}}
	s.Welcome = &model.WelcomeScreen{Enabled: true, Description: &topic, Channels: []model.WelcomeChannel{{Channel: rules, Description: "read"}}}
	s.Onboarding = &model.Onboarding{Enabled: true, DefaultChannels: []model.ID{rules, updates, "923", "924", forum, "928", "929"}, Prompts: []model.Prompt{{
		ID: "961", Title: "Who are you?", SingleSelect: true, InOnboarding: true,
		Options: []model.PromptOption{{ID: "962", Title: "Crew", Roles: []model.ID{"902"}, Channels: []model.ID{forum}}},
	}}}
	s.Events = []model.Event{{
		ID: "971", Name: "Game night", Start: x.start, Privacy: 2, EntityType: 2, Channel: &lounge, Status: 1,
	}}
	s.Webhooks = []model.Webhook{{ID: "981", Type: 1, Channel: "923", Name: ptr("News")}}
	s.Bans = []model.Ban{{User: idOf(x.users[2])}, {User: idOf(x.users[3])}}
	s.Members = []model.Member{{User: idOf(x.users[0]), Roles: []model.ID{"901", "902"}, Nick: ptr("Captain Ana")}, {User: "12345", Roles: []model.ID{"901"}}}
	b.talk(x)
	return b
}

func ptr[T any](v T) *T { return &v }

func (b *stored) file(data []byte) model.FileKey {
	key := model.FileKey("file" + strconv.Itoa(len(b.Files)))
	b.Files[key] = data
	return key
}

// png is a picture of one point; no two are equal.
func (b *stored) png() model.FileKey {
	data, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	if err != nil {
		panic(err)
	}
	return b.file(append(data, byte(len(b.Files))))
}

// talk puts messages into channels, a thread and a post of the forum.
func (b *stored) talk(x *rig) {
	s := &b.Structure
	say := func(channel model.ID, n int) {
		b.Order = append(b.Order, channel)
		for i := range n {
			id := model.ID(strconv.Itoa(1000*atoi(channel) + i))
			m := model.Message{ID: id, Content: fmt.Sprintf("message %d of %s", i, channel), Author: model.Author{ID: idOf(x.users[i%2]), Name: []string{"Ana", "Bo of Discord"}[i%2]}}
			if i == 4 {
				m.Type, m.Reply = 19, &model.Reply{Message: model.ID(strconv.Itoa(1000*atoi(channel) + 1)), Channel: channel}
			}
			b.Said[channel] = append(b.Said[channel], m)
		}
	}
	say("923", 30)
	list := b.Said["923"]
	list[2].Content = strings.Repeat("word ", 800) // as long as Nitro allows
	list[3].Attachments = []model.Attachment{{ID: "1", Name: "a.bin", Size: 5000, File: b.file([]byte(strings.Repeat("x", 5000)))}}
	list[5].Content = "see <#924>, <@&902> and <:sus:941> @everyone"
	list[6].Type = 7 // somebody joined
	list[7].Embeds = json.RawMessage(`[{"title":"news","type":"rich"}]`)
	say("924", 2)
	s.Threads = []model.Thread{
		{ID: "991", Type: 11, Parent: "923", Name: "a thread", AutoArchive: 1440, Archived: true, Locked: true},
		{ID: "992", Type: 11, Parent: "926", Name: "a question", AutoArchive: 1440, Tags: []model.ID{"932"}},
	}
	say("991", 3)
	say("992", 3)
	s.Pins = []model.Pins{{Channel: "923", Messages: []model.ID{list[8].ID, list[1].ID}}}
}

func atoi(id model.ID) int {
	n, err := strconv.Atoi(string(id))
	if err != nil {
		panic(err)
	}
	return n
}
