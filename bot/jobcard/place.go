package jobcard

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/internal/discord"
)

// Discord's codes for a message that cannot be edited any more where it is.
const (
	codeUnknownChannel = 10003
	codeUnknownMessage = 10008
	codeOldEdits       = 30046 // too many edits of messages older than an hour
	codeNoDM           = 50007 // they take no messages from bots
)

// gone tells whether an error means that a card has to go on elsewhere.
func gone(err error) bool {
	return discord.HasCode(err, codeUnknownChannel, codeUnknownMessage, codeOldEdits, discord.CodeMissingAccess, discord.CodeMissingPermissions)
}

// unreachable tells whether an error means that somebody takes no direct messages.
func unreachable(err error) bool { return discord.HasCode(err, codeNoDM) }

// write writes the card as a new message: where it was, or else where the guild's people look, or else to who asked. When
// no place takes it the card is given up, which ends no job.
func (s *shown) write(ctx context.Context, c card.Card, text string) error {
	for _, channel := range s.places(ctx) {
		m, err := s.k.cfg.Bot.SendMessage(ctx, channel, c.Message(), nonce("card", s.card.Job, s.card.At.UnixMilli(), channel))
		if gone(err) || unreachable(err) {
			continue
		}
		if err != nil {
			return err
		}
		s.card.Channel, s.card.Message, s.card.At = channel, m.ID, time.Now().UTC()
		if s.revision, err = s.k.records.Update(ctx, s.key, s.card, s.revision); err != nil {
			return err // written again under the same nonce, it is the same message
		}
		s.last = text
		return nil
	}
	s.k.cfg.Log.Warn("the card of a job finds no channel any more; the job goes on without", "guild", s.card.Guild, "job", s.card.Job)
	s.lost = true
	return nil
}

// renew lets a new message take the place of one that is too old to be edited for long, and lets that one say so.
func (s *shown) renew(ctx context.Context, c card.Card, text string) error {
	old := s.card
	if err := s.write(ctx, c, text); err != nil || s.lost {
		return err
	}
	link := "https://discord.com/channels/" + s.card.Guild.String() + "/" + s.card.Channel + "/" + s.card.Message
	edit := card.Card{Title: c.Title, Text: s.k.cfg.Words.In(old.Locale).T("jobcard.moved", "link", link), Footer: c.Footer}.Edit()
	_, err := s.k.cfg.Bot.EditMessage(ctx, &discordgo.MessageEdit{Channel: old.Channel, ID: old.Message, Embeds: edit.Embeds, Components: edit.Components})
	if err != nil {
		s.k.cfg.Log.Debug("the old card of a job does not say where it goes on", "job", s.card.Job, "err", err)
	}
	return nil
}

// places lists where a card may go on, best first.
func (s *shown) places(ctx context.Context) []string {
	all := []string{s.card.Channel}
	add := func(id string) {
		if id != "" && !slices.Contains(all, id) {
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
