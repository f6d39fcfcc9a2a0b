package moderate

import (
	"errors"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/discord"
)

// TestARefusedBanLeavesThePlanOfBefore: who asks for another time and is refused by Discord
// has changed nothing; after an error that says nothing the new plan stays.
func TestARefusedBanLeavesThePlanOfBefore(t *testing.T) {
	t.Parallel()
	b := bustest.New(t)
	k := NewKeeper(KeeperConfig{}, b, bustest.Log(t))
	if err := k.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	plan := func(op string, span time.Duration) bus.Punishment {
		p := bus.Punishment{V: 1, Guild: 41, User: 7, Op: op, At: now, Until: now.Add(span)}
		if err := k.Plan(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	is := func(what, op string) {
		t.Helper()
		p, known, err := k.Planned(t.Context(), 41, 7)
		if err != nil || known != (op != "") || p.Op != op {
			t.Errorf("%s: the plan is %q, want %q: %v", what, p.Op, op, err)
		}
	}
	refused := &discord.APIError{Status: 403, Code: discord.CodeMissingPermissions}
	first := plan("first", time.Hour)
	second := plan("second", 2*time.Hour)
	k.takeBack(t.Context(), second, first, errors.New("the connection broke"))
	is("no answer", "second")
	k.takeBack(t.Context(), second, first, &discord.APIError{Status: 503})
	is("a fault of Discord", "second")
	k.takeBack(t.Context(), second, first, refused)
	is("refused", "first")
	k.takeBack(t.Context(), second, bus.Punishment{}, refused)
	is("refused, and another plan holds by now", "first")
	k.takeBack(t.Context(), first, bus.Punishment{}, refused)
	is("refused, and nothing was planned before", "")
}
