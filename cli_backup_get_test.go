package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

// TestBackupFromTheStore: backups are listed and written whole, of a restore what was there before; nothing is replaced,
// and what is damaged is not left.
func TestBackupFromTheStore(t *testing.T) {
	b := bustest.New(t)
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	records, err := bus.OpenRecords(t.Context(), b, bus.AllJobs())
	ok(err)
	store, err := bus.OpenBackups(t.Context(), b)
	ok(err)
	n := 0
	put := func(kind bus.JobKind, data string, outcome any) string {
		t.Helper()
		n++
		id := bus.NewJobID(time.UnixMilli(int64(n) * 1000))
		text, err := json.Marshal(outcome)
		ok(err)
		job := bus.Job{V: 1, ID: id, Kind: kind, Guild: 42, State: bus.JobCompleted, Outcome: text,
			Files: []bus.JobFile{{Name: "before/a.backup", Size: int64(len(data)), Key: "42/" + id + "/a"}}}
		_, err = records.Put(t.Context(), bus.JobKey(42, id), job)
		ok(err)
		_, err = store.Put(t.Context(), job.Files[0].Key, strings.NewReader(data))
		ok(err)
		return id
	}
	sum := sha256.Sum256([]byte("all of it"))
	digest := hex.EncodeToString(sum[:])
	made := put(bus.JobBackupCreate, "all of it", bus.BackupDone{File: "before/a.backup", SHA256: digest, Name: "Sunday"})
	safety := put(bus.JobBackupRestore, "as before", bus.RestoreDone{Safety: "before/a.backup"})
	other := put(bus.JobBackupCreate, "all of iX", bus.BackupDone{File: "before/a.backup", SHA256: digest})
	plan := put(bus.JobRestorePlan, "plan", bus.PlanDone{File: "before/a.backup"})

	dir := t.TempDir()
	t.Chdir(dir)
	env := map[string]string{"NATS_URL": b.URL()}
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"list"}, 0, "Sunday"},
		{[]string{"list", "--guild", "43"}, 0, "none"},
		{[]string{"list", "--guild", "x"}, 2, "see: splashtail --help"},
		{[]string{"list", "--json"}, 0, `"id": "` + safety},
		{[]string{"get", made}, 0, "written: a.backup, 9 bytes, SHA-256 " + digest},
		{[]string{"get", made}, 1, "exists; nothing was written"},
		{[]string{"get", safety, "-o", "b"}, 0, "written: b"},
		{[]string{"get", made, "-o", "-"}, 0, "all of it"},
		{[]string{"get", other, "-o", "c"}, 1, "the file is damaged"},
		{[]string{"get", plan, "-o", "d"}, 1, "has no backup"},
		{[]string{"get", bus.NewJobID(time.Now())}, 1, "there is no job"},
		{[]string{"get", "x"}, 1, "26 digits and capital letters"},
	} {
		code, stdout, stderr := splashtail(t, env, append([]string{"backup"}, c.args...)...)
		if code != c.code || !strings.Contains(stdout+stderr, c.want) {
			t.Errorf("%v: code %d\n%s%s\nwant %d, %s", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
	left, err := filepath.Glob("*")
	hidden, err2 := filepath.Glob(".splashtail-*")
	one, err3 := os.ReadFile("a.backup")
	two, err4 := os.ReadFile("b")
	if err != nil || err2 != nil || err3 != nil || err4 != nil || len(left) != 2 || len(hidden) != 0 || string(one) != "all of it" || !bytes.Equal(two, []byte("as before")) {
		t.Errorf("written: %v %v, %q, %q", left, hidden, one, two)
	}
}
