package plan

import (
	"fmt"
	"slices"

	"splashtail/jobs/backup/model"
)

func emojiFields(e model.Emoji) fields {
	roles := slices.Clone(e.Roles)
	slices.Sort(roles)
	if roles == nil {
		roles = []model.ID{}
	}
	return fields{"name": e.Name, "roles": roles}
}

func stickerFields(s model.Sticker) fields {
	return fields{"name": s.Name, "description": text(s.Description), "tags": s.Tags}
}

func soundFields(s model.Sound) fields {
	f := fields{"name": s.Name, "volume": s.Volume, "emoji_id": s.EmojiID, "emoji_name": nil}
	if s.EmojiID == nil {
		f["emoji_name"] = text(s.EmojiName)
	}
	return f
}

// expression is what emojis, stickers and sounds have in common: a file that is set once.
type expression struct {
	id    model.ID
	name  string
	file  model.FileKey
	fixed string // why it cannot be made or changed
	pool  string // what shares a limit
	most  int
	set   fields
}

// replaced keeps things apart that have one name and two different files.
func replaced(to []int, saved, live []expression) {
	for i, j := range to {
		if j >= 0 && saved[i].file != "" && live[j].file != "" && saved[i].file != live[j].file {
			to[i] = -1
		}
	}
}

// planFiles decides about all emojis, stickers or sounds. set gives the values to set, with this guild's references.
func (m *maker) planFiles(k Kind, p phase, saved, live []expression, ref map[model.ID]model.ID) {
	to := pair(len(saved), len(live),
		by(saved, live, func(e expression) string { return string(e.id) }),
		by(saved, live, func(e expression) string { return e.name }))
	replaced(to, saved, live)
	used, news := map[string]int{}, map[string]int{}
	for i, j := range to {
		if j < 0 && saved[i].fixed == "" {
			news[saved[i].pool]++
		}
	}
	total := map[string]int{}
	for _, l := range live {
		total[l.pool]++
	}
	for j, l := range live {
		at := deletions
		if total[l.pool]+news[l.pool] > l.most {
			at = freeing
		}
		if slices.Contains(to, j) || l.fixed != "" || !m.remove(at, k, l.id, l.name, "") {
			used[l.pool]++
		}
	}
	for i, e := range saved {
		t := thing{kind: k, phase: p, saved: e.id, name: e.name, want: e.set}
		if j := to[i]; j >= 0 {
			ref[e.id] = live[j].id
			t.live, t.have, t.no = live[j].id, live[j].set, live[j].fixed
			m.settle(t)
			continue
		}
		switch t.no = e.fixed; {
		case t.no != "":
		case e.file == "":
			t.no = "the backup has not got its file"
		case used[e.pool] >= e.most:
			t.no = fmt.Sprintf("a server takes %d of these at this boost level", e.most)
		}
		t.want["file"] = e.file
		if m.settle(t) {
			used[e.pool]++
			ref[e.id] = made(e.id)
		}
	}
}

func (m *maker) planEmojis() {
	of := func(list []model.Emoji, own bool) []expression {
		var out []expression
		for _, e := range list {
			x := expression{id: e.ID, name: e.Name, file: e.File, most: m.limits.Emojis, pool: fmt.Sprint(e.Animated)}
			if e.Managed {
				x.fixed = "it belongs to another service"
			}
			if !own {
				var roles []model.ID
				for _, r := range e.Roles {
					if ref := m.roleOf[r]; ref != "" {
						roles = append(roles, ref)
					}
				}
				e.Roles = roles
			}
			x.set = emojiFields(e)
			out = append(out, x)
		}
		return out
	}
	m.planFiles(Emoji, emojis, of(m.Saved.Emojis, false), of(m.Live.Emojis, true), m.emojiOf)
}

// planExpressions decides about stickers and sounds.
func (m *maker) planExpressions() {
	stickers := func(list []model.Sticker) []expression {
		var out []expression
		for _, s := range list {
			x := expression{id: s.ID, name: s.Name, file: s.File, most: m.limits.Stickers, set: stickerFields(s)}
			if s.Format == 3 {
				x.fixed = "bots cannot make or change Lottie stickers"
			}
			out = append(out, x)
		}
		return out
	}
	sounds := func(list []model.Sound, own bool) []expression {
		var out []expression
		for _, s := range list {
			if !own {
				s.EmojiID = m.emoji(s.EmojiID)
			}
			out = append(out, expression{id: s.ID, name: s.Name, file: s.File, most: m.limits.Sounds, set: soundFields(s)})
		}
		return out
	}
	m.planFiles(Sticker, others, stickers(m.Saved.Stickers), stickers(m.Live.Stickers), map[model.ID]model.ID{})
	m.planFiles(Sound, others, sounds(m.Saved.Sounds, false), sounds(m.Live.Sounds, true), map[model.ID]model.ID{})
}
