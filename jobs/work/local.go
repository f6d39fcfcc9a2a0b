package work

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"splashtail/internal/secret"
)

// Local is a Run without a server: notes are lines of a file, so that an interrupted job goes on where it was; files lie
// in a directory; what the job says goes to a writer. One process at a time may use a directory.
type Local struct {
	cfg LocalConfig

	mu      sync.Mutex
	notes   map[string]json.RawMessage
	file    *os.File
	whole   int64 // where its whole lines end
	outcome json.RawMessage
	phase   string
}

// LocalConfig says what a Local is for.
type LocalConfig struct {
	Job     Job
	Dir     string // made if missing, for its owner only
	Secrets map[string]secret.Value
	Log     io.Writer                              // lines; nil: nowhere
	Tell    func(phase string, done, total int)    // progress; nil: nowhere
	Wait    func(until time.Time, why string)      // waits; nil: as a line
	Other   func(job, name string) (string, error) // the path of a file of another job; nil: there is none
	Now     func() time.Time                       // for lines; nil: time.Now
}

// notesName is the file of notes in a Local's directory.
const notesName = "notes.jsonl"

// noteLine is one note in that file.
type noteLine struct {
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value"`
}

// OpenLocal reads what an earlier run in the directory has noted. Close ends it.
func OpenLocal(cfg LocalConfig) (*Local, error) {
	if cfg.Log == nil {
		cfg.Log = io.Discard
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "files"), 0o700); err != nil {
		return nil, fmt.Errorf("the directory of the job cannot be made; nothing was done: %w", err)
	}
	l := &Local{cfg: cfg, notes: map[string]json.RawMessage{}}
	path := filepath.Join(cfg.Dir, notesName)
	whole, err := l.read(path)
	if err != nil {
		return nil, err
	}
	if l.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("the notes of the job cannot be written; nothing was done: %w", err)
	}
	l.whole = whole
	// Half a line is what a crash left of a note that was never acknowledged.
	if err := errors.Join(l.file.Truncate(whole), seekTo(l.file, whole)); err != nil {
		l.file.Close()
		return nil, err
	}
	return l, nil
}

func seekTo(f *os.File, at int64) error {
	_, err := f.Seek(at, io.SeekStart)
	return err
}

// read takes in the lines of a file that are whole, and says where they end.
func (l *Local) read(path string) (whole int64, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("the notes of the job cannot be read; nothing was done: %w", err)
	}
	defer f.Close()
	r := bufio.NewReader(f)
	for {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return whole, nil
		}
		if err != nil {
			return 0, err
		}
		var n noteLine
		if err := json.Unmarshal(line, &n); err != nil {
			return 0, fmt.Errorf("the notes of the job are damaged after byte %d of %s; nothing was done: %w", whole, path, err)
		}
		l.notes[n.Key] = n.Value
		whole += int64(len(line))
	}
}

// Close ends the job's notes; what was noted stays.
func (l *Local) Close() error { return l.file.Close() }

// Result is what the job set as its outcome; nil when it set none.
func (l *Local) Result() json.RawMessage {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.outcome
}

// Path is where a file of the job lies.
func (l *Local) Path(name string) string { return filepath.Join(l.cfg.Dir, "files", name) }

// Job implements Run.
func (l *Local) Job() Job { return l.cfg.Job }

// Noted implements Run.
func (l *Local) Noted(key string, v any) (bool, error) {
	l.mu.Lock()
	data, ok := l.notes[key]
	l.mu.Unlock()
	if !ok || v == nil {
		return ok, nil
	}
	return true, json.Unmarshal(data, v)
}

// Note implements Run.
func (l *Local) Note(_ context.Context, key string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(data) > MaxNote || !GoodKey(key) {
		return fmt.Errorf("the note %q has no good key or more than %d bytes", key, MaxNote)
	}
	line, err := json.Marshal(noteLine{key, data})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	line = append(line, '\n')
	if _, err := l.file.Write(line); err != nil {
		// Of what a full disk took, nothing may stay: behind half a line no note could be read.
		return errors.Join(err, l.file.Truncate(l.whole), seekTo(l.file, l.whole))
	}
	l.whole += int64(len(line))
	if err := l.file.Sync(); err != nil {
		return err
	}
	l.notes[key] = data
	return nil
}

// Step implements Run.
func (l *Local) Step(ctx context.Context, name string, f func(ctx context.Context) error) error {
	if done, err := l.Noted("step/"+name, nil); err != nil || done {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	l.phase = name
	l.mu.Unlock()
	l.Progress(0, 0)
	if err := f(ctx); err != nil {
		return err
	}
	return l.Note(ctx, "step/"+name, true)
}

// Say implements Run.
func (l *Local) Say(level Level, format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.cfg.Log, "%s %-7s %s\n", l.cfg.Now().Format(time.TimeOnly), level, fmt.Sprintf(format, args...))
}

// Progress implements Run.
func (l *Local) Progress(done, total int) {
	if l.cfg.Tell == nil {
		return
	}
	l.mu.Lock()
	phase := l.phase
	l.mu.Unlock()
	l.cfg.Tell(phase, done, total)
}

// Waiting implements Run.
func (l *Local) Waiting(until time.Time, why string) {
	if l.cfg.Wait != nil {
		l.cfg.Wait(until, why)
		return
	}
	l.Say(Info, "waiting until %s: %s", until.Format(time.TimeOnly), why)
}

// Secret implements Run.
func (l *Local) Secret(name string) (secret.Value, bool) {
	v, ok := l.cfg.Secrets[name]
	return v, ok
}

// Put implements Run. The file appears whole or not at all.
func (l *Local) Put(ctx context.Context, name string, r io.Reader) (int64, error) {
	if !GoodName(name) {
		return 0, fmt.Errorf("%q is no name of a file", name)
	}
	f, err := os.CreateTemp(l.cfg.Dir, "put-*.tmp")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	n, err := io.Copy(f, untilDone{ctx, r})
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return 0, err
	}
	return n, os.Rename(f.Name(), l.Path(name))
}

// untilDone ends a copy with its context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// Open implements Run.
func (l *Local) Open(_ context.Context, job, name string) (io.ReadCloser, error) {
	if !GoodName(name) {
		return nil, fmt.Errorf("%q is no name of a file", name)
	}
	if job == l.cfg.Job.ID {
		return os.Open(l.Path(name))
	}
	if l.cfg.Other == nil {
		return nil, fmt.Errorf("the job %s is not here; give its file instead", job)
	}
	path, err := l.cfg.Other(job, name)
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Outcome implements Run.
func (l *Local) Outcome(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if len(data) > MaxNote {
		return fmt.Errorf("an outcome has at most %d bytes", MaxNote)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outcome = data
	return nil
}

// Rename gives the job the id that it had in an earlier run, before its work begins.
func (l *Local) Rename(id string) { l.cfg.Job.ID = id }

// Begin counts an attempt; to be called before each.
func (l *Local) Begin() { l.cfg.Job.Attempt++ }
