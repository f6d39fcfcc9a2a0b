package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

type guild struct {
	id       ID
	name     string
	owner    ID
	created  time.Time
	roles    map[ID]*role // the one with the guild's id is @everyone
	channels map[ID]*channel
	threads  map[ID]*channel
	emojis   map[ID]*emoji
	stickers map[ID]*sticker
	sounds   map[ID]*sound
	tier     int // of boosts

	automod    map[ID]*automodRule
	scheduled  map[ID]*scheduledEvent
	welcome    welcomeScreen
	onboarding onboarding
	widget     wireWidget

	members  map[ID]*member
	mfa      bool
	set      guildSettings
	bans     map[ID]ban
	webhooks map[ID]*webhook
	invites  map[string]*invite
	incident incidents
	audit    ring[AuditEntry]
}

// AddGuild makes a guild that belongs to owner, who becomes its first member. @everyone gets EveryoneDefault.
func (d *Discord) AddGuild(name string, owner ID) (ID, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o := d.users[owner]
	if o == nil {
		return 0, fmt.Errorf("sandbox: no user %s to own guild %q; no guild was added", owner, name)
	}
	if len(d.guilds) >= maxGuilds {
		return 0, fmt.Errorf("sandbox: no more than %d guilds; none was added", maxGuilds)
	}
	g := newGuild(d.newID(), name, owner, time.Now(), orDefault(d.cfg.AuditLog, 4096))
	g.roles[g.id] = &role{id: g.id, name: "@everyone", permissions: EveryoneDefault}
	g.members[owner] = newMember(o, time.Now())
	d.guilds[g.id] = g
	d.changed()
	return g.id, nil
}

// newGuild is a guild in which nothing and nobody is.
func newGuild(id ID, name string, owner ID, created time.Time, auditLog int) *guild {
	return &guild{
		id: id, name: name, owner: owner, created: created,
		roles: map[ID]*role{}, channels: map[ID]*channel{}, threads: map[ID]*channel{},
		emojis: map[ID]*emoji{}, stickers: map[ID]*sticker{}, sounds: map[ID]*sound{},
		automod: map[ID]*automodRule{}, scheduled: map[ID]*scheduledEvent{}, members: map[ID]*member{},
		bans: map[ID]ban{}, webhooks: map[ID]*webhook{}, invites: map[string]*invite{}, set: freshSettings(),
		audit: newRing[AuditEntry](auditLog),
	}
}

// edit runs one change of a guild under the lock and wakes the waiters when it succeeded.
func edit[T any](d *Discord, guildID ID, change func(*guild) (T, error)) (T, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[guildID]
	if g == nil {
		var none T
		return none, fmt.Errorf("sandbox: no guild %s; nothing was changed", guildID)
	}
	v, err := change(g)
	if err == nil {
		d.changed()
	}
	return v, err
}

// guildFor finds a guild for a call: 10004 when it is not there, 50001 when the caller is not in it.
func (c *call) guildFor() (*guild, *member, *apiError) {
	g := c.d.guilds[c.guild]
	if g == nil {
		return nil, nil, unknownGuild()
	}
	me := g.members[c.me.id]
	if me == nil {
		return nil, nil, missingAccess()
	}
	return g, me, nil
}

// guildWith is guildFor for routes that need permissions in the guild.
func (c *call) guildWith(p Permissions) (*guild, *member, *apiError) {
	g, me, err := c.guildFor()
	switch {
	case err != nil:
		return nil, nil, err
	case !g.basePermissions(me, c.now).Has(p):
		return nil, nil, missingPermissions()
	case c.lacksFactor(g, p):
		return nil, nil, factorNeeded()
	}
	return g, me, nil
}

// actor is who makes the changes of a call.
func (c *call) actor() actor { return actor{user: c.me.id, token: c.token} }

func getGuild(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	w := newWireGuild(g)
	counts, err := c.boolQuery("with_counts")
	if err != nil {
		return nil, err
	}
	if counts {
		n := len(g.members)
		w.Members, w.Presences = &n, &n
	}
	return w, nil
}

func sortedIDs[V any](m map[ID]V) []ID { return slices.Sorted(maps.Keys(m)) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
