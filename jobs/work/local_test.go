package work_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
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
