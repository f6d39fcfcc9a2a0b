package engine_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/jobs/work"
)

// J1: each line of a job's log was written into its record, which grew with them. Here lines and progress go to the log alone:
// the record is not written again, however much a job tells.
func TestLinesOfALogAreNotWrittenIntoTheRecord(t *testing.T) {
	const lines = 500
	said, goOn := make(chan struct{}), make(chan struct{})
	r := newRig(t, func(_ context.Context, _ act, r work.Run) error {
		said <- struct{}{}
		<-goOn
		for i := range lines {
			r.Say(work.Info, "line %d of what it does", i)
			r.Progress(i, lines)
		}
		said <- struct{}{}
		<-goOn
		return nil
	})
	r.start("a")
	j := r.submit(kindFree, 5, "x")
	records, err := bus.OpenRecords(t.Context(), r.b, bus.AllJobs())
	if err != nil {
		t.Fatal(err)
	}
	var revisions [2]uint64
	for i := range revisions {
		receive(t, said)
		rec, err := records.Get(t.Context(), bus.JobKey(5, j.ID))
		if err != nil || strings.Contains(sprint(rec.Value), "what it does") {
			t.Fatalf("the record is %+v, %v", rec.Value, err)
		}
		revisions[i] = rec.Revision
		goOn <- struct{}{}
	}
	if revisions[0] != revisions[1] {
		t.Errorf("%d lines wrote the record anew", lines)
	}
	r.awaitState(j, bus.JobCompleted)
	told := 0
	err = r.jobs.Log(t.Context(), 5, j.ID, 0, func(l bus.JobLine) error {
		if l.Level != "" {
			if want := fmt.Sprintf("line %d of what it does", told); l.Text != want {
				t.Errorf("the log says %q, want %q", l.Text, want)
			}
			told++
		}
		return nil
	})
	if err != nil || told != lines {
		t.Errorf("the log has %d lines, %v", told, err)
	}
}

// J2: the name of a file stood twice in its key, so that nobody found it. A key has guild, job, attempt and name, each once, and
// the file is found under the key that the record tells.
func TestAFileHasItsNameOnceInItsKey(t *testing.T) {
	r := newRig(t, func(ctx context.Context, _ act, r work.Run) error {
		_, err := r.Put(ctx, "backup.splashtail", strings.NewReader("bytes"))
		return err
	})
	r.start("a")
	done := r.awaitState(r.submit(kindFree, 5, "x"), bus.JobCompleted)
	if want := "5/" + done.ID + "/1/backup.splashtail"; len(done.Files) != 1 || done.Files[0].Key != want {
		t.Fatalf("the files are %+v, want one under %s", done.Files, want)
	}
	blobs, err := bus.OpenBackups(t.Context(), r.b)
	if err != nil {
		t.Fatal(err)
	}
	f, info, err := blobs.Open(t.Context(), done.Files[0].Key)
	if err != nil || info.Size != 5 {
		t.Fatalf("under its key there is %+v, %v", info, err)
	}
	f.Close()
}
