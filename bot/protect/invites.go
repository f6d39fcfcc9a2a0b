package protect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// pauseFor is how long invites are switched off at a time. Discord lifts that by itself,
// so that nothing of ours has to live for it; while a raid goes on it is renewed.
const pauseFor = time.Hour

// perMille of a guild's members may join within a minute before that is called a raid.
const perMille = 1

// size and state of a guild as far as a raid is concerned.
type door struct {
	Members  int                     `json:"approximate_member_count"`
	Incident discord.IncidentActions `json:"incidents_data"`
}

func (e *Engine) doorOf(ctx context.Context, g bus.GuildID) (d door, err error) {
	a, err := e.cfg.Bot.Do(ctx, discord.Request{Method: http.MethodGet, Path: "/guilds/" + g.String(), Query: map[string][]string{"with_counts": {"true"}}})
	if err == nil {
		err = json.Unmarshal(a.Body, &d)
	}
	return d, err
}

// raidBegan switches invites off and tells people, unless so many joins are nothing for a
// guild of this size.
func (e *Engine) raidBegan(ctx context.Context, g bus.GuildID, w *watch) {
	bounded, cancel := context.WithTimeout(ctx, respondWithin)
	defer cancel()
	d, err := e.doorOf(bounded, g)
	w.mu.Lock()
	r := w.joins.raid
	if r == nil {
		w.mu.Unlock()
		return
	}
	if floor := d.Members * perMille / 1000; err == nil && r.count < floor {
		w.joins.pardon(float64(floor))
		w.mu.Unlock()
		return
	}
	news := RaidNews{Guild: g, Began: r.began, Joins: r.count, Usual: r.usual}
	w.mu.Unlock()
	if err == nil {
		news.Until, err = e.closeDoor(bounded, g, d)
	}
	news.Result = resultOf(err)
	w.mu.Lock()
	w.until = news.Until
	w.mu.Unlock()
	log := e.log
	if !news.Until.IsZero() {
		log = log.With("invites_off_until", news.Until)
	}
	log.Warn("a join raid began", "guild", g, "joins", news.Joins, "usual_per_minute", news.Usual, "result", news.Result)
	e.cfg.RaidAlert(ctx, e.cfg.Policy(g), news)
}

func resultOf(err error) string {
	if err != nil {
		return failed(err)
	}
	return resultSuccess
}

// closeDoor switches invites off. A longer pause that somebody has set stays, and is not
// ours to lift: until is zero then.
func (e *Engine) closeDoor(ctx context.Context, g bus.GuildID, d door) (until time.Time, err error) {
	want := time.Now().Add(pauseFor).UTC()
	if at := d.Incident.InvitesDisabledUntil; at != nil && at.After(want) {
		return time.Time{}, nil
	}
	// Both are sent: a pause of private messages would be lifted otherwise.
	next := discord.IncidentActions{InvitesDisabledUntil: &want, DMsDisabledUntil: future(d.Incident.DMsDisabledUntil)}
	if _, err := e.cfg.Bot.SetIncidentActions(ctx, g.String(), next, "[raid] more joins than usual"); err != nil {
		return time.Time{}, err
	}
	return want, nil
}

// future gives an instant only when it is not over.
func future(at *time.Time) *time.Time {
	if at == nil || at.Before(time.Now()) {
		return nil
	}
	return at
}

// holdOn renews the pause while the raid goes on.
func (e *Engine) holdOn(ctx context.Context, g bus.GuildID, w *watch) {
	ctx, cancel := context.WithTimeout(ctx, respondWithin)
	defer cancel()
	d, err := e.doorOf(ctx, g)
	until := time.Time{}
	if err == nil {
		until, err = e.closeDoor(ctx, g, d)
	}
	if err != nil {
		e.log.Warn("the pause of invites could not be renewed; it ends by itself", "guild", g, "err", err)
		return
	}
	w.mu.Lock()
	w.until = until
	w.mu.Unlock()
}

// raidOver lifts our pause. Another process may know of joins that went past this one, so
// what is stored decides.
func (e *Engine) raidOver(ctx context.Context, g bus.GuildID, w *watch, r raid) {
	ctx, cancel := context.WithTimeout(ctx, respondWithin)
	defer cancel()
	goesOn, err := e.goesOn(ctx, g, r)
	if err != nil {
		e.log.Warn("whether a raid is over cannot be told; the pause of invites ends by itself", "guild", g, "err", err)
		return
	}
	if goesOn {
		return
	}
	err = e.openDoor(ctx, g)
	w.mu.Lock()
	w.until = time.Time{}
	w.mu.Unlock()
	news := RaidNews{Guild: g, Began: r.began, Joins: r.count, Usual: r.usual, Over: true, Result: resultOf(err)}
	e.log.Info("a join raid is over", "guild", g, "joins", r.count, "result", news.Result)
	e.cfg.RaidAlert(ctx, e.cfg.Policy(g), news)
}

// goesOn says whether joins are stored that the raid has not counted.
func (e *Engine) goesOn(ctx context.Context, g bus.GuildID, r raid) (bool, error) {
	later := 0
	err := readAll(ctx, e.b, bus.ActionsIn(g), func(a bus.Action) {
		if a.Kind == bus.ActionMemberJoin && a.At.After(r.busy) && time.Since(a.At) < calmFor {
			later++
		}
	})
	return float64(later) > max(calmTimes*r.usual, calmAtMost)*calmFor.Minutes(), err
}

// openDoor lifts the pause of invites if it can be ours.
func (e *Engine) openDoor(ctx context.Context, g bus.GuildID) error {
	d, err := e.doorOf(ctx, g)
	if err != nil {
		return fmt.Errorf("invites stay off until their pause ends by itself: %w", err)
	}
	at := future(d.Incident.InvitesDisabledUntil)
	if at == nil || time.Until(*at) > pauseFor {
		return nil // over already, or somebody else's
	}
	_, err = e.cfg.Bot.SetIncidentActions(ctx, g.String(), discord.IncidentActions{DMsDisabledUntil: future(d.Incident.DMsDisabledUntil)}, "[raid] over")
	return err
}
