package incident

import (
	"slices"

	"splashtail/internal/guilds"
)

// recall takes over what was deleted while nobody recorded, as the gateway noted it. What
// the order was then is put together from what is there now and what went later.
func (im *image) recall(list []guilds.Remains) {
	line := map[bool][]string{true: im.lineOf(list, true), false: im.lineOf(list, false)}
	went := map[string]uint64{}
	for _, r := range list {
		went[r.ID] = r.Stream
	}
	for _, was := range list {
		r := remains{object: parseObject(was.Object), members: was.Members, children: was.Children, settings: was.Settings}
		if was.Role {
			r.overwrites = was.Overwrites
		}
		slices.Sort(r.members)
		slices.Sort(r.children)
		slices.Sort(r.settings)
		for _, id := range line[was.Role] {
			if at, gone := went[id]; !gone || at >= was.Stream {
				r.order = append(r.order, id)
			}
		}
		im.keep(was.ID, r)
	}
}

// lineOf puts roles or channels in order, those that are there and those that went.
func (im *image) lineOf(list []guilds.Remains, roles bool) []string {
	now, same := im.channels, compareIDs
	if roles {
		now, same = im.roles, newerFirst
	}
	all := make(map[string]object, len(now))
	for id, o := range now {
		all[id] = o
	}
	for _, r := range list {
		if r.Role == roles {
			all[r.ID] = parseObject(r.Object)
		}
	}
	return order(all, same)
}
