package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBackupFilesThatAreNone: what cannot be read is refused in one sentence by every command, whatever its format, and
// nothing of it stays: neither an output nor a temporary file.
func TestBackupFilesThatAreNone(t *testing.T) {
	old, err := os.ReadFile("jobs/backup/ancestor/testdata/plain.iblfile")
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := os.ReadFile("jobs/backup/ancestor/testdata/encrypted.iblfile")
	if err != nil {
		t.Fatal(err)
	}
	const begin = `{"format": "splashtail-json", "version": 1, "manifest": `
	missing := begin + `{"counts":{}}, "structure": {"guild": {"icon": "` + strings.Repeat("ab", 32) + `"}}}`
	for name, c := range map[string]struct{ content, password, want string }{
		"other JSON":        {`{"a": 1}`, "", "not a backup of ours"},
		"cut JSON":          {begin, "", "it ends too early; use another copy"},
		"newer JSON":        {begin + `{"schema": 9}}`, "", "update the program"},
		"hostile JSON":      {begin + `{}, "structure": {"channels": [` + strings.Repeat("{},", 1<<20) + `{}]}}`, "", "larger than allowed"},
		"JSON that lacks":   {missing, "", "in it"},
		"cut old file":      {string(old[:len(old)/2]), "", "use another copy"},
		"other tar":         {strings.Repeat("\x00", 257) + "ustar" + strings.Repeat("\x00", 762), "", "damaged"},
		"later old file":    {"iblaef" + strings.Repeat("\x00", 80), "", "make a new backup"},
		"no password":       {string(sealed), "", "give its password in BACKUP_PASSWORD"},
		"wrong password":    {string(sealed), "hunter3", "the password is wrong"},
		"needless password": {string(old), "hunter2", "leave the password out"},
		"nothing":           {"", "", "not a backup of ours"},
		"cut":               {"splashtail back", "", "it ends after 15 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file, out := filepath.Join(dir, "file"), filepath.Join(dir, "out")
			if err := os.WriteFile(file, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			t.Setenv("BACKUP_PASSWORD", "")
			env := map[string]string{}
			if c.password != "" {
				env["BACKUP_PASSWORD"] = c.password
			}
			for _, args := range [][]string{{"verify", file}, {"show", file}, {"convert", file, "-o", out}, {"convert", file, "-o", out, "--to", "json"}} {
				code, stdout, stderr := splashtail(t, env, append([]string{"backup"}, args...)...)
				if args[0] == "show" && name == "JSON that lacks" {
					continue // it shows what is there
				}
				if code != 1 || stdout != "" || !strings.Contains(stderr, c.want) || strings.Count(stderr, "\n") != 1 {
					t.Errorf("%v: code %d\n%s%s\nwant 1, %s", args, code, stdout, stderr, c.want)
				}
				for _, place := range []struct {
					dir  string
					most int
				}{{dir, 1}, {temp, 0}} {
					if left, err := os.ReadDir(place.dir); err != nil || len(left) > place.most {
						t.Errorf("%v leaves %v, %v", args, left, err)
					}
				}
			}
		})
	}
}
