package jobcard

import (
	"context"

	"splashtail/bot/card"
	"splashtail/bot/words"
	"splashtail/bus"
)

// Look gives the card of a job as it is now, with the last lines of its log.
func Look(ctx context.Context, jobs *bus.Jobs, w words.Language, j bus.Job) (card.Card, error) {
	v := newView(j)
	if err := jobs.Log(ctx, j.Guild, j.ID, 0, v.note); err != nil {
		return card.Card{}, err
	}
	c := v.card(w)
	if j.State.Ended() {
		end := endCard(w, j)
		c.Colour, c.Fields = end.Colour, end.Fields
	}
	return c, nil
}
