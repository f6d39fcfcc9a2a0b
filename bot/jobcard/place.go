package jobcard

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"strconv"
	"time"

	"splashtail/bot/card"
	"splashtail/internal/discord"
)

// Discord's codes for a message that cannot be edited any more where it is.
const (
	codeUnknownChannel = 10003
	codeUnknownMessage = 10008
	codeOldEdits       = 30046 // too many edits of messages older than an hour
)

// gone tells whether an error means that a card has to go on elsewhere.
func gone(err error) bool {
	return discord.HasCode(err, codeUnknownChannel, codeUnknownMessage, codeOldEdits, discord.CodeMissingAccess, discord.CodeMissingPermissions)
}

// write writes the card as a new message: where it was, or else where the guild's people look, or else to who asked. When
// no place takes it the card is given up, which ends no job.
func (s *shown) write(ctx context.Context, c card.Card, text string) error {
	for _, channel := range s.places(ctx) {
		m, err := s.k.cfg.Bot.SendMessage(ctx, channel, c.Message(), nonce("card", s.card.Job, s.card.At.UnixMilli(), channel))
		if gone(err) {
			continue
		}
		if err != nil {
			return err
		}
		s.card.Channel, s.card.Message, s.card.At, s.last = channel, m.ID, time.Now().UTC(), text
		return s.k.Show(ctx, s.card)
	}
	s.k.cfg.Log.Warn("the card of a job finds no channel any more; the job goes on without", "guild", s.card.Guild, "job", s.card.Job)
	s.last = text
	return nil
}

// places lists where a card may go on, best first.
func (s *shown) places(ctx context.Context) []string {
	all := []string{s.card.Channel}
	add := func(id string) {
		if id != "" {
			all = append(all, id)
		}
	}
	if set, err := s.k.cfg.Settings(ctx, s.card.Guild); err == nil {
		add(set.LogChannel)
		add(set.AlertChannel)
	}
	if g, err := s.k.cfg.Bot.Guild(ctx, s.card.Guild.String()); err == nil {
		add(g.PublicUpdatesChannelID)
		add(g.SystemChannelID)
	}
	if s.card.By != 0 {
		if dm, err := s.k.cfg.Bot.DM(ctx, s.card.By.String()); err == nil {
			add(dm.ID)
		}
	}
	return all
}

// nonce names a message of a card, so that writing it again is not a second one.
func nonce(parts ...any) string {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, parts...) // never fails
	return strconv.FormatUint(h.Sum64(), 36)
}

// fingerprint tells cards apart by what people see.
func fingerprint(c card.Card) string {
	data, _ := json.Marshal(c) // plain values: cannot fail
	return string(data)
}
