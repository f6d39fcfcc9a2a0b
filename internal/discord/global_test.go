package discord

import (
	"testing"
	"time"
)

// TestABackupLeavesRoomToWhoIsInAHurry: a little always, and a third for a minute after somebody was in a hurry.
func TestABackupLeavesRoomToWhoIsInAHurry(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	fill := func(g *globalBudget, c Class, at time.Time) (n int) {
		for g.free(c, at) {
			g.take(c, at)
			n++
		}
		return n
	}
	quiet := &globalBudget{limit: 50}
	if n := fill(quiet, ClassBackup, now); n != 48 {
		t.Errorf("in quiet times a backup takes %d of 50", n)
	}
	if n := fill(quiet, ClassUrgent, now); n != 2 {
		t.Errorf("%d urgent requests go at once beside a backup", n)
	}
	pressed := &globalBudget{limit: 50}
	pressed.take(ClassUrgent, now)
	later := now.Add(lateArrival + time.Second)
	if n := fill(pressed, ClassBackup, later); n != 35 {
		t.Errorf("after an urgent request a backup takes %d of 50", n)
	}
	if n := fill(pressed, ClassBackup, now.Add(hurry+lateArrival+2*time.Second)); n != 48 {
		t.Errorf("a minute later a backup takes %d of 50", n)
	}
}
