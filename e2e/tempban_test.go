package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"splashtail/internal/sandbox"
)

// TestBanForATimeEndsAfterAKill: everything is killed after the ban, and the next processes lift it when its time is over.
func TestBanForATimeEndsAfterAKill(t *testing.T) {
	t.Parallel()
	o := newVault(t)
	user := must(o.d.AddUser("Ana"))(t)
	noError(t, o.d.AddMember(o.guild, user))
	o.has(o.uses("tempban", map[string]any{"user": user.String(), "for": "5s"}), "banned until")
	o.program.kill()
	if _, banned := o.snapshot().Bans[user]; !banned {
		t.Fatal("nobody is banned")
	}
	o.program = start(t, "up", o.s)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	noError(t, o.d.AwaitRequests(ctx, 1, func(r sandbox.Request) bool {
		return r.Method == "DELETE" && strings.HasSuffix(r.Path, fmt.Sprintf("/bans/%d", user)) && r.Status == 204
	}))
	if _, banned := o.snapshot().Bans[user]; banned {
		t.Error("the ban is still there")
	}
	for _, e := range o.d.AuditLog(o.guild) {
		if strings.Contains(e.Reason, "/lift") {
			return
		}
	}
	t.Error("the audit log does not name the job that lifted the ban")
}
