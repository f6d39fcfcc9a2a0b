package incident

import (
	"encoding/json"
	"maps"
	"slices"
	"sort"
)

// membersPerStep bounds how much of a step is done again after a crash.
const membersPerStep = 100

// steps gives what leads from a guild as it is to the wish.
func (w *wish) steps(now State) []Step {
	var s []Step
	s = append(s, w.harmful(now)...)
	s = append(s, w.roleSteps(now)...)
	s = append(s, w.channelSteps(now)...)
	s = append(s, w.overwriteSteps(now)...)
	if len(w.given) > 0 || !sameOrder(w.roleOrder, now.roleOrder) {
		s = append(s, Step{Do: SortRoles, IDs: w.roleOrder})
	}
	if w.remadeChannels(now) || !sameOrder(w.channelOrder, now.channelOrder) {
		s = append(s, Step{Do: SortChannels, IDs: w.channelOrder})
	}
	if changed := diffKeys(now.guild, w.guild, guildKeys); len(changed) > 0 {
		s = append(s, Step{Do: EditGuild, Name: now.guild.text("name"), Set: changed})
	}
	s = append(s, w.banSteps(now)...)
	s = append(s, w.memberSteps(now)...)
	return append(s, w.deletions(now)...)
}

// harmful ends what the actor left behind and what goes on without them.
func (w *wish) harmful(now State) (s []Step) {
	for _, id := range sorted(now.webhooks) {
		if !w.webhooks[id] {
			s = append(s, Step{Do: DeleteWebhook, ID: id})
		}
	}
	for _, id := range sorted(now.members) {
		if _, stays := w.members[id]; !stays {
			s = append(s, Step{Do: KickBot, ID: id})
		}
	}
	return s
}

func (w *wish) roleSteps(now State) (s []Step) {
	var edits []Step
	for _, id := range w.roleOrder {
		role, was := w.roles[id], now.roles[id]
		if was == nil {
			s = append(s, Step{Do: CreateRole, ID: id, Name: role.text("name"), Set: pick(role, roleKeys)})
		} else if changed := diffKeys(was, role, roleKeys); len(changed) > 0 {
			edits = append(edits, Step{Do: EditRole, ID: id, Name: role.text("name"), Set: changed})
		}
	}
	return append(s, edits...)
}

// channelSteps makes categories before what is in them.
func (w *wish) channelSteps(now State) (s []Step) {
	var rest, edits []Step
	for _, id := range w.channelOrder {
		c, was := w.channels[id], now.channels[id]
		if parent := c.text("parent_id"); parent != "" && w.channels[parent] == nil {
			c["parent_id"] = json.RawMessage("null")
		}
		switch changed := diffKeys(was, c, channelKeys); {
		case was == nil && c.number("type") == typeCategory:
			s = append(s, w.newChannel(id, c))
		case was == nil:
			rest = append(rest, w.newChannel(id, c))
		case len(changed) > 0:
			edits = append(edits, Step{Do: EditChannel, ID: id, Name: c.text("name"), Set: changed})
		}
	}
	return append(append(s, rest...), edits...)
}

func (w *wish) newChannel(id string, c object) Step {
	set := pick(c, channelKeys)
	for _, key := range channelMade {
		if v, ok := c[key]; ok && string(v) != "null" {
			set[key] = v
		}
	}
	list := []object{}
	for _, target := range sorted(w.overwrites[id]) {
		if o := w.overwrites[id][target]; w.knows(target, o) {
			list = append(list, o.wire(target))
		}
	}
	set["permission_overwrites"], _ = json.Marshal(list) // raw values always encode
	return Step{Do: CreateChannel, ID: id, Name: c.text("name"), Set: set}
}

// knows says whether an overwrite's role is there, or will be.
func (w *wish) knows(target string, o overwrite) bool { return o.Type == 1 || w.roles[target] != nil }

func (w *wish) overwriteSteps(now State) (s []Step) {
	for _, channel := range w.channelOrder {
		if now.channels[channel] == nil {
			continue // made with them
		}
		was, is := overwritesOf(now.channels[channel]), w.overwrites[channel]
		name := now.channels[channel].text("name")
		for _, target := range sorted(is) {
			if o, there := was[target]; (!there || o != is[target]) && w.knows(target, is[target]) {
				s = append(s, Step{Do: SetOverwrite, ID: target, In: channel, Name: name, Set: is[target].wire(target)})
			}
		}
		for _, target := range sorted(was) {
			if _, stays := is[target]; !stays {
				s = append(s, Step{Do: DeleteOverwrite, ID: target, In: channel, Name: name})
			}
		}
	}
	return s
}

func (w *wish) remadeChannels(now State) bool {
	for id := range w.channels {
		if now.channels[id] == nil {
			return true
		}
	}
	return false
}

func (w *wish) banSteps(now State) (unbans []Step) {
	var bans []Step
	for _, user := range sorted(w.bans) {
		switch {
		case now.bans[user] && !w.bans[user]:
			unbans = append(unbans, Step{Do: Unban, ID: user})
		case !now.bans[user] && w.bans[user]:
			bans = append(bans, Step{Do: Ban, ID: user})
		}
	}
	return append(unbans, bans...)
}

func (w *wish) memberSteps(now State) (s []Step) {
	give, take := maps.Clone(w.given), map[string][]string{}
	var edits []Step
	for _, user := range sorted(now.members) {
		is, stays := w.members[user]
		if !stays {
			continue
		}
		was := now.members[user]
		for _, role := range is.roles {
			if !slices.Contains(was.roles, role) {
				give[role] = set(give[role], user, true)
			}
		}
		for _, role := range was.roles {
			if !slices.Contains(is.roles, role) {
				take[role] = set(take[role], user, true)
			}
		}
		if changed := diffKeys(was.keys, is.keys, memberKeys); len(changed) > 0 {
			edits = append(edits, Step{Do: EditMember, ID: user, Set: changed})
		}
	}
	s = append(w.roleMembers(GiveRole, give), w.roleMembers(TakeRole, take)...)
	return append(s, edits...)
}

func (w *wish) roleMembers(do Verb, by map[string][]string) (s []Step) {
	for _, role := range w.roleOrder {
		for users := range slices.Chunk(by[role], membersPerStep) {
			s = append(s, Step{Do: do, ID: role, Name: w.roles[role].text("name"), IDs: users})
		}
	}
	return s
}

func (w *wish) deletions(now State) (s []Step) {
	for _, id := range now.channelOrder {
		if w.channels[id] == nil {
			s = append(s, Step{Do: DeleteChannel, ID: id, Name: now.channels[id].text("name")})
		}
	}
	for _, id := range now.roleOrder {
		if w.roles[id] == nil {
			s = append(s, Step{Do: DeleteRole, ID: id, Name: now.roles[id].text("name")})
		}
	}
	return s
}

// diffKeys gives the keys that differ, as they shall be.
func diffKeys(was, is object, keys map[string]string) object {
	changed := object{}
	for key, none := range keys {
		if !same(was[key], is[key]) {
			changed[key] = orNone(is[key], none)
		}
	}
	return changed
}

// pick gives the keys that are something.
func pick(o object, keys map[string]string) object {
	out := object{}
	for key := range keys {
		if v, ok := o[key]; ok && !empty(v) || key == "permissions" && ok {
			out[key] = v
		}
	}
	return out
}

func sorted[T any](m map[string]T) []string {
	ids := make([]string, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	sort.Slice(ids, func(i, j int) bool { return compareIDs(ids[i], ids[j]) < 0 })
	return ids
}
