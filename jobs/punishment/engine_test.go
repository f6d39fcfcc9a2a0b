package punishment_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/secret"
	"splashtail/jobs"
)

// component runs the component jobs until stop, which waits for its end.
func (s *scene) component(instance, dir string) (stop func()) {
	s.T.Helper()
	own, err := s.Bus.Component(s.T.Context(), "jobs")
	s.OK(err)
	c, err := jobs.New(jobs.Config{Token: secret.New(s.App.Token), APIURL: s.Discord.URL(), DataDir: dir, Instance: instance}, own, bustest.Log(s.T))
	s.OK(err)
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.T.Context()))
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	select {
	case <-c.Ready():
	case err := <-done:
		cancel()
		s.T.Fatalf("it ended: %v", err)
	}
	stop = func() {
		if ctx.Err() != nil {
			return
		}
		cancel()
		s.OK(<-done)
		bustest.Close(s.T, own)
	}
	s.T.Cleanup(stop)
	return stop
}

// TestTheNextProcessLiftsTheBan: a job that one process took in is done by the next, at its time; the same key gives no
// second one, and one that was cancelled lifts nothing.
func TestTheNextProcessLiftsTheBan(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.OK(s.Discord.As(s.Owner).Ban(s.Guild, s.OtherMod, 0))
	dir := t.TempDir()
	stop := s.component("one", dir)
	facade, err := bus.OpenJobs(t.Context(), s.Bus)
	s.OK(err)
	until := time.Now().Add(2 * time.Second)
	s.plan("op1", until)
	args, err := json.Marshal(bus.PunishmentArgs{User: bus.UserID(s.Member), Op: "op1"})
	s.OK(err)
	submit := bus.JobSubmit{Kind: bus.JobPunishmentEnd, Guild: s.GuildID(), By: bus.UserID(s.Mod), Args: args, Key: "op1", At: until}
	job, err := facade.Submit(t.Context(), submit)
	s.OK(err)
	if again, err := facade.Submit(t.Context(), submit); err != nil || again.ID != job.ID {
		t.Errorf("the same key gave the job %s and %s: %v", job.ID, again.ID, err)
	}
	// Bans of a guild wait for their ends beside each other.
	submit.Args, err = json.Marshal(bus.PunishmentArgs{User: bus.UserID(s.OtherMod), Op: "op2"})
	s.OK(err)
	submit.Key = "op2"
	other, err := facade.Submit(t.Context(), submit)
	s.OK(err)
	_, err = facade.Cancel(t.Context(), bus.JobRequest{Actor: "bot", Target: other.ID, Guild: s.GuildID()})
	s.OK(err)
	stop()

	s.component("two", dir)
	s.OK(facade.Watch(t.Context(), job.Guild, job.ID, 0, func(bus.JobLine) error { return nil }))
	job, err = facade.Get(t.Context(), job.Guild, job.ID)
	s.OK(err)
	if job.State != bus.JobCompleted || string(job.Outcome) != `{"result":"lifted"}` || job.Started.Before(until) {
		t.Errorf("the job is %s at %v, for %v: %s", job.State, job.Started, until, job.Outcome)
	}
	s.is(false, false)
	snap, _ := s.Discord.Snapshot(s.Guild)
	if _, banned := snap.Bans[s.OtherMod]; !banned {
		t.Error("a cancelled job lifted a ban")
	}
}
