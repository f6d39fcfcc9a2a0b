package plan

import (
	"slices"

	"splashtail/jobs/backup/model"
)

// dropChannels deletes what the backup has not. Where the guild or a category would overflow before that, the old ones
// go first.
func (m *maker) dropChannels(live []model.Channel) {
	counterpart := map[model.ID]bool{}
	for _, ref := range m.channelOf {
		counterpart[ref] = true
	}
	p := deletions
	if m.crowded() {
		p = freeing
	}
	// Channels before their categories, so that none loses its category on the way.
	for _, categories := range []bool{false, true} {
		for _, l := range live {
			if categories != (l.Type == model.TypeCategory) || counterpart[l.ID] {
				continue
			}
			at := p
			if isRef(m.Live.Guild.RulesChannel, l.ID) || isRef(m.Live.Guild.UpdatesChannel, l.ID) {
				at = deletions // the settings have to name another one first
			}
			m.remove(at, Channel, l.ID, l.Name, m.keep(l))
		}
	}
}

// keep says why a channel that the backup has not cannot be deleted; empty: it can.
func (m *maker) keep(l model.Channel) string {
	if m.community && (l.ID == m.rules || l.ID == m.updates) {
		return "a community needs it for its rules or updates"
	}
	if l.Type != model.TypeCategory {
		return ""
	}
	for _, c := range m.Live.Channels {
		if c.Type != model.TypeCategory && isRef(c.Parent, l.ID) && (m.protect[c.ID] || m.keep(c) != "") {
			return "a channel in it stays"
		}
	}
	return ""
}

// crowded tells whether the new channels have no room beside the old ones.
func (m *maker) crowded() bool {
	all, in := len(m.Live.Channels), map[model.ID]int{}
	for _, c := range m.Live.Channels {
		if c.Parent != nil {
			in[*c.Parent]++
		}
	}
	full := false
	for _, s := range slices.Concat(m.steps[channels], m.steps[community]) {
		var parent *model.ID
		moves := s.Get("parent_id", &parent)
		if s.Op == Create {
			all++
		}
		if moves && parent != nil {
			in[*parent]++
			full = full || in[*parent] > m.limits.PerCategory
		}
	}
	return full || all > m.limits.Channels
}

// group is a list of channels that are sorted among each other: categories, or what is in one of them (or in none), voice
// channels apart from the others.
type group struct {
	parent model.ID
	kind   int // 0 categories, 1 text, 2 voice
}

func groupOf(kind int, parent *model.ID) group {
	g := group{kind: 1}
	if kind == model.TypeCategory {
		return group{}
	}
	if isVoice(kind) {
		g.kind = 2
	}
	if parent != nil {
		g.parent = *parent
	}
	return g
}

// orderChannels sorts the channels of each group, in one step for all.
func (m *maker) orderChannels(saved, live []model.Channel) {
	if !m.has(ChannelOrder) {
		return
	}
	parents, wants, nows := map[model.ID]*model.ID{}, map[group][]model.ID{}, map[group][]model.ID{}
	news := false
	var groups []group
	add := func(to map[group][]model.ID, g group, id model.ID) {
		if wants[g] == nil && nows[g] == nil {
			groups = append(groups, g)
		}
		to[g] = append(to[g], id)
	}
	for _, c := range saved {
		ref := m.channelOf[c.ID]
		if ref == "" || m.protect[ref] || m.protect[c.ID] {
			continue
		}
		m.moveIn(&c)
		_, isNew := Made(ref)
		news = news || isNew
		parents[ref] = c.Parent
		add(wants, groupOf(m.typeOf[c.ID], c.Parent), ref)
	}
	for _, l := range live {
		if m.lost[l.ID] || m.protect[l.ID] {
			continue
		}
		parent := l.Parent
		if p, ok := parents[l.ID]; ok {
			parent = p // where it will be by then
		}
		if parent != nil && m.lost[*parent] {
			parent = nil
		}
		add(nows, groupOf(l.Type, parent), l.ID)
	}
	var want, now []model.ID
	for _, g := range groups {
		want, now = append(want, merged(wants[g], nows[g])...), append(now, nows[g]...)
	}
	m.order(ChannelOrder, want, now, news)
}
