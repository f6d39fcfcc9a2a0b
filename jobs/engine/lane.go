package engine

import (
	"cmp"
	"context"
	"fmt"

	"splashtail/bus"
)

// A lane that is Sole has places, mostly one. A place is a subject of the queue, and the stream takes one item per subject: so
// the bound of a lane is exact, whoever submits at the same moment, and whatever crashes.

// places is how many jobs of a guild the lane of a kind takes; 1 also for lanes that are not Sole, where every job has a
// subject of its own.
func (e *Engine) places(kind bus.JobKind) int { return max(1, e.kinds[kind].Places) }

// laneFree chooses a place for a job, or refuses it when other jobs of its guild have them all.
func (e *Engine) laneFree(ctx context.Context, job *bus.Job) error {
	place, holder, err := e.freePlace(ctx, *job)
	if err != nil {
		return err
	}
	if holder != "" {
		return e.busy(job.Kind, holder)
	}
	job.Place = place
	return nil
}

// freePlace finds a place of a job's lane in which no other job is; without one, holder is a job that has one.
func (e *Engine) freePlace(ctx context.Context, job bus.Job) (place int, holder string, err error) {
	for place := range e.places(job.Kind) {
		job.Place = place
		d, there, err := bus.JobItemAt(ctx, e.b, job)
		if err != nil {
			return 0, "", err
		}
		if !there || d.Value.ID == job.ID {
			return place, "", nil
		}
		gone, err := e.orphan(ctx, d.Value)
		if err != nil {
			return 0, "", err
		}
		if gone {
			return place, "", nil // placeAt removes it
		}
		holder = cmp.Or(holder, d.Value.ID)
	}
	return 0, holder, nil
}

// busy is the refusal that names the job in the way.
func (e *Engine) busy(kind bus.JobKind, id string) error {
	most := "only one of its kind can be"
	if n := e.places(kind); n > 1 {
		most = fmt.Sprintf("at most %d of its kind can be, and there are", n)
	}
	err := bus.Errorf(bus.CodeConflict, "guild_busy", "the job %s is under way for this server, and %s; nothing was changed; wait for it or cancel it", id, most)
	err.Details = map[string]string{"job": id}
	return err
}

// place puts a job's item into its lane and gives the job's record as it then is; holder is a job that has the lane instead.
func (e *Engine) place(ctx context.Context, job bus.Job, rev uint64) (placed bus.Job, newRev uint64, holder string, err error) {
	for try := 0; ; try++ {
		holder, err := e.placeAt(ctx, job)
		if err != nil || holder == "" || e.places(job.Kind) == 1 || try == 2*maxPlaces {
			return job, rev, holder, err
		}
		place, holder, err := e.freePlace(ctx, job)
		if err != nil || holder != "" {
			return job, rev, holder, err
		}
		// The record says first where the item will be, for whoever looks for it.
		job.Place = place
		if rev, err = e.records.Update(ctx, bus.JobKey(job.Guild, job.ID), job, rev); err != nil {
			return job, rev, "", err
		}
	}
}

// placeAt puts a job's item into its place; holder is the job that is there instead.
func (e *Engine) placeAt(ctx context.Context, job bus.Job) (holder string, err error) {
	for try := 0; ; try++ {
		d, err := bus.PlaceJob(ctx, e.b, job)
		if bus.IsCode(err, bus.CodeUnavailable) && try < 3 && bus.AsError(err).Reason == "queue_refused" {
			continue
		}
		if err != nil || d == nil {
			return "", err
		}
		if d.Value.ID == job.ID && d.Value.Generation == job.Generation {
			return "", nil
		}
		gone, err := e.orphan(ctx, d.Value)
		if err != nil {
			return "", err
		}
		if !gone || try == 3 {
			return d.Value.ID, nil
		}
		if err := bus.RemoveJobItem(ctx, e.b, *d); err != nil {
			return "", err
		}
		e.m.mended.WithLabelValues("orphan").Inc()
	}
}
