package restore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// telling keeps what is told of progress, and calls noted with the key of every note.
type telling struct {
	*jobRun
	mu    sync.Mutex
	told  [][2]int
	noted func(key string)
}

func (r *telling) Progress(done, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.told = append(r.told, [2]int{done, total})
}

func (r *telling) Note(ctx context.Context, key string, v any) error {
	err := r.jobRun.Note(ctx, key, v)
	if r.noted != nil {
		r.noted(key)
	}
	return err
}

// TestProgressCountsMessages: a step that writes thousands of messages tells how far it is, and at the end all is done.
func TestProgressCountsMessages(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	done, _ := x.planned(savedGuild(x), bus.PlanArgs{})
	r := &telling{jobRun: x.newRun(bus.JobBackupRestore, restoreJob)}
	x.ok((&Restorer{Tools: x.tools, Args: bus.RestoreArgs{Plan: "planjob", Hash: done.Hash}}).Run(t.Context(), r))
	acts := done.Counts["create"] + done.Counts["update"] + done.Counts["delete"]
	most, total := 0, 0
	for _, p := range r.told {
		most, total = max(most, p[0]), p[1]
	}
	if most != total || total < acts+30 || len(r.told) < acts+30 {
		t.Errorf("it came to %d of %d in %d steps, the plan has %d acts and more than 30 messages", most, total, len(r.told), acts)
	}
}

// TestACancelTellsOfMessagesThatAreThere: what was written of a place that is not finished is in the outcome.
func TestACancelTellsOfMessagesThatAreThere(t *testing.T) {
	x := newRig(t, sandbox.Administrator)
	done, _ := x.planned(savedGuild(x), bus.PlanArgs{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := &telling{jobRun: x.newRun(bus.JobBackupRestore, restoreJob), noted: func(key string) {
		if strings.HasPrefix(key, "msg/923/") {
			cancel()
		}
	}}
	err := (&Restorer{Tools: x.tools, Args: bus.RestoreArgs{Plan: "planjob", Hash: done.Hash}}).Run(ctx, r)
	out, ok := r.out.(bus.RestoreDone)
	tells := func(l string) bool { return strings.Contains(l, "were written until it ended, and stay") }
	if !errors.Is(err, context.Canceled) || !ok || !slices.ContainsFunc(out.Left, tells) {
		t.Errorf("%v, the outcome is %+v", err, r.out)
	}
}
