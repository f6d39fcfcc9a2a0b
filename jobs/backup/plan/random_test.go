package plan

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"splashtail/jobs/backup/model"
)

// guildMaker makes guilds at random, out of few names so that things are mistaken for each other wherever they can be.
type guildMaker struct {
	*rand.Rand
	last   int
	unique bool // no two things of one name: which of two is meant cannot be known when one of them could not be made
	names  int
}

func newMaker(seed uint64) *guildMaker {
	return &guildMaker{Rand: rand.New(rand.NewPCG(seed, 7)), last: 1000}
}

func (g *guildMaker) id() model.ID {
	g.last += 1 + g.IntN(5)
	return model.ID(strconv.Itoa(g.last))
}

func (g *guildMaker) name() string {
	letter := string(rune('a' + g.IntN(6)))
	if g.unique {
		g.names++
		return letter + strconv.Itoa(g.names)
	}
	return letter
}

func (g *guildMaker) bits() model.Bits {
	return formatBits(g.Uint64() & allPermissions &^ administrator)
}

func (g *guildMaker) yes() bool { return g.IntN(2) == 0 }

func pickOf[T any](g *guildMaker, list ...T) T { return list[g.IntN(len(list))] }

const botUser = model.ID("77")

// guild makes a guild whose bot is its administrator, with its role at a random place or, with full, on top.
func (g *guildMaker) guild(full bool) model.Snapshot {
	s := model.Snapshot{About: model.About{GuildID: "500", OwnerID: "5", Bot: botUser, BoostLevel: 3}}
	s.Guild = model.Guild{Name: "guild", VerificationLevel: 1, PreferredLocale: "de", AFKTimeout: 300, Features: []string{
		"ROLE_ICONS", "ENHANCED_ROLE_COLORS", "BANNER", "INVITE_SPLASH", "DISCOVERABLE",
	}}
	s.Roles = []model.Role{{ID: "500", Name: "@everyone", Permissions: g.bits()}}
	for range g.IntN(6) {
		s.Roles = append(s.Roles, g.role())
	}
	bot := model.Role{ID: "600", Name: "bot", Permissions: "8", Managed: true, Tags: &model.RoleTags{Bot: botUser}}
	at := len(s.Roles)
	if !full {
		at = 1 + g.IntN(len(s.Roles))
	}
	s.Roles = slices.Insert(s.Roles, at, bot)
	for i := range s.Roles {
		s.Roles[i].Position = i
	}
	for range g.IntN(4) {
		s.Emojis = append(s.Emojis, g.emoji(s))
	}
	for range g.IntN(3) {
		s.Channels = append(s.Channels, g.channel(s, model.TypeCategory))
	}
	if g.yes() {
		s.Guild.Features = append(s.Guild.Features, "COMMUNITY")
		s.Channels = append(s.Channels, g.channel(s, model.TypeText), g.channel(s, model.TypeText))
		n := len(s.Channels)
		s.Guild.RulesChannel, s.Guild.UpdatesChannel = &s.Channels[n-1].ID, &s.Channels[n-2].ID
	}
	for range g.IntN(8) {
		s.Channels = append(s.Channels, g.channel(s, g.channelType(s)))
	}
	g.more(&s)
	return s
}

func (g *guildMaker) channelType(s model.Snapshot) int {
	if s.Guild.Community() {
		return pickOf(g, model.TypeText, model.TypeVoice, model.TypeAnnouncement, model.TypeForum, model.TypeStage, model.TypeMedia)
	}
	return pickOf(g, model.TypeText, model.TypeVoice)
}

func (g *guildMaker) role() model.Role {
	r := model.Role{ID: g.id(), Name: g.name(), Permissions: g.bits(), Hoist: g.yes(), Mentionable: g.yes()}
	r.Colors.Primary = g.IntN(3)
	return r
}

func (g *guildMaker) emoji(s model.Snapshot) model.Emoji {
	e := model.Emoji{ID: g.id(), Name: g.name(), Animated: g.yes(), File: model.FileKey("file " + g.name())}
	if e.Animated {
		e.File += " moving"
	}
	if g.yes() {
		e.Roles = []model.ID{s.Roles[g.IntN(len(s.Roles))].ID}
	}
	return e
}

func (g *guildMaker) channel(s model.Snapshot, kind int) model.Channel {
	c := model.Channel{ID: g.id(), Type: kind, Name: g.name(), Position: g.IntN(4)}
	for _, r := range s.Roles {
		if g.IntN(4) == 0 {
			c.Overwrites = append(c.Overwrites, model.Overwrite{ID: r.ID, Allow: g.bits(), Deny: "0"})
		}
	}
	if kind == model.TypeCategory {
		return c
	}
	if cs := pick(s.Channels, func(c model.Channel) bool { return c.Type == model.TypeCategory }); len(cs) > 0 && g.yes() {
		c.Parent = &cs[g.IntN(len(cs))].ID
	}
	switch {
	case isVoice(kind):
		c.Bitrate, c.UserLimit, c.VideoQuality = 64_000+g.IntN(2)*1000, g.IntN(3), 1
	case isForum(kind):
		c.Tags = []model.ForumTag{{ID: g.id(), Name: g.name()}}
		if len(s.Emojis) > 0 {
			c.Tags[0].EmojiID = &s.Emojis[0].ID
		}
		c.Flags = pickOf(g, 0, 16)
	default:
		topic := g.name()
		c.Topic = &topic
	}
	return c
}

// more adds what refers to roles and channels.
func (g *guildMaker) more(s *model.Snapshot) {
	channel := func() *model.ID {
		if len(s.Channels) == 0 {
			return nil
		}
		return &s.Channels[g.IntN(len(s.Channels))].ID
	}
	s.Guild.SystemChannel, s.Guild.WidgetChannel = channel(), channel()
	for i := range g.IntN(3) {
		s.Stickers = append(s.Stickers, model.Sticker{ID: g.id(), Name: g.name(), Tags: "x", Format: 1, File: "f"})
		s.Sounds = append(s.Sounds, model.Sound{ID: g.id(), Name: g.name(), Volume: 1, File: "f"})
		s.Bans = append(s.Bans, model.Ban{User: model.ID(strconv.Itoa(100 + i))})
		m := model.Member{User: model.ID(strconv.Itoa(200 + i))}
		for _, r := range s.Roles[1:] {
			if !r.Managed && g.yes() {
				m.Roles = append(m.Roles, r.ID)
			}
		}
		s.Members = append(s.Members, m)
		if c := channel(); c != nil {
			name := g.name()
			s.Webhooks = append(s.Webhooks, model.Webhook{ID: g.id(), Type: 1, Channel: *c, Name: &name})
			s.AutoMod = append(s.AutoMod, model.AutoModRule{
				ID: g.id(), Name: g.name(), EventType: 1, TriggerType: 1, Trigger: json.RawMessage(`{"keyword_filter":["x"]}`),
				Actions: []model.AutoModAction{{Type: 2, Metadata: &model.AutoModMetadata{Channel: *c}}}, ExemptRoles: []model.ID{s.Roles[0].ID},
			})
		}
		s.Events = append(s.Events, model.Event{
			ID: g.id(), Name: g.name(), Start: time.Date(2030, 1, 1, i, 0, 0, 0, time.UTC), EntityType: 3, Location: "there", Status: 1,
		})
	}
	if s.Guild.Community() {
		s.Welcome = &model.WelcomeScreen{Enabled: g.yes(), Channels: []model.WelcomeChannel{{Channel: *s.Guild.RulesChannel, Description: g.name()}}}
		s.Onboarding = &model.Onboarding{DefaultChannels: []model.ID{*s.Guild.RulesChannel}, Prompts: []model.Prompt{{
			ID: g.id(), Title: g.name(), Options: []model.PromptOption{{ID: g.id(), Title: g.name(), Roles: []model.ID{s.Roles[0].ID}, Channels: []model.ID{*s.Guild.UpdatesChannel}}},
		}}}
	}
}

// wreck changes a guild as a raid would, and as its people would.
func (g *guildMaker) wreck(s model.Snapshot) model.Snapshot {
	s = clone(s)
	f := newFold(s)
	f.last = 5_000
	for range g.IntN(10) {
		g.wreckOnce(f)
	}
	if g.IntN(4) == 0 && f.s.Guild.Community() {
		f.uncommunity()
	}
	f.s.Guild.Name = g.name()
	return f.s
}

func (g *guildMaker) wreckOnce(f *fold) {
	s := &f.s
	protected := func(id model.ID) bool { return isRef(s.Guild.RulesChannel, id) || isRef(s.Guild.UpdatesChannel, id) }
	switch g.IntN(9) {
	case 0:
		if len(s.Channels) > 0 {
			if c := s.Channels[g.IntN(len(s.Channels))]; !protected(c.ID) {
				f.deleteChannel(c.ID)
			}
		}
	case 1:
		if r := s.Roles[g.IntN(len(s.Roles))]; r.ID != "500" && !r.Managed {
			f.deleteRole(r.ID)
		}
	case 2:
		r := g.role()
		r.ID = f.newID()
		f.insertRole(r)
	case 3:
		c := g.channel(*s, g.channelType(*s))
		c.ID = f.newID()
		s.Channels = append(s.Channels, c)
	case 4:
		s.Roles[g.IntN(len(s.Roles))].Permissions = g.bits()
		for i := range s.Roles {
			if s.Roles[i].ID == "600" {
				s.Roles[i].Permissions = "8"
			}
		}
	case 5:
		if len(s.Channels) > 0 {
			s.Channels[g.IntN(len(s.Channels))].Name = g.name()
			s.Channels[g.IntN(len(s.Channels))].Position = g.IntN(9)
		}
	case 6:
		if len(s.Emojis) > 0 {
			s.Emojis = s.Emojis[1:]
		}
		s.Webhooks = append(s.Webhooks[:0:0], s.Webhooks[min(1, len(s.Webhooks)):]...)
	case 7:
		for i := range s.Members {
			s.Members[i].Roles = nil
		}
		s.AutoMod, s.Stickers, s.Bans = nil, nil, nil
	case 8:
		if len(s.Channels) > 0 && len(s.Roles) > 1 {
			c := &s.Channels[g.IntN(len(s.Channels))]
			c.Overwrites = []model.Overwrite{{ID: s.Roles[1].ID, Deny: "1024", Allow: "0"}}
		}
	}
}

func clone(s model.Snapshot) model.Snapshot {
	data, err := json.Marshal(s)
	if err != nil {
		panic(fmt.Sprint("the test's guild: ", err))
	}
	var out model.Snapshot
	if err := json.Unmarshal(data, &out); err != nil {
		panic(fmt.Sprint("the test's guild: ", err))
	}
	return out
}
