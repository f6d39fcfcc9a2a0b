package engine

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"splashtail/bus"
)

// How long a submission's key is remembered, and how long sealed secrets outlive a record that nobody ends.
const (
	keepKey  = 24 * time.Hour
	keepSeal = 30 * 24 * time.Hour
	// keepFailedSeal is how long a job that failed can be retried with its secrets.
	keepFailedSeal = 24 * time.Hour
)

// Bounds of the secrets of a job.
const (
	maxSecrets   = 8
	maxSecretLen = 1024
)

// maxActor bounds the name of who asks, in bytes.
const maxActor = 256

// Submit takes a job in: it is stored when Submit returns. See bus.Jobs.Submit.
func (e *Engine) Submit(ctx context.Context, s bus.JobSubmit) (bus.Job, error) {
	job, err := e.submit(ctx, s)
	kind := s.Kind
	if _, known := e.kinds[kind]; !known {
		kind = "unknown" // what a stranger wrote is no label
	}
	if err != nil {
		e.m.refuse(kind, err)
		return job, err
	}
	e.m.submitted.WithLabelValues(string(kind)).Inc()
	return job, nil
}

func (e *Engine) submit(ctx context.Context, s bus.JobSubmit) (bus.Job, error) {
	job, err := e.draft(s)
	if err != nil {
		return job, err
	}
	if s.Key != "" {
		was, found, err := e.once(ctx, s, &job)
		if err != nil || found {
			return was, err
		}
	}
	if job.Sole && !s.Queued && job.State == bus.JobPending {
		if err := e.laneFree(ctx, &job); err != nil {
			return job, err
		}
	}
	if s.Hold != "" {
		if err := e.roomToHold(ctx, job.Guild); err != nil {
			return job, err
		}
	}
	if err := e.sealSecrets(ctx, job, s.Secrets); err != nil {
		return job, err
	}
	rev, err := e.records.Create(ctx, bus.JobKey(job.Guild, job.ID), job)
	if bus.IsCode(err, bus.CodeConflict) { // the same key, at the same time
		return e.jobs.Get(ctx, job.Guild, job.ID)
	}
	if err != nil {
		return job, err
	}
	if job.State == bus.JobWaiting {
		e.tellState(job)
		if held(job) {
			return job, nil // the sweeper ends it, in case nobody releases it
		}
		return job, bus.SetJobTimer(ctx, e.b, bus.TimerOfJob(job.Guild, job.ID), job.Wait.Until, itemOf(job))
	}
	return e.enter(ctx, s, job, rev)
}

// draft makes the record of a submission that can be accepted.
func (e *Engine) draft(s bus.JobSubmit) (bus.Job, error) {
	k, ok := e.kinds[s.Kind]
	if !ok {
		return bus.Job{}, bus.Errorf(bus.CodeInvalid, "no_kind", "there is no kind of job %q; no job was made", s.Kind)
	}
	if s.Guild == 0 {
		return bus.Job{}, bus.Errorf(bus.CodeInvalid, "no_guild", "a job belongs to a server; no job was made")
	}
	if len(s.Secrets) > maxSecrets {
		return bus.Job{}, bus.Errorf(bus.CodeInvalid, "bad_secrets", "a job has at most %d secrets; no job was made", maxSecrets)
	}
	for name, v := range s.Secrets {
		if len(name) > 64 || len(v) > maxSecretLen {
			return bus.Job{}, bus.Errorf(bus.CodeInvalid, "bad_secrets", "a secret has at most %d bytes; no job was made", maxSecretLen)
		}
		if len(v) >= 4 && strings.Contains(string(s.Args), v) {
			return bus.Job{}, bus.Errorf(bus.CodeInvalid, "secret_in_args", "the arguments contain a secret in clear; no job was made")
		}
	}
	if _, err := k.prepare(s.Args, s.Guild); err != nil {
		return bus.Job{}, err
	}
	now := time.Now().UTC()
	job := bus.Job{V: 1, ID: bus.NewJobID(now), Kind: k.Name, Guild: s.Guild, By: s.By, Actor: cut(s.Actor, maxActor), Schedule: s.Schedule, Lane: k.Lane, Queue: k.Queue, Sole: k.Sole,
		Args: compact(s.Args), Secrets: slices.Sorted(maps.Keys(s.Secrets)), State: bus.JobPending, Generation: 1, Submitted: now, Changed: now}
	switch {
	case s.Hold != "":
		job.State, job.Wait = bus.JobWaiting, &bus.JobWait{Until: now.Add(e.t.Held), Why: cut("waits for "+s.Hold, maxLine), Held: true}
	case s.At.After(now):
		job.State, job.Wait = bus.JobWaiting, &bus.JobWait{Until: s.At.UTC(), Why: "it was asked for this time"}
	}
	return job, nil
}

func compact(args json.RawMessage) json.RawMessage {
	if len(args) == 0 {
		return nil
	}
	return args
}

// once finds the job that a submission with this key has become, or gives the draft the id under which the key stands.
func (e *Engine) once(ctx context.Context, s bus.JobSubmit, job *bus.Job) (was bus.Job, found bool, err error) {
	sum := sha256.Sum256([]byte(string(s.Kind) + "\x00" + s.Key))
	key := s.Guild.String() + "." + hex.EncodeToString(sum[:16])
	err = e.onces.CreateFor(ctx, key, bus.JobOnce{V: 1, ID: job.ID}, keepKey)
	if err == nil {
		return was, false, nil
	}
	if !bus.IsCode(err, bus.CodeConflict) {
		return was, false, err
	}
	o, err := e.onces.Get(ctx, key)
	if err != nil {
		return was, false, err
	}
	was, err = e.jobs.Get(ctx, s.Guild, o.Value.ID)
	if bus.IsCode(err, bus.CodeNotFound) {
		// The first submission came no further than its key, or was refused: this one takes its place.
		job.ID = o.Value.ID
		return was, false, nil
	}
	return was, err == nil, err
}

// enter places a new job in its queue; if it cannot be, nothing of it is left, or it waits.
func (e *Engine) enter(ctx context.Context, s bus.JobSubmit, job bus.Job, rev uint64) (bus.Job, error) {
	key := bus.JobKey(job.Guild, job.ID)
	job, rev, holder, err := e.place(ctx, job, rev)
	if changed(err) {
		// It stood without an item for so long that the sweeper has placed it.
		return e.jobs.Get(ctx, job.Guild, job.ID)
	}
	if err != nil {
		return job, err // the sweeper places it
	}
	if holder == "" {
		e.tellState(job)
		bus.NudgeJobs(e.b)
		return job, nil
	}
	if s.Queued {
		return e.waitForLane(ctx, job, rev, holder)
	}
	err = e.records.Delete(ctx, key, rev)
	if changed(err) {
		return e.jobs.Get(ctx, job.Guild, job.ID)
	}
	if err != nil {
		return job, err
	}
	e.dropSeal(ctx, job)
	return job, e.busy(job.Kind, holder)
}

// waitForLane lets a job look again later whether its lane is free.
func (e *Engine) waitForLane(ctx context.Context, job bus.Job, rev uint64, holder string) (bus.Job, error) {
	return e.waitUntil(ctx, job, rev, bus.JobWait{Until: time.Now().Add(e.t.Lane).UTC(), Why: "the job " + holder + " of this server comes first", For: holder})
}

// waitUntil writes that a job waits and sets its timer.
func (e *Engine) waitUntil(ctx context.Context, job bus.Job, rev uint64, w bus.JobWait) (bus.Job, error) {
	known := job.State == bus.JobWaiting && job.Wait != nil && job.Wait.Why == w.Why
	job.State, job.Wait, job.Worker, job.Changed = bus.JobWaiting, &w, "", time.Now().UTC()
	job.Generation++
	if _, err := e.records.Update(ctx, bus.JobKey(job.Guild, job.ID), job, rev); err != nil {
		return job, err
	}
	if !known {
		e.tellState(job)
	}
	return job, bus.SetJobTimer(ctx, e.b, bus.TimerOfJob(job.Guild, job.ID), w.Until, itemOf(job))
}

func itemOf(job bus.Job) bus.JobItem {
	return bus.JobItem{V: 1, Guild: job.Guild, ID: job.ID, Generation: job.Generation}
}

// tellState adds a change of state to a job's log.
func (e *Engine) tellState(job bus.Job) {
	line := bus.JobLine{V: 1, Attempt: job.Attempt, State: job.State, At: time.Now().UTC()}
	switch {
	case job.Wait != nil:
		line.Text = job.Wait.Why
		line.Step = &bus.JobProgress{Wait: job.Wait, At: line.At}
	case job.Error != nil:
		line.Text = job.Error.Message
	case job.Cancel != nil:
		line.Text = strings.TrimSpace("cancelled by " + cmp.Or(job.Cancel.By, "somebody") + ". " + job.Cancel.Reason)
	}
	e.tell(bus.JobLogSubject(job.Guild, job.ID), line)
}

func (e *Engine) tell(to bus.Subject[bus.JobLine], line bus.JobLine) {
	if err := bus.PublishLater(e.b, to, line); err != nil {
		e.log.Debug("a line of a job's log was not published", "err", err)
	}
}
