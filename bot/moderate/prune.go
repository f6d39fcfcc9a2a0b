package moderate

import (
	"context"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/internal/discord"
)

// Bounds of deleting messages.
const (
	maxPrune   = 1000                // messages per command
	maxLooked  = 5000                // messages that are read to find them
	perCall    = 100                 // Discord's, for reading and for deleting at once
	youngerBy  = 14 * 24 * time.Hour // Discord deletes only younger ones at once
	safeMargin = time.Hour           // what is nearly too old might be when its turn comes
)

func pruneOptions() []command.Option {
	return []command.Option{
		{Name: "limit", Kind: command.Number, Required: true, Min: 1, Max: maxPrune},
		{Name: "user", Kind: command.Person},
		{Name: "channel", Kind: command.Channel, ChannelTypes: []discordgo.ChannelType{discordgo.ChannelTypeGuildText, discordgo.ChannelTypeGuildNews,
			discordgo.ChannelTypeGuildVoice, discordgo.ChannelTypeGuildPublicThread, discordgo.ChannelTypeGuildPrivateThread}},
	}
}

// selection is which messages: at most limit of a channel, of one author or of all, not
// newer than before and not older than oldest.
type selection struct {
	channel, author, before string
	oldest                  uint64 // an id; 0: as old as can be deleted
	limit                   int
}

// prune counts what would go and asks.
func (t Tools) prune(ctx context.Context, u *command.Use) error {
	s := selection{channel: u.Channel, limit: u.Number("limit", 0)}
	if c := u.ChannelOf("channel"); c != "" {
		s.channel = c
	}
	if who, _ := u.Person("user"); who != nil {
		s.author = who.ID
	}
	if err := t.mayPrune(ctx, u, s.channel); err != nil {
		return err
	}
	return s.ask(ctx, u, u.Text("reason"), func(count int) string {
		return u.T("prune.ask", "count", count, "channel", "<#"+s.channel+">")
	})
}

// ask counts what would go, shows it in the words of text, and asks. What is confirmed are
// those messages: when some of them are gone by then, no older ones take their place.
func (s selection) ask(ctx context.Context, u *command.Use, reason string, text func(count int) string) error {
	s.before = strconv.FormatUint(discord.SnowflakeAt(time.Now()), 10)
	ids, err := s.find(ctx, u.Bot)
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return command.Refuse("prune.none")
	}
	return u.Confirm(ctx, card.Card{Text: text(len(ids)), Colour: card.Urgent}, u.T("button.prune", "count", len(ids)), map[string]string{
		"channel": s.channel, "author": s.author, "before": s.before, "oldest": ids[len(ids)-1], "limit": strconv.Itoa(len(ids)), "reason": reason,
	})
}

// mayPrune refuses for channels where the bot or, elsewhere than here, who asks may not
// delete messages.
func (t Tools) mayPrune(ctx context.Context, u *command.Use, channel string) error {
	const need = discordgo.PermissionViewChannel | discordgo.PermissionReadMessageHistory | discordgo.PermissionManageMessages
	mine := u.Mine
	if channel != u.Channel {
		theirs, there, err := t.permissionsIn(ctx, u, channel)
		if err != nil {
			return err
		}
		if theirs&need != need {
			return command.Refuse("prune.not_there", "channel", "<#"+channel+">")
		}
		mine = there
	}
	if mine&need != need && mine&discordgo.PermissionAdministrator == 0 {
		return command.Refuse("prune.bot_lacks", "channel", "<#"+channel+">")
	}
	return nil
}

// permissionsIn computes what who asks and what the bot may do in a channel.
func (t Tools) permissionsIn(ctx context.Context, u *command.Use, channel string) (theirs, mine int64, err error) {
	g, err := u.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return 0, 0, err
	}
	me, err := u.Bot.Member(ctx, u.GuildID(), t.Self())
	if err != nil {
		return 0, 0, err
	}
	c, err := u.Bot.Channel(ctx, channel)
	if err != nil {
		return 0, 0, err
	}
	if c.GuildID != u.GuildID() {
		return 0, 0, command.Refuse("prune.not_there", "channel", "<#"+channel+">")
	}
	var parent *discordgo.Channel
	if c.IsThread() {
		if parent, err = u.Bot.Channel(ctx, c.ParentID); err != nil {
			return 0, 0, err
		}
	}
	now := time.Now()
	return discord.ChannelPermissions(g, u.Member, c, parent, now), discord.ChannelPermissions(g, me, c, parent, now), nil
}

// find gives the ids of the messages, the newest first. Pinned ones stay.
func (s selection) find(ctx context.Context, bot *discord.Bot) ([]string, error) {
	oldest := max(s.oldest, discord.SnowflakeAt(time.Now().Add(safeMargin-youngerBy)))
	before := s.before
	var ids []string
	for looked := 0; looked < maxLooked; looked += perCall {
		page, err := bot.Messages(ctx, s.channel, before, perCall)
		if err != nil {
			return nil, err
		}
		for _, m := range page {
			before = m.ID
			n, err := strconv.ParseUint(m.ID, 10, 64)
			if err != nil || n < oldest {
				return ids, nil
			}
			if !m.Pinned && m.Author != nil && (s.author == "" || m.Author.ID == s.author) {
				ids = append(ids, m.ID)
			}
			if len(ids) == s.limit {
				return ids, nil
			}
		}
		if len(page) < perCall {
			break
		}
	}
	return ids, nil
}

// pruned deletes what was confirmed. What came since then stays.
func (t Tools) pruned(ctx context.Context, u *command.Use, args map[string]string) error {
	limit, err := strconv.Atoi(args["limit"])
	if err != nil {
		return err
	}
	oldest, err := strconv.ParseUint(args["oldest"], 10, 64)
	if err != nil {
		return err
	}
	s := selection{channel: args["channel"], author: args["author"], before: args["before"], oldest: oldest, limit: limit}
	if err := t.mayPrune(ctx, u, s.channel); err != nil {
		return err
	}
	ids, err := s.find(ctx, u.Bot)
	if err != nil {
		return err
	}
	gone := 0
	for gone < len(ids) {
		n := min(perCall, len(ids)-gone)
		if err := remove(ctx, u.Bot, s.channel, ids[gone:gone+n], u.Reason(args["reason"])); err != nil {
			u.Log.Error("deleting messages stopped", "op", u.Op, "gone", gone, "of", len(ids), "err", err)
			return command.Refuse("prune.part", "count", gone, "all", len(ids), "ref", u.Op)
		}
		gone += n
		u.Progress(ctx, card.Card{Text: u.T("prune.progress", "count", gone, "all", len(ids))})
	}
	return t.done(ctx, u, args["reason"], "prune.done", "count", gone, "channel", "<#"+s.channel+">")
}

// remove deletes up to 100 messages; Discord takes one only on its own.
func remove(ctx context.Context, bot *discord.Bot, channel string, ids []string, reason string) error {
	if len(ids) > 1 {
		return bot.DeleteMessages(ctx, channel, ids, reason)
	}
	return bot.DeleteMessage(ctx, channel, ids[0], reason)
}
