package engine

import (
	"cmp"
	"context"
	"time"

	"splashtail/bus"
)

// watchPauses keeps in mind which kinds are paused.
func (e *Engine) watchPauses(ctx context.Context) error {
	return e.pauses.Watch(ctx, "*", func(p bus.Entry[bus.JobPause], live bool) error {
		if live {
			return nil
		}
		e.mu.Lock()
		defer e.mu.Unlock()
		if p.Deleted {
			delete(e.paused, bus.JobKind(p.Key))
		} else {
			e.paused[bus.JobKind(p.Key)] = p.Value
		}
		return nil
	})
}

// loadPauses reads which kinds are paused, before the first job is begun.
func (e *Engine) loadPauses(ctx context.Context) error {
	all, err := e.pauses.All(ctx, "*")
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, p := range all {
		e.paused[bus.JobKind(p.Key)] = p.Value
	}
	return nil
}

func (e *Engine) isPaused(kind bus.JobKind) (bus.JobPause, bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	p, ok := e.paused[kind]
	return p, ok
}

func pauseText(p bus.JobPause) string {
	text := "jobs of this kind were paused by " + cmp.Or(p.By, "an operator")
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return cut(text, maxLine)
}

func (e *Engine) knownKind(target string) (bus.JobKind, error) {
	k := bus.JobKind(target)
	if _, ok := e.kinds[k]; !ok {
		return "", bus.Errorf(bus.CodeNotFound, "no_kind", "there is no kind of job %q; nothing was changed", target)
	}
	return k, nil
}

// pause keeps jobs of a kind from being begun.
func (e *Engine) pause(ctx context.Context, q bus.JobRequest) (bus.JobPause, error) {
	kind, err := e.knownKind(q.Target)
	if err != nil {
		return bus.JobPause{}, err
	}
	p := bus.JobPause{V: 1, By: cut(cmp.Or(q.Actor, "an operator"), maxActor), Reason: cut(q.Reason, 512), At: time.Now().UTC()}
	if _, err := e.pauses.Put(ctx, string(kind), p); err != nil {
		return bus.JobPause{}, err
	}
	e.mu.Lock()
	e.paused[kind] = p
	e.mu.Unlock()
	return p, nil
}

// resume ends a pause, and lets what waited for its end go on at once.
func (e *Engine) resume(ctx context.Context, q bus.JobRequest) (bus.JobPause, error) {
	kind, err := e.knownKind(q.Target)
	if err != nil {
		return bus.JobPause{}, err
	}
	p, err := e.pauses.Get(ctx, string(kind))
	if bus.IsCode(err, bus.CodeNotFound) {
		return bus.JobPause{}, bus.Errorf(bus.CodeConflict, "not_paused", "jobs of the kind %s are not paused; nothing was changed", kind)
	}
	if err != nil {
		return bus.JobPause{}, err
	}
	if err := e.pauses.Delete(ctx, string(kind), p.Revision); err != nil {
		return bus.JobPause{}, err
	}
	e.mu.Lock()
	delete(e.paused, kind)
	e.mu.Unlock()
	all, err := e.records.All(ctx, "*.*")
	if err != nil {
		return p.Value, err
	}
	for _, rec := range all {
		job := rec.Value
		if job.Kind != kind || job.State != bus.JobWaiting || job.Wait == nil || !job.Wait.Pause {
			continue
		}
		if _, err := e.requeue(ctx, job, rec.Revision); err != nil && !bus.IsCode(err, bus.CodeConflict) {
			return p.Value, err // the others look by themselves later
		}
	}
	return p.Value, nil
}
