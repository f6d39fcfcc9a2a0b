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
		if m == nil {
			m = newMember(u, time.Now())
			g.members[userID] = m
		}
		m.roles = sortedRoles(roles)
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
		d.voice(g, m, actor{}, func() { m.channel, m.session = 0, "" })
		delete(g.members, userID)
		return 0, nil
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
	if !c.app.membersIntent {
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
	return wireSelf{wireUser: newWireUser(c.app.user), MFAEnabled: true, Locale: "en-US", Verified: true}, nil
}
