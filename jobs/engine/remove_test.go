package engine_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/jobs/engine"
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

func TestKindsOfOneLaneMustShareItsQueue(t *testing.T) {
	r := newRig(t, nil)
	kinds := r.kinds()
	kinds[0].Lane, kinds[0].Queue, kinds[0].Sole = kinds[1].Lane, bus.JobsHigh, true
	if _, err := engine.New(engine.Config{Kinds: kinds, Instance: "a", Sealer: sealer(t)}, r.b, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "exclude") {
		t.Errorf("got %v", err)
	}
}
