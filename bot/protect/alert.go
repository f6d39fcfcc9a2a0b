package protect

import (
	"context"
	"fmt"
	"hash/fnv"
	"log/slog"
	"strconv"
	"time"

	"splashtail/bot/card"
	"splashtail/bot/limits"
	"splashtail/bot/words"
	"splashtail/bus"
	"splashtail/internal/discord"
)

// Teller tells people in the alert channels of guilds. Its methods fit Config.Alert,
// RaidAlert and SilentAlert; they only take note, so that telling delays no response.
type Teller struct {
	bot   *discord.Bot
	words *words.Catalogue
	log   *slog.Logger
	queue chan notice
}

// notice is one message to come.
type notice struct {
	guild             bus.GuildID
	channel, language string
	nonce             string
	card              func(words.Language) card.Card
}

// Bounds of telling.
const (
	maxNotices  = 256
	tellWithin  = 20 * time.Second
	drainWithin = 5 * time.Second
)

// NewTeller makes a teller. It does no I/O.
func NewTeller(bot *discord.Bot, w *words.Catalogue, log *slog.Logger) *Teller {
	return &Teller{bot: bot, words: w, log: log, queue: make(chan notice, maxNotices)}
}

// Run tells until ctx ends, and then what waits, for some seconds.
func (t *Teller) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		select {
		case n := <-t.queue:
			t.tell(ctx, n)
		case <-ctx.Done():
		}
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	for last.Err() == nil {
		select {
		case n := <-t.queue:
			t.tell(last, n)
		default:
			return nil
		}
	}
	return nil
}

// tell sends one message. The nonce keeps a repetition from being a second one.
func (t *Teller) tell(ctx context.Context, n notice) {
	ctx, cancel := context.WithTimeout(ctx, tellWithin)
	defer cancel()
	if n.language == "" {
		if g, err := t.bot.Guild(ctx, n.guild.String()); err == nil {
			n.language = g.PreferredLocale
		}
	}
	if _, err := t.bot.SendMessage(ctx, n.channel, n.card(t.words.In(n.language)).Message(), n.nonce); err != nil {
		t.log.Error("an alarm could not be told in the guild's alert channel; see /protect check", "guild", n.guild, "channel", n.channel, "err", err)
	}
}

func (t *Teller) note(n notice) {
	if n.channel == "" {
		return
	}
	select {
	case t.queue <- n:
	default:
		t.log.Error("an alarm was not told: too many wait already", "guild", n.guild)
	}
}

// nonceOf shortens what names an alarm to what Discord takes.
func nonceOf(parts ...any) string {
	h := fnv.New64a()
	fmt.Fprint(h, parts...)
	return strconv.FormatUint(h.Sum64(), 36)
}

// Hit tells of a met limit.
func (t *Teller) Hit(_ context.Context, p Policy, h bus.LimitHit) {
	t.note(notice{h.Guild, p.AlertChannel, p.Language, nonceOf("hit", h.ID()), func(w words.Language) card.Card { return hitCard(w, h) }})
}

// Raid tells of a raid.
func (t *Teller) Raid(_ context.Context, p Policy, n RaidNews) {
	t.note(notice{n.Guild, p.AlertChannel, p.Language, nonceOf("raid", n.Guild, n.Began.UnixMilli(), n.Over), func(w words.Language) card.Card { return raidCard(w, n) }})
}

// Silent tells of destruction without a name.
func (t *Teller) Silent(_ context.Context, p Policy, n SilentNews) {
	t.note(notice{n.Guild, p.AlertChannel, p.Language, nonceOf("silent", n.Guild, n.At.UnixMilli()), func(w words.Language) card.Card {
		return card.Card{Title: w.T("alert.silent"), Colour: card.Bad, Text: w.T("alert.silent_text", "count", n.Count),
			Fields: []card.Field{{Name: w.T("alert.next"), Value: w.T("alert.silent_next")}}}
	}})
}

// hitCard says who did what, what became of them and what to do now.
func hitCard(w words.Language, h bus.LimitHit) card.Card {
	first := h.At
	if len(h.Causes) > 0 {
		first = limits.TimeOf(h.Causes[0])
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

func raidCard(w words.Language, n RaidNews) card.Card {
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
