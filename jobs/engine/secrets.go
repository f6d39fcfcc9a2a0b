package engine

import (
	"context"
	"encoding/json"
	"time"

	"splashtail/bus"
)

// sealSecrets stores the secrets of a job, encrypted for its record alone.
func (e *Engine) sealSecrets(ctx context.Context, job bus.Job, s bus.JobSecrets) error {
	if len(s) == 0 {
		return nil
	}
	text, err := json.Marshal(map[string]string(s))
	if err != nil {
		return err
	}
	key := bus.JobKey(job.Guild, job.ID)
	sealed, err := e.cfg.Sealer.Close(string(text), key)
	if err != nil {
		return err
	}
	_, err = e.seals.PutFor(ctx, key, bus.JobSealed{V: 1, Sealed: sealed}, keepSeal)
	return err
}

// openSecrets reads the secrets of a job; none is no error, since they end before the job's record does.
func (e *Engine) openSecrets(ctx context.Context, job bus.Job) (map[string]string, error) {
	if len(job.Secrets) == 0 {
		return nil, nil
	}
	key := bus.JobKey(job.Guild, job.ID)
	s, err := e.seals.Get(ctx, key)
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	text, err := e.cfg.Sealer.Open(s.Value.Sealed, key)
	if err != nil {
		return nil, bus.Errorf(bus.CodeInternal, "bad_seal", "the secrets of the job %s were sealed with another key; start with that one (SEAL_KEY), or submit the job anew", job.ID)
	}
	var out map[string]string
	return out, json.Unmarshal([]byte(text), &out)
}

// sealEnds is when the secrets of a job that has ended must be gone: after a failure they are kept for a retry, else what a crash
// left of them is looked for at once. Zero: it has none.
func sealEnds(job bus.Job, atOnce time.Time) time.Time {
	switch {
	case len(job.Secrets) == 0:
		return time.Time{}
	case job.State == bus.JobFailed:
		return job.Finished.Add(keepFailedSeal)
	}
	return atOnce
}

// dropLeftSeal removes the secrets of a job whose worker or whose answer from the bus was lost between its end and their removal.
func (e *Engine) dropLeftSeal(ctx context.Context, job bus.Job) error {
	if at := sealEnds(job, time.Now()); at.IsZero() || time.Now().Before(at) {
		return nil
	}
	_, err := e.seals.Get(ctx, bus.JobKey(job.Guild, job.ID))
	if bus.IsCode(err, bus.CodeNotFound) {
		return nil
	}
	if err == nil {
		e.dropSeal(ctx, job)
		e.m.mended.WithLabelValues("secrets").Inc()
	}
	return err
}

// dropSeal removes the secrets of a job.
func (e *Engine) dropSeal(ctx context.Context, job bus.Job) {
	if len(job.Secrets) == 0 {
		return
	}
	if err := e.seals.Delete(ctx, bus.JobKey(job.Guild, job.ID), 0); err != nil && !bus.IsCode(err, bus.CodeNotFound) {
		e.log.Warn("the sealed secrets of a job were not removed; they end by themselves", "job", job.ID, "err", err)
	}
}
