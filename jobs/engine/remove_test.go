package engine_test

import (
	"context"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/jobs/work"
)

func TestAJobThatHasEndedIsRemovedWithItsFiles(t *testing.T) {
	running, end := make(chan struct{}, 1), make(chan struct{})
	r := newRig(t, func(ctx context.Context, _ act, r work.Run) error {
		if _, err := r.Put(ctx, "f", strings.NewReader("x")); err != nil {
			return err
		}
		running <- struct{}{}
		<-end
		return nil
	})
	r.start("a")
	j := r.submit(kindSole, 5, "x")
	<-running
	if err := r.jobs.Remove(t.Context(), bus.JobRequest{Target: j.ID, Guild: 5}); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("while it runs: %v", err)
	}
	close(end)
	done := r.awaitState(j, bus.JobCompleted)
	if err := r.jobs.Remove(t.Context(), bus.JobRequest{Target: j.ID, Guild: 6}); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("by another guild: %v", err)
	}
	if err := r.jobs.Remove(t.Context(), bus.JobRequest{Target: j.ID, Guild: 5}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.jobs.Get(t.Context(), 5, j.ID); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("its record: %v", err)
	}
	blobs, err := bus.OpenBackups(t.Context(), r.b)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := blobs.Open(t.Context(), done.Files[0].Key); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("its file: %v", err)
	}
}
