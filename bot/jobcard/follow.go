package jobcard

import (
	"context"
	"errors"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bus"
	"splashtail/internal/pause"
)

// askAgain is how long a card waits after the bus or Discord failed.
const askAgain = 10 * time.Second

// follow keeps one card up to date until its job has ended and that was told, or ctx ends.
func (k *Keeper) follow(ctx context.Context, key string) {
	for ctx.Err() == nil {
		e, err := k.records.Get(ctx, key)
		if bus.IsCode(err, bus.CodeNotFound) {
			return
		}
		if err == nil {
			err = k.showing(ctx, e)
		}
		if err == nil {
			return
		}
		if ctx.Err() == nil {
			k.cfg.Log.Warn("the card of a job cannot be kept up to date for now", "card", key, "err", err)
			pause.For(ctx, askAgain)
		}
	}
}

// showing follows the log of the card's job and edits the card. It ends with the job.
func (k *Keeper) showing(ctx context.Context, e bus.Entry[bus.JobCard]) error {
	c := e.Value
	job, err := k.jobs.Get(ctx, c.Guild, c.Job)
	if bus.IsCode(err, bus.CodeNotFound) {
		return k.forget(ctx, e.Key)
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v := newView(job)
	over := make(chan error, 1)
	go func() { over <- k.jobs.Watch(ctx, c.Guild, c.Job, 0, v.note) }()
	s := &shown{k: k, key: e.Key, card: c, revision: e.Revision}
	for n := 0; ; n++ {
		if err := s.edit(ctx, v.card(k.cfg.Words.In(c.Locale))); err != nil {
			return err
		}
		select {
		case err := <-over:
			return errors.Join(err, k.finish(ctx, s))
		case <-time.After(k.cfg.Pace(n)):
		case <-ctx.Done():
			return ctx.Err()
		}
		if !v.wait(ctx, over) {
			return k.finish(ctx, s)
		}
	}
}

// finish shows the end and tells it to who asked.
func (k *Keeper) finish(ctx context.Context, s *shown) error {
	job, err := k.jobs.Get(ctx, s.card.Guild, s.card.Job)
	if bus.IsCode(err, bus.CodeNotFound) {
		return k.forget(ctx, s.key)
	}
	if err != nil {
		return err
	}
	if !job.State.Ended() {
		return errors.New("the log ended before its job")
	}
	w := k.cfg.Words.In(s.card.Locale)
	if err := s.edit(ctx, endCard(w, job)); err != nil {
		return err
	}
	if s.card.By != 0 && s.card.Message != "" && !s.lost {
		if err := s.tell(ctx, w.T("jobcard.end."+string(job.State), "user", "<@"+s.card.By.String()+">", "job", w.T("jobcard.kind."+string(job.Kind)))); err != nil {
			return err
		}
	}
	return k.forget(ctx, s.key)
}

// forget removes a card's record; nobody follows it any more.
func (k *Keeper) forget(ctx context.Context, key string) error {
	e, err := k.records.Get(ctx, key)
	if err == nil {
		err = k.records.Delete(ctx, key, e.Revision)
	}
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil
	}
	return err
}

// shown is a card as it stands in Discord.
type shown struct {
	k        *Keeper
	key      string
	card     bus.JobCard
	revision uint64 // of its record
	last     string // what it says
	lost     bool   // no place takes it any more
}

// edit writes a card over the last one, where that differs.
func (s *shown) edit(ctx context.Context, c card.Card) error {
	text := fingerprint(c)
	switch {
	case text == s.last, s.lost:
		return nil
	case s.card.Message == "":
		return s.write(ctx, c, text)
	case time.Since(s.card.At) > s.k.cfg.Fresh:
		return s.renew(ctx, c, text)
	}
	edit := c.Edit()
	_, err := s.k.cfg.Bot.EditMessage(ctx, &discordgo.MessageEdit{Channel: s.card.Channel, ID: s.card.Message, Embeds: edit.Embeds, Components: edit.Components})
	if gone(err) {
		return s.write(ctx, c, text)
	}
	if err == nil {
		s.last = text
	}
	return err
}

// tell mentions who asked, in a message of its own: an edit notifies nobody.
func (s *shown) tell(ctx context.Context, text string) error {
	m := &discordgo.MessageSend{Content: text, AllowedMentions: &discordgo.MessageAllowedMentions{Users: []string{s.card.By.String()}}}
	if _, err := s.k.cfg.Bot.SendMessage(ctx, s.card.Channel, m, nonce("end", s.card.Job)); err != nil && !gone(err) {
		return err
	}
	return nil
}
