package undo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/secret"
	"splashtail/jobs"
)

// holding is Discord whose first making of a channel waits until it is let go; calls counts what writes.
type holding struct {
	next    http.Handler
	held    atomic.Bool
	reached chan struct{}
	letGo   chan struct{}
	calls   atomic.Int64
}

func (h *holding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		h.calls.Add(1)
	}
	if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/channels") && h.held.CompareAndSwap(false, true) {
		close(h.reached)
		<-h.letGo
	}
	h.next.ServeHTTP(w, r)
}

// TestTheJobIsCancelledWithinOneCallAndGoesOnByRetry goes through the component jobs, as bot and api do.
func TestTheJobIsCancelledWithinOneCallAndGoesOnByRetry(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	before := s.snapshot()
	s.destroy()
	h := &holding{next: s.Discord, reached: make(chan struct{}), letGo: make(chan struct{})}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	own, err := s.Bus.Component(t.Context(), "jobs")
	s.OK(err)
	t.Cleanup(func() { bustest.Close(t, own) })
	component, err := jobs.New(jobs.Config{Token: secret.New(s.App.Token), APIURL: srv.URL + "/api/v10", DataDir: t.TempDir(), Instance: "one"}, own, bustest.Log(t))
	s.OK(err)
	s.Run(component.Run)
	<-component.Ready()
	facade, err := bus.OpenJobs(t.Context(), s.Bus)
	s.OK(err)

	i := s.open()
	p, err := s.book.Plan(t.Context(), i)
	s.OK(err)
	args, err := json.Marshal(bus.UndoArgs{Incident: i.ID, Hash: p.Hash()})
	s.OK(err)
	submit := bus.JobSubmit{Kind: bus.JobIncidentUndo, Guild: i.Guild, By: bus.UserID(s.Owner), Args: args}
	job, err := facade.Submit(t.Context(), submit)
	s.OK(err)
	select {
	case <-h.reached:
	case <-time.After(30 * time.Second):
		t.Fatal("no channel was made within 30 s")
	}
	if _, err := facade.Submit(t.Context(), submit); !bus.IsCode(err, bus.CodeConflict) || bus.AsError(err).Details["job"] != job.ID {
		t.Errorf("a second job of the guild: %v", err)
	}
	other, err := json.Marshal(bus.PlanArgs{Source: bus.BackupSource{Job: bus.NewJobID(time.Now())}, Mode: bus.RestoreMerge})
	s.OK(err)
	if _, err := facade.Submit(t.Context(), bus.JobSubmit{Kind: bus.JobRestorePlan, Guild: i.Guild, By: bus.UserID(s.Owner), Args: other}); !bus.IsCode(err, bus.CodeConflict) {
		t.Errorf("a restore is not kept out meanwhile: %v", err)
	}
	calls := h.calls.Load()
	_, err = facade.Cancel(t.Context(), bus.JobRequest{Actor: "olga", Target: job.ID, Guild: i.Guild})
	s.OK(err)
	close(h.letGo)
	if got := s.ended(facade, job); got.State != bus.JobCancelled || h.calls.Load() != calls {
		t.Errorf("after the cancellation it is %s, and %d more calls were made", got.State, h.calls.Load()-calls)
	}
	_, err = facade.Retry(t.Context(), bus.JobRequest{Actor: "olga", Target: job.ID, Guild: i.Guild})
	s.OK(err)
	got := s.ended(facade, job)
	var done bus.UndoDone
	if err := json.Unmarshal(got.Outcome, &done); err != nil || got.State != bus.JobCompleted || len(done.Failed) > 0 || count(done.Done) != len(p.Steps) {
		t.Errorf("after the retry it is %s, %+v: %v", got.State, done, err)
	}
	s.isAs(before)
}

// ended waits until a job has ended.
func (s *scene) ended(facade *bus.Jobs, job bus.Job) bus.Job {
	s.T.Helper()
	s.OK(facade.Watch(s.T.Context(), job.Guild, job.ID, 0, func(bus.JobLine) error { return nil }))
	job, err := facade.Get(s.T.Context(), job.Guild, job.ID)
	s.OK(err)
	return job
}
