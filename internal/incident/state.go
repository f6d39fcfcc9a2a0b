package incident

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// askOneByOne is up to how many members or bans are asked for one by one; of more, all
// are listed.
const askOneByOne = 20

// LoadState asks Discord what a guild is now, as far as taking back the deeds of an actor
// needs it. Errors: as of discord.Bot.
func LoadState(ctx context.Context, bot *discord.Bot, guild bus.GuildID, actor bus.UserID, deeds []bus.Deed) (State, error) {
	s := State{members: map[string]member{}, bans: map[string]bool{}, webhooks: map[string]bool{}}
	l := loader{bot, guild.String()}
	var err error
	if s.guild, err = l.object(ctx, "/guilds/"+l.guild); err != nil {
		return s, err
	}
	if s.roles, err = l.list(ctx, "/guilds/"+l.guild+"/roles"); err != nil {
		return s, err
	}
	if s.channels, err = l.list(ctx, "/guilds/"+l.guild+"/channels"); err != nil {
		return s, err
	}
	s.roleOrder, s.channelOrder = order(s.roles, newerFirst), order(s.channels, compareIDs)
	need := needs(actor, deeds)
	if err := l.members(ctx, need.members, s.members); err != nil {
		return s, err
	}
	if err := l.bans(ctx, need.bans, s.bans); err != nil {
		return s, err
	}
	if len(need.webhooks) == 0 {
		return s, nil
	}
	hooks, err := bot.GuildWebhooks(ctx, l.guild)
	for _, h := range hooks {
		s.webhooks[h.ID] = true
	}
	return s, err
}

// needed are the ids that have to be asked for.
type needed struct{ members, bans, webhooks map[string]bool }

func needs(actor bus.UserID, deeds []bus.Deed) needed {
	n := needed{map[string]bool{}, map[string]bool{}, map[string]bool{}}
	for _, d := range deeds {
		if d.Actor != actor || d.Target == "" {
			continue
		}
		switch d.Type {
		case typeMemberUpdate, typeMemberRoles, typeBotAdd:
			n.members[d.Target] = true
		case typeBan, typeUnban:
			n.bans[d.Target] = true
		case typeWebhookCreate:
			n.webhooks[d.Target] = true
		}
	}
	return n
}

type loader struct {
	bot   *discord.Bot
	guild string
}

func (l loader) object(ctx context.Context, path string) (object, error) {
	a, err := l.bot.Do(ctx, discord.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, err
	}
	return parseObject(a.Body), nil
}

// list reads objects by their id, as Discord gives them: with keys that no library knows.
func (l loader) list(ctx context.Context, path string) (map[string]object, error) {
	a, err := l.bot.Do(ctx, discord.Request{Method: http.MethodGet, Path: path})
	if err != nil {
		return nil, err
	}
	var list []object
	if err := json.Unmarshal(a.Body, &list); err != nil {
		return nil, bus.Errorf(bus.CodeInternal, "bad_answer", "Discord's answer for %s cannot be read; nothing was changed: %w", path, err)
	}
	out := make(map[string]object, len(list))
	for _, o := range list {
		out[o.text("id")] = o
	}
	return out, nil
}

func (l loader) members(ctx context.Context, want map[string]bool, into map[string]member) error {
	if len(want) <= askOneByOne {
		for _, user := range sorted(want) {
			m, err := l.bot.Member(ctx, l.guild, user)
			if discord.HasCode(err, discord.CodeUnknownMember, discord.CodeUnknownUser) {
				continue
			}
			if err != nil {
				return err
			}
			into[user] = memberOf(m)
		}
		return nil
	}
	for after := ""; ; {
		page, err := l.bot.Members(ctx, l.guild, after, pageSize)
		if err != nil {
			return err
		}
		for _, m := range page {
			if after = m.User.ID; want[after] {
				into[after] = memberOf(m)
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// pageSize is the most that Discord lists at once.
const pageSize = 1000

func memberOf(m *discordgo.Member) member {
	keys := object{}
	if m.Nick != "" {
		keys["nick"] = quote(m.Nick)
	}
	if m.CommunicationDisabledUntil != nil {
		keys["communication_disabled_until"], _ = json.Marshal(m.CommunicationDisabledUntil) // a time encodes
	}
	return member{m.Roles, keys}
}

func (l loader) bans(ctx context.Context, want map[string]bool, into map[string]bool) error {
	if len(want) <= askOneByOne {
		for _, user := range sorted(want) {
			_, err := l.bot.BanOf(ctx, l.guild, user)
			if err != nil && !discord.HasCode(err, discord.CodeUnknownBan) {
				return err
			}
			into[user] = err == nil
		}
		return nil
	}
	for after := ""; ; {
		page, err := l.bot.Bans(ctx, l.guild, after, pageSize)
		if err != nil {
			return err
		}
		for _, b := range page {
			if after = b.User.ID; want[after] {
				into[after] = true
			}
		}
		if len(page) < pageSize {
			return nil
		}
	}
}

// Bounds of PeopleOf: the events of a guild wait for it once, when the guild is first seen.
const (
	maxPeoplePages = maxImageMembers / pageSize
	peopleWithin   = 5 * time.Second // a response to a limit must not wait longer behind it
)

// PeopleOf lists the members of a guild with a bot that has the members intent, for a
// RecorderConfig: at most 100,000, and what five seconds give. Of a larger
// guild, further members are learnt as their events come.
func PeopleOf(bot *discord.Bot) func(context.Context, bus.GuildID) ([]json.RawMessage, error) {
	return func(ctx context.Context, g bus.GuildID) ([]json.RawMessage, error) {
		ctx, cancel := context.WithTimeout(ctx, peopleWithin)
		defer cancel()
		var all []json.RawMessage
		after := ""
		for range maxPeoplePages {
			page, err := bot.Members(ctx, g.String(), after, pageSize)
			if err != nil {
				return all, err
			}
			for _, m := range page {
				after = m.User.ID
				raw, _ := json.Marshal(map[string]any{"user": map[string]string{"id": after}, "roles": m.Roles}) // texts always encode
				all = append(all, raw)
			}
			if len(page) < pageSize {
				break
			}
		}
		return all, nil
	}
}

// WholeOf gives a guild as GUILD_CREATE would show it, members aside, for a
// RecorderConfig: after a restart nothing else does.
func WholeOf(bot *discord.Bot) func(context.Context, bus.GuildID) (json.RawMessage, error) {
	return func(ctx context.Context, g bus.GuildID) (json.RawMessage, error) {
		ctx, cancel := context.WithTimeout(ctx, peopleWithin)
		defer cancel()
		path := "/guilds/" + g.String()
		l := loader{bot, g.String()}
		whole, err := l.object(ctx, path)
		if err != nil {
			return nil, err
		}
		for _, part := range []string{"roles", "channels"} {
			a, err := bot.Do(ctx, discord.Request{Method: http.MethodGet, Path: path + "/" + part})
			if err != nil {
				return nil, err
			}
			whole[part] = a.Body
		}
		return json.Marshal(whole)
	}
}
