package incident

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"splashtail/bus"
)

// Unfinished gives the job that has carried out a part of an incident's plan, or none: nobody has begun, the plan was
// carried out, or the job's record is gone. One that has ended goes on where it stopped when it is retried.
func (k *Book) Unfinished(ctx context.Context, i bus.Incident) (job bus.Job, there bool, err error) {
	if i.Undo == nil || !i.Undo.Done.IsZero() {
		return bus.Job{}, false, nil
	}
	e, err := k.jobs.Get(ctx, bus.JobKey(i.Guild, i.Undo.Job))
	if bus.IsCode(err, bus.CodeNotFound) {
		return bus.Job{}, false, nil
	}
	return e.Value, err == nil, err
}

// Check says whether the plan with this hash, as it was shown, can be carried out now. Errors: CodeConflict when the guild
// has changed since, so that the plan is another one, when the incident was undone already, or when a job has carried out a
// part of it; CodeInvalid when the plan is too large to be kept.
func (k *Book) Check(ctx context.Context, i bus.Incident, hash string) error {
	_, err := k.approvable(ctx, i, hash)
	return err
}

// approvable gives the plan with this hash as it is kept.
func (k *Book) approvable(ctx context.Context, i bus.Incident, hash string) (json.RawMessage, error) {
	if i.Undo != nil && !i.Undo.Done.IsZero() {
		return nil, bus.Errorf(bus.CodeConflict, "undone", "this incident was undone already; for what is left, open another one")
	}
	job, there, err := k.Unfinished(ctx, i)
	if err != nil {
		return nil, err
	}
	if there {
		err := bus.Errorf(bus.CodeConflict, "unfinished", "the job %s has carried out a part of this; nothing more was undone; let that job go on", job.ID)
		err.Details = map[string]string{"job": job.ID}
		return nil, err
	}
	p, err := k.Plan(ctx, i)
	if err != nil {
		return nil, err
	}
	if p.Hash() != hash {
		return nil, bus.Errorf(bus.CodeConflict, "plan_changed", "the server has changed since the plan was shown; nothing was undone; look at the new plan")
	}
	data, err := json.Marshal(p.Steps)
	if err != nil {
		return nil, bus.Errorf(bus.CodeInternal, "bad_plan", "the plan cannot be kept; nothing was undone: %w", err)
	}
	if len(data) > maxPlan {
		return nil, bus.Errorf(bus.CodeInvalid, "plan_too_large", "the plan is too large to be kept; nothing was undone; open incidents of shorter times instead")
	}
	return data, nil
}

// Approve fixes the plan with this hash, which by approved, for a job to carry out, and gives the incident. For the job
// that has it already, nothing changes. Errors: as of Check.
func (k *Book) Approve(ctx context.Context, guild bus.GuildID, id, job string, by bus.UserID, hash string) (bus.Incident, error) {
	e, err := k.all.Get(ctx, bus.IncidentKey(guild, id))
	if err != nil {
		return bus.Incident{}, err
	}
	i := e.Value
	if i.Undo != nil && i.Undo.Job == job {
		return i, nil
	}
	plan, err := k.approvable(ctx, i, hash)
	if err != nil {
		return i, err
	}
	u := bus.Undo{By: by, At: time.Now().UTC(), Job: job, Plan: plan, Hash: hash}
	if i.Undo != nil {
		u.Made = i.Undo.Made
	}
	i.Undo = &u
	_, err = k.all.Update(ctx, bus.IncidentKey(guild, id), i, e.Revision)
	return i, err
}

// Made keeps what a job has made in the place of something, so that no later plan makes it again. Errors: CodeConflict when
// another job has the incident now.
func (k *Book) Made(ctx context.Context, guild bus.GuildID, id, job, was, made string) error {
	return k.change(ctx, guild, id, job, func(u *bus.Undo) {
		if u.Made = maps.Clone(u.Made); u.Made == nil {
			u.Made = map[string]string{}
		}
		u.Made[was] = made
	})
}

// Finish notes that a job has carried everything out, and what Discord refused. Errors: as of Made.
func (k *Book) Finish(ctx context.Context, guild bus.GuildID, id, job string, fails []string) error {
	return k.change(ctx, guild, id, job, func(u *bus.Undo) {
		if u.Done.IsZero() {
			u.Fails, u.Done = fails, time.Now().UTC()
		}
	})
}

// change changes the undo of an incident while it is this job's.
func (k *Book) change(ctx context.Context, guild bus.GuildID, id, job string, f func(*bus.Undo)) error {
	key := bus.IncidentKey(guild, id)
	e, err := k.all.Get(ctx, key)
	if err != nil {
		return err
	}
	if e.Value.Undo == nil || e.Value.Undo.Job != job {
		return bus.Errorf(bus.CodeConflict, "other_job", "another job undoes this incident now; this one does nothing more")
	}
	u := *e.Value.Undo
	f(&u)
	e.Value.Undo = &u
	_, err = k.all.Update(ctx, key, e.Value, e.Revision)
	return err
}

// maxPlan leaves room in a record of GUARD for what was made and what failed.
const maxPlan = 800_000
