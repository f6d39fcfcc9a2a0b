package plan

import (
	"fmt"

	"splashtail/jobs/backup/model"
)

// limitOverwrites rewrites a channel's overwrites for this guild: by its roles, and changing only what the bot may. A bot
// can allow and deny what it has itself, and Manage Roles only as an administrator.
func (m *maker) limitOverwrites(t *thing, want *model.Channel, had model.Channel) {
	list, gone := m.translate(want.Overwrites)
	want.Overwrites = list
	if gone > 0 {
		t.less = append(t.less, fmt.Sprintf("without the permissions of %d roles that are not here", gone))
	}
	if m.Rights.admin() {
		return
	}
	if string(canonical(overwritesOf(*want))) == string(canonical(overwritesOf(had))) {
		return
	}
	if !m.Rights.has(manageRoles) {
		if t.live == "" && len(list) > 0 {
			t.no = "the bot lacks the permission Manage Roles, and without its permissions the channel would be open to all"
		}
		t.less = append(t.less, "without a change of its permissions, which needs Manage Roles")
		want.Overwrites = had.Overwrites
		return
	}
	blocked := m.blockOverwrites(want, had)
	if blocked != 0 {
		t.less = append(t.less, "without changes of "+names(blocked)+", which the bot may not allow or deny")
	}
	if t.live == "" && blocked&viewChannel != 0 {
		t.no = "the bot may not say who sees it, and so it would be open to all"
	}
}

// blockOverwrites keeps what the bot may not change as it is, and tells which permissions that are.
func (m *maker) blockOverwrites(want *model.Channel, had model.Channel) (blocked uint64) {
	before := map[model.ID]model.Overwrite{}
	for _, o := range had.Overwrites {
		before[o.ID] = o
	}
	can := m.Rights.Permissions &^ manageRoles
	for i := range want.Overwrites {
		o := &want.Overwrites[i]
		was := before[o.ID]
		delete(before, o.ID)
		allow, deny := bitsOf(o.Allow), bitsOf(o.Deny)
		no := ((allow ^ bitsOf(was.Allow)) | (deny ^ bitsOf(was.Deny))) &^ can
		blocked |= no
		o.Allow = formatBits(allow&^no | bitsOf(was.Allow)&no)
		o.Deny = formatBits(deny&^no | bitsOf(was.Deny)&no)
	}
	for _, o := range had.Overwrites {
		if _, left := before[o.ID]; !left {
			continue
		}
		allow, deny := bitsOf(o.Allow)&^can, bitsOf(o.Deny)&^can
		if allow|deny == 0 {
			continue
		}
		blocked |= allow | deny
		want.Overwrites = append(want.Overwrites, model.Overwrite{ID: o.ID, Type: o.Type, Allow: formatBits(allow), Deny: formatBits(deny)})
	}
	return blocked
}

// translate gives overwrites the guild's roles; gone counts those of roles that are not here.
func (m *maker) translate(list []model.Overwrite) (out []model.Overwrite, gone int) {
	seen := map[model.ID]bool{}
	for _, o := range list {
		if o.Type == 0 {
			if o.ID = m.roleOf[o.ID]; o.ID == "" {
				gone++
				continue
			}
		}
		if !seen[o.ID] {
			out = append(out, o)
		}
		seen[o.ID] = true
	}
	return out, gone
}
