package bus_test

import (
	"testing"
	"time"

	"splashtail/bus"
)

func TestLockdownsKeepTheirWireForm(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 30, 15, 0, time.UTC)
	role, overwrite := bus.LockTarget{ID: "5"}, bus.LockTarget{Channel: "6", ID: "7", Member: true}
	checkGolden(t, "lockdown", bus.Lockdown{V: 1,
		Locks: []bus.Lock{{ID: "8", Scope: bus.LockChannel, Channel: "6", Phase: bus.LockOpening, By: 2, Reason: "raid", Audit: "Ana (2) · raid · op=8", Told: "6",
			At: at, Until: at.Add(time.Hour), Planned: true, Todo: []bus.LockPart{{LockTarget: overwrite, Bits: 1 << 38}}, Total: 3,
			Failed: []bus.LockFailure{{LockTarget: role, Why: "missing"}}, OpenedBy: 3}},
		Holds: []bus.Hold{{LockTarget: overwrite, Created: true, Allow: 2048, Deny: 64, By: map[string]int64{"8": 1 << 38}}},
	})
}
