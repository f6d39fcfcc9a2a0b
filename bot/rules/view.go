package rules

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
)

// perPage is how many limits a page shows.
const perPage = 10

func (t Tools) view(ctx context.Context, u *command.Use) error { return t.viewPage(ctx, u, "0") }

func (t Tools) viewPage(ctx context.Context, u *command.Use, state string) error {
	number, _ := strconv.Atoi(state)
	all, err := t.Store().Of(ctx, u.Guild)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return u.Reply(ctx, card.Card{Text: u.T("limits.none"), Colour: card.Urgent})
	}
	page, at, of := card.Page(all, perPage, number)
	c := card.Card{Title: u.T("limits.title", "count", len(all), "page", at+1, "pages", of)}
	for _, r := range page {
		c.Fields = append(c.Fields, card.Field{Name: card.Plainly(r.Name), Value: sentence(u, r) + "\n" + u.T("limits.by", "user", fmt.Sprintf("<@%d>", r.By), "at", stamp(r.At))})
	}
	c.Buttons = turn(u, viewButton, at, of, strconv.Itoa)
	return u.Reply(ctx, c)
}

// turn makes the buttons that turn pages; none for a single page.
func turn(u *command.Use, button string, at, of int, state func(page int) string) []card.Button {
	if of < 2 {
		return nil
	}
	return []card.Button{
		{Label: u.T("button.previous"), ID: u.Button(button, state(at-1), buttonsFor), Disabled: at == 0},
		{Label: u.T("button.next"), ID: u.Button(button, state(at+1), buttonsFor), Disabled: at == of-1},
	}
}

// stamp is an instant as Discord shows it to everybody in their own time.
func stamp(at time.Time) string { return "<t:" + strconv.FormatInt(at.Unix(), 10) + ":R>" }
