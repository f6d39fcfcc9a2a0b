package rules

import (
	"context"
	"fmt"
	"strings"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/limits"
	"splashtail/bot/settings"
	"splashtail/bus"
)

// Bounds of a trial.
const (
	maxTried = 50_000 // actions that are counted again, the newest
	maxShown = 15     // hits that are shown
)

// whatif counts what happened under limits that are not in force: one of the guild's, one
// that the options describe, or the profile.
func (t Tools) whatif(ctx context.Context, u *command.Use) error {
	trial, title, err := t.trial(ctx, u)
	if err != nil {
		return err
	}
	kinds := map[bus.ActionKind]bool{}
	for _, r := range trial {
		kinds[r.Kind] = true
	}
	owner, v, err := t.trusted(ctx, u)
	if err != nil {
		return err
	}
	list, whole, err := newest(ctx, t.Bus, bus.ActionsIn(u.Guild), maxTried, func(a bus.Action) bool {
		who := fmt.Sprint(uint64(a.Actor))
		// Their roles of that time are not known, so an exemption by role is not applied.
		return kinds[a.Kind] && a.Actor != 0 && who != owner && a.Actor != u.App && !settings.Exempt(v, who, nil, a.Kind, a.At)
	})
	if err != nil {
		return err
	}
	return u.Reply(ctx, verdict(u, title, list, limits.WhatIf(trial, list), whole))
}

// trial gives the limits to try and what to call them.
func (t Tools) trial(ctx context.Context, u *command.Use) ([]bus.LimitRule, string, error) {
	described := u.Given("action") || u.Given("count") || u.Given("time") || u.Given("unit")
	var r bus.LimitRule
	switch {
	case u.Given("limit"):
		var err error
		if r, err = t.wanted(ctx, u); err != nil {
			return nil, "", err
		}
	case described:
		r = bus.LimitRule{ID: "trial", Name: "-", Respond: bus.RespondAlert}
	default:
		size, err := sizeOf(ctx, u)
		return profileOf(u, size), u.T("limits.profile_title"), err
	}
	if u.Given("action") {
		r.Kind = bus.ActionKind(u.Text("action"))
	}
	r.Count = u.Number("count", r.Count)
	if r.Kind == "" || r.Count == 0 || r.Window == 0 && !u.Given("time") {
		return nil, "", command.Refuse("limits.whatif_incomplete")
	}
	if err := readWindow(u, &r); err != nil {
		return nil, "", err
	}
	if err := r.Check(); err != nil {
		return nil, "", explain(err)
	}
	return []bus.LimitRule{r}, u.T("limits.whatif_rule", "count", r.Count, "action", u.T("choice."+string(r.Kind)), "window", short(r.Window)), nil
}

// trusted gives who no limit would have touched.
func (t Tools) trusted(ctx context.Context, u *command.Use) (owner string, v bus.GuildSettings, err error) {
	g, err := u.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return "", v, err
	}
	v, err = t.Settings(ctx, u.Guild)
	return g.OwnerID, v, err
}

// verdict says how often the limits would have been met, and by whom.
func verdict(u *command.Use, title string, list []bus.Action, hits []bus.LimitHit, whole bool) card.Card {
	c := card.Card{Title: title, Colour: card.Good}
	since := time.Now()
	if len(list) > 0 {
		since = list[0].At
	}
	text := u.T("limits.whatif_never", "actions", len(list), "since", stamp(since))
	switch len(hits) {
	case 0:
	case 1:
		text, c.Colour = u.T("limits.whatif_once", "actions", len(list), "since", stamp(since)), card.Urgent
	default:
		text, c.Colour = u.T("limits.whatif_times", "times", len(hits), "actions", len(list), "since", stamp(since)), card.Urgent
	}
	if len(list) == 0 {
		text, c.Colour = u.T("limits.whatif_empty"), card.Plain
	}
	var b strings.Builder
	for _, h := range hits[max(len(hits)-maxShown, 0):] {
		fmt.Fprintf(&b, "%s <@%d>: %d × %s\n", stamp(h.At), h.Actor, h.Count, u.T("choice."+string(h.Kind)))
	}
	if over := len(hits) - maxShown; over > 0 {
		b.WriteString(u.T("limits.whatif_more", "count", over))
	}
	c.Text = strings.TrimSpace(text + "\n\n" + b.String())
	if !whole {
		c.Footer = u.T("limits.whatif_part", "max", maxTried)
	}
	return c
}
