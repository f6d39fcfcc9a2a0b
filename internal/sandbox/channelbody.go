package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"
)

// channelBody is the body of a new or changed channel: only the keys that were sent are set.
type channelBody struct {
	name       field[string]
	kind       field[int]
	position   field[int]
	topic      field[string]
	nsfw       field[bool]
	slowmode   field[int]
	bitrate    field[int]
	userLimit  field[int]
	parent     field[ID]
	overwrites field[[]overwriteBody]
	region     field[string]
	quality    field[int]
	archive    field[int]
	threadSlow field[int]
	sortOrder  field[int]
	layout     field[int]
	flags      field[int]
	reaction   field[wireReaction]
	tags       field[[]wireTag]
}

type overwriteBody struct {
	id field[ID]
	overwriteValues
}

// overwriteValues is an overwrite without its id.
type overwriteValues struct {
	kind        field[int]
	allow, deny field[Permissions]
}

func (b overwriteValues) value() Overwrite {
	return Overwrite{Allow: b.allow.value, Deny: b.deny.value}
}

// parseChannel reads a body; create says that a name has to be there.
func parseChannel(keys map[string]json.RawMessage, create bool) (channelBody, *apiError) {
	var b channelBody
	var bad formErrors
	read(&bad, keys, "name", &b.name, asText(1, 100))
	read(&bad, keys, "type", &b.kind, asChoice(guildChannelTypes()...))
	read(&bad, keys, "position", &b.position, asRange(0, 1<<31-1))
	read(&bad, keys, "topic", &b.topic, asText(0, 4096))
	read(&bad, keys, "nsfw", &b.nsfw, asBool)
	read(&bad, keys, "rate_limit_per_user", &b.slowmode, asRange(0, 21600))
	read(&bad, keys, "bitrate", &b.bitrate, asRange(8000, 384000))
	read(&bad, keys, "user_limit", &b.userLimit, asRange(0, 10000))
	read(&bad, keys, "parent_id", &b.parent, asID)
	read(&bad, keys, "permission_overwrites", &b.overwrites, asOverwrites)
	read(&bad, keys, "rtc_region", &b.region, asText(0, 64))
	read(&bad, keys, "video_quality_mode", &b.quality, asChoice(1, 2))
	read(&bad, keys, "default_auto_archive_duration", &b.archive, asChoice(60, 1440, 4320, 10080))
	read(&bad, keys, "default_thread_rate_limit_per_user", &b.threadSlow, asRange(0, 21600))
	read(&bad, keys, "default_sort_order", &b.sortOrder, asChoice(0, 1))
	read(&bad, keys, "default_forum_layout", &b.layout, asChoice(0, 1, 2))
	read(&bad, keys, "flags", &b.flags, asInt)
	read(&bad, keys, "default_reaction_emoji", &b.reaction, asReaction)
	read(&bad, keys, "available_tags", &b.tags, asTags)
	if create || b.name.null {
		required(&bad, "name", b.name)
	}
	return b, bad.err()
}

func asOverwrites(bad *formErrors, key string, raw json.RawMessage) []overwriteBody {
	items := asItems(100)(bad, key, raw)
	list := make([]overwriteBody, len(items))
	for i, item := range items {
		bad.nest([]string{key, strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, item)
			if !ok {
				return
			}
			read(bad, keys, "id", &list[i].id, asID)
			required(bad, "id", list[i].id)
			list[i].read(bad, keys)
		})
	}
	return list
}

func (b *overwriteValues) read(bad *formErrors, keys map[string]json.RawMessage) {
	read(bad, keys, "type", &b.kind, asChoice(0, 1))
	read(bad, keys, "allow", &b.allow, asPermissions)
	read(bad, keys, "deny", &b.deny, asPermissions)
}

func asReaction(bad *formErrors, key string, raw json.RawMessage) wireReaction {
	var r wireReaction
	bad.nest([]string{key}, func(bad *formErrors) {
		if keys, ok := asObject(bad, raw); ok {
			r.read(bad, keys)
		}
	})
	return r
}

func (r *wireReaction) read(bad *formErrors, keys map[string]json.RawMessage) {
	var id field[ID]
	var name field[string]
	read(bad, keys, "emoji_id", &id, asID)
	read(bad, keys, "emoji_name", &name, asText(0, 100))
	r.EmojiID = nullableID(id.value)
	setPointer(&r.EmojiName, name)
}

// asTags reads the tags of a forum. Those without an id are new; the caller numbers them.
func asTags(bad *formErrors, key string, raw json.RawMessage) []wireTag {
	items := asItems(20)(bad, key, raw)
	list := make([]wireTag, len(items))
	for i, item := range items {
		bad.nest([]string{key, strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, item)
			if !ok {
				return
			}
			var id field[ID]
			var name field[string]
			var moderated field[bool]
			read(bad, keys, "id", &id, asID)
			read(bad, keys, "name", &name, asText(1, 20))
			read(bad, keys, "moderated", &moderated, asBool)
			required(bad, "name", name)
			list[i].ID, list[i].Name, list[i].Moderated = id.value, name.value, moderated.value
			list[i].wireReaction.read(bad, keys)
		})
	}
	return list
}

// apply changes everything but parent, overwrites and position, which have rules of their own.
func (b channelBody) apply(d *Discord, ch *channel) {
	if b.name.set {
		ch.name = channelName(b.name.value, ch.kind)
	}
	setPointer(&ch.topic, b.topic)
	set(&ch.nsfw, b.nsfw)
	set(&ch.slowmode, b.slowmode)
	setPointer(&ch.region, b.region)
	set(&ch.archive, b.archive)
	set(&ch.threadSlow, b.threadSlow)
	set(&ch.flags, b.flags)
	if ch.voice() {
		set(&ch.bitrate, b.bitrate)
		set(&ch.userLimit, b.userLimit)
		set(&ch.quality, b.quality)
	}
	if ch.postable() {
		setPointer(&ch.sortOrder, b.sortOrder)
		set(&ch.layout, b.layout)
		setPointer(&ch.reaction, b.reaction)
		b.applyTags(d, ch)
	}
}

func (b channelBody) applyTags(d *Discord, ch *channel) {
	if !b.tags.set {
		return
	}
	known := func(id ID) bool { return slices.ContainsFunc(ch.tags, func(t wireTag) bool { return t.ID == id }) }
	tags := slices.Clone(b.tags.value)
	for i := range tags {
		if !known(tags[i].ID) {
			tags[i].ID = d.newID()
		}
	}
	ch.tags = tags
}
