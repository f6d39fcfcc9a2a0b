package plan

import (
	"fmt"
	"slices"

	"splashtail/jobs/backup/model"
)

func autoModFields(r model.AutoModRule) fields {
	roles, channels := slices.Clone(r.ExemptRoles), slices.Clone(r.ExemptChannels)
	actions := slices.Clone(r.Actions)
	for i, a := range actions {
		if a.Metadata != nil && *a.Metadata == (model.AutoModMetadata{}) {
			actions[i].Metadata = nil // Discord tells nothing as an empty object
		}
	}
	slices.Sort(roles)
	slices.Sort(channels)
	f := fields{
		"name": r.Name, "event_type": r.EventType, "trigger_type": r.TriggerType, "actions": actions, "enabled": r.Enabled,
		"exempt_roles": orEmpty(roles), "exempt_channels": orEmpty(channels), "trigger_metadata": nil,
	}
	if len(r.Trigger) > 0 {
		f["trigger_metadata"] = r.Trigger
	}
	return f
}

func orEmpty(ids []model.ID) []model.ID {
	if ids == nil {
		return []model.ID{}
	}
	return ids
}

// refs rewrites a list of ids of the backup and leaves out what is not here.
func refs(ids []model.ID, of map[model.ID]model.ID) []model.ID {
	var out []model.ID
	for _, id := range ids {
		if ref := of[id]; ref != "" && !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	return out
}

// planAutoMod decides about Discord's own rules. A guild takes few of each trigger, so old ones go first.
func (m *maker) planAutoMod() {
	saved, live := m.Saved.AutoMod, m.Live.AutoMod
	to := pair(len(saved), len(live),
		by(saved, live, func(r model.AutoModRule) string { return fmt.Sprint(r.TriggerType, " ", r.ID) }),
		by(saved, live, func(r model.AutoModRule) string { return fmt.Sprint(r.TriggerType, " ", r.Name) }))
	used := map[int]int{}
	for j, l := range live {
		if slices.Contains(to, j) || !m.remove(others, AutoMod, l.ID, l.Name, "") {
			used[l.TriggerType]++
		}
	}
	for i, r := range saved {
		t := thing{kind: AutoMod, phase: others, saved: r.ID, name: r.Name}
		want := r
		want.ExemptRoles, want.ExemptChannels = refs(r.ExemptRoles, m.roleOf), refs(r.ExemptChannels, m.channelOf)
		want.Actions = m.actions(r.Actions)
		if len(want.Actions) < len(r.Actions) {
			t.less = append(t.less, "without alerts to a channel that is not here")
		}
		if len(want.Actions) == 0 {
			t.no = "nothing is left that it could do"
		}
		t.want = autoModFields(want)
		if j := to[i]; j >= 0 {
			t.live, t.have = live[j].ID, autoModFields(live[j])
			m.settle(t)
			continue
		}
		if most := rulesOf(r.TriggerType); used[r.TriggerType] >= most {
			t.no = fmt.Sprintf("a server takes %d rules of this trigger", most)
		}
		if m.settle(t) {
			used[r.TriggerType]++
		}
	}
}

func (m *maker) actions(list []model.AutoModAction) []model.AutoModAction {
	out := []model.AutoModAction{}
	for _, a := range list {
		if a.Metadata != nil && a.Metadata.Channel != "" {
			meta := *a.Metadata
			meta.Channel = m.channelOf[meta.Channel]
			if meta.Channel == "" {
				continue
			}
			a.Metadata = &meta
		}
		out = append(out, a)
	}
	return out
}
