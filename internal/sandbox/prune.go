package sandbox

import (
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// SetLastSeen says when a member was last active in a guild, which is what prunes look at. Until it is called that is when
// the member joined.
func (d *Discord) SetLastSeen(guildID, userID ID, at time.Time) error {
	return d.scriptMember(guildID, userID, "seen", func(_ *guild, m *member) error {
		m.seen = at
		return nil
	})
}

type wirePrune struct {
	Pruned *int `json:"pruned"`
}

// prunable lists the members who were away that long and have no roles, those aside that count as none.
func (g *guild) prunable(now time.Time, days int, include []ID) []*member {
	var list []*member
	for _, id := range sortedIDs(g.members) {
		m := g.members[id]
		held := slices.ContainsFunc(m.roles, func(r ID) bool { return !slices.Contains(include, r) })
		if !held && !m.user.bot && id != g.owner && m.lastSeen().Before(now.AddDate(0, 0, -days)) {
			list = append(list, m)
		}
	}
	return list
}

func (m *member) lastSeen() time.Time {
	if m.seen.IsZero() {
		return m.joined
	}
	return m.seen
}

func countPrune(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild | KickMembers)
	if err != nil {
		return nil, err
	}
	days, err := c.intQuery("days", 7, 1, 30)
	if err != nil {
		return nil, err
	}
	var include []ID
	for _, s := range strings.FieldsFunc(strings.Join(c.query["include_roles"], ","), func(r rune) bool { return r == ',' }) {
		if id, bad := ParseID(s); bad == nil {
			include = append(include, id)
		}
	}
	n := len(g.prunable(c.now, days, include))
	return wirePrune{&n}, nil
}

// beginPrune kicks everybody whom the count names. There is one audit entry for all of them.
func beginPrune(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild | KickMembers)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(true)
	if err != nil {
		return nil, err
	}
	days, counted, include, err := parsePrune(keys)
	if err != nil {
		return nil, err
	}
	gone := g.prunable(c.now, days, include)
	for _, m := range gone {
		c.d.dropMember(g, m, c.actor())
	}
	c.audit(g, AuditEntry{Action: AuditMemberPrune, Options: memberCount(days, len(gone))})
	if !counted {
		return wirePrune{}, nil
	}
	n := len(gone)
	return wirePrune{&n}, nil
}

func parsePrune(keys map[string]json.RawMessage) (days int, counted bool, include []ID, err *apiError) {
	var bad formErrors
	wish := struct {
		days  field[int]
		count field[bool]
		roles field[[]ID]
	}{days: field[int]{value: 7}, count: field[bool]{value: true}}
	read(&bad, keys, "days", &wish.days, asRange(1, 30))
	read(&bad, keys, "compute_prune_count", &wish.count, asBool)
	read(&bad, keys, "include_roles", &wish.roles, asIDs)
	return wish.days.value, wish.count.value, wish.roles.value, bad.err()
}
