package punishment_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"splashtail/bot/bottest"
	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/punishment"
	"splashtail/jobs/work"
)

// scene is a guild in which a member is banned for a time.
type scene struct {
	*bottest.World
	records *bus.Records[bus.Punishment]
	dir     string
	id      string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{World: bottest.New(t), dir: t.TempDir(), id: bus.NewJobID(time.Now())}
	var err error
	s.records, err = bus.OpenRecords(t.Context(), s.Bus, bus.Punishments())
	s.OK(err)
	s.OK(s.Discord.As(s.Owner).Ban(s.Guild, s.Member, 0))
	return s
}

func (s *scene) key() string { return bus.PunishmentKey(s.GuildID(), bus.UserID(s.Member)) }

// plan writes the record.
func (s *scene) plan(op string, until time.Time) {
	s.T.Helper()
	_, err := s.records.Put(s.T.Context(), s.key(), bus.Punishment{V: 1, Guild: s.GuildID(), User: bus.UserID(s.Member), Op: op, At: until.Add(-time.Hour), Until: until})
	s.OK(err)
}

// run lets a worker do the job that ends "op1", or what is left of it, and gives its outcome.
func (s *scene) run(notes map[string]any) (string, error) {
	s.T.Helper()
	l, err := work.OpenLocal(work.LocalConfig{Dir: s.dir, Log: s.T.Output(), Job: work.Job{ID: s.id, Kind: bus.JobPunishmentEnd, Guild: s.GuildID()}})
	s.OK(err)
	defer l.Close() //nolint:errcheck // of a test
	for k, v := range notes {
		s.OK(l.Note(s.T.Context(), k, v))
	}
	e := punishment.New(s.Bot, s.Bus)
	e.PunishmentArgs = bus.PunishmentArgs{User: bus.UserID(s.Member), Op: "op1"}
	s.OK(e.Check())
	err = e.Run(s.T.Context(), l)
	var done bus.PunishmentDone
	if out := l.Result(); out != nil {
		s.OK(json.Unmarshal(out, &done))
	}
	return done.Result, err
}

// is checks what is left.
func (s *scene) is(banned, remembered bool) {
	s.T.Helper()
	snap, _ := s.Discord.Snapshot(s.Guild)
	if _, yes := snap.Bans[s.Member]; yes != banned {
		s.T.Errorf("banned: %v, want %v", yes, banned)
	}
	_, err := s.records.Get(s.T.Context(), s.key())
	if err != nil && !bus.IsCode(err, bus.CodeNotFound) || (err == nil) != remembered {
		s.T.Errorf("its record: %v, want one: %v", err, remembered)
	}
}

// TestTheBanIsLiftedOnce, and the audit log names the job.
func TestTheBanIsLiftedOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.plan("op1", time.Now().Add(-time.Second))
	if result, err := s.run(nil); err != nil || result != bus.PunishmentLifted {
		t.Errorf("%s: %v", result, err)
	}
	s.is(false, false)
	reason := "the time of the ban is over · op=" + s.id + "/lift"
	if log := s.Discord.AuditLog(s.Guild); !slices.ContainsFunc(log, func(e sandbox.AuditEntry) bool { return e.Reason == reason }) {
		t.Errorf("nothing in the audit log has the reason %q", reason)
	}
	// Another ban, with which this job has nothing to do.
	s.OK(s.Discord.As(s.Owner).Ban(s.Guild, s.Member, 0))
	s.dir = t.TempDir()
	if result, err := s.run(nil); err != nil || result != bus.PunishmentDropped {
		t.Errorf("again: %s: %v", result, err)
	}
	s.is(true, false)
}

// TestAWorkerThatDiedBeforeItTold: the next one tells the same, and does nothing to a ban that
// somebody made meanwhile.
func TestAWorkerThatDiedBeforeItTold(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.plan("op1", time.Now().Add(-time.Second))
	if result, err := s.run(nil); err != nil || result != bus.PunishmentLifted {
		t.Fatalf("%s: %v", result, err)
	}
	s.OK(s.Discord.As(s.Owner).Ban(s.Guild, s.Member, 0))
	if result, err := s.run(nil); err != nil || result != bus.PunishmentLifted {
		t.Errorf("the next worker says %s: %v", result, err)
	}
	s.is(true, false)
	s.plan("op2", time.Now().Add(time.Hour))
	if result, err := s.run(nil); err != nil || result != bus.PunishmentLifted {
		t.Errorf("with another plan the next worker says %s: %v", result, err)
	}
	s.is(true, true)
}

// TestAWorkerThatDiedAfterTheCall: what it did counts for the next.
func TestAWorkerThatDiedAfterTheCall(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.plan("op1", time.Now().Add(-time.Second))
	s.OK(s.Discord.As(s.Owner).Unban(s.Guild, s.Member))
	if result, err := s.run(nil); err != nil || result != bus.PunishmentNoBan {
		t.Errorf("%s: %v", result, err)
	}
	s.is(false, false)
}

// TestWhatTheRecordSaysIsDone: another punishment is not ended, and not before its time.
func TestWhatTheRecordSaysIsDone(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.plan("op2", time.Now().Add(-time.Second))
	if result, err := s.run(nil); err != nil || result != bus.PunishmentDropped {
		t.Errorf("another op: %s: %v", result, err)
	}
	s.is(true, true)
	later := time.Now().Add(time.Hour)
	s.plan("op1", later)
	var snooze *work.SnoozeError
	if _, err := s.run(nil); !errors.As(err, &snooze) || !snooze.Until.Equal(later) {
		t.Errorf("too early: %v", err)
	}
	s.is(true, true)
}

// TestAnOutageIsWaitedFor without a failure, longer and longer, and for a day.
func TestAnOutageIsWaitedFor(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.plan("op1", time.Now().Add(-time.Second))
	s.OK(s.Discord.As(s.Owner).EditRole(s.Guild, s.BotRole, sandbox.Fields{"permissions": "0"}))
	const note = "refused-since"
	for refused, want := range map[time.Duration]time.Duration{0: 15 * time.Second, 8 * time.Minute: 2 * time.Minute, 23 * time.Hour: 10 * time.Minute} {
		notes := map[string]any{note: time.Now().Add(-refused)}
		if refused == 0 {
			notes = nil
		}
		s.dir = t.TempDir()
		var snooze *work.SnoozeError
		_, err := s.run(notes)
		if !errors.As(err, &snooze) {
			t.Errorf("after %v: %v", refused, err)
		} else if wait := time.Until(snooze.Until); wait > want+10*time.Second || wait < want-10*time.Second {
			t.Errorf("after %v it waits for %v, want %v", refused, wait, want)
		}
	}
	s.is(true, true)
	day := map[string]any{note: time.Now().Add(-25 * time.Hour)}
	if _, err := s.run(day); !work.IsPermanent(err) {
		t.Errorf("after a day: %v", err)
	}
	s.is(true, true) // a retry by hand still knows it
	s.plan("op1", time.Now().Add(-31*24*time.Hour))
	if _, err := s.run(day); !work.IsPermanent(err) {
		t.Errorf("after a month: %v", err)
	}
	s.is(true, false)
	s.plan("op1", time.Now().Add(-time.Hour))
	s.OK(s.Discord.As(s.Owner).EditRole(s.Guild, s.BotRole, sandbox.Fields{"permissions": bottest.BotPermissions}))
	if result, err := s.run(nil); err != nil || result != bus.PunishmentLifted {
		t.Errorf("after the outage: %s: %v", result, err)
	}
	s.is(false, false)
}

func TestBadArguments(t *testing.T) {
	t.Parallel()
	for _, args := range []bus.PunishmentArgs{{}, {User: 7}, {Op: "x"}} {
		e := punishment.New(nil, nil)
		if e.PunishmentArgs = args; e.Check() == nil {
			t.Errorf("%+v was taken", args)
		}
	}
	if err := punishment.New(nil, nil).Run(t.Context(), nil); !work.IsPermanent(err) {
		t.Errorf("without a server: %v", err)
	}
}
