package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"splashtail/bus"
)

// TestHostileFiles: what is no backup, or no place for one, is told in a sentence, and nothing is left behind.
func TestHostileFiles(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name, text string) string {
		t.Helper()
		if err := os.WriteFile(at(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return at(name)
	}
	if err := syscall.Mkfifo(at("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("circle"), at("circle")); err != nil {
		t.Fatal(err)
	}
	plain := at("plain")
	old := "jobs/backup/ancestor/testdata/encrypted.iblfile"
	with := map[string]string{"BACKUP_PASSWORD": "hunter2"}
	again := map[string]string{"BACKUP_PASSWORD": "hunter2", "BACKUP_NEW_PASSWORD": "another one"}
	empty, long := write("empty", "\n"), write("long", strings.Repeat("x", 10_000))
	for _, c := range []struct {
		env  map[string]string
		args []string
		code int
		want string
	}{
		{with, []string{"convert", old, "-o", plain, "--plain"}, 0, "written"},
		{nil, []string{"verify", dir}, 1, "is a directory, nothing was done"},
		{nil, []string{"show", dir}, 1, "is a directory, nothing was done"},
		{nil, []string{"show", "/dev/zero"}, 1, "no regular file"},
		{nil, []string{"show", at("pipe")}, 1, "no regular file"},
		{nil, []string{"verify", "/dev/zero"}, 1, "not a backup of ours"},
		{nil, []string{"verify", at("circle")}, 1, "too many levels of symbolic links"},
		{nil, []string{"verify", empty}, 1, "not a backup of ours"},
		{nil, []string{"verify", plain, "--password-file", empty}, 1, "holds no password; nothing was done"},
		{nil, []string{"verify", plain, "--password-file", "/dev/zero"}, 1, "at most 1024 bytes"},
		{nil, []string{"verify", plain, "--password-file", long}, 1, "at most 1024 bytes"},
		{nil, []string{"verify", plain, "--password-file", dir}, 1, "the file of the password cannot be read"},
		{nil, []string{"convert", plain, "-o", at("sealed"), "--new-password-file", empty}, 1, "holds no password; nothing was done"},
		{again, []string{"convert", old, "-o", at("sealed"), "--plain"}, 2, "exclude each other; nothing was written"},
		{again, []string{"convert", old, "-o", at("sealed"), "--to", "json"}, 2, "exclude each other; nothing was written"},
		{nil, []string{"convert", plain, "-o", at("none/x")}, 1, "cannot be written, so nothing was"},
		{nil, []string{"convert", plain, "-o", at("circle")}, 1, "exists; nothing was written"},
		{nil, []string{"convert", plain, "-o", "/dev/full"}, 1, "exists; nothing was written"},
	} {
		t.Setenv("BACKUP_PASSWORD", "")
		t.Setenv("BACKUP_NEW_PASSWORD", "")
		code, stdout, stderr := splashtail(t, c.env, append([]string{"backup"}, c.args...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%v: code %d\n%s%s\nwant %d, %s", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
	if hidden, err := filepath.Glob(at(".splashtail-*")); err != nil || len(hidden) > 0 {
		t.Errorf("left behind: %v %v", hidden, err)
	}
}

// TestSignalEndsReading: a file that never ends, or never begins, is not read for ever.
func TestSignalEndsReading(t *testing.T) {
	clean(t)
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	silent, err := os.OpenFile(pipe, os.O_RDWR, 0) // a writer that writes nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	signals := make(chan os.Signal, 2)
	signals <- os.Interrupt
	signals <- os.Interrupt
	var out, bad bytes.Buffer
	code := program{args: []string{"backup", "verify", pipe}, stdout: &out, stderr: &bad, components: components(), signals: signals}.run()
	if code != int(exitFailure) || !strings.Contains(bad.String(), "interrupted before it was done") {
		t.Errorf("code %d\n%s%s", code, &out, &bad)
	}

	ended, cancel := context.WithCancel(t.Context())
	in, _, err := openInput(ended, "cli.go", true)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	cancel()
	_, err = in.Read(make([]byte, 1))
	_, err2 := in.ReadAt(make([]byte, 1), 0)
	if !errors.Is(err, context.Canceled) || !errors.Is(err2, context.Canceled) {
		t.Errorf("read after the end: %v, %v", err, err2)
	}
}

// TestSaveNew: a file that cannot be written whole is not written, also where there are no links.
func TestSaveNew(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "a")
	full := errors.New("no space left on device")
	if err := saveNew(name, func(w io.Writer) error { _, _ = w.Write([]byte("half")); return full }); !errors.Is(err, full) || !strings.Contains(err.Error(), "was not written") {
		t.Errorf("a write that fails: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v %v", left, err)
	}
	from := filepath.Join(dir, "from")
	for _, want := range []error{nil, fs.ErrExist} {
		if err := os.WriteFile(from, []byte("new"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := claimAndMove(from, name); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if got, err := os.ReadFile(name); err != nil || string(got) != "new" {
		t.Errorf("%q %v", got, err)
	}
}

// TestTextOfStrangersIsHarmless: names in a backup that somebody uploaded reach the terminal of an operator.
func TestTextOfStrangersIsHarmless(t *testing.T) {
	evil := "role \x1b]0;owned\a\x1b[2J\u009b31m\u202e\r"
	for _, said := range []string{
		logLine(bus.JobLine{Level: "info", Text: "first\n" + evil}), logLine(bus.JobLine{State: bus.JobFailed, Text: evil}),
		logLine(bus.JobLine{Step: &bus.JobProgress{Phase: evil}}), logLine(bus.JobLine{Step: &bus.JobProgress{Wait: &bus.JobWait{Why: evil}}}),
		jobLine(bus.Job{Error: &bus.JobError{Message: evil}}, time.Now()), jobLine(bus.Job{Wait: &bus.JobWait{Why: evil}}, time.Now()), barred(t, evil),
	} {
		if strings.ContainsFunc(said, func(c rune) bool { return c != '\n' && (unicode.IsControl(c) || c == '\u202e') }) {
			t.Errorf("%q", said)
		}
	}
}

// barred is a line as `job run` shows it above its bar.
func barred(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	b := bar{out: &out}
	if n, err := b.Write([]byte(text + "\n")); err != nil || n != len(text)+1 {
		t.Errorf("%d %v", n, err)
	}
	return out.String()
}
