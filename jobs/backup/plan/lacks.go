package plan

import (
	"slices"

	"splashtail/jobs/backup/model"
)

// has tells whether a kind of thing is to be restored and in the backup.
func (m *maker) has(k Kind) bool {
	of := map[Kind]Kind{RoleOrder: Role, ChannelOrder: Channel}
	base, ok := of[k]
	if !ok {
		base = k
	}
	return m.Options.Has(k) && m.Lacks[base] == ""
}

// filled puts what the guild has in place of what the backup does not hold, so that other things can refer to it.
func (in Input) filled() Input {
	s, l := &in.Saved, in.Live
	for kind, fill := range map[Kind]func(){
		Settings: func() { s.Guild = l.Guild }, Channel: func() { s.Channels = slices.Clone(l.Channels) },
		Role: func() { s.Roles = everyoneOf(slices.Clone(l.Roles), l.About.GuildID, s.About.GuildID) }, Emoji: func() { s.Emojis = slices.Clone(l.Emojis) },
		Sticker: func() { s.Stickers = slices.Clone(l.Stickers) }, Sound: func() { s.Sounds = slices.Clone(l.Sounds) },
		AutoMod: func() { s.AutoMod = slices.Clone(l.AutoMod) }, Event: func() { s.Events = slices.Clone(l.Events) },
		Webhook: func() { s.Webhooks = slices.Clone(l.Webhooks) },
	} {
		if in.Lacks[kind] != "" {
			fill()
		}
	}
	return in
}

// everyoneOf gives @everyone the id that it has in another guild.
func everyoneOf(roles []model.Role, from, to model.ID) []model.Role {
	for i := range roles {
		if roles[i].ID == from {
			roles[i].ID = to
		}
	}
	return roles
}

// sayLacks tells what stays since the backup does not hold it: where people have asked for it by name, or for the guild to be
// exactly as saved.
func (m *maker) sayLacks() {
	for _, k := range Kinds() {
		why := m.Lacks[k]
		optional := k == Member || k == Messages || k == Thread
		if why == "" || !m.Options.Has(k) || !m.Options.Names(k) && (m.Options.Mode != Exact || optional) {
			continue
		}
		name := "(all of them)"
		if k == Ban {
			name = "all users"
		}
		m.cannot(others, k, "", name, "not in the backup ("+why+"), and so left as it is")
	}
}
