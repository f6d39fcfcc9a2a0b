package command

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/discord"
)

// Use is one interaction, as a handler sees it: who uses which command where, with what,
// and how to answer. Its methods are for one goroutine.
type Use struct {
	Bot     *discord.Bot
	Log     *slog.Logger
	Command Command
	Guild   bus.GuildID
	Channel string
	User    bus.UserID
	Member  *discordgo.Member
	// Permissions are the member's where they ask, Mine the bot's there.
	Permissions, Mine int64
	App               bus.UserID
	Words             words.Language // of who asks
	Everybody         words.Language // of the guild, for what others see
	Op                string         // names this use in logs, records and audit-log reasons

	router   *Router
	it       *discordgo.Interaction
	options  map[string]*discordgo.ApplicationCommandInteractionDataOption
	resolved *discordgo.ApplicationCommandInteractionDataResolved
	target   string // of a menu
	typed    map[string]string
	enclosed []*discordgo.File // with the next reply
	edited   time.Time
	deferred bool // the answer is an edit from now on
}

// T gives a sentence in the language of who asks.
func (u *Use) T(key string, values ...any) string { return u.Words.T(key, values...) }

// GuildID is the guild as Discord's API names it.
func (u *Use) GuildID() string { return u.Guild.String() }

// Given says whether an option was given.
func (u *Use) Given(name string) bool { return u.options[name] != nil }

// Text gives a text option, trimmed; empty when it was not given.
func (u *Use) Text(name string) string {
	if o := u.options[name]; o != nil && o.Type == discordgo.ApplicationCommandOptionString {
		return strings.TrimSpace(o.StringValue())
	}
	return ""
}

// Number gives a number option; otherwise when it was not given.
func (u *Use) Number(name string, otherwise int) int {
	if o := u.options[name]; o != nil && o.Type == discordgo.ApplicationCommandOptionInteger {
		return int(o.IntValue())
	}
	return otherwise
}

// Truth gives a yes-or-no option; no when it was not given.
func (u *Use) Truth(name string) bool {
	o := u.options[name]
	return o != nil && o.Type == discordgo.ApplicationCommandOptionBoolean && o.BoolValue()
}

// id gives the id in an option; empty when it was not given.
func (u *Use) id(name string) string {
	if o := u.options[name]; o != nil {
		s, _ := o.Value.(string)
		return s
	}
	return ""
}

// Person gives a user option, and the membership when the user is a member; nil when it
// was not given.
func (u *Use) Person(name string) (*discordgo.User, *discordgo.Member) {
	id := u.id(name)
	if id == "" || u.resolved == nil || u.resolved.Users[id] == nil {
		return nil, nil
	}
	user, m := u.resolved.Users[id], u.resolved.Members[id]
	if m != nil {
		m.User = user
	}
	return user, m
}

// RoleOf gives a role option; nil when it was not given.
func (u *Use) RoleOf(name string) *discordgo.Role {
	if u.resolved == nil {
		return nil
	}
	return u.resolved.Roles[u.id(name)]
}

// ChannelOf gives the id of a channel option; empty when it was not given.
func (u *Use) ChannelOf(name string) string { return u.id(name) }

// FileOf gives an attachment option; nil when it was not given. Its URL is of Discord's, and good for some hours.
func (u *Use) FileOf(name string) *discordgo.MessageAttachment {
	if u.resolved == nil {
		return nil
	}
	return u.resolved.Attachments[u.id(name)]
}

// Typed gives what was typed into an input of the form that came before; empty when there was none.
func (u *Use) Typed(name string) string { return u.typed[name] }

// Reply shows a card as the answer; a further one takes the place of the last.
func (u *Use) Reply(ctx context.Context, c card.Card) error {
	e := c.Edit()
	e.Files, u.enclosed = u.enclosed, nil
	_, err := u.Bot.EditOriginal(ctx, u.it.AppID, u.it.Token, e)
	u.edited = time.Now()
	return err
}

// Say replies with a sentence of the catalogue that reports success.
func (u *Use) Say(ctx context.Context, key string, values ...any) error {
	return u.Reply(ctx, card.Card{Text: u.T(key, values...), Colour: card.Good})
}

// betweenEdits is the shortest time between two edits that report progress.
const betweenEdits = 2 * time.Second

// Progress shows how far a long command is; what comes too soon after the last edit is
// left out, so the last word is for Reply. An edit that fails stops nothing.
func (u *Use) Progress(ctx context.Context, c card.Card) {
	if time.Since(u.edited) < betweenEdits {
		return
	}
	if err := u.Reply(ctx, c); err != nil {
		u.Log.Debug("progress could not be shown", "op", u.Op, "err", err)
	}
}

// Button makes the id of a button that a component of the bot handles. It works for ttl,
// also after a restart; afterwards who presses is told so.
func (u *Use) Button(name, state string, ttl time.Duration) string {
	return u.router.seal.seal(u.Guild, pressed{name: name, state: state, by: u.User, until: time.Now().Add(ttl)})
}

// Reason is what the guild's audit log says about an act of this use: who, why, and the
// name under which our logs know it. At most 512 characters, as Discord takes.
func (u *Use) Reason(why string) string {
	head := u.Member.User.Username + " (" + u.Member.User.ID + ")"
	tail := " · op=" + u.Op
	if why == "" {
		return head + tail
	}
	return head + " · " + card.Cut(why, 500-len([]rune(head+tail))) + tail
}

// May says whether who asks may run another command.
func (u *Use) May(ctx context.Context, c Command) (access.Decision, error) {
	return u.router.decide(ctx, u, c)
}

// Registry is every command there is.
func (u *Use) Registry() *Registry { return u.router.registry }

// AskedAt is when Discord made the interaction.
func (u *Use) AskedAt() time.Time { return madeAt(u.it.ID) }
