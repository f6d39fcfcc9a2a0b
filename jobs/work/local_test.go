package work_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"splashtail/jobs/work"
)

func open(t *testing.T, dir string, log io.Writer) *work.Local {
	t.Helper()
	l, err := work.OpenLocal(work.LocalConfig{Dir: dir, Job: work.Job{ID: "J"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// What was noted is there after an interruption; half a line, as a crash leaves it, counts for nothing.
func TestALocalJobGoesOnWhereItWas(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "job")
	l := open(t, dir, nil)
	steps := 0
	step := func(l *work.Local) error {
		return l.Step(t.Context(), "one", func(context.Context) error { steps++; return l.Note(t.Context(), "cursor/1", 5) })
	}
	if err := errors.Join(step(l), l.Note(t.Context(), "cursor/1", 6), l.Close()); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "notes.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"key":"cursor/1","val`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for range 2 { // the second time, the half line is gone
		l = open(t, dir, nil)
		var cursor int
		if had, err := l.Noted("cursor/1", &cursor); err != nil || !had || cursor != 6 {
			t.Errorf("noted: %v %v %d", had, err, cursor)
		}
		if err := errors.Join(step(l), l.Note(t.Context(), "other", true), l.Close()); err != nil || steps != 1 {
			t.Errorf("the step ran %d times, %v", steps, err)
		}
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is open to others: %v %v", info.Mode(), err)
	}
}

// A note of which a full disk takes only a part is as if it had never been: those before and after it are read.
func TestALocalJobSurvivesAFullDisk(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "job")
	l := open(t, dir, nil)
	if err := l.Note(t.Context(), "one", 1); err != nil {
		t.Fatal(err)
	}
	size := must(os.Stat(filepath.Join(dir, "notes.jsonl")))(t).Size()
	full := limitFiles(t, uint64(size)+10)
	err := l.Note(t.Context(), "two", strings.Repeat("x", 100))
	full()
	if err == nil {
		t.Fatal("the disk took all of it")
	}
	if had, err := l.Noted("two", nil); had || err != nil {
		t.Errorf("it counts as noted, %v", err)
	}
	if err := errors.Join(l.Note(t.Context(), "three", 3), l.Close()); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, nil)
	for key, want := range map[string]bool{"one": true, "two": false, "three": true} {
		if had, err := l.Noted(key, nil); had != want || err != nil {
			t.Errorf("%s: %v %v", key, had, err)
		}
	}
}

// limitFiles lets no file of this process grow past a size until end is called, as a full disk does.
func limitFiles(t *testing.T, size uint64) (end func()) {
	t.Helper()
	signal.Ignore(syscall.SIGXFSZ)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was); err != nil {
			t.Fatal(err)
		}
	}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("broken") }

func TestFilesOfALocalJob(t *testing.T) {
	var log bytes.Buffer
	l := open(t, t.TempDir(), &log)
	l.Say(work.Warning, "look %d", 5)
	if !strings.HasSuffix(log.String(), "warning look 5\n") {
		t.Errorf("the log says %q", log.String())
	}
	if n, err := l.Put(t.Context(), "a.txt", strings.NewReader("one")); n != 3 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := l.Put(t.Context(), "a.txt", io.MultiReader(strings.NewReader("tw"), broken{})); err == nil {
		t.Error("a file that broke was taken")
	}
	f, err := l.Open(t.Context(), "J", "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if text, err := io.ReadAll(f); err != nil || string(text) != "one" {
		t.Errorf("it holds %q, %v", text, err)
	}
	for _, name := range []string{"../x", "/etc/passwd", "..", "", "a/b", strings.Repeat("x", 200)} {
		if _, err := l.Put(t.Context(), name, strings.NewReader("x")); err == nil {
			t.Errorf("the name %q was taken", name)
		}
		if _, err := l.Open(t.Context(), "J", name); err == nil {
			t.Errorf("the name %q was opened", name)
		}
	}
	if _, err := l.Open(t.Context(), "K", "a.txt"); err == nil {
		t.Error("the file of another job was opened")
	}
}
