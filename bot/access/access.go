// Package access says who may run a command: pure computation, and deny is what comes
// out of everything that says nothing.
//
// What comes in: who asks, the checks that the command brings, and what the guild has set
// about it. What goes out: a Decision with its reason. store.go reads what guilds set.
package access

import (
	"slices"

	"github.com/bwmarrin/discordgo"

	"splashtail/bus"
)

// Check is one condition on who asks. One that asks for nothing is never met.
type Check struct {
	Everyone    bool
	Permissions int64 // of Discord; administrators have all
	Any         bool  // one of Permissions is enough
	And         bool  // the next check is needed as well; otherwise it is an alternative
}

// Everyone is met by every member.
func Everyone() []Check { return []Check{{Everyone: true}} }

// Needs is met by who has all of these permissions.
func Needs(permissions int64) []Check { return []Check{{Permissions: permissions}} }

// Asker is who wants to run a command.
type Asker struct {
	User        string
	Roles       []string
	Permissions int64 // of Discord, where they ask
	Owner       bool  // of the guild
}

func (c Check) met(a Asker) bool {
	have := a.Permissions & c.Permissions
	switch {
	case c.Everyone:
		return true
	case c.Permissions == 0:
		return false
	case a.Permissions&discordgo.PermissionAdministrator != 0:
		return true
	case c.Any:
		return have != 0
	}
	return have == c.Permissions
}

// Met evaluates checks: those joined by And stand together, and one such group that is
// met in full is enough. No checks are met by nobody.
func Met(checks []Check, a Asker) bool {
	group := true
	for i, c := range checks {
		group = group && c.met(a)
		if c.And && i < len(checks)-1 {
			continue
		}
		if group {
			return true
		}
		group = true
	}
	return false
}

// Decision is an answer and why.
type Decision struct {
	Allowed bool
	Why     Why
	Where   string // the command whose setting decided, for the Whys that come from settings
}

// Why is the reason of a decision; one closed word, which the catalogue translates.
type Why string

// The reasons.
const (
	WhyOwner    Why = "owner"
	WhyDisabled Why = "disabled"
	WhyDenied   Why = "denied"  // the guild has denied it to the user or a role of theirs
	WhyAllowed  Why = "allowed" // or has allowed it
	WhyChecks   Why = "checks"  // the checks that the command brings are met
	WhyMissing  Why = "missing" // they are not
)

// Level is what a guild has set at a command or at one that it is part of.
type Level struct {
	Command string
	Set     bus.Access
}

// Decide says whether somebody may run a command. levels go from the command itself to
// its root. The owner is never locked out. A disabled part disables what is below it.
// Otherwise the nearest setting that names the user, or else a role of theirs, decides,
// and deny wins where both stand together; then the command's own checks.
func Decide(checks []Check, levels []Level, a Asker) Decision {
	if a.Owner {
		return Decision{Allowed: true, Why: WhyOwner}
	}
	for _, l := range levels {
		if l.Set.Disabled {
			return Decision{Why: WhyDisabled, Where: l.Command}
		}
	}
	for _, l := range levels {
		if why := named(l.Set, a); why != "" {
			return Decision{Allowed: why == WhyAllowed, Why: why, Where: l.Command}
		}
	}
	if Met(checks, a) {
		return Decision{Allowed: true, Why: WhyChecks}
	}
	return Decision{Why: WhyMissing}
}

// named says what a setting decides about somebody; empty: nothing.
func named(set bus.Access, a Asker) Why {
	user := func(g bus.Grantee) bool { return g.User != "" && g.User == a.User }
	role := func(g bus.Grantee) bool { return g.Role != "" && slices.Contains(a.Roles, g.Role) }
	for _, who := range []func(bus.Grantee) bool{user, role} {
		if slices.ContainsFunc(set.Deny, who) {
			return WhyDenied
		}
		if slices.ContainsFunc(set.Allow, who) {
			return WhyAllowed
		}
	}
	return ""
}
