package sandbox

import (
	"fmt"
	"slices"
	"time"
)

type member struct {
	user    *user
	nick    string
	roles   []ID // without @everyone, ascending
	joined  time.Time
	timeout time.Time // zero = never timed out
	flags   int
	seen    time.Time // last activity; zero = since it joined

	// Server mute and deafen stay with the member when it leaves voice, and nobody can change them then.
	mute, deaf bool

	channel            ID // the voice channel; zero = not in voice
	session            string
	selfMute, selfDeaf bool
}

func newMember(u *user, now time.Time) *member { return &member{user: u, joined: now} }

// AddMember puts a user or a bot into a guild with these roles. Adding a member again replaces its roles.
func (d *Discord) AddMember(guildID, userID ID, roles ...ID) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		u := d.users[userID]
		if u == nil {
			return 0, fmt.Errorf("sandbox: no user %s; no member was added to guild %s", userID, guildID)
		}
		for _, id := range roles {
			if g.roles[id] == nil || id == g.id {
				return 0, fmt.Errorf("sandbox: no role %s to give in guild %s; no member was added", id, guildID)
			}
		}
		m := g.members[userID]
		if m != nil {
			m.roles = sortedRoles(roles)
			d.memberChanged(g, m)
			return 0, nil
		}
		m = newMember(u, time.Now())
		m.roles = sortedRoles(roles)
		d.putMember(g, m)
		return 0, nil
	})
	return err
}

// RemoveMember takes a user or a bot out of a guild, out of voice first. A bot gets 50001 there from now on.
func (d *Discord) RemoveMember(guildID, userID ID) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		m := g.members[userID]
		if m == nil {
			return 0, fmt.Errorf("sandbox: %s is no member of guild %s; nobody was removed", userID, guildID)
		}
		if m.user.id == g.owner {
			return 0, fmt.Errorf("sandbox: %s owns guild %s and cannot leave it; nobody was removed", userID, guildID)
		}
		d.dropMember(g, m, actor{})
		return 0, nil
	})
	return err
}

// putMember adds a member to a guild and tells it.
func (d *Discord) putMember(g *guild, m *member) {
	g.members[m.user.id] = m
	d.joinedGuild(g, m.user)
	d.emit(g.id, "GUILD_MEMBER_ADD", memberEvent{g.id, newWireMember(m)})
}

// leftGuild tells a bot that it is out; people have no session that could be told.
func (d *Discord) leftGuild(g *guild, u *user) {
	if u.bot {
		d.emitTo(u.id, g.id, "GUILD_DELETE", idKey{g.id})
	}
}

// scriptMember runs one change of a member; what names it in the error.
func (d *Discord) scriptMember(guildID, userID ID, what string, change func(*guild, *member) error) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		m := g.members[userID]
		if m == nil {
			return 0, fmt.Errorf("sandbox: %s is no member of guild %s; its %s was not changed", userID, guildID, what)
		}
		return 0, change(g, m)
	})
	return err
}

func sortedRoles(ids []ID) []ID {
	out := slices.Clone(ids)
	slices.Sort(out)
	return slices.Compact(out)
}

// memberFor finds the member that a path names: 10013 when no such user exists, 10007 when it is not in the guild.
func (c *call) memberFor(g *guild) (*member, *apiError) {
	if m := g.members[c.target]; m != nil {
		return m, nil
	}
	if c.d.users[c.target] == nil {
		return nil, unknownUser()
	}
	return nil, unknownMember()
}

func getMember(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	m, err := c.memberFor(g)
	if err != nil {
		return nil, err
	}
	return newWireMember(m), nil
}

// listMembers answers in the order of user ids, as Discord pages. It needs the privileged members intent (50001).
func listMembers(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	if c.app != nil && !c.app.membersIntent {
		return nil, missingAccess()
	}
	limit, err := c.intQuery("limit", 1, 1, 1000)
	if err != nil {
		return nil, err
	}
	after, err := c.snowflakeQuery("after")
	if err != nil {
		return nil, err
	}
	page := []wireMember{}
	for _, id := range sortedIDs(g.members) {
		if id > after && len(page) < limit {
			page = append(page, newWireMember(g.members[id]))
		}
	}
	return page, nil
}

func getSelf(c *call) (any, *apiError) {
	return wireSelf{wireUser: newWireUser(c.me), MFAEnabled: true, Locale: "en-US", Verified: true}, nil
}
