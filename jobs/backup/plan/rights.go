package plan

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"splashtail/jobs/backup/model"
)

// Permission bits that a restore needs, with Discord's numbers.
const (
	banMembers        = 1 << 2
	administrator     = 1 << 3
	manageChannels    = 1 << 4
	manageGuild       = 1 << 5
	viewChannel       = 1 << 10
	readHistory       = 1 << 16
	manageNicknames   = 1 << 27
	manageRoles       = 1 << 28
	manageWebhooks    = 1 << 29
	manageExpressions = 1 << 30
	manageEvents      = 1 << 33
	manageThreads     = 1 << 34
	createThreads     = 1 << 35
	createExpressions = 1 << 43
	createEvents      = 1 << 44

	allPermissions = 1<<53 - 1
)

// Rights are what the bot may do in the guild.
type Rights struct {
	User        model.ID `json:"user"`
	Permissions uint64   `json:"permissions"` // of its roles together; all of them for the owner and administrators
	Owner       bool     `json:"owner,omitempty"`
	Top         model.ID `json:"top"` // its highest role: it may touch the roles below alone
}

// RightsOf computes them from the guild's roles and those that the bot has.
func RightsOf(live model.Snapshot, bot model.ID, roles []model.ID) (Rights, error) {
	r := Rights{User: bot, Owner: live.About.OwnerID == bot, Top: live.About.GuildID}
	for _, role := range ranked(live.Roles) {
		if role.ID != live.About.GuildID && !slices.Contains(roles, role.ID) {
			continue
		}
		p, err := parseBits(role.Permissions)
		if err != nil {
			return Rights{}, fmt.Errorf("the permissions of the role %q: %w", role.Name, err)
		}
		r.Permissions |= p
		r.Top = role.ID
	}
	if r.Owner || r.Permissions&administrator != 0 {
		r.Permissions = allPermissions
	}
	return r, nil
}

func (r Rights) admin() bool { return r.Owner || r.Permissions&administrator != 0 }

func (r Rights) has(p uint64) bool { return r.admin() || r.Permissions&p == p }

// needs are the permissions that a kind of thing asks for; which for making and which for changing and deleting.
func needs(k Kind, op Op) uint64 {
	switch k {
	case Role, RoleOrder:
		return manageRoles
	case Channel, ChannelOrder:
		return manageChannels
	case Settings, AutoMod:
		return manageGuild
	case Welcome:
		return manageGuild
	case Onboarding:
		return manageGuild | manageRoles
	case Emoji, Sticker, Sound:
		if op == Create {
			return createExpressions
		}
		return manageExpressions
	case Event:
		if op == Create {
			return createEvents
		}
		return manageEvents
	case Webhook:
		return manageWebhooks
	case Messages: // without the history nobody can look up, after a crash, what was written already
		return manageWebhooks | viewChannel | readHistory
	case Thread:
		return manageThreads | manageWebhooks | createThreads | viewChannel | readHistory
	case Ban:
		return banMembers | manageGuild
	case Member:
		return manageRoles
	}
	return 0
}

// lacks says which permission the bot lacks for an act; empty when none.
func (r Rights) lacks(k Kind, op Op) string {
	need := needs(k, op)
	if r.has(need) {
		return ""
	}
	return "the bot lacks the permission " + names(need&^r.Permissions)
}

// names lists permissions for people.
func names(p uint64) string {
	known := map[int]string{
		0: "Create Invite", 1: "Kick Members", 2: "Ban Members", 3: "Administrator", 4: "Manage Channels", 5: "Manage Server",
		6: "Add Reactions", 7: "View Audit Log", 8: "Priority Speaker", 9: "Video", 10: "View Channels", 11: "Send Messages",
		12: "Send Text-to-Speech Messages", 13: "Manage Messages", 14: "Embed Links", 15: "Attach Files", 16: "Read Message History",
		17: "Mention Everyone", 18: "Use External Emoji", 19: "View Server Insights", 20: "Connect", 21: "Speak", 22: "Mute Members",
		23: "Deafen Members", 24: "Move Members", 25: "Use Voice Activity", 26: "Change Nickname", 27: "Manage Nicknames",
		28: "Manage Roles", 29: "Manage Webhooks", 30: "Manage Expressions", 31: "Use Application Commands", 32: "Request to Speak",
		33: "Manage Events", 34: "Manage Threads", 35: "Create Public Threads", 36: "Create Private Threads",
		37: "Use External Stickers", 38: "Send Messages in Threads", 39: "Use Activities", 40: "Time Out Members",
		41: "View Monetization Insights", 42: "Use Soundboard", 43: "Create Expressions", 44: "Create Events",
		45: "Use External Sounds", 46: "Send Voice Messages", 49: "Create Polls", 50: "Use External Apps", 51: "Pin Messages",
		52: "Bypass Slowmode",
	}
	var list []string
	for p != 0 {
		bit := bits.TrailingZeros64(p)
		p &^= 1 << bit
		if name := known[bit]; name != "" {
			list = append(list, name)
		} else {
			list = append(list, fmt.Sprintf("number %d", bit))
		}
	}
	return strings.Join(list, ", ")
}

func parseBits(b model.Bits) (uint64, error) {
	if b == "" {
		return 0, nil
	}
	p, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not a set of permissions", string(b))
	}
	return p, nil
}

func formatBits(p uint64) model.Bits { return model.Bits(strconv.FormatUint(p, 10)) }
