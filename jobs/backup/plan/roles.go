package plan

import (
	"fmt"
	"slices"

	"splashtail/jobs/backup/model"
)

func roleFields(r model.Role, everyone bool) fields {
	f := fields{"permissions": string(orZero(r.Permissions))}
	if everyone {
		return f // nothing else of it can be set
	}
	primary := r.Colors.Primary
	if primary == 0 {
		primary = r.Color
	}
	f["name"], f["hoist"], f["mentionable"] = r.Name, r.Hoist, r.Mentionable
	f["colors"] = map[string]any{"primary_color": primary, "secondary_color": r.Colors.Secondary, "tertiary_color": r.Colors.Tertiary}
	f["icon"], f["unicode_emoji"] = orNil(r.Icon), text(r.Emoji)
	return f
}

func orZero(b model.Bits) model.Bits {
	if b == "" {
		return "0"
	}
	return b
}

// planRoles decides about the roles, and knows afterwards which there will be.
func (m *maker) planRoles() {
	saved, live := ranked(m.Saved.Roles), ranked(m.Live.Roles)
	for i, l := range live {
		m.rank[l.ID] = i
	}
	everyone := func(guild model.ID) func(model.Role) string {
		return func(r model.Role) string {
			if r.ID == guild {
				return "everyone"
			}
			return ""
		}
	}
	ofSaved, ofLive := everyone(m.Saved.About.GuildID), everyone(m.Live.About.GuildID)
	plain := func(r model.Role) string {
		if r.Managed || ofSaved(r) != "" || ofLive(r) != "" {
			return ""
		}
		return r.Name
	}
	to := pair(len(saved), len(live),
		pass{func(i int) string { return ofSaved(saved[i]) }, func(j int) string { return ofLive(live[j]) }},
		by(saved, live, func(r model.Role) string { return string(r.ID) }),
		by(saved, live, tagKey), by(saved, live, plain))
	stays := m.dropRoles(live, to)
	room := m.limits.Roles - stays
	// From the highest down: a new role stands below all others that there are, so that this is their order already.
	for i, r := range slices.Backward(saved) {
		t := thing{kind: Role, phase: roles, saved: r.ID, name: r.Name}
		if to[i] >= 0 {
			l := live[to[i]]
			m.roleOf[r.ID] = l.ID
			m.compareRole(t, r, &l)
			continue
		}
		if room <= 0 && !r.Managed {
			t.no = fmt.Sprintf("a server has at most %d roles", m.limits.Roles)
		}
		if m.compareRole(t, r, nil) {
			room--
			m.roleOf[r.ID] = made(r.ID)
		}
	}
	m.orderRoles(saved, live)
}

// dropRoles deletes what the backup has not, and tells how many of the guild's roles stay. If there would be no room for
// new ones beside them, the old ones go first.
func (m *maker) dropRoles(live []model.Role, to []int) (stays int) {
	p := deletions
	news := len(m.Saved.Roles)
	for _, j := range to {
		if j >= 0 {
			news--
		}
	}
	if len(live)+news > m.limits.Roles {
		p = freeing
	}
	for j, l := range live {
		if slices.Contains(to, j) {
			stays++
			continue
		}
		no := ""
		switch {
		case l.ID == m.Live.About.GuildID, l.ID == m.Rights.Top, l.Managed && l.Tags != nil && (l.Tags.Booster || l.Tags.Bot == m.Rights.User):
			stays++
			continue
		case l.Managed:
			no = "it belongs to a bot or another service; it goes when that is removed"
		case !m.below(l):
			no = "it is not below the bot's own role"
		}
		if !m.remove(p, Role, l.ID, l.Name, no) {
			stays++
		}
	}
	return stays
}

// below tells whether the bot may touch a role of the guild as far as the order of roles goes.
func (m *maker) below(l model.Role) bool {
	return m.Rights.Owner || m.rank[l.ID] < m.rank[m.Rights.Top]
}

// compareRole settles one role of the backup; live is nil when there is none.
func (m *maker) compareRole(t thing, r model.Role, live *model.Role) bool {
	everyone := r.ID == m.Saved.About.GuildID
	had := model.Role{}
	if live != nil {
		had = *live
		t.live, t.have = live.ID, roleFields(had, everyone)
		if !m.below(had) {
			t.no = "it is not below the bot's own role"
		}
	} else if r.Managed {
		t.no = "it belongs to a bot or another service that is not here"
	}
	want := r
	held, before := uint64(m.Rights.Permissions), bitsOf(had.Permissions)
	if missing := bitsOf(r.Permissions) &^ (held | before); missing != 0 && !m.Rights.admin() {
		want.Permissions = formatBits(bitsOf(r.Permissions) &^ missing)
		t.less = append(t.less, "without "+names(missing)+", which the bot has not and so cannot give")
	}
	if everyone {
		t.want = roleFields(want, true)
		return m.settle(t)
	}
	want.Icon = m.picture(r.Icon, had.Icon)
	if !m.Live.Guild.Has("ROLE_ICONS") {
		if want.Icon != had.Icon || !sameText(want.Emoji, had.Emoji) {
			t.less = append(t.less, "without its icon, which needs a higher boost level")
		}
		want.Icon, want.Emoji = had.Icon, had.Emoji
	}
	if !m.Live.Guild.Has("ENHANCED_ROLE_COLORS") {
		if want.Colors.Secondary != nil && had.Colors.Secondary == nil {
			t.less = append(t.less, "in one colour: more need a higher boost level")
		}
		want.Colors.Secondary, want.Colors.Tertiary = had.Colors.Secondary, had.Colors.Tertiary
	}
	t.want = roleFields(want, false)
	return m.settle(t)
}

// bitsOf reads permissions that check has read before.
func bitsOf(b model.Bits) uint64 {
	p, err := parseBits(b)
	if err != nil {
		return 0
	}
	return p
}

func sameText(a, b *string) bool { return text(a) == text(b) }

// orderRoles puts all roles that the bot may move into the backup's order, in one step.
func (m *maker) orderRoles(saved, live []model.Role) {
	movable, news := map[model.ID]bool{}, false
	var now []model.ID
	for _, l := range live {
		if l.ID != m.Live.About.GuildID && m.below(l) && !m.lost[l.ID] && !m.protect[l.ID] {
			movable[l.ID] = true
			now = append(now, l.ID)
		}
	}
	var want []model.ID
	for _, r := range saved {
		ref := m.roleOf[r.ID]
		_, isNew := Made(ref)
		if isNew || movable[ref] {
			want = append(want, ref)
			news = news || isNew
		}
	}
	m.order(RoleOrder, merged(want, now), now, news)
}
