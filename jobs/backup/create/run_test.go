package create

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/secret"
	"splashtail/jobs/work"
)

// fakeRun is a job in memory. It can break before an act, as a crash would, and then be taken up again.
type fakeRun struct {
	t     *testing.T
	job   work.Job
	pass  string
	crash func(act, name string) error // asked before each Note and Put, and in the middle of a Put

	mu      sync.Mutex
	notes   map[string]json.RawMessage
	files   map[string][]byte
	puts    map[string]int
	log     []string
	outcome json.RawMessage
	dir     string // where files are; empty: in memory
}

func newRun(t *testing.T, guild bus.GuildID) *fakeRun {
	return &fakeRun{
		t: t, job: work.Job{ID: "01J0000000000000000000TEST", Kind: bus.JobBackupCreate, Guild: guild, By: 77, Attempt: 1},
		crash: func(string, string) error { return nil },
		notes: map[string]json.RawMessage{}, files: map[string][]byte{}, puts: map[string]int{},
	}
}

var _ work.Run = (*fakeRun)(nil)

func (r *fakeRun) Job() work.Job { return r.job }

func (r *fakeRun) Noted(key string, v any) (bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	raw, ok := r.notes[key]
	if !ok {
		return false, nil
	}
	return true, json.Unmarshal(raw, v)
}

func (r *fakeRun) Note(_ context.Context, key string, v any) error {
	if err := r.crash("note", key); err != nil {
		return err
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(raw) > work.MaxNote || len(key) > 128 {
		return fmt.Errorf("the note %s has %d bytes", key, len(raw))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes[key] = raw
	return nil
}

func (r *fakeRun) Step(ctx context.Context, name string, f func(context.Context) error) error {
	if ok, err := r.Noted("step/"+name, new(bool)); err != nil || ok {
		return err
	}
	if err := f(ctx); err != nil {
		return err
	}
	return r.Note(ctx, "step/"+name, true)
}

func (r *fakeRun) Say(l work.Level, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, string(l)+" "+fmt.Sprintf(format, args...))
}

func (r *fakeRun) Progress(int, int)         {}
func (r *fakeRun) Waiting(time.Time, string) {}

func (r *fakeRun) Secret(name string) (secret.Value, bool) {
	if name != "password" || r.pass == "" {
		return secret.Value{}, false
	}
	return secret.New(r.pass), true
}

func (r *fakeRun) Put(ctx context.Context, name string, from io.Reader) (int64, error) {
	if err := r.crash("put", name); err != nil {
		return 0, err
	}
	if r.dir != "" {
		return r.putFile(name, from)
	}
	data, err := io.ReadAll(from)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = r.crash("stored", name)
	}
	if err != nil {
		return 0, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.files[name] = data
	r.puts[name]++
	return int64(len(data)), nil
}

func (r *fakeRun) putFile(name string, from io.Reader) (int64, error) {
	f, err := os.Create(filepath.Join(r.dir, name))
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(f, from)
	return n, errors.Join(err, f.Close())
}

func (r *fakeRun) Open(_ context.Context, job, name string) (io.ReadCloser, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.dir != "" {
		return os.Open(filepath.Join(r.dir, name))
	}
	data, ok := r.files[name]
	if !ok || job != r.job.ID {
		return nil, errors.New("no such file")
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}

func (r *fakeRun) Outcome(v any) error {
	raw, err := json.Marshal(v)
	r.outcome = raw
	return err
}
