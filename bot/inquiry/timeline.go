package inquiry

import (
	"context"
	"strconv"
	"strings"
	"time"

	"splashtail/bot/command"
	"splashtail/bus"
)

// timelineSince is how far back the menu's timeline goes.
const timelineSince = 7 * 24 * time.Hour

// timeline shows what somebody did lately, from the menu of a person. No incident is
// opened for it.
func (t Tools) timeline(ctx context.Context, u *command.Use) error {
	who, _ := u.Person("user")
	if who == nil {
		return command.Refuse("mod.unknown_user")
	}
	return t.timelinePage(ctx, u, "0 "+who.ID)
}

func (t Tools) timelinePage(ctx context.Context, u *command.Use, state string) error {
	number, user, _ := strings.Cut(state, " ")
	n, _ := strconv.Atoi(number)
	actor, err := bus.ParseUserID(user)
	if err != nil {
		return err
	}
	deeds, err := t.Book.Timeline(ctx, bus.Incident{Guild: u.Guild, Actor: actor, Since: time.Now().Add(-timelineSince)})
	if err != nil {
		return err
	}
	c := deedPage(u, deeds, n, timelineButton, user)
	c.Title = u.T("timeline.title")
	c.Text = u.T("timeline.head", "user", mention(actor), "days", int(timelineSince/(24*time.Hour))) + "\n\n" + c.Text
	return u.Reply(ctx, c)
}
