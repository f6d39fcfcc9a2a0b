package limits

import (
	"splashtail/bus"
)

// Size is what a profile is cut to.
type Size struct{ Members, Channels, Roles int }

// Profile gives the limits that protect a guild of a size without tuning: moderators of
// a large guild ban more people on an ordinary evening than a small one has members. The
// steps are those that the ancestor proposed and never built; a floor keeps small guilds
// from tripping over one click, a ceiling keeps large ones from losing much before the
// response. Who is not the guild's owner loses their roles on destruction; what can be
// undone at leisure only alerts.
func Profile(s Size) []bus.LimitRule {
	people := membersStep(s.Members)
	things := objectsStep(s.Members)
	roles := func(share int) int { return clamp(s.Roles*share/100, 3, 10) }
	channels := func(share int) int { return clamp(s.Channels*share/100, 3, 10) }
	removals := clamp(s.Members*people.share/100, 3, 30)
	rule := func(id, name string, k bus.ActionKind, n int, w bus.Seconds, r bus.Response) bus.LimitRule {
		return bus.LimitRule{V: 1, ID: id, Name: name, Kind: k, Count: n, Window: w, Respond: r}
	}
	return []bus.LimitRule{
		rule("default-channel-remove", "Deleting channels", bus.ActionChannelRemove, channels(things.share), things.window, bus.RespondStripRoles),
		rule("default-role-remove", "Deleting roles", bus.ActionRoleRemove, roles(things.share), things.window, bus.RespondStripRoles),
		rule("default-channel-add", "Creating channels", bus.ActionChannelAdd, 2*channels(things.share), things.window, bus.RespondStripRoles),
		rule("default-channel-update", "Editing channels", bus.ActionChannelUpdate, 3*channels(things.share), things.window, bus.RespondStripRoles),
		rule("default-role-update", "Editing roles", bus.ActionRoleUpdate, 3*roles(things.share), things.window, bus.RespondStripRoles),
		rule("default-overwrites", "Editing channel permissions", bus.ActionOverwriteChange, 4*channels(things.share), things.window, bus.RespondStripRoles),
		rule("default-ban", "Banning members", bus.ActionBan, removals, people.window, bus.RespondStripRoles),
		rule("default-kick", "Kicking members", bus.ActionKick, removals, people.window, bus.RespondStripRoles),
		rule("default-prune", "Pruning members", bus.ActionMemberPrune, 1, minute, bus.RespondStripRoles),
		rule("default-webhook-create", "Creating webhooks", bus.ActionWebhookCreate, 4, 10*minute, bus.RespondStripRoles),
		rule("default-bot-add", "Adding bots", bus.ActionBotAdd, 2, 10*minute, bus.RespondAlert),
		rule("default-guild-update", "Changing the server", bus.ActionGuildUpdate, 5, 10*minute, bus.RespondAlert),
	}
}

const minute = bus.Seconds(60)

// step is a share in percent within a window.
type step struct {
	share  int
	window bus.Seconds
}

func membersStep(members int) step {
	switch {
	case members < 100:
		return step{10, 10 * minute}
	case members < 500:
		return step{5, 15 * minute}
	case members < 1000:
		return step{2, 17 * minute}
	}
	return step{1, 17 * minute}
}

func objectsStep(members int) step {
	if members < 1000 {
		return step{10, 10 * minute}
	}
	return step{1, 17 * minute}
}

func clamp(n, low, high int) int { return min(max(n, low), high) }
