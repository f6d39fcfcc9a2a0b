package plan

import (
	"slices"

	"splashtail/jobs/backup/model"
)

// merged gives the wanted order with everything else that there is now: such a thing stays right after the one that it
// stands after now, at the start when there is none.
func merged(want, now []model.ID) []model.ID {
	have := map[model.ID]bool{}
	for _, id := range want {
		have[id] = true
	}
	after := map[model.ID][]model.ID{} // what follows a thing, "" for the start
	last := model.ID("")
	for _, id := range now {
		if !have[id] {
			after[last] = append(after[last], id)
			continue
		}
		last = id
	}
	out := slices.Clone(after[""])
	for _, id := range want {
		out = append(out, id)
		out = append(out, after[id]...)
	}
	return out
}

// order adds the step that sorts, when the order of what is there differs or something new comes in. The lists hold what
// can be moved.
func (m *maker) order(k Kind, want, now []model.ID, news bool) {
	if !m.has(k) || !news && slices.Equal(want, now) {
		return
	}
	if why := m.Rights.lacks(k, Update); why != "" {
		m.cannot(orders, k, "", "", why)
		return
	}
	m.add(orders, Step{Op: Update, Kind: k, Fields: []Field{{"order", canonical(now), canonical(want)}}})
}
