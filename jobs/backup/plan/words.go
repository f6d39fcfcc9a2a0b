package plan

import (
	"fmt"

	"splashtail/jobs/backup/model"
)

func threadFields(t model.Thread) fields {
	f := fields{
		"name": t.Name, "type": t.Type, "parent_id": t.Parent, "auto_archive_duration": orNil(t.AutoArchive),
		"rate_limit_per_user": t.Slowmode, "archived": t.Archived, "locked": t.Locked,
	}
	if t.Type == model.TypePrivateThread {
		f["invitable"] = t.Invitable
	}
	return f
}

// planWords decides which threads and messages are written again: those of channels that the plan makes or that were emptied,
// and threads that are gone. What people wrote is never deleted, and a channel that is still there keeps its messages as they
// are.
func (m *maker) planWords() {
	kept := 0
	for _, c := range sorted(m.Saved.Channels) {
		ref := m.channelOf[c.ID]
		switch {
		case m.Messages[c.ID] == 0:
		case ref == made(c.ID):
			m.planMessages(c.ID, Short(c.Name))
		case ref == c.ID && m.Emptied[c.ID]:
			m.planMessages(c.ID, Short(c.Name)+" again, of which none is there any more")
		case ref != "":
			kept++
		}
	}
	if kept > 0 && m.Options.Names(Messages) {
		of := fmt.Sprintf("of %d channels", kept)
		if kept == 1 {
			of = "of 1 channel"
		}
		m.cannot(words, Messages, "", of, "they are there, at least some of them, and nothing is written twice")
	}
	here := map[model.ID]bool{}
	known := map[string]bool{}
	for _, t := range m.Live.Threads {
		here[t.ID] = true
		known[fmt.Sprint(t.Parent, " ", t.Name)] = true
	}
	tags := map[model.ID][]model.ForumTag{}
	for _, c := range m.Saved.Channels {
		tags[c.ID] = c.Tags
	}
	for _, t := range m.Saved.Threads {
		parent := m.channelOf[t.Parent]
		if m.Messages[t.ID] == 0 || here[t.ID] || known[fmt.Sprint(parent, " ", t.Name)] {
			continue
		}
		step := thing{kind: Thread, phase: words, saved: t.ID, name: t.Name}
		if parent == "" {
			step.no = "its channel is not here"
		}
		if !m.has(Messages) {
			step.no = "threads come back with their messages, which are not to be restored"
		}
		want := t
		want.Parent = parent
		step.want = threadFields(want)
		step.want["pinned"] = t.Flags&(1<<1) != 0
		step.want["tags"] = tagNames(t.Tags, tags[t.Parent])
		if m.settle(step) {
			m.channelOf[t.ID] = made(t.ID)
			m.planMessages(t.ID, Short(t.Name))
		}
	}
}

// tagNames are the tags of a post by name: their ids change with the forum.
func tagNames(ids []model.ID, tags []model.ForumTag) []string {
	out := []string{}
	for _, id := range ids {
		for _, t := range tags {
			if t.ID == id {
				out = append(out, t.Name)
			}
		}
	}
	return out
}

func (m *maker) planMessages(id model.ID, name string) {
	if !m.has(Messages) || m.protect[id] {
		return
	}
	n := m.Messages[id]
	what := fmt.Sprintf("%d messages of %s", n, name)
	if why := m.Rights.lacks(Messages, Create); why != "" {
		m.cannot(words, Messages, id, what, why)
		return
	}
	m.add(words, Step{Op: Create, Kind: Messages, ID: id, Name: what, Fields: []Field{{Name: "count", After: canonical(n)}}})
}
