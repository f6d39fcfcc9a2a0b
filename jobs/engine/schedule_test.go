package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// A schedule makes its job when its time has come, once however often the timer comes, and sets its next time.
func TestAScheduleMakesItsJobOnce(t *testing.T) {
	var runs atomic.Int32
	r := newRig(t, func(context.Context, act, work.Run) error { runs.Add(1); return nil })
	r.start("a")
	r.start("b")
	s, err := r.jobs.SetSchedule(t.Context(), bus.JobSchedule{Guild: 5, Name: "nightly", Kind: kindSole, Args: args("x"), Cron: "0 3 * * *", Zone: "Europe/Berlin", By: 7})
	if err != nil || !s.Next.After(time.Now()) {
		t.Fatal(s, err)
	}
	timer := bus.TimerOfSchedule(5, "nightly")
	if item, there, err := bus.JobTimerSet(t.Context(), r.b, timer); err != nil || !there || item.Schedule != "nightly" {
		t.Fatalf("its timer: %+v %v %v", item, there, err)
	}
	// Its time has come: as if the clock showed it.
	item := bus.JobItem{V: 1, Guild: 5, Schedule: "nightly", At: s.Next.Format(time.RFC3339)}
	for range 3 {
		if err := bus.SetJobTimer(t.Context(), r.b, timer, time.Now(), item); err != nil {
			t.Fatal(err)
		}
	}
	records, err := bus.OpenRecords(t.Context(), r.b, bus.AllJobs())
	if err != nil {
		t.Fatal(err)
	}
	var made bus.Job
	err = records.Watch(t.Context(), "5.*", func(e bus.Entry[bus.Job], _ bool) error {
		if made = e.Value; made.State == bus.JobCompleted {
			return context.Canceled
		}
		return nil
	})
	if err == nil || made.Schedule != "nightly" || made.By != 0 {
		t.Fatalf("%v %+v", err, made)
	}
	// The next job of the lane shows that nothing else of the schedule is under way.
	r.awaitState(r.submit(kindSole, 5, "y"), bus.JobCompleted)
	if list, err := r.jobs.List(t.Context(), bus.JobQuery{Guild: 5}); err != nil || len(list.Jobs) != 2 || runs.Load() != 2 {
		t.Errorf("it became %d jobs, %v", len(list.Jobs), err)
	}
	if all, err := r.jobs.Schedules(t.Context(), 5); err != nil || len(all) != 1 || all[0].Last != made.ID || !all[0].Next.After(s.Next) {
		t.Errorf("the schedule tells %+v, %v", all, err)
	}
	if _, err := r.jobs.SetSchedule(t.Context(), bus.JobSchedule{Guild: 5, Name: "nightly"}); err != nil {
		t.Error(err)
	}
	if _, there, err := bus.JobTimerSet(t.Context(), r.b, timer); err != nil || there {
		t.Errorf("its timer stays: %v", err)
	}
}

func TestSchedulesThatAreRefused(t *testing.T) {
	r := newRig(t, nil)
	r.start("a")
	good := bus.JobSchedule{Guild: 5, Name: "nightly", Kind: kindSole, Args: args("x"), Cron: "0 3 * * *"}
	for reason, change := range map[string]func(*bus.JobSchedule){
		"bad_name":     func(s *bus.JobSchedule) { s.Name = "a.b" },
		"no_kind":      func(s *bus.JobSchedule) { s.Kind = "nope" },
		"bad_args":     func(s *bus.JobSchedule) { s.Args = args("bad") },
		"other_guild":  func(s *bus.JobSchedule) { s.Args = []byte(`{"guild":"6"}`) },
		"bad_schedule": func(s *bus.JobSchedule) { s.Zone = "Nowhere" },
		"too_often":    func(s *bus.JobSchedule) { s.Cron = "*/5 * * * *" },
	} {
		s := good
		change(&s)
		if _, err := r.jobs.SetSchedule(t.Context(), s); err == nil || bus.AsError(err).Reason != reason {
			t.Errorf("%s: %v", reason, err)
		}
	}
}
