package create

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/backup/archive"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

// found is what the step server has found.
type found struct {
	Snapshot model.Snapshot `json:"snapshot"` // without threads, people and pins
	Title    string         `json:"title"`    // the guild's name, also when settings are left out
	Report   report         `json:"report"`
	Places   []place        `json:"places"`            // channels that can hold text or threads, in order
	Content  string         `json:"content,omitempty"` // why texts of messages are missing

	features   []string          // of the guild; not kept
	CanBans    string            `json:"can_bans,omitempty"`    // why bans cannot be read
	CanMembers string            `json:"can_members,omitempty"` // why members cannot be read
	Private    map[model.ID]bool `json:"private,omitempty"`     // channels whose private threads all show
}

// server reads everything that one call each gives, and the pictures that belong to it.
func (k *taking) server(ctx context.Context) error {
	k.r.Say(work.Info, "Reading the server's settings, roles and channels")
	var g wireGuild
	var channels []wireChannel
	var me *discordgo.Member
	var app *discordgo.Application
	if err := k.first(ctx, &g, &channels, &me, &app); err != nil {
		return err
	}
	a := newAccess(&g, me, k.t.Now())
	f := &found{Title: g.Name, features: g.Features, Private: map[model.ID]bool{}}
	f.Snapshot.About = k.about(&g, me)
	k.intents(f, app, a)
	pictures := k.settings(f, &g)
	pictures = append(pictures, k.roles(f, &g)...)
	k.channels(f, channels, a)
	pictures = append(pictures, k.expressions(f, &g)...)
	for _, read := range []func(context.Context, *found, access) ([]asset, error){k.sounds, k.autoMod, k.welcome, k.onboarding, k.events, k.webhooks} {
		more, err := read(ctx, f, a)
		if err != nil {
			return err
		}
		pictures = append(pictures, more...)
	}
	err := k.part(ctx, "part-server", func(w *archive.Writer) error { return k.fetchAll(ctx, w, &f.Report, pictures) })
	if err != nil {
		return err
	}
	return k.keep(ctx, "server", f)
}

// first reads what everything else needs to know.
func (k *taking) first(ctx context.Context, g *wireGuild, channels *[]wireChannel, me **discordgo.Member, app **discordgo.Application) error {
	err := call(ctx, func(ctx context.Context) error { return k.t.Bot.ReadGuild(ctx, k.guild, g) })
	if discord.HasCode(err, discord.CodeUnknownGuild, discord.CodeMissingAccess) {
		return work.Permanent(errors.New("the bot is not in this server any more; nothing was backed up"))
	}
	if err == nil {
		err = call(ctx, func(ctx context.Context) error { return k.t.Bot.ReadChannels(ctx, k.guild, channels) })
	}
	if err == nil {
		err = call(ctx, func(ctx context.Context) error {
			var err error
			*app, err = k.t.Bot.Application(ctx)
			return err
		})
	}
	if err == nil {
		err = call(ctx, func(ctx context.Context) error {
			self, err := k.t.Bot.Self(ctx)
			if err == nil {
				*me, err = k.t.Bot.Member(ctx, k.guild, self.ID)
			}
			return err
		})
	}
	if err == nil && (g.ID == "" || *me == nil || (*me).User == nil) {
		err = errors.New("the server's id or the bot's membership is missing in Discord's answer; nothing was backed up")
	}
	return err
}

func (k *taking) about(g *wireGuild, me *discordgo.Member) model.About {
	a := model.About{
		GuildID: g.ID, TakenAt: k.t.Now().UTC(), Bot: model.ID(me.User.ID), OwnerID: g.OwnerID, Members: g.Members, BoostLevel: g.BoostLevel,
	}
	if by := k.r.Job().By; by != 0 {
		a.TakenBy = model.ID(by.String())
	}
	return a
}

// intents notes what the application may not see at all.
func (k *taking) intents(f *found, app *discordgo.Application, a access) {
	const content, members = 1<<18 | 1<<19, 1<<14 | 1<<15
	if app.Flags&content == 0 {
		f.Content = "the bot lacks the message content intent: Discord keeps texts and files of others' messages from it"
	}
	if app.Flags&members == 0 {
		f.CanMembers = "the bot lacks the server members intent"
	}
	f.CanBans = a.guildWide(discordgo.PermissionBanMembers)
}

func (k *taking) settings(f *found, g *wireGuild) []asset {
	if !k.wants(bus.PartSettings) {
		f.Report.not("settings", leftOut)
		return nil
	}
	s := &f.Snapshot
	s.Guild = g.Guild
	f.Report.kept("settings", 1, "")
	id := string(g.ID)
	return slices.Concat(
		hashed("the server's icon", g.ID, "icons/"+id, &s.Guild.Icon),
		hashed("the server's invite splash", g.ID, "splashes/"+id, &s.Guild.Splash),
		hashed("the server's discovery splash", g.ID, "discovery-splashes/"+id, &s.Guild.DiscoverySplash),
		hashed("the server's banner", g.ID, "banners/"+id, &s.Guild.Banner),
	)
}

func (k *taking) roles(f *found, g *wireGuild) []asset {
	if !k.wants(bus.PartRoles) {
		f.Report.not("roles", leftOut)
		return nil
	}
	for _, r := range g.Roles {
		f.Snapshot.Roles = append(f.Snapshot.Roles, r.role())
	}
	roles := f.Snapshot.Roles
	slices.SortFunc(roles, func(a, b model.Role) int {
		if a.Position != b.Position {
			return a.Position - b.Position
		}
		return byID(b.ID, a.ID) // of two with the same position the older one is higher
	})
	var all []asset
	for i := range roles {
		all = append(all, hashed(fmt.Sprintf("the icon of the role %s", roles[i].Name), roles[i].ID, "role-icons/"+string(roles[i].ID), &roles[i].Icon)...)
	}
	f.Report.kept("roles", len(roles), "")
	return all
}

// channels keeps the channels, and the places where messages can be.
func (k *taking) channels(f *found, channels []wireChannel, a access) {
	slices.SortFunc(channels, func(a, b wireChannel) int { return channelOrder(a.Channel, b.Channel) })
	for i := range channels {
		c := &channels[i]
		if holdsText(c.Type) || holdsThreads(c.Type) {
			f.Places = append(f.Places, place{ID: c.ID, Type: c.Type, Pinned: c.LastPin != nil, Why: a.unreadable(&c.Channel)})
			f.Private[c.ID] = a.channel(&c.Channel)&discordgo.PermissionManageThreads != 0
		}
		if k.wants(bus.PartChannels) {
			f.Snapshot.Channels = append(f.Snapshot.Channels, c.Channel)
		}
	}
	if !k.wants(bus.PartChannels) {
		f.Report.not("channels", leftOut)
		return
	}
	f.Report.kept("channels", len(channels), "")
}

// expressions keeps emojis and stickers, which came with the guild.
func (k *taking) expressions(f *found, g *wireGuild) []asset {
	if !k.wants(bus.PartExpressions) {
		f.Report.not("emojis", leftOut)
		f.Report.not("stickers", leftOut)
		return nil
	}
	s := &f.Snapshot
	var all []asset
	s.Emojis = g.Emojis
	slices.SortFunc(s.Emojis, func(a, b model.Emoji) int { return byID(a.ID, b.ID) })
	for i := range s.Emojis {
		e := &s.Emojis[i]
		ending := ".png"
		if e.Animated {
			ending = ".gif"
		}
		all = append(all, asset{what: "the picture of the emoji " + e.Name, id: e.ID, path: "/emojis/" + string(e.ID) + ending, most: maxExpression, good: pictured, to: &e.File})
	}
	for _, w := range g.Stickers {
		s.Stickers = append(s.Stickers, w.Sticker)
	}
	slices.SortFunc(s.Stickers, func(a, b model.Sticker) int { return byID(a.ID, b.ID) })
	for i := range s.Stickers {
		all = append(all, stickerFile(k.t.CDN, &s.Stickers[i]))
	}
	f.Report.kept("emojis", len(s.Emojis), "")
	f.Report.kept("stickers", len(s.Stickers), "")
	return all
}

// Formats of stickers, as Discord numbers them.
const (
	lottieSticker = 3
	gifSticker    = 4
)

func stickerFile(cdn *discord.CDN, s *model.Sticker) asset {
	path := "/stickers/" + string(s.ID)
	a := asset{what: "the picture of the sticker " + s.Name, id: s.ID, path: path + ".png", most: maxExpression, good: pictured, to: &s.File}
	switch s.Format {
	case lottieSticker:
		a.path, a.good = path+".json", lottie
	case gifSticker:
		a.path = cdn.Media(path + ".gif")
	}
	return a
}
