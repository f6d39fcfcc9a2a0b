package command

import (
	"context"
	"time"

	"splashtail/bot/card"
	"splashtail/bus"
)

// The buttons of a confirmation.
const (
	doButton   = "do"
	dropButton = "drop"
)

// confirmFor is how long a confirmation waits.
const confirmFor = time.Minute

// Confirm shows what an act would do and asks before it is done: verb stands on the
// button, with the count. args reach Command.Confirmed when who asked presses it, once,
// in whichever process.
func (u *Use) Confirm(ctx context.Context, c card.Card, verb string, args map[string]string) error {
	return u.confirm(ctx, c, verb, bus.PendingAct{Args: args})
}

func (u *Use) confirm(ctx context.Context, c card.Card, verb string, act bus.PendingAct) error {
	ttl, footer := confirmFor, "confirm.until"
	switch {
	case act.Type != "":
		ttl, footer = typeFor, "confirm.type_until"
	case u.Command.ConfirmForm != nil:
		ttl, footer = typeFor, "confirm.read_until"
	}
	act.V, act.Command, act.By, act.Until = 1, u.Command.Name, u.User, time.Now().Add(ttl).UTC()
	if _, err := u.router.pending.Create(ctx, bus.PendingKey(u.Guild, u.Op), act); err != nil {
		return err
	}
	c.Footer = u.T(footer)
	c.Buttons = []card.Button{
		{Label: verb, Danger: true, ID: u.Button(doButton, u.Op, ttl)},
		{Label: u.T("button.cancel"), ID: u.Button(dropButton, u.Op, ttl)},
	}
	return u.Reply(ctx, c)
}

// take removes what waits, which gives the right to carry it out; a Refusal when somebody
// else did or it is too late.
func (r *Router) take(ctx context.Context, g bus.GuildID, id string) (bus.PendingAct, error) {
	key := bus.PendingKey(g, id)
	e, err := r.pending.Get(ctx, key)
	if err == nil {
		err = r.pending.Delete(ctx, key, e.Revision)
	}
	switch {
	case bus.IsCode(err, bus.CodeNotFound), bus.IsCode(err, bus.CodeConflict):
		return bus.PendingAct{}, Refuse("confirm.gone")
	case err != nil:
		return bus.PendingAct{}, err
	case time.Now().After(e.Value.Until):
		return bus.PendingAct{}, Refuse("error.expired")
	}
	return e.Value, nil
}

// Sweep removes confirmations that nobody gave.
func (r *Router) Sweep(ctx context.Context) error {
	all, err := r.pending.All(ctx, ">")
	if err != nil {
		return err
	}
	for _, e := range all {
		if time.Now().Before(e.Value.Until.Add(confirmFor)) {
			continue
		}
		err := r.pending.Delete(ctx, e.Key, e.Revision)
		if err != nil && !bus.IsCode(err, bus.CodeConflict) && !bus.IsCode(err, bus.CodeNotFound) {
			return err
		}
	}
	return nil
}
