package lockdown

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/access"
	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
)

const group = "protection"

// Commands lists /lockdown and its subcommands.
func Commands(k *Keeper) []command.Command {
	const need = discordgo.PermissionManageGuild
	one := func(name string, handle func(context.Context, *command.Use) error, options ...command.Option) command.Command {
		return command.Command{Name: "lockdown " + name, Group: group, Default: need, Access: access.Needs(need), Handle: handle, Options: options}
	}
	scopes := command.Option{Name: "what", Kind: command.Text, Choices: []string{string(bus.LockRoles), string(bus.LockChannels), string(bus.LockChannel)}}
	must := scopes
	must.Required = true
	where := command.Option{Name: "channel", Kind: command.Channel, ChannelTypes: []discordgo.ChannelType{
		discordgo.ChannelTypeGuildText, discordgo.ChannelTypeGuildNews, discordgo.ChannelTypeGuildVoice,
		discordgo.ChannelTypeGuildStageVoice, discordgo.ChannelTypeGuildForum, discordgo.ChannelTypeGuildMedia}}
	span := command.Option{Name: "for", Kind: command.Text, Min: 2, Max: 20}
	why := command.Option{Name: "reason", Kind: command.Text, Min: 1, Max: 300}
	sw := command.Option{Name: "state", Kind: command.Text, Required: true, Choices: []string{switchOff, switchOn}}
	start := one("start", k.start, must, span, where, why)
	start.Confirmed = k.started
	return []command.Command{
		start,
		one("lift", k.lift, scopes, where, why),
		one("show", k.show),
		one("invites", incident("invites", "invites_disabled_until"), sw, span, why),
		one("dms", incident("dms", "dms_disabled_until"), sw, span, why),
	}
}

// How long a lock lasts.
const (
	usual   = time.Hour
	longest = 24 * time.Hour
)

// spanOf reads for how long.
func spanOf(u *command.Use) (time.Duration, error) {
	if u.Text("for") == "" {
		return usual, nil
	}
	d, err := command.ParseDuration(u.Text("for"))
	if err == nil && d > longest {
		err = command.Refuse("lockdown.long")
	}
	return d, err
}

func whyOf(u *command.Use) string { return strings.Join(strings.Fields(u.Text("reason")), " ") }

// lift takes locks back: those of a scope, or all.
func (k *Keeper) lift(ctx context.Context, u *command.Use) error {
	what, where := bus.LockScope(u.Text("what")), cmp.Or(u.ChannelOf("channel"), u.Channel)
	if what == "" && u.ChannelOf("channel") != "" {
		what = bus.LockChannel
	}
	ids, err := k.Lift(ctx, u.Guild, func(l bus.Lock) bool {
		return what == "" || l.Scope == what && (what != bus.LockChannel || l.Channel == where)
	}, u.User, u.Reason(whyOf(u)))
	if err != nil {
		return err
	}
	if len(ids) == 0 {
		return command.Refuse("lockdown.none")
	}
	lines, colour := "", card.Good
	for _, id := range ids {
		text, bad, err := k.follow(ctx, u, id)
		if err != nil {
			return err
		}
		if bad {
			colour = card.Bad
		}
		lines += text + "\n"
	}
	return u.Reply(ctx, card.Card{Text: lines, Colour: colour})
}

// follow shows how far a phase of a lock is, until it is over, and gives what it came to.
func (k *Keeper) follow(ctx context.Context, u *command.Use, id string) (text string, bad bool, err error) {
	var last bus.Lock
	var seen bus.Lockdown
	err = k.Await(ctx, u.Guild, id, func(l bus.Lockdown, lock *bus.Lock) bool {
		if lock == nil {
			return true
		}
		seen, last = l, *lock
		if lock.Phase == bus.LockClosed || lock.Phase == bus.LockStuck {
			return true
		}
		u.Progress(ctx, card.Card{Text: u.T("lockdown.progress", "count", lock.Total-len(lock.Todo), "all", lock.Total)})
		return false
	})
	if err != nil {
		return "", false, err
	}
	if last.ID == "" {
		return u.T("lockdown.none"), false, nil
	}
	text, bad = result(u.Words, seen, last)
	return text, bad, nil
}

// show lists the locks of the guild.
func (k *Keeper) show(ctx context.Context, u *command.Use) error {
	l, err := k.Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	c := card.Card{Title: u.T("lockdown.title"), Colour: card.Urgent}
	if len(l.Locks) == 0 {
		c.Text, c.Colour = u.T("lockdown.nothing"), card.Good
	}
	for _, lock := range slices.Clone(l.Locks) {
		done, all := counts(l, lock)
		value := u.T("lockdown.state."+string(lock.Phase), "done", done, "all", all, "until", stamp(lock.Until)) +
			"\n" + u.T("lockdown.since", "user", "<@"+lock.By.String()+">", "at", stamp(lock.At), "reason", card.Plainly(cmp.Or(lock.Reason, "-")))
		if len(lock.Failed) > 0 {
			value += "\n" + u.T("lockdown.not", "list", things(u.Words, lock.Failed))
		}
		if lock.Channel != "" {
			value = scope(u.Words, lock) + "\n" + value // a heading shows no mentions
		}
		c.Fields = append(c.Fields, card.Field{Name: u.T("choice." + string(lock.Scope)), Value: value})
	}
	return u.Reply(ctx, c)
}
