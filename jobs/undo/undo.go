// Package undo takes an incident back as a job.
//
// What comes in: bus.UndoArgs, an incident and the hash of the plan that people saw and approved. What goes out: the steps
// of that plan on Discord, each noted when it is done, so that a worker that takes over does the rest and makes nothing
// twice. What a step is and how it is done is in internal/incident; this file says which step is next.
package undo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/incident"
	"splashtail/jobs/work"
)

// Bounds of what is told.
const (
	maxFails = 100 // refusals that are kept in words
	maxFail  = 500 // characters of one
)

// Undo is the work of one job.
type Undo struct {
	bus.UndoArgs
	bot *discord.Bot
	b   *bus.Bus
}

// New makes one; its arguments are decoded into it. Without a bus, as where a job runs without a server, it does nothing
// but say so.
func New(bot *discord.Bot, b *bus.Bus) *Undo { return &Undo{bot: bot, b: b} }

// Check implements work.Work.
func (u *Undo) Check() error {
	const plain = "0123456789abcdefghijklmnopqrstuvwxyz"
	if u.Incident == "" || len(u.Incident) > 40 || strings.Trim(u.Incident, plain) != "" {
		return errors.New("the id of an incident has up to 40 small letters and digits")
	}
	if u.Hash == "" || len(u.Hash) > 64 || strings.Trim(u.Hash, plain) != "" {
		return errors.New("the hash of the approved plan is needed: the one that was shown with it")
	}
	return nil
}

// did is the note of a step that is done.
type did struct {
	Made    string `json:"made,omitempty"`    // the id of what it made
	Refused string `json:"refused,omitempty"` // why Discord did not do it
}

func didKey(step int) string { return "did/" + strconv.Itoa(step) }

// Run implements work.Work.
func (u *Undo) Run(ctx context.Context, r work.Run) error {
	if u.b == nil {
		return work.Permanent(errors.New("incidents are kept by a server; without one nothing can be undone"))
	}
	self, err := u.self(ctx)
	if err != nil {
		return err
	}
	book := incident.NewBook(u.bot, func() bus.UserID { return self }, u.b)
	if err := book.Open(ctx); err != nil {
		return err
	}
	job := r.Job()
	i, err := book.Approve(ctx, job.Guild, u.Incident, job.ID, job.By, u.Hash)
	if err != nil {
		return final(err)
	}
	steps, err := incident.StepsOf(*i.Undo)
	if err != nil {
		return work.Permanent(err)
	}
	c := &carrying{Run: r, book: book, guild: job.Guild, id: u.Incident, steps: steps, made: i.Undo.Made,
		done: bus.UndoDone{Incident: u.Incident, Steps: len(steps), Done: map[string]int{}}}
	err = c.all(ctx, u.bot, self)
	return errors.Join(err, r.Outcome(c.done))
}

func (u *Undo) self(ctx context.Context) (bus.UserID, error) {
	me, err := u.bot.Self(ctx)
	if err != nil {
		return 0, err
	}
	return bus.ParseUserID(me.ID)
}

// final marks what asking again does not change.
func final(err error) error {
	if bus.IsCode(err, bus.CodeConflict) && bus.AsError(err).Reason != "changed" || bus.IsCode(err, bus.CodeInvalid) || bus.IsCode(err, bus.CodeNotFound) || incident.Refused(err) {
		return work.Permanent(err)
	}
	return err
}

// carrying is a plan that is being carried out.
type carrying struct {
	work.Run
	book  *incident.Book
	guild bus.GuildID
	id    string
	steps []incident.Step
	made  map[string]string
	done  bus.UndoDone
}

// all does every step that is not noted as done, in order.
func (c *carrying) all(ctx context.Context, bot *discord.Bot, self bus.UserID) error {
	job := c.Job()
	h := incident.NewHand(incident.HandConfig{Bot: bot, Self: self, Guild: c.guild, Steps: c.steps, Made: c.made,
		Why: "undo of incident " + c.id, Op: func(step int) string { return job.Operation(didKey(step)) }})
	known := make([]bool, len(c.steps))
	for n, s := range c.steps {
		var d did
		ok, err := c.Noted(didKey(n), &d)
		if err != nil {
			return err
		}
		if known[n] = ok; ok {
			c.count(s, d)
		}
	}
	return c.Step(ctx, "undo", func(ctx context.Context) error {
		// What the worker before us was at may be done, though it is not noted.
		again := job.Attempt > 1
		for n := range c.steps {
			if !known[n] {
				if err := c.step(ctx, h, n, again); err != nil {
					return err
				}
				again = false
			}
			c.Progress(n+1, len(c.steps))
		}
		return final(c.book.Finish(ctx, c.guild, c.id, job.ID, c.done.Failed))
	})
}

func (c *carrying) count(s incident.Step, d did) {
	if d.Refused == "" {
		c.done.Done[string(s.Do)]++
	} else if len(c.done.Failed) < maxFails {
		c.done.Failed = append(c.done.Failed, d.Refused)
	}
}

// step does a step and notes it. What it made is kept with the incident first: should the job be ended before the note, a
// later plan knows of it; should the worker die, the next one finds it in the audit log.
func (c *carrying) step(ctx context.Context, h *incident.Hand, n int, again bool) error {
	s := c.steps[n]
	made, err := h.Do(ctx, n, again)
	d := did{Made: made}
	switch {
	case incident.Refused(err):
		d.Refused = cut(incident.FailLine(s, err))
		c.Say(work.Warning, "%s", d.Refused)
	case err != nil:
		return fmt.Errorf("step %d of %d: %w", n+1, len(c.steps), err)
	case made != "":
		if err := c.book.Made(context.WithoutCancel(ctx), c.guild, c.id, c.Job().ID, s.ID, made); err != nil {
			return final(err)
		}
	}
	if err := c.Note(ctx, didKey(n), d); err != nil {
		return err
	}
	c.count(s, d)
	return nil
}

func cut(s string) string {
	if r := []rune(s); len(r) > maxFail {
		return string(r[:maxFail]) + "…"
	}
	return s
}
