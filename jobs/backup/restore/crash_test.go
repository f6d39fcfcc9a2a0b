package restore

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// end is all that a restore leaves behind, as one text without ids.
func (x *rig) end() []string {
	x.t.Helper()
	snap, ok := x.Snapshot(x.guild)
	if !ok {
		x.t.Fatal("the guild is gone")
	}
	history, _ := x.History(x.guild)
	slices.SortFunc(history.Threads, func(a, b sandbox.ThreadSnapshot) int { return strings.Compare(a.Name, b.Name) })
	var lines []string
	for _, v := range []any{snap, history} {
		data, err := json.MarshalIndent(v, "", " ")
		x.ok(err)
		lines = append(lines, strings.Split(x.plain(string(data)), "\n")...)
	}
	return lines
}

// plain takes the ids out that differ from guild to guild.
func (x *rig) plain(text string) string {
	inID := false
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			if inID {
				return -1
			}
			inID = true
			return '0'
		}
		inID = false
		return r
	}, text)
}

// TestKilledAnywhere: a restore that is killed at any request and at any note, before or after it took effect, and goes on
// afterwards leaves the same guild as one that was not: nothing is missing and nothing is there twice (acceptance 21; R18).
func TestKilledAnywhere(t *testing.T) {
	whole := newRig(t, sandbox.Administrator)
	whole.restored(savedGuild(whole), bus.PlanArgs{})
	want := whole.end()
	boundaries := whole.kill.passed
	if boundaries < 200 {
		t.Fatalf("a restore passes %d boundaries", boundaries)
	}
	runs := 0
	for at := 0; at < boundaries; at++ {
		x := newRig(t, sandbox.Administrator)
		done, _ := x.planned(savedGuild(x), bus.PlanArgs{})
		r := x.newRun(bus.JobBackupRestore, restoreJob)
		if err := x.attempt(r, done.Hash, at); err == nil && at < boundaries-4 {
			t.Fatalf("the attempt that was killed at %d ended well", at)
		}
		if err := x.attempt(r, done.Hash, -1); err != nil {
			t.Fatalf("after a kill at %d: %v", at, err)
		}
		if have := x.end(); !slices.Equal(have, want) {
			t.Fatalf("after a kill at %d of %d: %s\n%s", at, boundaries, differ(want, have), r.files[restoreJob+"/"+ReportName])
		}
		runs++
	}
	t.Logf("%d runs, each killed at another boundary", runs)
}

func differ(want, have []string) string {
	for i := range max(len(want), len(have)) {
		if i >= len(want) || i >= len(have) || want[i] != have[i] {
			from := max(0, i-12)
			return "\nwant\n" + strings.Join(want[min(from, len(want)):min(i+8, len(want))], "\n") + "\nhave\n" + strings.Join(have[min(from, len(have)):min(i+8, len(have))], "\n")
		}
	}
	return ""
}
