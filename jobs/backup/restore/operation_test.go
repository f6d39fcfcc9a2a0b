package restore

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"splashtail/bus"
	"splashtail/internal/sandbox"
	"splashtail/jobs/backup/model"
	"splashtail/jobs/backup/plan"
)

// TestEveryCreationNamesItsOperation: whatever a restore makes, bans and pins too, carries the operation's id in the audit log;
// but posts of forums, which begin with a webhook's message and have no reason.
func TestEveryCreationNamesItsOperation(t *testing.T) {
	t.Parallel()
	x := newRig(t, sandbox.Administrator)
	b := savedGuild(x)
	why := "raid"
	b.Structure.Bans[0].Reason = &why
	old := len(x.AuditLog(x.guild))
	x.restored(b, bus.PlanArgs{})
	kinds := []int{
		sandbox.AuditChannelCreate, sandbox.AuditMemberBanAdd, sandbox.AuditRoleCreate, sandbox.AuditWebhookCreate, sandbox.AuditEmojiCreate,
		sandbox.AuditMessagePin, sandbox.AuditStickerCreate, sandbox.AuditEventCreate, sandbox.AuditThreadCreate, sandbox.AuditSoundCreate, sandbox.AuditRuleCreate,
	}
	seen := map[int]int{}
	for _, e := range x.AuditLog(x.guild)[old:] {
		if !slices.Contains(kinds, int(e.Action)) {
			continue
		}
		seen[int(e.Action)]++
		if !strings.Contains(e.Reason, "op="+restoreJob+"/") && !(int(e.Action) == sandbox.AuditThreadCreate && e.Reason == "") {
			t.Errorf("an entry of kind %d has the reason %q", e.Action, e.Reason)
		}
	}
	for _, k := range kinds {
		if seen[k] == 0 {
			t.Errorf("nothing of kind %d was made", k)
		}
	}
}

// TestReasonsOfBans: a ban keeps its reason, with this restore's operation and none of an earlier one, within what Discord
// takes; one without a reason gets no other.
func TestReasonsOfBans(t *testing.T) {
	t.Parallel()
	x := newRig(t, sandbox.Administrator)
	s := must(readGuild(t.Context(), x.tools.Bot, x.guild.String()))(t)
	long := strings.Repeat("ä", 600)
	op := " · op=" + restoreJob + "/create/ban/"
	want := map[sandbox.ID]string{}
	for reason, became := range map[string]string{
		"spam": "spam" + op, "spam · op=01J/create/ban/": "spam" + op, "ana (5) · spam · op=01JX": "ana (5) · spam" + op, "scoop=3": "scoop=3" + op,
		"": restored + restoreJob + "/create/ban/", restored + "01JOLD/create/ban/": restored + restoreJob + "/create/ban/",
		long: strings.Repeat("ä", 511-utf8.RuneCountInString(op)) + "…" + op,
	} {
		u := must(x.AddUser("u"))(t)
		want[u] = became
		s.Bans = append(s.Bans, model.Ban{User: idOf(u), Reason: &reason})
	}
	x.restored(&stored{Structure: s}, bus.PlanArgs{})
	after, _ := x.Snapshot(x.guild)
	for u, reason := range want {
		if after.Bans[u] != reason {
			t.Errorf("%q, want %q", after.Bans[u], reason)
		}
	}
	// What this restore says is no reason of its own for the next backup.
	if why := savedReason(model.Ban{Reason: ptr(restored + "x")}); why != "" {
		t.Errorf("%q", why)
	}
}

// TestBansStay: no mode lifts a ban; an exact plan says which stay, and the restore reports it.
func TestBansStay(t *testing.T) {
	t.Parallel()
	for mode, says := range map[bus.RestoreMode]bool{bus.RestoreExact: true, bus.RestoreMerge: false} {
		x := newRig(t, sandbox.Administrator)
		b := &stored{Structure: must(readGuild(t.Context(), x.tools.Bot, x.guild.String()))(t)}
		x.ok(x.As(x.owner).Ban(x.guild, x.users[3], 0))
		done, p := x.planned(b, bus.PlanArgs{Mode: mode})
		if !p.Empty() || slices.ContainsFunc(done.Cannot, func(l string) bool {
			return strings.Contains(l, "the bans of 1 user: ") && strings.Contains(l, "stay banned")
		}) != says {
			t.Errorf("%s: %+v", mode, done)
		}
		if n := p.Counts()[plan.Ban]; n.Cannot != map[bool]int{true: 1}[says] {
			t.Errorf("%s: %+v", mode, n)
		}
		r := x.newRun(bus.JobBackupRestore, restoreJob)
		x.ok(x.attempt(r, done.Hash, -1))
		if after, _ := x.Snapshot(x.guild); len(after.Bans) != 1 {
			t.Errorf("%s: %v", mode, after.Bans)
		}
	}
}
