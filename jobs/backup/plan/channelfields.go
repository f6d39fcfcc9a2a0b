package plan

import (
	"cmp"
	"slices"

	"splashtail/jobs/backup/model"
)

// forumFlags are those that can be set: a post needs a tag, no downloads.
const forumFlags = 1<<4 | 1<<15

func isVoice(kind int) bool { return kind == model.TypeVoice || kind == model.TypeStage }
func isForum(kind int) bool { return kind == model.TypeForum || kind == model.TypeMedia }

// needsCommunity tells which types of channel only a community can make.
func needsCommunity(kind int) bool {
	return kind == model.TypeAnnouncement || kind == model.TypeStage || isForum(kind)
}

func canMake(kind int) bool {
	return kind == model.TypeText || kind == model.TypeVoice || kind == model.TypeCategory || needsCommunity(kind)
}

// sameType tells whether a channel can become one of another type: text and announcements can, the others never.
func sameType(a, b int) bool {
	text := func(t int) bool { return t == model.TypeText || t == model.TypeAnnouncement }
	return a == b || text(a) && text(b)
}

// channelFields are what can be set on a channel of its type.
func channelFields(c model.Channel) fields {
	f := fields{"name": c.Name, "type": c.Type, "permission_overwrites": overwritesOf(c)}
	if c.Type == model.TypeCategory {
		return f
	}
	f["nsfw"], f["rate_limit_per_user"], f["parent_id"] = c.NSFW, c.Slowmode, c.Parent
	if isVoice(c.Type) {
		f["bitrate"], f["user_limit"], f["rtc_region"] = orNil(c.Bitrate), c.UserLimit, text(c.Region)
		f["video_quality_mode"] = max(c.VideoQuality, 1)
		return f
	}
	f["topic"] = text(c.Topic)
	f["default_auto_archive_duration"], f["default_thread_rate_limit_per_user"] = orNil(c.AutoArchive), c.ThreadSlowmode
	if isForum(c.Type) {
		f["flags"], f["default_sort_order"], f["default_reaction_emoji"] = c.Flags&forumFlags, c.SortOrder, reactionOf(c.Reaction)
		f["available_tags"] = tagsOf(c.Tags)
		if c.Type == model.TypeForum {
			f["default_forum_layout"] = c.Layout
		}
	}
	return f
}

func overwritesOf(c model.Channel) []model.Overwrite {
	list := slices.Clone(c.Overwrites)
	for i := range list {
		list[i].Allow, list[i].Deny = formatBits(bitsOf(list[i].Allow)), formatBits(bitsOf(list[i].Deny))
	}
	slices.SortStableFunc(list, func(a, b model.Overwrite) int { return cmp.Compare(a.ID, b.ID) })
	if list == nil {
		return []model.Overwrite{}
	}
	return list
}

func reactionOf(r *model.ReactionEmoji) any {
	if r == nil || r.EmojiID == nil && text(r.EmojiName) == nil {
		return nil
	}
	if r.EmojiID != nil {
		return map[string]any{"emoji_id": r.EmojiID, "emoji_name": nil}
	}
	return map[string]any{"emoji_id": nil, "emoji_name": r.EmojiName}
}

// tagsOf are a forum's tags; one without an id is new.
func tagsOf(tags []model.ForumTag) any {
	list := []map[string]any{}
	for _, t := range tags {
		tag := map[string]any{"name": t.Name, "moderated": t.Moderated, "emoji_id": t.EmojiID, "emoji_name": nil}
		if t.EmojiID == nil {
			tag["emoji_name"] = text(t.EmojiName)
		}
		if t.ID != "" {
			tag["id"] = t.ID
		}
		list = append(list, tag)
	}
	return list
}

// tags gives a forum's tags the ids that the guild has them by, and none to new ones.
func (m *maker) tags(want, live []model.ForumTag) []model.ForumTag {
	to := pair(len(want), len(live),
		by(want, live, func(t model.ForumTag) string { return string(t.ID) }),
		by(want, live, func(t model.ForumTag) string { return t.Name }))
	out := slices.Clone(want)
	for i := range out {
		out[i].ID = ""
		if to[i] >= 0 {
			out[i].ID = live[to[i]].ID
		}
		out[i].EmojiID = m.emoji(out[i].EmojiID)
	}
	if len(out) > m.limits.Tags {
		out = out[:m.limits.Tags]
	}
	return out
}

func (m *maker) reaction(r *model.ReactionEmoji) *model.ReactionEmoji {
	if r == nil || r.EmojiID == nil {
		return r
	}
	id := m.emoji(r.EmojiID)
	if id == nil {
		return nil
	}
	return &model.ReactionEmoji{EmojiID: id}
}

// emoji is the reference to an emoji of the backup; nil when it is gone or of another guild.
func (m *maker) emoji(id *model.ID) *model.ID {
	if id == nil {
		return nil
	}
	if ref := m.emojiOf[*id]; ref != "" {
		return &ref
	}
	return nil
}
