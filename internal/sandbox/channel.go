package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Channel types that the sandbox knows, with Discord's numbers.
const (
	TextChannel     = 0
	DMChannel       = 1
	VoiceChannel    = 2
	CategoryChannel = 4
	NewsChannel     = 5
	StageChannel    = 13
	ForumChannel    = 15
	MediaChannel    = 16
)

// maxChildren is how many channels a category takes; Discord does not document it.
const maxChildren = 50

// maxOverwrites is per channel (30060).
const maxOverwrites = 1000

// Overwrite changes permissions in one channel for one role or member.
type Overwrite struct {
	Allow Permissions `json:"allow"`
	Deny  Permissions `json:"deny"`
}

// channel is one of a guild or, with guild zero, a direct one between a bot and a person.
type channel struct {
	id         ID
	guild      ID
	name       string
	kind       int
	position   int
	parent     ID
	overwrites map[ID]Overwrite

	topic      *string
	nsfw       bool
	slowmode   int // seconds between messages of one member
	bitrate    int
	userLimit  int
	region     *string
	quality    int
	archive    int // minutes until threads close
	threadSlow int
	sortOrder  *int
	layout     int
	flags      int
	reaction   *wireReaction
	tags       []wireTag

	messages []*chatMessage // ascending ids, the newest maxMessages
	last     ID             // the newest message that there ever was, of a forum the newest post
	pins     int            // how many of messages are pinned
	pinnedAt time.Time      // when one was last
	thread   *thread        // nil: none
	ends     [2]*user       // of a direct channel: the bot and the person
}

func newChannel(id, guild ID, name string, kind int) *channel {
	c := &channel{id: id, guild: guild, name: name, kind: kind, overwrites: map[ID]Overwrite{}}
	if c.voice() {
		c.bitrate, c.quality = 64_000, 1
	}
	return c
}

func (ch *channel) voice() bool { return ch.kind == VoiceChannel || ch.kind == StageChannel }

// holdsMessages says whether there is a place for messages: everywhere but in categories and forums, whose posts are threads.
func (ch *channel) holdsMessages() bool { return ch.kind != CategoryChannel && !ch.postable() }

// auditKeys are the properties of a channel that the audit log shows.
func (ch *channel) auditKeys(g *guild) []auditKey {
	return []auditKey{
		{"name", ch.name}, {"type", ch.kind}, {"permission_overwrites", wireOverwrites(g, ch)}, {"position", ch.position},
		{"topic", ch.topic}, {"nsfw", ch.nsfw}, {"rate_limit_per_user", ch.slowmode}, {"parent_id", nullableID(ch.parent)},
		{"bitrate", orNil(ch.bitrate)}, {"user_limit", orNil(ch.userLimit)}, {"rtc_region", ch.region},
		{"default_auto_archive_duration", orNil(ch.archive)}, {"available_tags", ch.tags}, {"flags", ch.flags},
	}
}

// orNil makes a number that was never set null.
func orNil(n int) any {
	if n == 0 {
		return nil
	}
	return n
}

// AddChannel makes a channel of one of the types above, below all others.
func (d *Discord) AddChannel(guildID ID, name string, kind int) (ID, error) {
	return edit(d, guildID, func(g *guild) (ID, error) {
		if len(g.channels) >= maxChannels {
			return 0, fmt.Errorf("sandbox: guild %s has %d channels, the most there can be; none was added", guildID, maxChannels)
		}
		if !slices.Contains(guildChannelTypes(), kind) {
			return 0, fmt.Errorf("sandbox: guilds have no channels of type %d; none was added to guild %s", kind, guildID)
		}
		c := newChannel(d.newID(), g.id, name, kind)
		c.position = g.nextPosition()
		d.putChannel(g, c)
		return c.id, nil
	})
}

// SetParent puts a channel into a category; zero takes it out of one. Overwrites stay as they are.
func (d *Discord) SetParent(guildID, channelID, parent ID) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		c, p := g.channels[channelID], g.channels[parent]
		if c == nil || c.kind == CategoryChannel || parent != 0 && (p == nil || p.kind != CategoryChannel) {
			return 0, fmt.Errorf("sandbox: %s and %s are not a channel and a category of guild %s; nothing was moved", channelID, parent, guildID)
		}
		c.parent = parent
		d.emit(g.id, "CHANNEL_UPDATE", newWireChannel(g, c))
		return 0, nil
	})
	return err
}

func guildChannelTypes() []int {
	return []int{TextChannel, VoiceChannel, CategoryChannel, NewsChannel, StageChannel, ForumChannel, MediaChannel}
}

// putChannel adds a channel to a guild and tells it.
func (d *Discord) putChannel(g *guild, c *channel) {
	g.channels[c.id] = c
	d.places[c.id] = g.id
	d.emit(g.id, "CHANNEL_CREATE", newWireChannel(g, c))
}

// nextPosition is below all channels there are.
func (g *guild) nextPosition() int {
	next := 0
	for _, c := range g.channels {
		next = max(next, c.position+1)
	}
	return next
}

// SetOverwrite sets what a role or member may do in a channel beyond or below what the guild says.
func (d *Discord) SetOverwrite(guildID, channelID, target ID, o Overwrite) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		c := g.channels[channelID]
		if c == nil {
			return 0, fmt.Errorf("sandbox: no channel %s in guild %s; no overwrite was set", channelID, guildID)
		}
		if g.roles[target] == nil && g.members[target] == nil {
			return 0, fmt.Errorf("sandbox: %s is no role or member of guild %s; no overwrite was set", target, guildID)
		}
		c.overwrites[target] = o
		d.emit(g.id, "CHANNEL_UPDATE", newWireChannel(g, c))
		return 0, nil
	})
	return err
}

// channelRoutes are the routes of channels, messages aside.
func channelRoutes() []route {
	const list, one = "/guilds/{guild_id}/channels", "/channels/{channel_id}"
	const overwrite = one + "/permissions/{overwrite_id}"
	return []route{
		{method: "GET", pattern: list, bucket: "channels", limit: per(10, 10*time.Second), handle: listChannels},
		{method: "POST", pattern: list, bucket: "channel-create", limit: per(10, 10*time.Second), handle: createChannel},
		{method: "PATCH", pattern: list, bucket: "channel-positions", limit: per(5, 5*time.Second), handle: moveChannels},
		{method: "GET", pattern: one, bucket: "channel", limit: per(10, 10*time.Second), handle: getChannel},
		{method: "PATCH", pattern: one, bucket: "channel-patch", limit: per(5, 5*time.Second), handle: patchChannel},
		{method: "DELETE", pattern: one, bucket: "channel-delete", limit: per(5, 5*time.Second), handle: deleteChannel},
		{method: "PUT", pattern: overwrite, bucket: "overwrite", limit: per(10, 10*time.Second), handle: putOverwrite},
		{method: "DELETE", pattern: overwrite, bucket: "overwrite", limit: per(10, 10*time.Second), handle: deleteOverwrite},
	}
}

// channelFor finds the channel that a path names and the guild that it is in, nil for a direct one: 10003 when there is
// none, 50001 when the caller is not there or may not see it.
func (c *call) channelFor() (*channel, *guild, *member, *apiError) {
	id := c.pathID("channel_id")
	if dm := c.d.direct[id]; dm != nil {
		if !slices.Contains(dm.ends[:], c.me) {
			return nil, nil, nil, missingAccess()
		}
		return dm, nil, nil, nil
	}
	g := c.d.guilds[c.d.places[id]]
	if g == nil {
		return nil, nil, nil, unknownChannel()
	}
	c.guild = g.id
	ch, me := g.place(id), g.members[c.me.id]
	switch {
	case ch == nil:
		return nil, nil, nil, unknownChannel()
	case me == nil, !g.sees(me, ch, c.now):
		return nil, nil, nil, missingAccess()
	}
	return ch, g, me, nil
}

// guildChannelWith is channelFor for routes that need permissions there and know no direct channels.
func (c *call) guildChannelWith(p Permissions) (*channel, *guild, *member, *apiError) {
	ch, g, me, err := c.channelFor()
	switch {
	case err != nil:
		return nil, nil, nil, err
	case g == nil:
		return nil, nil, nil, onDirectChannel()
	case !g.channelPermissions(me, ch, c.now).Has(p):
		return nil, nil, nil, missingPermissions()
	case c.lacksFactor(g, p):
		return nil, nil, nil, factorNeeded()
	}
	return ch, g, me, nil
}

func listChannels(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	return wireChannels(g), nil
}

func getChannel(c *call) (any, *apiError) {
	ch, g, _, err := c.channelFor()
	if err != nil {
		return nil, err
	}
	if g == nil {
		return newWireDirect(ch, c.me), nil
	}
	if ch.thread != nil {
		w := newWireThread(ch)
		w.Member = ch.member(c.me.id)
		return w, nil
	}
	return newWireChannel(g, ch), nil
}

// deleteChannel also ends what hangs on a channel: its children lose their parent, its threads are gone, people in it leave voice, its webhooks
// and invites are gone.
func deleteChannel(c *call) (any, *apiError) {
	ch, g, me, err := c.channelFor()
	if err != nil {
		return nil, err
	}
	if g == nil {
		return newWireDirect(ch, c.me), nil // closes it for the caller; the other end keeps it
	}
	if ch.thread != nil {
		return c.deleteThread(ch, g, me)
	}
	ch, g, _, err = c.guildChannelWith(ManageChannels)
	if err != nil {
		return nil, err
	}
	if g.community() && (ch.id == g.set.rules || ch.id == g.set.updates) {
		return nil, neededByCommunity()
	}
	gone, keys := newWireChannel(g, ch), ch.auditKeys(g)
	delete(g.channels, ch.id)
	delete(c.d.places, ch.id)
	c.d.emit(g.id, "CHANNEL_DELETE", gone)
	c.unhang(g, ch)
	c.audit(g, AuditEntry{Action: AuditChannelDelete, Target: ch.id, Changes: whole(keys, true)})
	return gone, nil
}

func (c *call) unhang(g *guild, ch *channel) {
	for _, t := range g.threadsOf(func(t *channel) bool { return t.parent == ch.id }) {
		delete(g.threads, t.id) // Discord tells of the channel only
		delete(c.d.places, t.id)
	}
	for _, id := range sortedIDs(g.channels) {
		if child := g.channels[id]; child.parent == ch.id {
			child.parent = 0
			c.d.emit(g.id, "CHANNEL_UPDATE", newWireChannel(g, child))
		}
	}
	for _, id := range sortedIDs(g.members) {
		if m := g.members[id]; m.channel == ch.id {
			c.d.voice(g, m, c.actor(), func() { m.channel, m.session = 0, "" })
		}
	}
	for id, h := range g.webhooks {
		if h.channel == ch.id {
			delete(g.webhooks, id)
			delete(c.d.places, id)
		}
	}
	for code, inv := range g.invites {
		if inv.channel == ch.id {
			delete(g.invites, code)
			delete(c.d.codes, code)
		}
	}
	g.forget(ch.id)
}

// channelName is how a name is kept: text channels have no capitals and no spaces.
func channelName(name string, kind int) string {
	if kind == VoiceChannel || kind == StageChannel || kind == CategoryChannel {
		return strings.TrimSpace(name)
	}
	return strings.Join(strings.Fields(strings.ToLower(name)), "-")
}
