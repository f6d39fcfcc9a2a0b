package rules

import (
	"cmp"
	"context"
	"errors"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
)

// read puts the options that were given into a limit.
func read(u *command.Use, r *bus.LimitRule) error {
	r.Name = cmp.Or(u.Text("name"), r.Name)
	r.Count = u.Number("count", r.Count)
	if err := readWindow(u, r); err != nil {
		return err
	}
	if u.Given("response") {
		r.Respond = responseOf(u.Text("response"))
	}
	if text := u.Text("timeout"); text != "" {
		d, err := command.ParseDuration(text)
		if err != nil {
			return err
		}
		r.Timeout = bus.Seconds(d.Seconds())
	}
	if r.Respond != bus.RespondTimeout {
		r.Timeout = 0
	}
	if r.Respond == bus.RespondTimeout && (r.Timeout < 1 || r.Timeout > bus.MaxLimitTimeout) {
		return command.Refuse("limits.timeout")
	}
	return nil
}

func readWindow(u *command.Use, r *bus.LimitRule) error {
	if u.Given("time") != u.Given("unit") {
		return command.Refuse("limits.time_and_unit")
	}
	if u.Given("time") {
		r.Window = bus.Seconds(min(u.Number("time", 0), int(bus.MaxLimitWindow)+1)) * unit(u.Text("unit"))
	}
	if r.Window < 1 || r.Window > bus.MaxLimitWindow {
		return command.Refuse("limits.window")
	}
	return nil
}

// explain turns what the store refuses into a sentence for people.
func explain(err error) error {
	switch {
	case errors.Is(err, ErrFull):
		return command.Refuse("limits.full", "max", bus.MaxLimits)
	case bus.IsCode(err, bus.CodeNotFound):
		return command.Refuse("limits.unknown")
	case bus.IsCode(err, bus.CodeInvalid):
		return command.Refuse("limits.bad", "count", bus.MaxLimitCount, "name", bus.MaxLimitName)
	}
	return err
}

func (t Tools) add(ctx context.Context, u *command.Use) error {
	r := bus.LimitRule{ID: newID(), Kind: bus.ActionKind(u.Text("action")), By: u.User}
	if err := read(u, &r); err != nil {
		return err
	}
	all, err := t.Store().Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	if _, taken := find(all, r.Name); taken {
		return command.Refuse("limits.name_taken")
	}
	if err := t.Store().Add(ctx, u.Guild, r); err != nil {
		return explain(err)
	}
	u.Log.Info("a limit was added", "guild", u.Guild, "limit", r.ID, "by", u.User, "op", u.Op)
	return u.Say(ctx, "limits.added", "name", card.Plainly(r.Name), "sentence", sentence(u, r))
}

func (t Tools) edit(ctx context.Context, u *command.Use) error {
	r, err := t.wanted(ctx, u)
	if err != nil {
		return err
	}
	before := r
	err = t.Store().Change(ctx, u.Guild, r.ID, u.User, func(v *bus.LimitRule) error {
		before = *v
		if err := read(u, v); err != nil {
			return err
		}
		if *v == before {
			return command.Refuse("limits.nothing")
		}
		r = *v
		return nil
	})
	if err != nil {
		return explain(err)
	}
	u.Log.Info("a limit was changed", "guild", u.Guild, "limit", r.ID, "by", u.User, "op", u.Op)
	return u.Say(ctx, "limits.edited", "name", card.Plainly(r.Name), "before", sentence(u, before), "sentence", sentence(u, r))
}

// remove asks first: what is taken away protects no more.
func (t Tools) remove(ctx context.Context, u *command.Use) error {
	r, err := t.wanted(ctx, u)
	if err != nil {
		return err
	}
	all, err := t.Store().Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	c := card.Card{Text: u.T("limits.remove_ask", "name", card.Plainly(r.Name), "sentence", sentence(u, r), "left", len(all)-1), Colour: card.Urgent}
	return u.Confirm(ctx, c, u.T("button.limits_remove"), map[string]string{"limit": r.ID})
}

func (t Tools) removed(ctx context.Context, u *command.Use, args map[string]string) error {
	if err := t.Store().Remove(ctx, u.Guild, args["limit"], u.User); err != nil {
		return explain(err)
	}
	u.Log.Info("a limit was removed", "guild", u.Guild, "limit", args["limit"], "by", u.User, "op", u.Op)
	return u.Say(ctx, "limits.removed")
}

// clear asks for more than a press: afterwards nothing stops anybody.
func (t Tools) clear(ctx context.Context, u *command.Use) error {
	all, err := t.Store().Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return command.Refuse("limits.clear_none")
	}
	g, err := u.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return err
	}
	c := card.Card{Text: u.T("limits.clear_ask", "count", len(all)), Colour: card.Bad}
	return u.ConfirmTyped(ctx, c, u.T("button.limits_clear", "count", len(all)), nil, g.Name)
}

// cleared removes what there is by now. When it breaks off in the middle, running the
// command again completes it.
func (t Tools) cleared(ctx context.Context, u *command.Use, _ map[string]string) error {
	all, err := t.Store().Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	for done, r := range all {
		err := t.Store().Remove(ctx, u.Guild, r.ID, u.User)
		if err != nil && !bus.IsCode(err, bus.CodeNotFound) {
			u.Log.Error("limits were removed in part", "guild", u.Guild, "done", done, "of", len(all), "op", u.Op, "err", err)
			return command.Refuse("limits.clear_part", "done", done, "count", len(all), "ref", u.Op)
		}
	}
	u.Log.Warn("all limits were removed", "guild", u.Guild, "count", len(all), "by", u.User, "op", u.Op)
	return u.Say(ctx, "limits.cleared", "count", len(all))
}
