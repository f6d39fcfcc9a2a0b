package incident

import (
	"context"
	"strings"
	"time"

	"splashtail/bus"
)

// responseMark begins the reason of what a limit does to whom it stops.
const responseMark = "[limits] "

// PardonPlan says what would take back what limits did to the actor of an incident: roles
// that were taken, a ban, a time-out. Who was kicked has to join again.
func (k *Book) PardonPlan(ctx context.Context, i bus.Incident) (Plan, error) {
	deeds, err := Deeds(ctx, k.b, i.Guild, i.Since)
	if err != nil {
		return Plan{}, err
	}
	relevant := deeds[:0:0]
	for _, d := range deeds {
		if d.Actor != k.self() || d.Target == i.Actor.String() && strings.HasPrefix(d.Reason, responseMark) {
			relevant = append(relevant, d)
		}
	}
	now, err := LoadState(ctx, k.bot, i.Guild, k.self(), relevant)
	if err != nil {
		return Plan{}, err
	}
	return MakePlan(k.self(), relevant, now), nil
}

// Pardon carries PardonPlan out at once and gives the plan and what Discord refused of it.
// None of its steps makes anything, so it may be done again after a failure.
func (k *Book) Pardon(ctx context.Context, i bus.Incident) (Plan, []string, error) {
	p, err := k.PardonPlan(ctx, i)
	if err != nil {
		return p, nil, err
	}
	i.Undo = &bus.Undo{At: time.Now()}
	r := &run{Book: k, guild: i.Guild, id: i.ID, i: i, steps: p.Steps}
	for n, s := range p.Steps {
		r.i.Undo.Next = n
		switch _, err := r.try(ctx, s, false); {
		case refused(err):
			r.i.Undo.Fails = append(r.i.Undo.Fails, failLine(s, err))
		case err != nil:
			return p, r.i.Undo.Fails, err
		}
	}
	return p, r.i.Undo.Fails, nil
}
