package sandbox

import (
	"fmt"
	"maps"
	"slices"
	"time"
)

// Channel types that the sandbox knows, with Discord's numbers.
const (
	TextChannel  = 0
	VoiceChannel = 2
	StageChannel = 13
)

// Overwrite changes permissions in one channel for one role or member.
type Overwrite struct {
	Allow Permissions `json:"allow"`
	Deny  Permissions `json:"deny"`
}

type guild struct {
	id       ID
	name     string
	owner    ID
	created  time.Time
	roles    map[ID]*role // the one with the guild's id is @everyone
	channels map[ID]*channel
	members  map[ID]*member
	audit    ring[AuditEntry]
}

type role struct {
	id          ID
	name        string
	permissions Permissions
	position    int
	managed     bool
}

type channel struct {
	id         ID
	name       string
	kind       int
	overwrites map[ID]Overwrite
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
	g := &guild{
		id: d.newID(), name: name, owner: owner, created: time.Now(),
		roles: map[ID]*role{}, channels: map[ID]*channel{}, members: map[ID]*member{},
		audit: newRing[AuditEntry](orDefault(d.cfg.AuditLog, 4096)),
	}
	g.roles[g.id] = &role{id: g.id, name: "@everyone", permissions: EveryoneDefault}
	g.members[owner] = newMember(o, time.Now())
	d.guilds[g.id] = g
	d.changed()
	return g.id, nil
}

// AddRole makes a role above all roles there are and gives it to nobody.
func (d *Discord) AddRole(guildID ID, name string, p Permissions) (ID, error) {
	return edit(d, guildID, func(g *guild) (ID, error) {
		if len(g.roles) >= maxRoles {
			return 0, fmt.Errorf("sandbox: guild %s has %d roles, the most there can be; none was added", guildID, maxRoles)
		}
		r := &role{id: d.newID(), name: name, permissions: p, position: len(g.roles)}
		g.roles[r.id] = r
		return r.id, nil
	})
}

// SetRolePermissions replaces what a role grants; the role with the guild's id is @everyone.
func (d *Discord) SetRolePermissions(guildID, roleID ID, p Permissions) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		r := g.roles[roleID]
		if r == nil {
			return 0, fmt.Errorf("sandbox: no role %s in guild %s; no permission was changed", roleID, guildID)
		}
		r.permissions = p
		return 0, nil
	})
	return err
}

// AddChannel makes a channel of one of the types above.
func (d *Discord) AddChannel(guildID ID, name string, kind int) (ID, error) {
	return edit(d, guildID, func(g *guild) (ID, error) {
		if len(g.channels) >= maxChannels {
			return 0, fmt.Errorf("sandbox: guild %s has %d channels, the most there can be; none was added", guildID, maxChannels)
		}
		c := &channel{id: d.newID(), name: name, kind: kind, overwrites: map[ID]Overwrite{}}
		g.channels[c.id] = c
		return c.id, nil
	})
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
		return 0, nil
	})
	return err
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

// guildFor finds a guild for a call: 10004 when it is not there, 50001 when the bot is not in it.
func (c *call) guildFor() (*guild, *member, *apiError) {
	g := c.d.guilds[c.guild]
	if g == nil {
		return nil, nil, unknownGuild()
	}
	me := g.members[c.app.user.id]
	if me == nil {
		return nil, nil, missingAccess()
	}
	return g, me, nil
}

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
