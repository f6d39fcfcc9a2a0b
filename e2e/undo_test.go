package e2e

import (
	"strings"
	"testing"
	"time"

	"splashtail/internal/sandbox"
)

// TestIncidentIsUndoneByCommands goes the way of a server's owner after a moderator went mad: the incident, the plan, the
// button, a job that a message follows, and the server is as before.
func TestIncidentIsUndoneByCommands(t *testing.T) {
	t.Parallel()
	o := newVault(t)
	owner := o.d.As(o.owner)
	mod := must(o.d.AddUser("Mona"))(t)
	role := must(o.d.AddRole(o.guild, "moderators", sandbox.Administrator))(t)
	noError(t, o.d.AddMember(o.guild, mod, role))
	vip := must(owner.CreateRole(o.guild, "vip", sandbox.ViewChannel))(t)
	fan := must(o.d.AddUser("Fay"))(t)
	noError(t, o.d.AddMember(o.guild, fan, vip))
	den := must(owner.CreateChannel(o.guild, "the-den", sandbox.TextChannel, 0))(t)
	noError(t, owner.EditOverwrite(den, vip, 0, sandbox.Overwrite{Allow: sandbox.SendMessages}))
	before := o.snapshot()

	mad := o.d.As(mod)
	noError(t, mad.DeleteChannel(den))
	noError(t, mad.DeleteRole(o.guild, vip))
	must(mad.CreateChannel(o.guild, "spam", sandbox.TextChannel, 0))(t)
	opened := o.uses("incident open", map[string]any{"user": mod.String(), "reason": "gone mad"})
	_, id, ok := strings.Cut(said(opened), "Incident ")
	if id, _, _ = strings.Cut(id, ":"); !ok || id == "" {
		t.Fatalf("no incident was opened: %s", said(opened))
	}
	incident := map[string]any{"incident": id}
	for deadline := time.Now().Add(patience); ; {
		if s := said(o.uses("incident show", incident)); strings.Contains(s, "the-den") && strings.Contains(s, "vip") && strings.Contains(s, "made the channel") {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("the journal does not get what was done: %s", s)
		}
	}
	asked := o.uses("incident undo", incident)
	o.has(asked, "Make channels again: 1")
	o.presses(asked, "Undo ")
	o.sees("Undo of an incident", "✅ done", "Give roles back: 1")
	for _, difference := range differences(before, o.snapshot()) {
		t.Error(difference)
	}
	o.has(o.uses("incident show", incident), ": undone")
	o.has(o.uses("incident undo", incident), "undone or being undone")
	o.has(o.uses("job list", nil), "Undo of an incident")
}
