package command

import (
	"context"
	"slices"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bus"
)

// component runs what a button stands for.
func (r *Router) component(ctx context.Context, u *Use) error {
	data, ok := u.it.Data.(discordgo.MessageComponentInteractionData)
	if !ok {
		return Refuse("error.unknown")
	}
	p, ok := r.seal.open(u.Guild, data.CustomID)
	if !ok {
		return Refuse("error.unknown_button")
	}
	if p.name == doButton || p.name == dropButton {
		return r.confirmation(ctx, u, p)
	}
	k, ok := r.registry.components[p.name]
	if !ok {
		return Refuse("error.unknown_button")
	}
	u.Command, _ = r.registry.Get(k.command)
	if p.by != u.User && !k.Shared {
		return Refuse("error.not_yours")
	}
	if err := r.allow(ctx, u); err != nil {
		return err
	}
	if time.Now().After(p.until) {
		return r.retire(ctx, u, "error.expired")
	}
	if k.Form != nil {
		f, err := k.Form(ctx, u, p.state)
		if err != nil {
			return err
		}
		if f != nil {
			return r.open(ctx, u, *f, p.name, p.state, formFor)
		}
	}
	if err := r.update(ctx, u); err != nil {
		return err
	}
	return k.Handle(ctx, u, p.state)
}

// update tells Discord that the message of the button will change.
func (r *Router) update(ctx context.Context, u *Use) error {
	err := r.cfg.Bot.Respond(ctx, u.it.ID, u.it.Token, &discordgo.InteractionResponse{Type: discordgo.InteractionResponseDeferredMessageUpdate})
	u.deferred = err == nil
	return err
}

// retire takes the buttons away and says why.
func (r *Router) retire(ctx context.Context, u *Use, key string) error {
	c := card.Card{Text: u.T(key)}
	d := c.Answer(false)
	if u.it.Message != nil {
		d.Embeds = append(slices.Clone(u.it.Message.Embeds[:min(len(u.it.Message.Embeds), 1)]), d.Embeds...)
	}
	return r.cfg.Bot.Respond(ctx, u.it.ID, u.it.Token, &discordgo.InteractionResponse{Type: discordgo.InteractionResponseUpdateMessage, Data: d})
}

// confirmation carries out what waits for a confirmation, or drops it.
func (r *Router) confirmation(ctx context.Context, u *Use, p pressed) error {
	if p.by != u.User {
		return Refuse("error.not_yours")
	}
	if time.Now().After(p.until) {
		return r.retire(ctx, u, "error.expired")
	}
	waiting, err := r.pending.Get(ctx, bus.PendingKey(u.Guild, p.state))
	if bus.IsCode(err, bus.CodeNotFound) {
		return r.retire(ctx, u, "confirm.gone")
	}
	if err != nil {
		return err
	}
	c, ok := r.registry.Get(waiting.Value.Command)
	if !ok || c.Confirmed == nil {
		return Refuse("error.unknown_button")
	}
	u.Command = c
	if err := r.allow(ctx, u); err != nil {
		return err
	}
	if p.name == doButton && waiting.Value.Type != "" {
		return r.askToType(ctx, u, p.state, waiting.Value.Type)
	}
	if p.name == doButton && c.ConfirmForm != nil {
		f, err := c.ConfirmForm(ctx, u, waiting.Value.Args)
		if err != nil {
			return err
		}
		if f != nil {
			return r.open(ctx, u, *f, sureButton, p.state, time.Until(waiting.Value.Until))
		}
	}
	act, err := r.take(ctx, u.Guild, p.state)
	if err != nil {
		return err
	}
	if p.name == dropButton {
		return r.retire(ctx, u, "confirm.dropped")
	}
	if err := r.update(ctx, u); err != nil {
		return err
	}
	return c.Confirmed(ctx, u, act.Args)
}
