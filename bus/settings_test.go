package bus_test

import (
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

func TestSettingsKeepTheirWireForm(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 30, 15, 0, time.UTC)
	for name, v := range map[string]any{
		"guild_settings": bus.GuildSettings{V: 1, LogChannel: "3", AlertChannel: "4", Language: "de", Quarantine: "5",
			Exempt: []bus.Exemption{{Grantee: bus.Grantee{Role: "6"}, Kind: bus.ActionBan, Until: at, By: 2}}, By: 2, At: at},
		"access":          bus.Access{V: 1, Disabled: true, Allow: []bus.Grantee{{Role: "6"}}, Deny: []bus.Grantee{{User: "7"}}, By: 2, At: at},
		"command_set":     bus.CommandSet{V: 1, Names: map[string]string{"ping": "9"}, Hash: "h", At: at},
		"punishment":      bus.Punishment{V: 1, Guild: 1, User: 7, By: 2, Reason: "r", Op: "o", At: at, Until: at.Add(time.Hour), Job: "j"},
		"punishment_args": bus.PunishmentArgs{User: 7, Op: "o"},
		"punishment_done": bus.PunishmentDone{Result: bus.PunishmentLifted},
		"pending_act":     bus.PendingAct{V: 1, Command: "prune", Args: map[string]string{"limit": "5"}, By: 2, Until: at},
		"claim":           bus.Claim{V: 1, Holder: "i"},
	} {
		t.Run(name, func(t *testing.T) { checkGolden(t, name, v) })
	}
}

// TestClaimOnce: of many who claim, one gets it.
func TestClaimOnce(t *testing.T) {
	b := bustest.New(t)
	claims, err := bus.OpenRecords(t.Context(), b, bus.Claims())
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error)
	for range 8 {
		go func() { got <- claims.CreateFor(t.Context(), "1", bus.Claim{V: 1, Holder: "i"}, time.Minute) }()
	}
	won := 0
	for range 8 {
		switch err := <-got; {
		case err == nil:
			won++
		case !bus.IsCode(err, bus.CodeConflict):
			t.Errorf("a claim failed with %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d got it", won)
	}
}
