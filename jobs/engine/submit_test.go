package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"splashtail/bus"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// Acceptance check 19, J4: no field of one submission ever reaches another. Also 100 guilds on 4 workers, none twice.
func TestArgumentsNeverCross(t *testing.T) {
	var mu sync.Mutex
	seen := map[bus.GuildID][]string{}
	r := newRig(t, func(_ context.Context, a act, r work.Run) error {
		mu.Lock()
		defer mu.Unlock()
		pw, _ := r.Secret("password")
		seen[r.Job().Guild] = append(seen[r.Job().Guild], a.Text+"/"+a.Guild+"/"+pw.Reveal())
		return nil
	})
	for i := range 4 {
		r.start(fmt.Sprintf("w%d", i))
	}
	var all sync.WaitGroup
	jobs := make([]bus.Job, 101)
	for g := 1; g <= 100; g++ {
		all.Go(func() {
			s := bus.JobSubmit{Kind: kindSole, Guild: bus.GuildID(g), Args: args(fmt.Sprint("t", g))}
			if g%2 == 0 { // the others leave these fields out
				s.Args = []byte(fmt.Sprintf(`{"text":"t%d","guild":"%d"}`, g, g))
				s.Secrets = bus.JobSecrets{"password": fmt.Sprint("secret", g)}
			}
			var err error
			if jobs[g], err = r.jobs.Submit(t.Context(), s); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for g := 1; g <= 100; g++ {
		r.awaitState(jobs[g], bus.JobCompleted)
		want := fmt.Sprintf("t%d//", g)
		if g%2 == 0 {
			want = fmt.Sprintf("t%d/%d/secret%d", g, g, g)
		}
		mu.Lock()
		if got := seen[bus.GuildID(g)]; len(got) != 1 || got[0] != want {
			t.Errorf("guild %d ran %v, want %s once", g, got, want)
		}
		mu.Unlock()
	}
}

// Acceptance checks 24 and 25, H8, J5: arguments that name another guild, are unknown, or are wrong make no job, with a
// stable code.
func TestSubmissionsThatAreRefused(t *testing.T) {
	r := newRig(t, nil)
	r.start("one")
	for name, c := range map[string]struct {
		s      bus.JobSubmit
		code   bus.Code
		reason string
	}{
		"another guild":       {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{"text":"x","guild":"6"}`)}, bus.CodeDenied, "other_guild"},
		"as the ancestor":     {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{"ServerID":"6"}`)}, bus.CodeDenied, "other_guild"},
		"as a number":         {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{"guild_id":6}`)}, bus.CodeDenied, "other_guild"},
		"no guild":            {bus.JobSubmit{Kind: kindFree, Args: args("x")}, bus.CodeInvalid, "no_guild"},
		"no such kind":        {bus.JobSubmit{Kind: "nope", Guild: 5}, bus.CodeInvalid, "no_kind"},
		"an unknown field":    {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{"txet":"x"}`)}, bus.CodeInvalid, "bad_args"},
		"what its kind says":  {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("bad")}, bus.CodeInvalid, "bad_args"},
		"no object":           {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`[]`)}, bus.CodeInvalid, "bad_args"},
		"two objects":         {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: []byte(`{} {}`)}, bus.CodeInvalid, "bad_payload"},
		"too large":           {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args(strings.Repeat("x", engine.MaxArgs))}, bus.CodeInvalid, "args_too_large"},
		"a secret in clear":   {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("hunter22"), Secrets: bus.JobSecrets{"password": "hunter22"}}, bus.CodeInvalid, "secret_in_args"},
		"a secret too large":  {bus.JobSubmit{Kind: kindFree, Guild: 5, Args: args("x"), Secrets: bus.JobSecrets{"password": strings.Repeat("x", 2000)}}, bus.CodeInvalid, "bad_secrets"},
		"a key that is wrong": {bus.JobSubmit{Kind: "../x", Guild: 5}, bus.CodeInvalid, "no_kind"},
	} {
		_, err := r.jobs.Submit(t.Context(), c.s)
		if e := bus.AsError(err); e == nil || e.Code != c.code || e.Reason != c.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := r.jobs.List(t.Context(), bus.JobQuery{}); err != nil || len(list.Jobs) != 0 {
		t.Errorf("records are left: %+v, %v", list, err)
	}
}

// A submission that is repeated with its key gives the first one's job, whoever it reaches.
func TestARepeatedSubmissionMakesOneJob(t *testing.T) {
	var runs atomic.Int32
	r := newRig(t, func(context.Context, act, work.Run) error { runs.Add(1); return nil })
	a, b := r.start("a"), r.start("b")
	var mu sync.Mutex
	ids := map[string]bool{}
	var all sync.WaitGroup
	var last bus.Job
	for i := range 20 {
		all.Go(func() {
			e := []*engine.Engine{a.Engine, b.Engine}[i%2]
			j, err := e.Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: 5, Args: args("x"), Key: "k"})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			ids[j.ID], last = true, j
		})
	}
	all.Wait()
	r.awaitState(last, bus.JobCompleted)
	if len(ids) != 1 || runs.Load() != 1 {
		t.Errorf("it became %v and ran %d times", ids, runs.Load())
	}
	if j, err := a.Submit(t.Context(), bus.JobSubmit{Kind: kindSole, Guild: 6, Args: args("x"), Key: "k"}); err != nil || ids[j.ID] {
		t.Errorf("the key of another guild gave its job: %v %v", j.ID, err)
	}
}

// Acceptance checks 26, H7 and H12: a job and its files are found with their own guild only.
func TestAJobOfAnotherGuildIsNotFound(t *testing.T) {
	var source atomic.Value
	r := newRig(t, func(ctx context.Context, a act, r work.Run) error {
		if a.Text == "make" {
			_, err := r.Put(ctx, "backup", strings.NewReader("x"))
			return err
		}
		_, err := r.Open(ctx, source.Load().(string), "backup")
		return work.Permanent(err)
	})
	r.start("one")
	made := r.awaitState(r.submit(kindFree, 5, "make"), bus.JobCompleted)
	source.Store(made.ID)
	if own := r.awaitState(r.submit(kindFree, 5, "open"), bus.JobCompleted); own.Error != nil {
		t.Errorf("its own guild: %+v", own.Error)
	}
	if other := r.awaitState(r.submit(kindFree, 6, "open"), bus.JobFailed); other.Error.Code != bus.CodeNotFound {
		t.Errorf("another guild: %+v", other.Error)
	}
	for name, try := range map[string]func() error{
		"get":  func() error { _, err := r.jobs.Get(t.Context(), 6, made.ID); return err },
		"file": func() error { _, _, err := r.jobs.OpenFile(t.Context(), 6, made.ID, "backup"); return err },
		"cancel": func() error {
			_, err := r.jobs.Cancel(t.Context(), bus.JobRequest{Guild: 6, Target: made.ID})
			return err
		},
		"retry": func() error {
			_, err := r.jobs.Retry(t.Context(), bus.JobRequest{Guild: 6, Target: made.ID})
			return err
		},
		"watch": func() error {
			return r.jobs.Watch(t.Context(), 6, made.ID, 0, func(bus.JobLine) error { return nil })
		},
	} {
		if err := try(); !bus.IsCode(err, bus.CodeNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, id := range []string{"*", ">", "a.b", "../" + made.ID, ""} {
		if _, err := r.jobs.Get(t.Context(), 5, id); !bus.IsCode(err, bus.CodeInvalid) {
			t.Errorf("the id %q: %v", id, err)
		}
	}
}
