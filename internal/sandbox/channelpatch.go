package sandbox

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// createChannel makes a channel below all others, or at a position that is then shared. In a category and without overwrites
// of its own it takes over those of the category.
func createChannel(c *call) (any, *apiError) {
	g, me, err := c.guildWith(ManageChannels)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	b, err := parseChannel(keys, true)
	if err != nil {
		return nil, err
	}
	if len(g.channels) >= maxChannels {
		return nil, maximum(30013, "guild channels", maxChannels)
	}
	if err := g.mayHold(b.kind.value); err != nil {
		return nil, err
	}
	ch := newChannel(c.d.newID(), g.id, "", b.kind.value)
	ch.position = g.nextPosition()
	b.apply(c.d, ch)
	if err := g.fits(ch); err != nil {
		return nil, err
	}
	set(&ch.position, b.position)
	if err := c.adopt(g, ch, b.parent); err != nil {
		return nil, err
	}
	switch parent := g.channels[ch.parent]; {
	case b.overwrites.set:
		if err := c.replaceOverwrites(g, me, ch, b.overwrites.value, g.basePermissions(me, c.now)); err != nil {
			return nil, err
		}
	case parent != nil:
		ch.overwrites = maps.Clone(parent.overwrites)
	}
	c.d.putChannel(g, ch)
	c.audit(g, AuditEntry{Action: AuditChannelCreate, Target: ch.id, Changes: whole(ch.auditKeys(g), false)})
	return created(newWireChannel(g, ch)), nil
}

// mayHold says whether a guild has channels of that type: news, stages and forums are for communities.
func (g *guild) mayHold(kind int) *apiError {
	if !g.community() && slices.Contains([]int{NewsChannel, StageChannel, ForumChannel, MediaChannel}, kind) {
		return wrongChannelType()
	}
	return nil
}

// fits holds a channel against what its type and the boosts of its guild allow.
func (g *guild) fits(ch *channel) *apiError {
	var bad formErrors
	if most := g.maxBitrate(ch.kind); ch.bitrate > most {
		bad.add("NUMBER_TYPE_MAX", "int value should be less than or equal to "+strconv.Itoa(most)+".", "bitrate")
	}
	if ch.kind == VoiceChannel && ch.userLimit > 99 {
		bad.add("NUMBER_TYPE_MAX", "int value should be less than or equal to 99.", "user_limit")
	}
	if ch.topic != nil && !ch.postable() && utf8.RuneCountInString(*ch.topic) > 1024 {
		bad.add("BASE_TYPE_BAD_LENGTH", "Must be between 0 and 1024 in length.", "topic")
	}
	for i, t := range ch.tags {
		if id := ID(t.EmojiID); id != 0 && g.emojis[id] == nil {
			bad.add("INVALID_EMOJI", "Unknown emoji", "available_tags", strconv.Itoa(i), "emoji_id")
		}
	}
	return bad.err()
}

// adopt puts a channel into a category that has room for it.
func (c *call) adopt(g *guild, ch *channel, parent field[ID]) *apiError {
	if !parent.set || parent.value == ch.parent {
		return nil
	}
	var bad formErrors
	p, children := g.channels[parent.value], 0
	for _, other := range g.channels {
		if other.parent == parent.value {
			children++
		}
	}
	switch {
	case parent.null:
	case ch.kind == CategoryChannel:
		bad.add("CHANNEL_PARENT_INVALID_TYPE", "A category cannot have a parent", "parent_id")
	case p == nil:
		bad.add("CHANNEL_PARENT_INVALID", "Category does not exist", "parent_id")
	case p.kind != CategoryChannel:
		bad.add("CHANNEL_PARENT_INVALID_TYPE", "Not a category", "parent_id")
	case children >= maxChildren:
		bad.add("CHANNEL_PARENT_MAX_CHANNELS", "Maximum number of channels in category reached ("+strconv.Itoa(maxChildren)+")", "parent_id")
	}
	if err := bad.err(); err != nil {
		return err
	}
	ch.parent = parent.value
	return nil
}

// patchChannel changes all or nothing. Overwrites also need MANAGE_ROLES, and a bot may change name and topic only twice in
// ten minutes, which its bucket does not show.
func patchChannel(c *call) (any, *apiError) {
	ch, g, me, err := c.guildChannelWith(ViewChannel)
	switch {
	case err != nil:
		return nil, err
	case ch.thread != nil:
		return c.patchThread(ch, g, me)
	case !c.mayIn(ch, g, me, ManageChannels):
		return nil, missingPermissions()
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	b, err := parseChannel(keys, false)
	if err != nil {
		return nil, err
	}
	next := *ch
	next.overwrites = maps.Clone(ch.overwrites)
	if err := c.reshape(g, me, &next, b); err != nil {
		return nil, err
	}
	if next.name != ch.name || !equalText(next.topic, ch.topic) {
		if err := c.within("channel rename", ch.id, c.d.limits.limits.ChannelRename); err != nil {
			return nil, err
		}
	}
	before, overwritesBefore := ch.auditKeys(g), ch.overwrites
	*ch = next
	c.channelChanged(g, ch, before, overwritesBefore)
	return newWireChannel(g, ch), nil
}

func (c *call) reshape(g *guild, me *member, next *channel, b channelBody) *apiError {
	if b.kind.set && b.kind.value != next.kind {
		text := []int{TextChannel, NewsChannel}
		if !slices.Contains(text, next.kind) || !slices.Contains(text, b.kind.value) {
			return wrongChannelType()
		}
		if err := g.mayHold(b.kind.value); err != nil {
			return err
		}
		next.kind = b.kind.value
	}
	b.apply(c.d, next)
	if err := g.fits(next); err != nil {
		return err
	}
	set(&next.position, b.position)
	if err := c.adopt(g, next, b.parent); err != nil {
		return err
	}
	if !b.overwrites.set {
		return nil
	}
	have := g.channelPermissions(me, next, c.now)
	if !have.Has(ManageRoles) {
		return missingPermissions()
	}
	return c.replaceOverwrites(g, me, next, b.overwrites.value, have)
}

// channelChanged tells what became of a channel. The audit log has the overwrites in entries of their own.
func (c *call) channelChanged(g *guild, ch *channel, before []auditKey, overwrites map[ID]Overwrite) {
	changes := slices.DeleteFunc(between(before, ch.auditKeys(g)), func(a AuditChange) bool { return a.Key == "permission_overwrites" })
	if len(changes) == 0 && maps.Equal(overwrites, ch.overwrites) {
		return
	}
	c.d.emit(g.id, "CHANNEL_UPDATE", newWireChannel(g, ch))
	c.audit(g, AuditEntry{Action: AuditChannelUpdate, Target: ch.id, Changes: changes})
	for _, id := range sortedIDs(overwrites) {
		c.auditOverwrite(g, ch, id, overwrites)
	}
	for _, id := range sortedIDs(ch.overwrites) {
		if _, had := overwrites[id]; !had {
			c.auditOverwrite(g, ch, id, overwrites)
		}
	}
}

func equalText(a, b *string) bool { return string(rawJSON(a)) == string(rawJSON(b)) }

// channelMove is one entry of PATCH /guilds/{guild_id}/channels.
type channelMove struct {
	id       field[ID]
	position field[int]
	parent   field[ID]
	lock     field[bool]
}

func parseChannelMoves(items []json.RawMessage) ([]channelMove, *apiError) {
	var bad formErrors
	moves := make([]channelMove, len(items))
	for i, raw := range items {
		bad.nest([]string{strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, raw)
			if !ok {
				return
			}
			m := &moves[i]
			read(bad, keys, "id", &m.id, asID)
			read(bad, keys, "position", &m.position, asRange(0, 1<<31-1))
			read(bad, keys, "parent_id", &m.parent, asID)
			read(bad, keys, "lock_permissions", &m.lock, asBool)
			required(bad, "id", m.id)
		})
	}
	return moves, bad.err()
}

// moveChannels sorts channels. Only one of them may change its category in one request (40009), and taking over the
// category's overwrites needs MANAGE_ROLES.
func moveChannels(c *call) (any, *apiError) {
	g, me, err := c.guildWith(ManageChannels)
	if err != nil {
		return nil, err
	}
	items, err := c.listBody(maxChannels)
	if err != nil {
		return nil, err
	}
	moves, err := parseChannelMoves(items)
	if err != nil {
		return nil, err
	}
	next := map[ID]*channel{}
	moved := 0
	for _, m := range moves {
		ch := g.channels[m.id.value]
		if ch == nil {
			return nil, unknownChannel()
		}
		n := *ch
		n.overwrites = maps.Clone(ch.overwrites)
		if m.position.set && !m.position.null {
			n.position = m.position.value
		}
		if err := c.adopt(g, &n, m.parent); err != nil {
			return nil, err
		}
		if n.parent != ch.parent {
			moved++
		}
		if p := g.channels[n.parent]; m.lock.value && p != nil {
			if !g.basePermissions(me, c.now).Has(ManageRoles) {
				return nil, missingPermissions()
			}
			n.overwrites = maps.Clone(p.overwrites)
		}
		next[ch.id] = &n
	}
	if moved > 1 {
		return nil, oneParentOnly()
	}
	for _, id := range sortedIDs(next) {
		ch := g.channels[id]
		before, overwrites := ch.auditKeys(g), ch.overwrites
		*ch = *next[id]
		c.channelChanged(g, ch, before, overwrites)
	}
	return noContent(), nil
}
