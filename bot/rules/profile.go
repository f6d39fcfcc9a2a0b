package rules

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/limits"
	"splashtail/bus"
)

// sizeOf asks Discord how large the guild is.
func sizeOf(ctx context.Context, u *command.Use) (limits.Size, error) {
	g, err := u.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return limits.Size{}, err
	}
	channels, err := u.Bot.Channels(ctx, u.GuildID())
	return limits.Size{Members: max(g.ApproximateMemberCount, g.MemberCount), Channels: len(channels), Roles: len(g.Roles)}, err
}

// profileOf is the profile with the names in the guild's language.
func profileOf(u *command.Use, s limits.Size) []bus.LimitRule {
	list := limits.Profile(s)
	for i := range list {
		list[i].Name = card.Cut(u.Everybody.T("limits."+list[i].ID), bus.MaxLimitName)
	}
	return list
}

// profile shows the limits that fit the guild and asks before it sets them.
func (t Tools) profile(ctx context.Context, u *command.Use) error {
	size, err := sizeOf(ctx, u)
	if err != nil {
		return err
	}
	all, err := t.Store().Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	list := profileOf(u, size)
	fresh, replaced := 0, 0
	var b strings.Builder
	for _, r := range list {
		mark := "+"
		if _, old := byID(all, r.ID); old {
			mark = "~"
			replaced++
		} else {
			fresh++
		}
		fmt.Fprintf(&b, "`%s` **%s**: %s\n", mark, card.Plainly(r.Name), sentence(u, r))
	}
	if len(all)+fresh > bus.MaxLimits {
		return command.Refuse("limits.profile_full", "have", len(all), "fresh", fresh, "max", bus.MaxLimits)
	}
	c := card.Card{Title: u.T("limits.profile_title"), Colour: card.Urgent, Text: u.T("limits.profile_ask", "members", size.Members, "channels", size.Channels, "roles", size.Roles,
		"fresh", fresh, "replaced", replaced, "kept", len(all)-replaced) + "\n\n" + b.String()}
	return u.Confirm(ctx, c, u.T("button.limits_profile", "count", len(list)), map[string]string{
		"members": strconv.Itoa(size.Members), "channels": strconv.Itoa(size.Channels), "roles": strconv.Itoa(size.Roles)})
}

func byID(all []bus.LimitRule, id string) (bus.LimitRule, bool) {
	for _, r := range all {
		if r.ID == id {
			return r, true
		}
	}
	return bus.LimitRule{}, false
}

// profiled sets what was shown. Setting it twice is the same as once, so when it breaks
// off in the middle, running the command again completes it.
func (t Tools) profiled(ctx context.Context, u *command.Use, args map[string]string) error {
	var size limits.Size
	for name, into := range map[string]*int{"members": &size.Members, "channels": &size.Channels, "roles": &size.Roles} {
		n, err := strconv.Atoi(args[name])
		if err != nil {
			return err
		}
		*into = n
	}
	list := profileOf(u, size)
	for done, r := range list {
		r.By = u.User
		err := t.Store().Change(ctx, u.Guild, r.ID, u.User, func(v *bus.LimitRule) error { *v = r; return nil })
		if bus.IsCode(err, bus.CodeNotFound) {
			err = t.Store().Add(ctx, u.Guild, r)
		}
		if err != nil {
			u.Log.Error("the limits of a profile were set in part", "guild", u.Guild, "done", done, "of", len(list), "op", u.Op, "err", err)
			return command.Refuse("limits.profile_part", "done", done, "count", len(list), "ref", u.Op)
		}
	}
	u.Log.Info("the limits of a profile were set", "guild", u.Guild, "count", len(list), "by", u.User, "op", u.Op)
	return u.Say(ctx, "limits.profile_done", "count", len(list))
}
