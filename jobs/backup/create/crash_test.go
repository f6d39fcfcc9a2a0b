package create

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/work"
)

var errCrash = errors.New("the worker was killed")

// saved is what a backup holds, apart from when it was made.
type saved struct {
	snapshot model.Snapshot
	messages map[model.ID][]model.Message
	items    []model.Item
}

func (o opened) saved() saved {
	s := saved{o.Snapshot, o.messages, o.manifest.Items}
	s.snapshot.About = model.About{}
	for _, list := range s.messages {
		for i := range list {
			list[i].Embeds, list[i].Components = bytes.TrimSpace(list[i].Embeds), bytes.TrimSpace(list[i].Components)
		}
	}
	return s
}

// TestCrashAnywhere kills the worker before and after every note and file of a backup in turn, each time another attempt goes
// on, and the archive is the same as without a crash; what was finished is not read again (acceptance 21, for backups).
func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	r, _ := made(t, sandbox.GuildSpec{Seed: 11, Roles: 4, Channels: 7, Members: 5, Bans: 2, Messages: 120, Threads: 2, Emojis: 2, Stickers: 1, Sounds: 1, Webhooks: 1, Community: true})
	args := bus.BackupArgs{Messages: 100, PerChannel: 50, Attachments: true, Members: true}
	clean := r.run()
	want := r.open(clean, r.backup(clean, args)).saved()

	var mu sync.Mutex // a call that was cut off may still be served
	asked := map[string]int{}
	copied := func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(asked)
	}
	r.front = func(_ http.ResponseWriter, q *http.Request) bool {
		if strings.HasSuffix(q.URL.Path, "/messages") {
			mu.Lock()
			asked[q.URL.String()]++
			mu.Unlock()
		}
		return false
	}
	for act := 0; ; act++ {
		run, n := r.run(), 0
		var crashed string
		run.crash = func(kind, name string) error {
			mu.Lock()
			defer mu.Unlock()
			if n++; n == act+1 {
				crashed = kind + " " + name
				return errCrash
			}
			return nil
		}
		mu.Lock()
		clear(asked)
		mu.Unlock()
		w := New(r.tools)
		w.BackupArgs = args
		err := w.Run(t.Context(), run)
		if err == nil {
			if act < 20 {
				t.Fatalf("only %d acts", act)
			}
			return // it came to its end before act
		}
		if !errors.Is(err, errCrash) || work.IsPermanent(err) {
			t.Fatalf("%s: %v", crashed, err)
		}
		stored := maps.Clone(run.puts)
		run.crash = func(string, string) error { return nil }
		before := finished(run, copied())
		if got := r.open(run, r.backup(run, args)).saved(); !reflect.DeepEqual(got, want) {
			t.Fatalf("after a crash at %q the archive is another one", crashed)
		}
		after := copied()
		for url, n := range before {
			if after[url] > n {
				t.Errorf("after a crash at %q %s was read again, though it was stored: %v", crashed, url, stored)
			}
		}
	}
}

// finished are the requests of channels that are noted as stored, with how often they were made.
func finished(run *fakeRun, asked map[string]int) map[string]int {
	out := map[string]int{}
	for url, n := range asked {
		for key := range run.notes {
			if place, ok := strings.CutPrefix(key, "part-1-"); ok && strings.Contains(url, "/channels/"+place+"/") && !strings.Contains(url, "before=") {
				out[url] = n
			}
		}
	}
	return out
}

// TestEncrypted: with a password neither the archive nor anything that the job keeps on its way shows what was said (F1 to F3
// are the archive's; here: that it is used), and a crash loses no key.
func TestEncrypted(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	c, _ := r.channel("secret-plans", 30)
	must(r.As(r.owner).Send(c, strings.Repeat("the treasure is under the oak ", 20)))(t)
	run := r.run()
	run.pass = "correct horse"
	seen := func(where string, data []byte) {
		for _, word := range []string{"treasure", "secret-plans", "keeper", "correct horse"} {
			if bytes.Contains(data, []byte(word)) {
				t.Errorf("%s shows %q", where, word)
			}
		}
	}
	failed := false
	run.crash = func(act, name string) error {
		run.mu.Lock()
		defer run.mu.Unlock()
		for file, data := range run.files {
			seen(file, data)
		}
		if act == "put" && strings.HasSuffix(name, ".splashtail") && !failed {
			failed = true
			return errCrash
		}
		return nil
	}
	w := New(r.tools)
	w.BackupArgs = bus.BackupArgs{Messages: 100}
	if err := w.Run(t.Context(), run); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	done := r.backup(run, w.BackupArgs)
	for key, note := range run.notes {
		seen("the note "+key, note)
	}
	seen("the log", []byte(fmt.Sprint(run.log)))
	b := r.open(run, done)
	if !done.Encrypted || b.total() != 31 {
		t.Errorf("%+v, %d messages", done, b.total())
	}
	for file, data := range run.files {
		if file != done.File && len(data) > 0 {
			t.Errorf("%s is kept with %d bytes, though the archive is finished", file, len(data))
		}
	}
}

// TestTakeBesideOtherWork: a backup inside another job leaves that job's own notes and files alone, and gives what it is.
func TestTakeBesideOtherWork(t *testing.T) {
	t.Parallel()
	r := plain(t, sandbox.Administrator)
	r.channel("talk", 3)
	run := r.run()
	for range 2 { // the second time it is there already
		done := must(Take(t.Context(), run, r.tools, bus.BackupArgs{Messages: 10}, "safety"))(t)
		if b := r.open(run, done); b.total() != 3 || !strings.HasPrefix(done.File, "safety-backup-") {
			t.Errorf("%+v", done)
		}
	}
	for name := range run.notes {
		if !strings.HasPrefix(strings.TrimPrefix(name, "step/"), "safety-") {
			t.Errorf("the note %s", name)
		}
	}
	for name := range run.files {
		if !strings.HasPrefix(name, "safety-") || !work.GoodName(name) {
			t.Errorf("the file %s", name)
		}
	}
	if run.outcome != nil {
		t.Error("it has set the job's outcome")
	}
	if _, err := Take(t.Context(), run, r.tools, bus.BackupArgs{Messages: -1}, "other"); !work.IsPermanent(err) {
		t.Errorf("bad arguments: %v", err)
	}
}
