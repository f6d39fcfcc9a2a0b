package command

import (
	"context"
	"sync"
	"time"

	"github.com/bwmarrin/discordgo"

	"splashtail/bot/card"
	"splashtail/bus"
	"splashtail/internal/discord"
)

// taken is the result of an interaction that another process has answered first.
const taken = "taken"

// How long a claim lives without its process, how often it is renewed, how long it says
// that all is done, and how often it is looked at by others.
const (
	claimFor   = 2 * time.Second
	renewEvery = 600 * time.Millisecond
	doneFor    = time.Minute
	lookAgain  = 300 * time.Millisecond
)

// claim notes that this process has an interaction in hand, until what it gives is called:
// with true when it is done. nil when it was done before. again says that the bus has it
// from a process that did not see it through. Errors: another process is at work on it.
func (r *Router) claim(ctx context.Context, id string, again bool) (done func(whole bool), err error) {
	mine := bus.Claim{V: 1, Holder: r.cfg.Instance}
	err = r.claims.CreateFor(ctx, id, mine, claimFor)
	if bus.IsCode(err, bus.CodeConflict) {
		e, err := r.claims.Get(ctx, id)
		switch {
		case err == nil && e.Value.Done:
			return nil, nil
		case !again:
			return nil, errClaimed()
		}
		return func(bool) {}, nil // of a process that died, most likely
	}
	if err != nil {
		// Discord takes one answer all the same.
		r.log.Warn("an interaction could not be claimed", "op", id, "err", err)
		return func(bool) {}, nil
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	var renewing sync.WaitGroup
	renewing.Go(func() { r.renew(ctx, id, mine) })
	return func(whole bool) {
		stop()
		renewing.Wait()
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), claimFor)
		defer cancel()
		var err error
		if mine.Done = whole; whole {
			_, err = r.claims.PutFor(last, id, mine, doneFor)
		} else {
			err = r.claims.Delete(last, id, 0)
		}
		if err != nil {
			r.log.Debug("a claim was not closed; it ends by itself", "op", id, "err", err)
		}
	}, nil
}

func errClaimed() error {
	return bus.Errorf(bus.CodeLimited, "claimed", "another process has the interaction in hand")
}

// renew keeps a claim until ctx ends.
func (r *Router) renew(ctx context.Context, id string, c bus.Claim) {
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if _, err := r.claims.PutFor(ctx, id, c, claimFor); err != nil && ctx.Err() == nil {
			r.log.Debug("a claim was not renewed", "op", id, "err", err)
		}
	}
}

// finish sees to an interaction that another process has answered first: when that one
// died, the person would look at "thinking" for ever. What Discord shows decides: an
// answer that came in time stays. Errors: the other process is still at work.
func (r *Router) finish(ctx context.Context, it *discordgo.Interaction) error {
	e, err := r.claims.Get(ctx, it.ID)
	switch {
	case err == nil && !e.Deleted && !e.Value.Done:
		return errClaimed()
	case err != nil && !bus.IsCode(err, bus.CodeNotFound):
		return err
	}
	m, err := r.cfg.Bot.Original(ctx, it.AppID, it.Token)
	if err != nil || m.Flags&discordgo.MessageFlagsLoading == 0 {
		if err != nil && !discord.HasCode(err, discord.CodeUnknownMessage, discord.CodeUnknownWebhook, discord.CodeUnknownInteraction) {
			r.log.Warn("what became of an interaction could not be asked", "op", it.ID, "err", err)
		}
		r.results.WithLabelValues(taken).Inc()
		return nil
	}
	r.results.WithLabelValues("interrupted").Inc()
	c := card.Card{Text: r.words.In(string(it.Locale)).T("error.interrupted", "ref", it.ID), Colour: card.Bad}
	if _, err := r.cfg.Bot.EditOriginal(ctx, it.AppID, it.Token, c.Edit()); err != nil {
		r.log.Warn("who asked could not be told that their command was cut off", "op", it.ID, "err", err)
	}
	return nil
}
