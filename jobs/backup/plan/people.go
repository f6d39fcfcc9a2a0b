package plan

import (
	"fmt"
	"slices"

	"splashtail/jobs/backup/model"
)

// planPeople decides about bans and members.
func (m *maker) planPeople() {
	m.planBans()
	if !m.has(Member) || len(m.Saved.Members) == 0 {
		return
	}
	live := map[model.ID]model.Member{}
	for _, l := range m.Live.Members {
		live[l.User] = l
	}
	gone := 0
	for _, w := range m.Saved.Members {
		l, here := live[w.User]
		if !here || !isID(w.User) {
			gone++
			continue
		}
		m.compareMember(w, l)
	}
	if gone > 0 {
		m.cannot(people, Member, "", fmt.Sprintf("(%d of them)", gone), "they are not in the server")
	}
}

// planBans bans who is not banned any more. No mode lifts a ban: who was banned since the backup may be the raider that it is
// restored after, and a ban that is lifted by mistake does more harm than one that stays. An exact plan says which stay.
func (m *maker) planBans() {
	if !m.has(Ban) {
		return
	}
	banned, saved, kept := map[model.ID]bool{}, map[model.ID]bool{}, 0
	for _, b := range m.Saved.Bans {
		saved[b.User] = true
	}
	for _, b := range m.Live.Bans {
		banned[b.User] = true
		if !saved[b.User] && !m.protect[b.User] {
			kept++
		}
	}
	if kept > 0 && m.Options.Mode == Exact {
		m.cannot(people, Ban, "", users(kept), "the backup has them not, and a restore lifts no ban; they stay banned")
	}
	var list []model.ID
	for _, b := range m.Saved.Bans {
		if isID(b.User) && !banned[b.User] && !m.protect[b.User] {
			banned[b.User] = true
			list = append(list, b.User)
		}
	}
	slices.SortFunc(list, compareIDs)
	if len(list) == 0 {
		return
	}
	name := users(len(list))
	if why := m.Rights.lacks(Ban, Create); why != "" {
		m.cannot(people, Ban, "", name, why)
		return
	}
	m.add(people, Step{Op: Create, Kind: Ban, Name: name, Fields: []Field{{Name: "user_ids", After: canonical(list)}}})
}

func users(n int) string {
	if n == 1 {
		return "1 user"
	}
	return fmt.Sprintf("%d users", n)
}

// compareMember settles a member's roles and name. Roles that the bot may not give or take stay as they are.
func (m *maker) compareMember(w, l model.Member) {
	t := thing{kind: Member, phase: people, saved: w.User, live: l.User, name: string(w.User)}
	var roles []model.ID
	for _, r := range l.Roles {
		if m.lost[r] {
			continue
		}
		if m.Options.Mode == Merge || !m.canGive(r) {
			roles = append(roles, r)
		}
	}
	for _, r := range w.Roles {
		ref := m.roleOf[r]
		if ref == "" || ref == m.Live.About.GuildID || slices.Contains(roles, ref) {
			continue
		}
		if _, isNew := Made(ref); isNew || m.canGive(ref) {
			roles = append(roles, ref)
		} else if !slices.Contains(l.Roles, ref) {
			t.less = append(t.less, "without a role that the bot cannot give")
		}
	}
	t.less = slices.Compact(t.less)
	had := slices.DeleteFunc(slices.Clone(l.Roles), func(r model.ID) bool { return m.lost[r] })
	slices.Sort(roles)
	slices.Sort(had)
	t.have, t.want = fields{"roles": orEmpty(had)}, fields{"roles": orEmpty(roles)}
	if m.Rights.has(manageNicknames) && (w.Nick != nil || m.Options.Mode == Exact) {
		t.have["nick"], t.want["nick"] = text(l.Nick), text(w.Nick)
	}
	m.settle(t)
}

// canGive tells whether the bot may give and take a role of the guild.
func (m *maker) canGive(id model.ID) bool {
	if m.giveable == nil {
		m.giveable = map[model.ID]bool{}
		for _, r := range m.Live.Roles {
			m.giveable[r.ID] = r.ID != m.Live.About.GuildID && !r.Managed && m.below(r) && !m.protect[r.ID]
		}
	}
	return m.giveable[id]
}
