package lockdown

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
)

// start shows what a lock would close and asks.
func (k *Keeper) start(ctx context.Context, u *command.Use) error {
	span, err := spanOf(u)
	if err != nil {
		return err
	}
	lock := bus.Lock{Scope: bus.LockScope(u.Text("what"))}
	if lock.Scope == bus.LockChannel {
		lock.Channel = cmp.Or(u.ChannelOf("channel"), u.Channel)
	}
	l, err := k.Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	v, err := look(ctx, u.Bot, u.Guild, k.cfg.Self())
	if err != nil {
		return err
	}
	if c := v.channel(lock.Channel); lock.Scope == bus.LockChannel && (c == nil || !hasTalk(c)) {
		return command.Refuse("lockdown.no_channel")
	}
	p := planFor(v.unlocked(l), lock.Scope, lock.Channel)
	switch {
	case p.lacks != 0:
		return command.Refuse("lockdown.lacks", "permissions", names(p.lacks))
	case len(p.parts) == 0 && len(p.failed) > 0:
		return command.Refuse("lockdown.cannot", "list", things(u.Words, p.failed))
	case len(p.parts) == 0:
		return command.Refuse("lockdown.closed_already")
	case len(p.parts) > bus.MaxLockParts:
		return command.Refuse("lockdown.large")
	}
	return u.Confirm(ctx, card.Card{Text: p.words(u, lock, span), Colour: card.Urgent}, p.verb(u, lock.Scope),
		map[string]string{"what": string(lock.Scope), "channel": lock.Channel, "for": span.String(), "reason": whyOf(u)})
}

// words says what a plan would do.
func (p plan) words(u *command.Use, lock bus.Lock, span time.Duration) string {
	text := u.T("lockdown.ask."+string(lock.Scope), "roles", p.roles, "channels", p.channels, "scope", scope(u.Words, lock), "until", stamp(time.Now().Add(span)))
	if p.open > 0 {
		text += "\n" + u.T("lockdown.ask_open", "count", p.open)
	}
	if len(p.failed) > 0 {
		text += "\n" + u.T("lockdown.not", "list", things(u.Words, p.failed))
	}
	return text
}

// verb is what stands on the button.
func (p plan) verb(u *command.Use, what bus.LockScope) string {
	count := p.channels
	if what == bus.LockRoles {
		count = p.roles
	}
	return u.T("button.lock_"+string(what), "count", count)
}

// names lists permissions as Discord calls them in its English client.
func names(bits int64) string {
	var list []string
	for _, one := range []struct {
		bit  int64
		name string
	}{
		{discordgo.PermissionSendMessages, "Send Messages"},
		{discordgo.PermissionSendMessagesInThreads, "Send Messages in Threads"},
		{discordgo.PermissionCreatePublicThreads, "Create Public Threads"},
		{discordgo.PermissionCreatePrivateThreads, "Create Private Threads"},
		{discordgo.PermissionAddReactions, "Add Reactions"},
		{discordgo.PermissionVoiceConnect, "Connect"},
	} {
		if bits&one.bit != 0 {
			list = append(list, one.name)
		}
	}
	return strings.Join(list, ", ")
}

// started wishes the lock that was confirmed and shows how it goes. The time limit runs
// from the confirmation.
func (k *Keeper) started(ctx context.Context, u *command.Use, args map[string]string) error {
	span, err := time.ParseDuration(args["for"])
	if err != nil {
		return err
	}
	now := time.Now().UTC()
	id, err := k.Begin(ctx, u.Guild, bus.Lock{ID: u.Op, Scope: bus.LockScope(args["what"]), Channel: args["channel"], By: u.User,
		Reason: args["reason"], Audit: u.Reason(args["reason"]), Told: u.Channel, At: now, Until: now.Add(span)})
	if err != nil {
		return err
	}
	text, bad, err := k.follow(ctx, u, id)
	if err != nil {
		return err
	}
	c := card.Card{Text: text, Colour: card.Good}
	if bad {
		c.Colour = card.Bad
	}
	return u.Reply(ctx, c)
}
