package inquiry

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/command"
	"splashtail/bus"
)

// What a page shows.
const (
	incidentsPerPage = 8
	deedsPerPage     = 15
)

// sorted lists a guild's incidents, the newest first.
func (t Tools) sorted(ctx context.Context, u *command.Use) ([]bus.Incident, error) {
	list, err := t.Book.List(ctx, u.Guild)
	slices.SortFunc(list, func(a, b bus.Incident) int { return b.At.Compare(a.At) })
	return list, err
}

func (t Tools) list(ctx context.Context, u *command.Use) error { return t.listPage(ctx, u, "0") }

func (t Tools) listPage(ctx context.Context, u *command.Use, state string) error {
	list, err := t.sorted(ctx, u)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return u.Reply(ctx, card.Card{Text: u.T("incident.none"), Colour: card.Good})
	}
	number, _ := strconv.Atoi(state)
	page, at, of := card.Page(list, incidentsPerPage, number)
	c := card.Card{Title: u.T("incident.list_title", "count", len(list), "page", at+1, "pages", of)}
	for _, i := range page {
		c.Fields = append(c.Fields, card.Field{Name: i.ID + " · " + card.Plainly(cause(u, i)), Value: head(u, i)})
	}
	c.Buttons = turn(u, listButton, at, of, "")
	return u.Reply(ctx, c)
}

// cause is why there is an incident.
func cause(u *command.Use, i bus.Incident) string {
	if i.Cause == "" {
		return u.T("incident.by_hand")
	}
	return i.Cause
}

// head says whose incident it is, since when, and what became of it.
func head(u *command.Use, i bus.Incident) string {
	status := "incident.open"
	switch {
	case i.Undo != nil && i.Undo.Done.IsZero():
		status = "incident.undoing"
	case i.Undo != nil:
		status = "incident.undone"
	}
	return u.T("incident.head", "user", mention(i.Actor), "since", stamp(i.Since), "status", u.T(status))
}

func (t Tools) show(ctx context.Context, u *command.Use) error {
	i, err := t.wanted(ctx, u, u.Text("incident"))
	if err != nil {
		return err
	}
	return t.showOne(ctx, u, i, 0)
}

func (t Tools) showPage(ctx context.Context, u *command.Use, state string) error {
	number, id, _ := strings.Cut(state, " ")
	n, _ := strconv.Atoi(number)
	i, err := t.wanted(ctx, u, id)
	if err != nil {
		return err
	}
	return t.showOne(ctx, u, i, n)
}

// showOne shows the timeline of an incident, the newest deed first.
func (t Tools) showOne(ctx context.Context, u *command.Use, i bus.Incident, number int) error {
	deeds, err := t.Book.Timeline(ctx, i)
	if err != nil {
		return err
	}
	c := deedPage(u, deeds, number, showButton, i.ID)
	c.Title, c.Text = u.T("incident.title", "id", i.ID, "cause", card.Plainly(cause(u, i))), head(u, i)+"\n\n"+c.Text
	if i.Undo != nil && len(i.Undo.Fails) > 0 {
		c.Fields = []card.Field{{Name: u.T("incident.refused", "count", len(i.Undo.Fails)), Value: card.Plainly(strings.Join(i.Undo.Fails, "\n"))}}
	}
	return u.Reply(ctx, c)
}

// deedPage is a page of deeds, the newest first. Its buttons, named name, turn to the others; their state is the number of
// the page and id.
func deedPage(u *command.Use, deeds []bus.Deed, number int, name, id string) card.Card {
	newest := slices.Clone(deeds)
	slices.Reverse(newest)
	page, at, of := card.Page(newest, deedsPerPage, number)
	var lines strings.Builder
	for _, d := range page {
		lines.WriteString(line(u, d) + "\n")
	}
	if len(deeds) == 0 {
		lines.WriteString(u.T("incident.no_deeds") + "\n")
	}
	return card.Card{Text: lines.String(), Footer: u.T("incident.footer", "count", len(deeds), "page", at+1, "pages", of), Buttons: turn(u, name, at, of, " "+id)}
}

// deedWord names the kind of a deed in the catalogue; others are "other".
func deedWord(kind int) string {
	switch kind {
	case 1:
		return "guild_update"
	case 10:
		return "channel_add"
	case 11:
		return "channel_update"
	case 12:
		return "channel_remove"
	case 13, 14, 15:
		return "overwrite"
	case 20:
		return "kick"
	case 21:
		return "prune"
	case 22:
		return "ban"
	case 23:
		return "unban"
	case 24:
		return "member_update"
	case 25:
		return "member_roles"
	case 28:
		return "bot_add"
	case 30:
		return "role_add"
	case 31:
		return "role_update"
	case 32:
		return "role_remove"
	case 50:
		return "webhook_add"
	case 52:
		return "webhook_remove"
	}
	return "other"
}

// line says one deed: when, what, and to what.
func line(u *command.Use, d bus.Deed) string {
	return fmt.Sprintf("<t:%d:T> %s %s", d.At.Unix(), u.T("deed."+deedWord(d.Type)), object(d))
}

// object names what a deed was done to. What is gone has its name from before.
func object(d bus.Deed) string {
	var before struct{ Name string }
	_ = json.Unmarshal(d.Before, &before) // without a name, the id is shown
	switch {
	case before.Name != "":
		return card.Plainly(card.Cut(before.Name, 60))
	case d.Target == "":
		return ""
	case d.Type >= 10 && d.Type <= 15:
		return "<#" + d.Target + ">"
	case d.Type >= 20 && d.Type <= 28:
		return "<@" + d.Target + ">"
	case d.Type >= 30 && d.Type <= 32:
		return "<@&" + d.Target + ">"
	}
	return d.Target
}

// turn makes the buttons to other pages.
func turn(u *command.Use, name string, at, of int, rest string) []card.Button {
	if of < 2 {
		return nil
	}
	to := func(label string, page int) card.Button {
		return card.Button{Label: u.T(label), ID: u.Button(name, strconv.Itoa(page)+rest, buttonsFor), Disabled: page < 0 || page >= of}
	}
	return []card.Button{to("button.previous", at-1), to("button.next", at+1)}
}

func mention(id bus.UserID) string { return "<@" + id.String() + ">" }
func stamp(at time.Time) string    { return "<t:" + strconv.FormatInt(at.Unix(), 10) + ":f>" }
