package bus_test

import (
	"testing"
	"time"

	"splashtail/bus"
)

// The subject of a job's item is the lock of its lane: jobs that exclude each other have one, all others do not.
func TestTheSubjectOfAnItemIsItsPlaceInItsLane(t *testing.T) {
	j := bus.Job{ID: bus.NewJobID(time.Now()), Guild: 5, Queue: bus.JobsMiddle, Lane: "guild"}
	for key, change := range map[string]func(*bus.Job){
		j.ID:     func(*bus.Job) {},
		"one":    func(j *bus.Job) { j.Sole = true },
		"one-2":  func(j *bus.Job) { j.Sole, j.Place = true, 1 },
		"one-20": func(j *bus.Job) { j.Sole, j.Place = true, 19 },
	} {
		j := j
		change(&j)
		s := bus.JobRunSubject(j).String()
		if want := "job.run.mid.guild.5." + key; s != want {
			t.Errorf("the subject is %s, want %s", s, want)
		}
		id := ""
		if !j.Sole {
			id = j.ID
		}
		if queue, lane, g, got, err := bus.ParseJobRunSubject(s); err != nil || queue != j.Queue || lane != j.Lane || g != 5 || got != id {
			t.Errorf("%s is read as %s %s %v %q, %v", s, queue, lane, g, got, err)
		}
	}
	for _, key := range []string{"one-1", "one-02", "one-", "one-x", "one-+2", "two", "one-2.x"} {
		if _, _, _, _, err := bus.ParseJobRunSubject("job.run.mid.guild.5." + key); !bus.IsCode(err, bus.CodeInvalid) {
			t.Errorf("%s was taken: %v", key, err)
		}
	}
}
