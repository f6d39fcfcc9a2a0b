package vault_test

import (
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
)

// TestPasswordToEncrypt: it is typed twice, into a form, and what is wrong with it begins nothing.
func TestPasswordToEncrypt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.has(r.uses(r.admin, "backup create", map[string]any{"encrypt": true, "attachments": true}), "no backup was begun")
	ask := func() *sandbox.Interaction {
		return r.uses(r.admin, "backup create", map[string]any{"encrypt": true, "name": "Sunday"})
	}
	r.has(r.types(r.admin, ask(), map[string]string{"password": "correct horse", "again": "correct house"}), "The two passwords differ; no backup was begun")
	r.has(r.types(r.admin, ask(), map[string]string{"password": "short", "again": "short"}), "at least 8 characters; no backup was begun")
	if got := r.submitted(bus.JobBackupCreate); len(got) != 0 {
		t.Fatalf("%+v", got)
	}
	if s := r.has(r.types(r.admin, ask(), map[string]string{"password": "correct horse", "again": "correct horse"}), "It is begun"); s.Original.Ephemeral {
		t.Error("the card is for who asked alone")
	}
	got := r.submitted(bus.JobBackupCreate)
	if len(got) != 1 || got[0].Secrets["password"] != "correct horse" || string(got[0].Args) != `{"name":"Sunday"}` {
		t.Errorf("%+v %s", got, got[0].Args)
	}
}

// TestPasswordToRestore: an encrypted backup asks for its password for the plan and again for the restore, whoever approves.
func TestPasswordToRestore(t *testing.T) {
	t.Parallel()
	for _, needs := range []string{"", bus.NeedsSecond} {
		r := newRig(t)
		id := map[string]any{"backup": r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own", Encrypted: true}, "x")}
		r.plans(somePlan(needs))
		s := r.has(r.types(r.admin, r.uses(r.admin, "backup restore", id), map[string]string{"password": "first"}), "It deletes 3")
		if got := r.submitted(bus.JobRestorePlan); len(got) != 1 || got[0].Secrets["password"] != "first" {
			t.Fatalf("%+v", got)
		}
		who, press := r.admin, r.presses(r.admin, s, "Delete 3, restore 41")
		if needs != "" {
			s = r.has(press, "who approves is asked for its password")
			r.has(r.presses(r.Member, s, "Approve this plan"), "You may not run")
			r.has(r.presses(r.admin, s, "Approve this plan"), "somebody else has to approve it")
			who, press = r.other, r.presses(r.other, s, "Approve this plan")
		}
		r.has(r.types(who, press, map[string]string{"password": "second"}), "It is begun")
		if got := r.submitted(bus.JobBackupRestore); len(got) != 1 || got[0].Secrets["password"] != "second" || got[0].By != bus.UserID(who) {
			t.Fatalf("%+v", got)
		}
		if needs == "" { // the form was open twice
			r.has(r.types(r.admin, press, map[string]string{"password": "second"}), "already sent, dropped, or took too long")
		}
	}
}

// TestPasswordIsNowhere: no record, no stream, that of Discord's events included, and no log has what was typed (acceptance 23, J7).
func TestPasswordIsNowhere(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const password = "xyzzy-plugh-42"
	id := map[string]any{"backup": r.backup(r.GuildID(), time.Unix(1_700_000_000, 0), bus.BackupDone{Name: "own", Encrypted: true}, "x")}
	r.plans(somePlan(bus.NeedsSecond))
	both := map[string]string{"password": password, "again": password}
	one := map[string]string{"password": password}
	r.has(r.types(r.admin, r.uses(r.admin, "backup create", map[string]any{"encrypt": true}), both), "It is begun")
	r.refuses(bus.Errorf(bus.CodeInternal, "broken", "a command failed"))
	r.has(r.types(r.admin, r.uses(r.admin, "backup create", map[string]any{"encrypt": true}), both), "Reference")
	r.refuses(nil)
	s := r.has(r.types(r.admin, r.uses(r.admin, "backup restore", id), one), "It deletes 3")
	s = r.has(r.presses(r.admin, s, "Delete 3, restore 41"), "has to approve it")
	r.has(r.types(r.other, r.presses(r.other, s, "Approve this plan"), one), "It is begun")
	r.has(r.types(r.admin, r.uses(r.admin, "backup compare", id), one), "Since the backup")
	if strings.Contains(r.logged.String(), password) {
		t.Error("the log has it")
	}
	if !strings.Contains(r.logged.String(), "a command failed") {
		t.Error("the log has nothing, so it proves nothing")
	}
	streams, seen := bustest.Holding(t, r.Bus, password)
	if len(streams) > 0 || seen < 20 {
		t.Errorf("of %d messages those in %v have it", seen, streams)
	}
}
