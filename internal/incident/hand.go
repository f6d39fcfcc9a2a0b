package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
	"splashtail/internal/pause"
)

// Hand carries out the steps of a plan in a guild, one when it is told to.
type Hand struct {
	HandConfig
	next int // the step that is done now; those before it have been tried
}

// HandConfig is what a hand works with.
type HandConfig struct {
	Bot   *discord.Bot
	Self  bus.UserID // the bot's own user
	Guild bus.GuildID
	Steps []Step
	Made  map[string]string     // id before -> id of what was made in its place; the hand adds to it
	Why   string                // begins the reason in the audit log
	Op    func(step int) string // names a step in that reason, so that what it made can be found again
}

// NewHand makes a hand. It does no I/O.
func NewHand(cfg HandConfig) *Hand {
	if cfg.Made == nil {
		cfg.Made = map[string]string{}
	}
	return &Hand{HandConfig: cfg}
}

// Bounds of a step.
const (
	tries        = 5               // while Discord does not answer
	makeWithin   = 2 * time.Minute // of making something, which is waited for although the end was asked for
	betweenTries = time.Second
)

// Do does one step and gives the id of what it made. again says that the step may have been done before by somebody who
// could not note it: what makes something is then looked up in the audit log first. Errors: those for which Refused
// is true, and the step will never be done; others when Discord does not answer or ctx ended.
func (h *Hand) Do(ctx context.Context, step int, again bool) (made string, err error) {
	h.next = step
	s := h.Steps[step]
	for n := range tries {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if made, err = h.once(ctx, s, again); err == nil || Refused(err) {
			break
		}
		var limited *discord.LimitedError
		if again = !errors.As(err, &limited); limited != nil && limited.RetryAfter > 0 {
			pause.For(ctx, min(limited.RetryAfter, time.Minute))
			continue
		}
		pause.For(ctx, betweenTries<<n)
	}
	if err == nil && made != "" {
		h.Made[s.ID] = made
	}
	return made, err
}

// Refused says whether Discord will never do it.
func Refused(err error) bool {
	_, refused := discord.Refusal(err)
	return refused
}

// once does a step unless it was done before. What makes something is waited for also when the end was asked for: what its
// answer says need not be looked up then. Everything else can be done twice without harm.
func (h *Hand) once(ctx context.Context, s Step, look bool) (string, error) {
	kind := makes(s.Do)
	if kind == 0 {
		return h.do(ctx, s)
	}
	if look {
		if made, err := h.find(ctx, kind); made != "" || err != nil {
			return made, err
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeWithin)
	defer cancel()
	return h.do(ctx, s)
}

// makes gives the type of audit-log entry of a step that makes something, 0 for others.
func makes(v Verb) int {
	switch v {
	case CreateRole:
		return typeRoleCreate
	case CreateChannel:
		return typeChannelCreate
	}
	return 0
}

// op names the step that is done now.
func (h *Hand) op() string { return "op=" + h.Op(h.next) }

func (h *Hand) reason() string { return h.Why + " · " + h.op() }

// find looks for what this step made before; empty when it made nothing.
func (h *Hand) find(ctx context.Context, kind int) (string, error) {
	log, err := h.Bot.AuditLog(ctx, h.Guild.String(), auditOf(h.Self, kind))
	if err != nil {
		return "", err
	}
	for _, e := range log.AuditLogEntries {
		if strings.HasSuffix(e.Reason, " "+h.op()) {
			return e.TargetID, nil
		}
	}
	return "", nil
}

// FailLine says for people that a step was refused.
func FailLine(s Step, err error) string {
	return fmt.Sprintf("%s %s: %v", strings.ReplaceAll(string(s.Do), "_", " "), nameOf(s), err)
}

func nameOf(s Step) string {
	if s.Name != "" {
		return s.Name
	}
	return s.ID
}

// StepsOf reads the plan of an undo that was approved.
func StepsOf(u bus.Undo) ([]Step, error) {
	var steps []Step
	if err := json.Unmarshal(u.Plan, &steps); err != nil {
		return nil, bus.Errorf(bus.CodeInternal, "bad_plan", "the approved plan cannot be read; nothing was done: %w", err)
	}
	return steps, nil
}
