package bus

import (
	"context"
	"strconv"
)

// PlaceJob puts a job's work item into its queue. If another one lies under its subject, that one is returned and
// nothing was stored. Every placing of a job needs a generation of its own: within the stream's window a second item of
// one generation is taken as stored.
func PlaceJob(ctx context.Context, b *Bus, j Job) (holder *Delivery[JobItem], err error) {
	item := JobItem{V: 1, Guild: j.Guild, ID: j.ID, Generation: j.Generation}
	_, err = Publish(ctx, b, JobRunSubject(j), item, WithID(j.ID+"."+strconv.Itoa(j.Generation)))
	if !IsCode(err, CodeConflict) {
		return nil, err
	}
	d, there, herr := JobItemAt(ctx, b, j)
	if herr != nil {
		return nil, herr
	}
	if !there {
		// The stream itself is full, or the other one has gone just now.
		return nil, Errorf(CodeUnavailable, "queue_refused", "the queue did not take the job %s now: %w", j.ID, err)
	}
	return &d, nil
}

// JobItemAt gives the item that lies under a job's subject, its own or that of another.
func JobItemAt(ctx context.Context, b *Bus, j Job) (d Delivery[JobItem], there bool, err error) {
	d, err = Last(ctx, b, jobRunAt(j))
	if IsCode(err, CodeNotFound) {
		return d, false, nil
	}
	return d, err == nil, err
}

// RemoveJobItem removes an item that nobody works on.
func RemoveJobItem(ctx context.Context, b *Bus, d Delivery[JobItem]) error {
	return deleteAt(ctx, b, AllJobRuns(), d.Seq)
}
