package general

import (
	"context"
	"slices"

	"splashtail/bot/command"
	"splashtail/bus"
)

// approvalNobody is the choice that a restore needs no other approval.
const approvalNobody = "nobody"

// approvals lists who else may have to approve a restore, the weakest first.
func approvals() []string { return []string{approvalNobody, bus.NeedsSecond, bus.NeedsOwner} }

// approval gives what changes the approval that restores need. Whoever may change settings may ask for more of it, and the
// owner alone for less: otherwise it would hold nobody back who has an administrator's account.
func approval(ctx context.Context, u *command.Use) (func(*bus.GuildSettings) error, error) {
	wanted := u.Text("restore_approval")
	if wanted == "" {
		return func(*bus.GuildSettings) error { return nil }, nil
	}
	g, err := u.Bot.Guild(ctx, u.GuildID())
	if err != nil {
		return nil, err
	}
	owner := g.OwnerID == u.User.String()
	if wanted == approvalNobody {
		wanted = ""
	}
	strength := func(needs string) int { return slices.Index(approvals(), needs) } // of none: the least
	return func(v *bus.GuildSettings) error {
		if !owner && strength(wanted) < strength(v.RestoreNeeds) {
			return command.Refuse("settings.restore_owner")
		}
		v.RestoreNeeds = wanted
		return nil
	}, nil
}
