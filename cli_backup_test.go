package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupFiles converts a backup of the ancestor to ours with a password, to JSON and back, and reads each.
func TestBackupFiles(t *testing.T) {
	dir := t.TempDir()
	old := "jobs/backup/ancestor/testdata/encrypted.iblfile"
	sealed, text, back := filepath.Join(dir, "a.splashtail"), filepath.Join(dir, "a.json"), filepath.Join(dir, "b.splashtail")
	secrets := filepath.Join(dir, "password")
	if err := os.WriteFile(secrets, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := map[string]string{"BACKUP_PASSWORD": "hunter2"}
	for _, c := range []struct {
		env  map[string]string
		args []string
		code int
		want string
	}{
		{with, []string{"convert", old, "-o", sealed}, 0, "written"},
		{with, []string{"convert", old, "-o", sealed}, 1, "exists; nothing was written"},
		{nil, []string{"verify", sealed}, 1, "encrypted: give its password in BACKUP_PASSWORD, with --password-file or with --ask-password"},
		{map[string]string{"BACKUP_PASSWORD": "x"}, []string{"verify", sealed}, 1, "the password is wrong"},
		{nil, []string{"verify", sealed, "--password-file", secrets}, 0, "whole: Old guild of 2024-03-01 12:00 UTC"},
		{with, []string{"show", sealed}, 0, "    general"},
		{with, []string{"convert", sealed, "-o", text, "--to", "json"}, 0, "written"},
		{nil, []string{"verify", text}, 0, "3 messages"},
		{nil, []string{"convert", text, "-o", back}, 0, "written"},
		{nil, []string{"show", back}, 0, "messages     yes   3"},
		{nil, []string{"verify", "cli.go"}, 1, "not a backup of ours"},
		{nil, []string{"verify", filepath.Join(dir, "none")}, 1, "there is no file"},
	} {
		t.Setenv("BACKUP_PASSWORD", "")
		code, stdout, stderr := splashtail(t, c.env, append([]string{"backup"}, c.args...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%v: code %d\n%s%s\nwant %d, %s", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
}

func TestBackupHelp(t *testing.T) {
	for _, name := range []string{"verify", "show", "convert"} {
		code, stdout, stderr := splashtail(t, nil, "backup", name, "--help")
		if code != 0 || !strings.Contains(stdout, "BACKUP_PASSWORD") || strings.Contains(stdout, "--nats-url") {
			t.Errorf("%s: code %d\n%s%s", name, code, stdout, stderr)
		}
	}
}
