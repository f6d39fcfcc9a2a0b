package incident

import (
	"context"
	"strconv"
	"strings"

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
	h := NewHand(HandConfig{Bot: k.bot, Self: k.self(), Guild: i.Guild, Steps: p.Steps, Why: "pardon of incident " + i.ID,
		Op: func(step int) string { return i.ID + "-" + strconv.Itoa(step) }})
	var fails []string
	for n, s := range p.Steps {
		switch _, err := h.Do(ctx, n, false); {
		case Refused(err):
			fails = append(fails, FailLine(s, err))
		case err != nil:
			return p, fails, err
		}
	}
	return p, fails, nil
}
