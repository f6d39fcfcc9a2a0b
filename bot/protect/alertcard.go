package protect

import (
	"strconv"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/audit"
)

// alarmCard shows an alarm.
func alarmCard(w words.Language, a bus.Alarm) card.Card {
	switch {
	case a.Hit != nil:
		return hitCard(w, *a.Hit)
	case a.Raid != nil:
		return raidCard(w, *a.Raid)
	}
	return card.Card{Title: w.T("alert.silent"), Colour: card.Bad, Text: w.T("alert.silent_text", "count", a.Silent.Count),
		Fields: []card.Field{{Name: w.T("alert.next"), Value: w.T("alert.silent_next")}}}
}

// hitCard says who did what, what became of them and what to do now.
func hitCard(w words.Language, h bus.LimitHit) card.Card {
	first := h.At
	if len(h.Causes) > 0 {
		first = audit.TimeOf(h.Causes[0])
	}
	response, next := w.T("respond."+string(h.Respond)), "alert.hit_next"
	colour := card.Urgent
	switch {
	case h.Result != resultSuccess:
		next, colour = "alert.hit_next_failed", card.Bad
	case h.Respond == bus.RespondAlert:
		next = "alert.hit_next_alert"
	}
	return card.Card{
		Title: w.T("alert.hit", "name", card.Plainly(h.Name)), Colour: colour,
		Text: w.T("alert.hit_text", "user", "<@"+id(h.Actor)+">", "id", id(h.Actor), "count", h.Count, "action", w.T("choice."+string(h.Kind)),
			"took", max(h.At.Sub(first), 0).Round(time.Second), "at", stamp(h.At)),
		Fields: []card.Field{
			{Name: w.T("alert.response"), Value: response + ": " + Outcome(w, h.Result)},
			{Name: w.T("alert.next"), Value: w.T(next)},
		},
		Footer: "op=" + h.ID(),
	}
}

func raidCard(w words.Language, n bus.Raid) card.Card {
	usual := strconv.FormatFloat(n.Usual, 'f', 2, 64)
	if n.Over {
		text := w.T("alert.raid_over_text", "joins", n.Joins, "began", stamp(n.Began))
		if n.Result != resultSuccess {
			text += "\n" + w.T("alert.raid_over_failed", "result", Outcome(w, n.Result))
		}
		return card.Card{Title: w.T("alert.raid_over"), Colour: card.Good, Text: text, Fields: []card.Field{{Name: w.T("alert.next"), Value: w.T("alert.raid_over_next")}}}
	}
	invites := w.T("alert.raid_theirs")
	switch {
	case n.Result != resultSuccess:
		invites = w.T("alert.raid_failed", "result", Outcome(w, n.Result))
	case !n.Until.IsZero():
		invites = w.T("alert.raid_closed", "until", stamp(n.Until))
	}
	return card.Card{Title: w.T("alert.raid"), Colour: card.Bad, Text: w.T("alert.raid_text", "joins", n.Joins, "usual", usual), Fields: []card.Field{
		{Name: w.T("alert.response"), Value: invites}, {Name: w.T("alert.next"), Value: w.T("alert.raid_next")},
	}}
}

// stamp is an instant as Discord shows it to everybody in their own time.
func stamp(at time.Time) string { return "<t:" + strconv.FormatInt(at.Unix(), 10) + ":R>" }
