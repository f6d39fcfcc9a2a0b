// Package prune deletes many messages of a guild as a job.
//
// What comes in: bus.PruneArgs. What goes out: a file with what is about to be deleted, then bulk deletions, each noted,
// so that a worker that takes over deletes the rest and nothing else. This file has the steps; find.go says which
// messages are meant.
package prune

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/jobs/work"
)

// Bounds, Discord's and ours.
const (
	maxMessages  = 1000
	minChannel   = 10
	maxChannels  = 500
	perCall      = 100                 // Discord's, for reading and for deleting at once
	youngerBy    = 14 * 24 * time.Hour // Discord deletes only younger ones at once
	safeMargin   = time.Hour           // what is nearly too old might be when its turn comes
	deleteMargin = 10 * time.Minute    // what a call may take, with its waits for Discord's limits
	fileName     = "pruned-messages.txt"
)

// Prune is the work of one job.
type Prune struct {
	bus.PruneArgs
	bot *discord.Bot
}

// New makes one; its arguments are decoded into it.
func New(bot *discord.Bot) *Prune { return &Prune{bot: bot.As(discord.ClassBackup)} }

// Check implements work.Work.
func (p *Prune) Check() error {
	switch {
	case p.Max < 1 || p.Max > maxMessages:
		return fmt.Errorf("max_messages is between 1 and %d", maxMessages)
	case p.PerChannel != 0 && p.PerChannel < minChannel:
		return fmt.Errorf("per_channel is at least %d", minChannel)
	case len(p.Channels) > maxChannels || len(p.Special) > maxChannels:
		return fmt.Errorf("at most %d channels can be named", maxChannels)
	case p.Seconds < 0:
		return errors.New("from_seconds is not negative")
	case len([]rune(p.Reason)) > 256:
		return errors.New("the reason has at most 256 characters")
	}
	for _, id := range append(slices.Collect(maps.Keys(p.Special)), p.Channels...) {
		if _, err := bus.ParseUserID(id); err != nil {
			return fmt.Errorf("%q is no id of a channel", id)
		}
	}
	for id, n := range p.Special {
		if n < 0 || n > maxMessages {
			return fmt.Errorf("the bound of the channel %s is between 0 and %d", id, maxMessages)
		}
	}
	return nil
}

// found is what is to be deleted: the note that the first step leaves.
type found struct {
	Channels []channelFound `json:"channels"`
	Skipped  []string       `json:"skipped,omitempty"`
}

type channelFound struct {
	ID  string   `json:"id"`
	IDs []string `json:"ids"` // the newest first
}

const noteFound = "found"

// Run implements work.Work.
func (p *Prune) Run(ctx context.Context, r work.Run) error {
	err := r.Step(ctx, "find", func(ctx context.Context) error { return p.findAll(ctx, r) })
	if err != nil {
		return err
	}
	var f found
	if ok, err := r.Noted(noteFound, &f); err != nil || !ok {
		return errors.Join(errors.New("what was found is not noted"), err)
	}
	done := bus.PruneDone{File: fileName, Deleted: map[string]int{}, Skipped: f.Skipped}
	err = r.Step(ctx, "delete", func(ctx context.Context) error { return p.deleteAll(ctx, r, f, &done) })
	for _, n := range done.Deleted {
		done.Total += n
	}
	if err == nil {
		r.Say(work.Info, "deleted %d messages in %d channels", done.Total, len(done.Deleted))
	}
	return errors.Join(err, r.Outcome(done))
}

// findAll writes down what is to be deleted, in full as the job's file, before anything is.
func (p *Prune) findAll(ctx context.Context, r work.Run) error {
	f, kept, err := p.find(ctx, r)
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(kept, "", " ")
	if err != nil {
		return err
	}
	if _, err := r.Put(ctx, fileName, bytes.NewReader(data)); err != nil {
		return err
	}
	return r.Note(ctx, noteFound, f)
}

// deletedKey is the note of how many of a channel's messages are gone.
func deletedKey(channel string) string { return "deleted/" + channel }

func (p *Prune) deleteAll(ctx context.Context, r work.Run, f found, done *bus.PruneDone) error {
	total, gone := 0, 0
	for _, c := range f.Channels {
		total += len(c.IDs)
	}
	for _, c := range f.Channels {
		n, err := p.deleteIn(ctx, r, c, func(n int) { r.Progress(gone+n, total) })
		gone += n
		if n > 0 {
			done.Deleted[c.ID] = n
		}
		if err == nil {
			continue
		}
		if !refused(err) || !p.IgnoreErrors {
			return explain(c.ID, err)
		}
		done.Skipped = append(done.Skipped, skipped(c.ID, err))
		r.Say(work.Warning, "%s", skipped(c.ID, err))
	}
	return nil
}

// deleteIn deletes a channel's messages; a call that is repeated after a crash changes nothing.
func (p *Prune) deleteIn(ctx context.Context, r work.Run, c channelFound, tell func(int)) (gone int, err error) {
	if _, err := r.Noted(deletedKey(c.ID), &gone); err != nil {
		return 0, err
	}
	for gone < len(c.IDs) {
		if err := ctx.Err(); err != nil {
			return gone, err
		}
		some := atOnce(c.IDs[gone:min(gone+perCall, len(c.IDs))])
		reason := p.Reason + " op=" + r.Job().Operation(deletedKey(c.ID))
		if len(some) >= discord.MinBulkDelete {
			err = p.bot.DeleteMessages(ctx, c.ID, some, reason)
		} else {
			err = p.bot.DeleteMessage(ctx, c.ID, some[0], reason)
		}
		if err != nil && !discord.HasCode(err, discord.CodeUnknownMessage) {
			return gone, err
		}
		gone += len(some)
		if err := r.Note(ctx, deletedKey(c.ID), gone); err != nil {
			return gone, err
		}
		tell(gone)
	}
	return gone, nil
}

// atOnce gives how many of some messages, the newest first, can be deleted with one call. A job that was parked for days may go on
// when they have become too old for a bulk delete, which deletes none if one is: those go one by one.
func atOnce(ids []string) []string {
	oldest, young := discord.SnowflakeAt(time.Now().Add(-youngerBy+deleteMargin)), 0
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 64); err != nil || n < oldest {
			break
		}
		young++
	}
	if young < discord.MinBulkDelete {
		young = 1
	}
	return ids[:young]
}

// refused says whether Discord will say the same again.
func refused(err error) bool {
	return discord.HasCode(err, discord.CodeMissingAccess, discord.CodeMissingPermissions, discord.CodeUnknownChannel)
}

func skipped(channel string, err error) string {
	return fmt.Sprintf("the channel %s was passed over: %v", channel, err)
}

// explain says where an error was, and that a refusal stays one.
func explain(channel string, err error) error {
	out := fmt.Errorf("in the channel %s: %w", channel, err)
	if refused(err) {
		return work.Permanent(out)
	}
	return out
}
