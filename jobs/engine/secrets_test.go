package engine_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// Acceptance check 23, J7: a password is nowhere in clear: not in records, streams, logs or what is printed; and it is
// gone when the job has ended.
func TestAPasswordIsNowhereInClear(t *testing.T) {
	const password = "correct-horse-battery"
	hold, seen := make(chan struct{}), make(chan string, 1)
	r := newRig(t, func(_ context.Context, _ act, r work.Run) error {
		p, _ := r.Secret("password")
		seen <- p.Reveal()
		r.Say(work.Info, "the password is %v", p)
		<-hold
		return nil
	})
	e := r.start("a")
	s := bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("x"), Secrets: bus.JobSecrets{"password": password}}
	if text := strings.Join(strings.Fields(sprint(s)), " "); strings.Contains(text, password) {
		t.Errorf("printed it is %s", text)
	}
	j, err := e.Submit(t.Context(), s)
	if err != nil || <-seen != password {
		t.Fatal(err)
	}
	for stream, text := range dump(t, r.b) {
		if strings.Contains(text, password) {
			t.Errorf("%s holds the password", stream)
		}
	}
	seals, err := bus.OpenRecords(t.Context(), r.b, bus.JobSeals())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := seals.Get(t.Context(), bus.JobKey(5, j.ID)); err != nil {
		t.Errorf("while it runs, its seal: %v", err)
	}
	close(hold)
	r.awaitState(j, bus.JobCompleted)
	e.stop() // it has done what follows the end
	if _, err := seals.Get(t.Context(), bus.JobKey(5, j.ID)); !bus.IsCode(err, bus.CodeNotFound) {
		t.Errorf("after the end, its seal: %v", err)
	}
}

// What a crash leaves of secrets between the end of a job and their removal is removed by the sweeper; those of a job that
// failed are kept for a day, for a retry.
func TestSecretsThatACrashLeftAreSwept(t *testing.T) {
	r := newRig(t, nil)
	seals, err := bus.OpenRecords(t.Context(), r.b, bus.JobSeals())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	ended := func(state bus.JobState, ago time.Duration) bus.Job {
		j := r.leave(bus.Job{Kind: kindFree, Guild: 5, State: state, Secrets: []string{"password"}, Finished: now.Add(-ago), Expires: now.Add(time.Hour)})
		if _, err := seals.Put(t.Context(), bus.JobKey(5, j.ID), bus.JobSealed{V: 1, Sealed: []byte("x")}); err != nil {
			t.Fatal(err)
		}
		return j
	}
	kept := ended(bus.JobFailed, 23*time.Hour)
	gone := []bus.Job{ended(bus.JobCancelled, 0), ended(bus.JobCompleted, time.Minute), ended(bus.JobFailed, 25*time.Hour)}
	r.start("a")
	for _, j := range gone {
		removed := errors.New("removed")
		err := seals.Watch(t.Context(), bus.JobKey(5, j.ID), func(e bus.Entry[bus.JobSealed], _ bool) error {
			if e.Deleted {
				return removed
			}
			return nil
		})
		if !errors.Is(err, removed) {
			t.Fatal(err)
		}
	}
	if !r.hasSeal(kept) {
		t.Error("a job that failed cannot be retried any more")
	}
}
