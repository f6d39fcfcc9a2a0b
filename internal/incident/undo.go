package incident

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/internal/discord"
)

// run is an undo under way.
type run struct {
	*Book
	guild    bus.GuildID
	id       string
	i        bus.Incident
	revision uint64
	steps    []Step
}

// Bounds of a run.
const (
	maxFails     = 100              // refusals that are noted in words
	tries        = 5                // of a step while Discord does not answer
	stepWithin   = 10 * time.Minute // of a step with many members
	betweenTries = time.Second
)

// Run carries out the approved undo of an incident from where it stands, step after step,
// and gives the incident as it then is. A step that Discord refuses is noted and does not
// stop the others. Errors: CodeNotFound when nothing was approved, CodeConflict when
// another process undoes something in the guild; when Discord or the bus does not answer, or ctx ends,
// the rest waits for another Run.
func (k *Book) Run(ctx context.Context, guild bus.GuildID, id string) (bus.Incident, error) {
	lease, err := bus.Acquire(ctx, k.b, bus.UndoLease(guild), undoTTL, k.holder)
	if err != nil {
		return bus.Incident{}, err
	}
	return k.under(ctx, lease, guild, id)
}

// under carries an undo out while a lease is ours, and gives that back.
func (k *Book) under(ctx context.Context, lease *bus.Lease, guild bus.GuildID, id string) (bus.Incident, error) {
	held, cancel := lease.Context(ctx)
	defer func() {
		cancel()
		if err := lease.Release(context.WithoutCancel(ctx)); err != nil {
			k.log.Debug("a lease was not released; it ends by itself", "err", err)
		}
	}()
	r, err := k.load(held, guild, id)
	if err != nil {
		return bus.Incident{}, err
	}
	for resumed := true; r.i.Undo.Done.IsZero(); resumed = false {
		if err := r.next(held, resumed); err != nil {
			return r.i, err
		}
	}
	return r.i, nil
}

func (k *Book) load(ctx context.Context, guild bus.GuildID, id string) (*run, error) {
	e, err := k.all.Get(ctx, bus.IncidentKey(guild, id))
	if err != nil {
		return nil, err
	}
	if e.Value.Undo == nil {
		return nil, bus.Errorf(bus.CodeNotFound, "not_approved", "nobody approved undoing this incident; nothing was done")
	}
	r := &run{Book: k, guild: guild, id: id, i: e.Value, revision: e.Revision}
	if err := json.Unmarshal(r.i.Undo.Plan, &r.steps); err != nil {
		return nil, bus.Errorf(bus.CodeInternal, "bad_plan", "the approved plan cannot be read; nothing was done: %w", err)
	}
	return r, nil
}

// next does one step and keeps that it is done. resumed says that it may have been done
// already by a process that could not keep it.
func (r *run) next(ctx context.Context, resumed bool) error {
	u := *r.i.Undo
	u.Made = maps.Clone(u.Made)
	if u.Made == nil {
		u.Made = map[string]string{}
	}
	if u.Next < len(r.steps) {
		s := r.steps[u.Next]
		made, err := r.try(ctx, s, resumed)
		switch {
		case err == nil && made != "":
			u.Made[s.ID] = made
		case refused(err):
			r.log.Warn("a step of an undo was refused", "guild", r.guild, "incident", r.id, "step", u.Next, "do", s.Do, "err", err)
			if len(u.Fails) < maxFails {
				u.Fails = append(u.Fails, failLine(s, err))
			}
		case err != nil:
			return err
		}
		u.Next++
	}
	if u.Next >= len(r.steps) {
		u.Done = time.Now().UTC()
	}
	return r.keep(ctx, u)
}

// keep writes the progress unless somebody else did.
func (r *run) keep(ctx context.Context, u bus.Undo) error {
	i := r.i
	i.Undo = &u
	revision, err := r.all.Update(context.WithoutCancel(ctx), bus.IncidentKey(r.guild, r.id), i, r.revision)
	if err != nil {
		return err
	}
	r.i, r.revision = i, revision
	return nil
}

// refused says whether Discord will never do it.
func refused(err error) bool {
	var api *discord.APIError
	return errors.As(err, &api) && api.Status < 500 && api.Status != 429
}

// try does a step, again while Discord does not answer. What makes something is looked up
// in the audit log before it is done again.
func (r *run) try(ctx context.Context, s Step, look bool) (made string, err error) {
	for n := range tries {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if made, err = r.once(ctx, s, look); err == nil || refused(err) {
			return made, err
		}
		var limited *discord.LimitedError
		if look = !errors.As(err, &limited); limited != nil && limited.RetryAfter > 0 {
			pause(ctx, min(limited.RetryAfter, time.Minute))
			continue
		}
		pause(ctx, betweenTries<<n)
	}
	return made, err
}

func (r *run) once(ctx context.Context, s Step, look bool) (string, error) {
	if kind := makes(s.Do); look && kind != 0 {
		if made, err := r.find(ctx, kind); made != "" || err != nil {
			return made, err
		}
	}
	// A step that has begun is waited for, also when the process is to end: what its
	// answer says need not be looked up then.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepWithin)
	defer cancel()
	return r.do(ctx, s)
}

// makes gives the type of audit-log entry of a step that makes something, 0 for others:
// those can be done twice without harm.
func makes(v Verb) int {
	switch v {
	case CreateRole:
		return typeRoleCreate
	case CreateChannel:
		return typeChannelCreate
	}
	return 0
}

// op names the step that is next.
func (r *run) op() string { return fmt.Sprintf("op=%s-%d", r.id, r.i.Undo.Next) }

func (r *run) reason() string { return fmt.Sprintf("undo of incident %s · %s", r.id, r.op()) }

// find looks for what this step made before; empty when it made nothing.
func (r *run) find(ctx context.Context, kind int) (string, error) {
	log, err := r.bot.AuditLog(ctx, r.guild.String(), auditOf(r.self(), kind))
	if err != nil {
		return "", err
	}
	for _, e := range log.AuditLogEntries {
		if strings.HasSuffix(e.Reason, " "+r.op()) {
			return e.TargetID, nil
		}
	}
	return "", nil
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func failLine(s Step, err error) string {
	return fmt.Sprintf("%s %s: %v", strings.ReplaceAll(string(s.Do), "_", " "), nameOf(s), err)
}

func nameOf(s Step) string {
	if s.Name != "" {
		return s.Name
	}
	return s.ID
}
