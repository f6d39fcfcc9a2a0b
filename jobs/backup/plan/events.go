package plan

import (
	"fmt"
	"slices"
	"time"

	"splashtail/jobs/backup/model"
)

func eventFields(e model.Event) fields {
	f := fields{
		"name": e.Name, "description": text(e.Description), "scheduled_start_time": e.Start.UTC(), "scheduled_end_time": nil,
		"privacy_level": e.Privacy, "entity_type": e.EntityType, "channel_id": e.Channel, "entity_metadata": nil,
		"recurrence_rule": nil, "image": orNil(e.Image),
	}
	if e.End != nil {
		f["scheduled_end_time"] = e.End.UTC()
	}
	if e.Location != "" {
		f["entity_metadata"] = map[string]any{"location": e.Location}
	}
	if len(e.Recurrence) > 0 {
		f["recurrence_rule"] = e.Recurrence
	}
	return f
}

// planEvents decides about scheduled events. One that has begun stays as it is, and one whose start is past cannot be made.
func (m *maker) planEvents() {
	saved, live := m.Saved.Events, m.Live.Events
	to := pair(len(saved), len(live),
		by(saved, live, func(e model.Event) string { return string(e.ID) }),
		by(saved, live, func(e model.Event) string { return e.Start.UTC().Format(time.RFC3339) + " " + e.Name }))
	used := 0
	for j, l := range live {
		if slices.Contains(to, j) || !m.remove(others, Event, l.ID, l.Name, "") {
			used++
		}
	}
	for i, e := range saved {
		t := thing{kind: Event, phase: others, saved: e.ID, name: e.Name}
		want := e
		want.Channel = nil
		if e.Channel != nil {
			if ref := m.channelOf[*e.Channel]; ref != "" {
				want.Channel = &ref
			} else {
				t.no = "its channel is not here"
			}
		}
		if j := to[i]; j >= 0 {
			want.Image = m.picture(e.Image, live[j].Image)
			t.live, t.have, t.want = live[j].ID, eventFields(live[j]), eventFields(want)
			if live[j].Status == 1 {
				m.settle(t)
			}
			continue
		}
		switch {
		case !e.Start.After(m.Now):
			t.no = "its start is past"
		case used >= m.limits.Events:
			t.no = fmt.Sprintf("a server takes %d events", m.limits.Events)
		}
		t.want = eventFields(want)
		if m.settle(t) {
			used++
		}
	}
}

func webhookFields(w model.Webhook) fields {
	return fields{"channel_id": w.Channel, "name": text(w.Name), "avatar": orNil(w.Avatar)}
}

// planWebhooks decides about webhooks, those of other services aside. One that is made anew has another address.
func (m *maker) planWebhooks() {
	own := func(w model.Webhook) bool { return w.Type == 1 }
	saved, live := pick(m.Saved.Webhooks, own), pick(m.Live.Webhooks, own)
	for i := range saved {
		saved[i].Channel = m.channelOf[saved[i].Channel]
	}
	to := pair(len(saved), len(live),
		by(saved, live, func(w model.Webhook) string { return string(w.ID) }),
		by(saved, live, func(w model.Webhook) string {
			if w.Channel == "" {
				return ""
			}
			return fmt.Sprint(w.Channel, " ", text(w.Name))
		}))
	used := map[model.ID]int{}
	for j, l := range live {
		if m.lost[l.Channel] {
			continue // goes with its channel
		}
		if slices.Contains(to, j) || !m.remove(others, Webhook, l.ID, nameOf(l.Name), "") {
			used[l.Channel]++
		}
	}
	for i, w := range saved {
		t := thing{kind: Webhook, phase: others, saved: w.ID, name: nameOf(w.Name)}
		if w.Channel == "" {
			t.no = "its channel is not here"
		}
		if j := to[i]; j >= 0 && !m.lost[live[j].Channel] {
			w.Avatar = m.picture(w.Avatar, live[j].Avatar)
			if w.Channel == "" {
				w.Channel = live[j].Channel
			}
			t.live, t.have, t.want = live[j].ID, webhookFields(live[j]), webhookFields(w)
			m.settle(t)
			continue
		}
		t.less = append(t.less, "with a new address, which whoever used it needs")
		if used[w.Channel] >= m.limits.Webhooks {
			t.no = fmt.Sprintf("a channel takes %d webhooks", m.limits.Webhooks)
		}
		t.want = webhookFields(w)
		if m.settle(t) {
			used[w.Channel]++
		}
	}
}

func nameOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
