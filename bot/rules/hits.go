package rules

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bot/protect"
	"splashtail/bus"
	"splashtail/internal/audit"
)

// Bounds of reading what happened.
const (
	maxHits     = 500 // that can be paged through, the newest
	hitsPerPage = 5
	readAtOnce  = 1000
	readWithin  = 20 * time.Second
)

func (t Tools) hits(ctx context.Context, u *command.Use) error {
	id := ""
	if u.Given("limit") {
		r, err := t.wanted(ctx, u)
		if err != nil {
			return err
		}
		id = r.ID
	}
	return t.showHits(ctx, u, 0, id)
}

// hitsPage turns to a page; the state is its number and the limit's id.
func (t Tools) hitsPage(ctx context.Context, u *command.Use, state string) error {
	number, id, _ := strings.Cut(state, " ")
	n, _ := strconv.Atoi(number)
	return t.showHits(ctx, u, n, id)
}

func (t Tools) showHits(ctx context.Context, u *command.Use, number int, limit string) error {
	list, _, err := newest(ctx, t.Bus, bus.LimitHitsIn(u.Guild), maxHits, func(h bus.LimitHit) bool { return limit == "" || h.Limit == limit })
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return u.Reply(ctx, card.Card{Text: u.T("limits.hits_none"), Colour: card.Good})
	}
	slices.Reverse(list)
	page, at, of := card.Page(list, hitsPerPage, number)
	c := card.Card{Title: u.T("limits.hits_title", "count", len(list), "page", at+1, "pages", of)}
	for _, h := range page {
		c.Fields = append(c.Fields, card.Field{Name: card.Plainly(h.Name), Value: hitText(u, h)})
	}
	c.Buttons = turn(u, hitsButton, at, of, func(page int) string { return strings.TrimSpace(strconv.Itoa(page) + " " + limit) })
	return u.Reply(ctx, c)
}

// hitText says who did what when, and what became of it.
func hitText(u *command.Use, h bus.LimitHit) string {
	first := h.At
	if len(h.Causes) > 0 {
		first = audit.TimeOf(h.Causes[0])
	}
	return u.T("limits.hit", "user", fmt.Sprintf("<@%d>", h.Actor), "at", stamp(h.At), "count", h.Count, "action", u.T("choice."+string(h.Kind)),
		"took", max(h.At.Sub(first), 0).Round(time.Second), "window", short(h.Window),
		"response", u.T("choice."+responseChoice(h.Respond)), "result", protect.Outcome(u.Words, h.Result))
}

// newest reads what is stored and keeps the newest n that fit, the oldest first. whole is
// false when there was more, or no time to read it all.
func newest[T any](ctx context.Context, b *bus.Bus, f bus.Filter[T], n int, fits func(T) bool) (list []T, whole bool, err error) {
	begin := time.Now()
	whole = true
	for from, more := uint64(1), true; more; {
		if time.Since(begin) > readWithin {
			return list, false, nil
		}
		page, left, err := bus.ReadPage(ctx, b, f, from, readAtOnce)
		if err != nil {
			return nil, false, err
		}
		for _, d := range page {
			from = d.Seq + 1
			if fits(d.Value) {
				list = append(list, d.Value)
			}
		}
		if over := len(list) - n; over > 0 {
			list, whole = slices.Delete(list, 0, over), false
		}
		more = left && len(page) > 0
	}
	return list, whole, nil
}
