package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// TestCreate: what was asked for reaches the job, the answer follows it, and a job that is in the way is named.
func TestCreate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.has(r.uses(r.Mod, "backup create", nil), "You may not run /backup create")
	r.has(r.uses(r.admin, "backup create", map[string]any{"attachments": true}), "no backup was begun")
	if got := r.submitted(bus.JobBackupCreate); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	s := r.has(r.uses(r.admin, "backup create", map[string]any{"name": "Sunday", "messages": 5, "attachments": true, "members": true}), "It is begun")
	got := r.submitted(bus.JobBackupCreate)
	if len(got) != 1 || got[0].By != bus.UserID(r.admin) || got[0].Guild != r.GuildID() || len(got[0].Secrets) != 0 ||
		string(got[0].Args) != `{"name":"Sunday","members":true,"messages":5,"attachments":true}` {
		t.Fatalf("%+v %s", got, got[0].Args)
	}
	cards, err := bus.OpenRecords(t.Context(), r.Bus, bus.JobCards())
	r.OK(err)
	shown := errors.New("it is shown")
	err = cards.Watch(t.Context(), ">", func(e bus.Entry[bus.JobCard], _ bool) error {
		if e.Key == "" {
			return nil
		}
		if e.Value.Message != s.Original.ID.String() || e.Value.By != bus.UserID(r.admin) || e.Value.Channel != r.Text.String() {
			t.Errorf("%+v", e.Value)
		}
		return shown
	})
	if !errors.Is(err, shown) {
		t.Error(err)
	}
	busy := bus.Errorf(bus.CodeConflict, "guild_busy", "a job is under way")
	busy.Details = map[string]string{"job": "01OTHER"}
	r.refuses(busy)
	r.has(r.uses(r.admin, "backup create", nil), "01OTHER. Nothing was begun")
	r.refuses(bus.Errorf(bus.CodeInvalid, "bad", "that is *too* much"))
	r.has(r.uses(r.admin, "backup create", nil), "nothing was changed. that is")
	r.refuses(bus.Errorf(bus.CodeUnavailable, "away", "nobody answers"))
	r.has(r.uses(r.admin, "backup create", nil), "No worker answers")
}

// TestList: pages have what there is, in order, without an empty one at the end, and no number of other jobs hides a backup.
func TestList(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 10, 11, 20} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			for i := range n {
				r.backup(r.GuildID(), time.Unix(1_700_000_000+int64(i), 0), bus.BackupDone{Name: fmt.Sprintf("No%d!", i), Encrypted: i == 0}, "x")
			}
			r.backup(7, time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "foreign"}, "x")
			if n == 0 {
				r.has(r.uses(r.admin, "backup list", nil), "There is no backup")
				return
			}
			pages := (n + 9) / 10
			s := r.has(r.uses(r.admin, "backup list", nil), fmt.Sprintf("Backups: %d (page 1 of %d)", n, pages))
			seen := says(s)
			for page := 2; page <= pages; page++ {
				s = r.has(r.presses(r.admin, s, "Next"), fmt.Sprintf("page %d of %d", page, pages))
				seen += says(s)
			}
			if b, ok := s.Original.Button("Next"); ok && !b.Disabled || !ok && pages > 1 {
				t.Errorf("there is a page after the last: %s", says(s))
			}
			last := len(seen)
			for i := range n {
				at := strings.Index(seen, fmt.Sprintf("No%d!", i))
				if at < 0 || at > last {
					t.Fatalf("No%d! is missing or out of order in %s", i, seen)
				}
				last = at
			}
			if strings.Contains(seen, "foreign") || strings.Count(seen, "🔒") != 1 {
				t.Error(seen)
			}
		})
	}
}

// TestOtherBackups: what is no backup of this server is refused by every command, and offered by none.
func TestOtherBackups(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	foreign := r.backup(7, time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "foreign"}, "x")
	own := r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own"}, "x")
	job := bus.NewJobID(time.Now())
	_, err := r.records.Put(t.Context(), bus.JobKey(r.GuildID(), job), bus.Job{V: 1, ID: job, Kind: bus.JobMessagePrune, Guild: r.GuildID(), State: bus.JobCompleted})
	r.OK(err)
	for _, command := range []string{"show", "get", "compare", "restore", "delete"} {
		for _, id := range []string{foreign, job, bus.NewJobID(time.Now()), "Sunday"} {
			r.has(r.uses(r.admin, "backup "+command, map[string]any{"backup": id}), "no such backup of this server; nothing was changed")
		}
	}
	for _, command := range []string{"show", "cancel"} {
		for _, id := range []string{foreign, "x"} {
			r.has(r.uses(r.admin, "job "+command, map[string]any{"job": id}), "no such job on this server")
		}
	}
	for _, command := range []string{"compare", "restore"} {
		r.has(r.uses(r.admin, "backup "+command, nil), "Choose one backup")
		r.has(r.uses(r.admin, "backup "+command, map[string]any{"backup": own, "file": sandbox.File{Name: "a", Data: []byte("x")}}), "Choose one backup")
	}
	for typed, want := range map[string]int{"": 1, "OW": 1, own[20:]: 1, "foreign": 0} {
		i := r.sends(r.admin, sandbox.InteractionSpec{Command: "backup show", Options: map[string]any{"backup": typed}, Focused: "backup"})
		s := r.until(i, "choices", func(s sandbox.InteractionState) bool { return s.Answered })
		if len(s.Choices) != want || want == 1 && string(s.Choices[0].Value) != `"`+own+`"` {
			t.Errorf("%q: %+v", typed, s.Choices)
		}
	}
	if got := r.submitted(bus.JobRestorePlan); len(got) != 0 || len(r.cancelled) != 0 {
		t.Errorf("%+v %v", got, r.cancelled)
	}
}

// TestGetAndDelete: an archive goes to who asks alone; one that is too large is left where it is; a backup goes when it was
// confirmed.
func TestGetAndDelete(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own", Counts: map[string]int{"channels": 12}, Missing: []string{"a *picture*"}}, "the archive")
	large := r.backup(r.GuildID(), time.Unix(1_700_000_001, 0), bus.BackupDone{Name: "large", Size: 11 << 20}, "x")
	i := r.uses(r.admin, "backup get", map[string]any{"backup": id})
	s := r.until(i, "a file", func(s sandbox.InteractionState) bool { return s.Original != nil && len(s.Original.Files) == 1 })
	if f := s.Original.Files[0]; !s.Original.Ephemeral || f.Name != "a.backup" || string(f.Data) != "the archive" {
		t.Errorf("%+v", s.Original)
	}
	s = r.has(r.uses(r.admin, "backup get", map[string]any{"backup": large}), "splashtail backup get "+large)
	if len(s.Original.Files) != 0 {
		t.Errorf("%+v", s.Original)
	}
	r.has(r.uses(r.admin, "backup show", map[string]any{"backup": id}), "12 channels")
	s = r.has(r.uses(r.admin, "backup delete", map[string]any{"backup": id}), "Nothing is done until")
	r.has(r.presses(r.admin, s, "Cancel"), "Nothing was changed")
	r.has(r.uses(r.admin, "backup show", map[string]any{"backup": id}), "12 channels")
	s = r.has(r.uses(r.admin, "backup delete", map[string]any{"backup": id}), "Nothing is done until")
	r.has(r.presses(r.admin, s, "Delete this backup"), "is deleted")
	r.has(r.uses(r.admin, "backup show", map[string]any{"backup": id}), "no such backup")
}

// TestSafetyCopy: what a restore kept before is a backup, encrypted when the restore had a password.
func TestSafetyCopy(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	id := bus.NewJobID(time.Now())
	_, err := r.records.Put(t.Context(), bus.JobKey(r.GuildID(), id), bus.Job{V: 1, ID: id, Kind: bus.JobBackupRestore, Guild: r.GuildID(), State: bus.JobFailed,
		Secrets: []string{"password"}, Outcome: text(bus.RestoreDone{Safety: "before/a"}), Files: []bus.JobFile{{Name: "before/a", Size: 5}}})
	r.OK(err)
	r.has(r.uses(r.admin, "backup list", nil), "Before a restore")
	r.has(r.uses(r.admin, "backup show", map[string]any{"backup": id}), "It is encrypted")
	form := r.uses(r.admin, "backup restore", map[string]any{"backup": id})
	r.until(form, "a form", func(s sandbox.InteractionState) bool { return s.Modal != nil })
}

// TestSchedule: it is set, shown, taken back, also when there is none, and a zone that there is not changes nothing.
func TestSchedule(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.has(r.uses(r.admin, "backup schedule", nil), "No backup is made by itself")
	r.has(r.uses(r.admin, "backup schedule", map[string]any{"when": "never"}), "No backup is made by itself")
	r.has(r.uses(r.admin, "backup schedule", map[string]any{"when": "every_week", "hour": 3, "zone": "Europe/Berlin", "keep": 2}), "every Monday at 03:00 (Europe/Berlin), next <t:1900000000:F>. Of these backups, so many are kept: 2")
	r.has(r.uses(r.admin, "backup schedule", map[string]any{"keep": 9}), "Say how often, too; nothing was changed")
	r.has(r.uses(r.admin, "backup schedule", map[string]any{"when": "every_day", "zone": "Mars/Base"}), "there is no time zone Mars/Base")
	r.has(r.uses(r.admin, "backup schedule", nil), "every Monday at 03:00 (Europe/Berlin)")
	r.has(r.uses(r.admin, "backup schedule", map[string]any{"when": "every_day"}), "every day at 04:00 (UTC)")
	r.has(r.uses(r.admin, "backup schedule", map[string]any{"when": "never"}), "No backup is made by itself")
	r.has(r.uses(r.admin, "backup schedule", nil), "No backup is made by itself")
}

// TestJobs: moderators look, administrators end.
func TestJobs(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.has(r.uses(r.Mod, "job list", nil), "Nothing is under way")
	r.has(r.uses(r.Member, "job list", nil), "You may not run")
	r.has(r.uses(r.admin, "backup create", nil), "It is begun")
	list, err := r.records.All(t.Context(), "*.*")
	r.OK(err)
	id := list[0].Value.ID
	r.has(r.uses(r.Mod, "job list", nil), id)
	r.has(r.uses(r.Mod, "job show", map[string]any{"job": id}), "running")
	r.has(r.uses(r.Mod, "job cancel", map[string]any{"job": id}), "You may not run")
	r.has(r.uses(r.admin, "job cancel", map[string]any{"job": id}), "The end of this job was asked for")
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cancelled) != 1 || r.cancelled[0] != id {
		t.Error(r.cancelled)
	}
}
