package create

import (
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
)

// shelf is a channel of three messages with two files each, whose addresses run out between the reading of the messages and that
// of the files, as while a large server is read.
type shelf struct {
	*rig
	channel  sandbox.ID
	messages []sandbox.ID
	late     sync.Once
	between  func()       // what else happens at that moment
	asked    atomic.Int32 // requests for files
	again    atomic.Int32 // messages that were read again
}

func newShelf(t *testing.T) *shelf {
	t.Helper()
	s := &shelf{rig: plain(t, sandbox.Administrator)}
	s.channel = must(s.AddChannel(s.guild, "shelf", sandbox.TextChannel))(t)
	for _, name := range []string{"a", "b", "c"} {
		m := must(s.As(s.owner).SendFiles(s.channel, "see",
			sandbox.Upload{Name: name + "1.txt", Data: []byte("first of " + name)}, sandbox.Upload{Name: name + "2.txt", Data: []byte("second of " + name)}))(t)
		s.messages = append(s.messages, m)
	}
	s.between = func() {}
	one := regexp.MustCompile(`/messages/[0-9]+$`)
	s.front = func(_ http.ResponseWriter, q *http.Request) bool {
		file, message := strings.HasPrefix(q.URL.Path, "/attachments/"), one.MatchString(q.URL.Path)
		if file || message {
			s.late.Do(func() { s.AgeFiles(25 * time.Hour); s.between() })
		}
		if file {
			s.asked.Add(1)
		}
		if message {
			s.again.Add(1)
		}
		return false
	}
	return s
}

// files gives the attachments of the channel as the backup has them.
func (s *shelf) files(run *fakeRun) (all []model.Attachment) {
	s.t.Helper()
	b := s.open(run, s.backup(run, bus.BackupArgs{Messages: 100, Attachments: true}))
	for _, m := range b.messages[id(s.channel)] {
		all = append(all, m.Attachments...)
	}
	if len(all) != 6 {
		s.t.Fatalf("%d files", len(all))
	}
	return all
}

// TestExpiredAddresses: an address that the file host does not honour any more is replaced by that of the message read again,
// once per message, whatever our clock says; one that has run out by its own word is not asked for.
func TestExpiredAddresses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		clock time.Duration // how far ours is ahead
		asked int32
	}{
		"the host says so":     {asked: 9}, // one of two files of each message is asked for in vain
		"the address says so":  {clock: 25 * time.Hour, asked: 6},
		"our clock is far off": {clock: 1000 * time.Hour, asked: 6},
	} {
		s := newShelf(t)
		s.tools.Now = func() time.Time { return time.Now().Add(c.clock) }
		for _, a := range s.files(s.run()) {
			if a.Skipped != "" || a.File == "" {
				t.Errorf("%s: %+v", name, a)
			}
		}
		if s.asked.Load() != c.asked || s.again.Load() != 3 {
			t.Errorf("%s: files were asked for %d times, not %d, and messages read %d times", name, s.asked.Load(), c.asked, s.again.Load())
		}
	}
}

// TestExpiredAddressesOfWhatIsGone: a file whose message was deleted meanwhile has that as the reason, and one that was taken
// out of its message, too; the others are kept.
func TestExpiredAddressesOfWhatIsGone(t *testing.T) {
	t.Parallel()
	for name, clock := range map[string]time.Duration{"the host says so": 0, "the address says so": 25 * time.Hour} {
		s := newShelf(t)
		s.tools.Now = func() time.Time { return time.Now().Add(clock) }
		s.between = func() {
			s.ok(s.As(s.owner).DeleteMessage(s.channel, s.messages[0]))
			var m struct{ Attachments []struct{ ID string } }
			s.ok(json.Unmarshal(must(s.As(s.owner).Do("GET", "/channels/"+s.channel.String()+"/messages/"+s.messages[1].String(), nil))(t), &m))
			_, err := s.As(s.owner).Do("PATCH", "/channels/"+s.channel.String()+"/messages/"+s.messages[1].String(),
				map[string]any{"attachments": []any{map[string]string{"id": m.Attachments[1].ID}}})
			s.ok(err)
		}
		run := s.run()
		for _, a := range s.files(run) {
			why := map[string]string{"a1.txt": "not there any more", "a2.txt": "not there any more", "b1.txt": "taken out of it"}[a.Name]
			if !strings.Contains(a.Skipped, why) || (a.File == "") != (why != "") || why == "" && a.Skipped != "" {
				t.Errorf("%s: %+v, want %q", name, a, why)
			}
		}
		var done bus.BackupDone
		s.ok(json.Unmarshal(run.outcome, &done))
		if len(done.Missing) != 3 {
			t.Errorf("%s: missing are %q", name, done.Missing)
		}
	}
}

// TestExpiredAddressesAfterACrash: a backup that goes on a day later has all files.
func TestExpiredAddressesAfterACrash(t *testing.T) {
	t.Parallel()
	s := newShelf(t)
	run := s.run()
	run.crash = func(act, name string) error {
		if act == "stored" && strings.HasPrefix(name, "part-1-") {
			return errCrash
		}
		return nil
	}
	w := New(s.tools)
	w.BackupArgs = bus.BackupArgs{Messages: 100, Attachments: true}
	if err := w.Run(t.Context(), run); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	s.AgeFiles(25 * time.Hour)
	run.crash = func(string, string) error { return nil }
	for _, a := range s.files(run) {
		if a.Skipped != "" || a.File == "" {
			t.Errorf("%+v", a)
		}
	}
}
