package sandbox

import (
	"encoding/json"
	"time"
)

type ban struct {
	user   *user
	reason string
	at     time.Time
}

type wireBan struct {
	User   wireUser `json:"user"`
	Reason *string  `json:"reason"`
}

func newWireBan(b ban) wireBan {
	w := wireBan{User: newWireUser(b.user)}
	if b.reason != "" {
		w.Reason = &b.reason
	}
	return w
}

// maxWipe is the longest past whose messages a ban deletes.
const maxWipe = 7 * 24 * 3600

// banRoutes are the routes of kicks and bans.
func banRoutes() []route {
	const one = "/guilds/{guild_id}/bans/{user_id}"
	return []route{
		{method: "DELETE", pattern: "/guilds/{guild_id}/members/{user_id}", bucket: "kick", limit: per(5, 2*time.Second), handle: kickMember},
		{method: "GET", pattern: "/guilds/{guild_id}/bans", bucket: "bans", limit: per(5, 5*time.Second), handle: listBans},
		{method: "GET", pattern: one, bucket: "ban-get", limit: per(5, 2*time.Second), handle: getBan},
		{method: "PUT", pattern: one, bucket: "ban", limit: per(5, 2*time.Second), handle: putBan},
		{method: "DELETE", pattern: one, bucket: "unban", limit: per(5, 2*time.Second), handle: deleteBan},
		{method: "POST", pattern: "/guilds/{guild_id}/bulk-ban", bucket: "bulk-ban", limit: per(5, 10*time.Second), handle: bulkBan},
	}
}

// kickMember takes out a member below the caller.
func kickMember(c *call) (any, *apiError) {
	g, me, err := c.guildWith(KickMembers)
	if err != nil {
		return nil, err
	}
	m, err := c.memberFor(g)
	if err != nil {
		return nil, err
	}
	if !g.outranks(me, m) {
		return nil, missingPermissions()
	}
	c.d.dropMember(g, m, c.actor())
	c.audit(g, AuditEntry{Action: AuditMemberKick, Target: m.user.id})
	return noContent(), nil
}

// dropMember takes a member out of voice and of the guild. A bot's own role goes with it.
func (d *Discord) dropMember(g *guild, m *member, by actor) {
	d.voice(g, m, by, func() { m.channel, m.session = 0, "" })
	delete(g.members, m.user.id)
	for _, ch := range g.threads {
		delete(ch.thread.members, m.user.id) // told by the next event alone
	}
	d.emit(g.id, "GUILD_MEMBER_REMOVE", memberGoneEvent{g.id, newWireUser(m.user)})
	d.leftGuild(g, m.user)
	for _, id := range m.roles {
		if r := g.roles[id]; r != nil && r.bot == m.user.id {
			g.dropRole(r)
			d.emit(g.id, "GUILD_ROLE_DELETE", roleGoneEvent{g.id, id})
		}
	}
}

func listBans(c *call) (any, *apiError) {
	g, _, err := c.guildWith(BanMembers)
	if err != nil {
		return nil, err
	}
	limit, err := c.intQuery("limit", 1000, 1, 1000)
	if err != nil {
		return nil, err
	}
	before, err := c.snowflakeQuery("before")
	if err != nil {
		return nil, err
	}
	after, err := c.snowflakeQuery("after")
	if err != nil {
		return nil, err
	}
	ids := sortedIDs(g.bans)
	page := []wireBan{}
	if before != 0 { // the ones right before, still ascending
		n := 0
		for n < len(ids) && ids[n] < before {
			n++
		}
		ids = ids[max(n-limit, 0):n]
	}
	for _, id := range ids {
		if id > after && len(page) < limit {
			page = append(page, newWireBan(g.bans[id]))
		}
	}
	return page, nil
}

// banFor finds the ban in the path, for who may ban.
func (c *call) banFor() (ban, *guild, *apiError) {
	g, _, err := c.guildWith(BanMembers)
	if err != nil {
		return ban{}, nil, err
	}
	b, ok := g.bans[c.target]
	if !ok {
		return ban{}, nil, unknownBan()
	}
	return b, g, nil
}

func getBan(c *call) (any, *apiError) {
	b, _, err := c.banFor()
	if err != nil {
		return nil, err
	}
	return newWireBan(b), nil
}

// wipeSeconds reads how far back messages are deleted.
func wipeSeconds(bad *formErrors, keys map[string]json.RawMessage) time.Duration {
	var secs, days field[int]
	read(bad, keys, "delete_message_seconds", &secs, asRange(0, maxWipe))
	read(bad, keys, "delete_message_days", &days, asRange(0, 7))
	if secs.set {
		return time.Duration(secs.value) * time.Second
	}
	return time.Duration(days.value) * 24 * time.Hour
}

// putBan bans a member below the caller, or anybody who is not there. A ban of somebody banned is no change.
func putBan(c *call) (any, *apiError) {
	g, me, err := c.guildWith(BanMembers)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(true)
	if err != nil {
		return nil, err
	}
	var bad formErrors
	wipe := wipeSeconds(&bad, keys)
	if err := bad.err(); err != nil {
		return nil, err
	}
	u := c.d.users[c.target]
	if u == nil {
		return nil, unknownUser()
	}
	if !c.mayBan(g, me, u) {
		return nil, missingPermissions()
	}
	if _, banned := g.bans[u.id]; !banned {
		c.ban(g, u, wipe)
	}
	return noContent(), nil
}

func (c *call) mayBan(g *guild, me *member, u *user) bool {
	m := g.members[u.id]
	return u != c.me && (m == nil || g.outranks(me, m))
}

func (c *call) ban(g *guild, u *user, wipe time.Duration) {
	g.bans[u.id] = ban{u, c.reason, c.now}
	if m := g.members[u.id]; m != nil {
		c.d.dropMember(g, m, c.actor())
	}
	c.d.emit(g.id, "GUILD_BAN_ADD", memberGoneEvent{g.id, newWireUser(u)})
	c.audit(g, AuditEntry{Action: AuditMemberBanAdd, Target: u.id})
	c.wipe(g, u, wipe)
}

// wipe deletes what somebody wrote lately, in one event per channel as a bulk deletion, without audit entries.
func (c *call) wipe(g *guild, u *user, past time.Duration) {
	if past <= 0 {
		return
	}
	for _, id := range sortedIDs(g.channels) {
		ch := g.channels[id]
		gone := ch.dropMessages(func(m *chatMessage) bool { return m.author == u && m.at.After(c.now.Add(-past)) })
		if len(gone) > 0 {
			c.d.emit(g.id, "MESSAGE_DELETE_BULK", messagesGoneEvent{gone, ch.id, g.id})
		}
	}
}

func deleteBan(c *call) (any, *apiError) {
	b, g, err := c.banFor()
	if err != nil {
		return nil, err
	}
	delete(g.bans, c.target)
	c.d.emit(g.id, "GUILD_BAN_REMOVE", memberGoneEvent{g.id, newWireUser(b.user)})
	c.audit(g, AuditEntry{Action: AuditMemberBanRemove, Target: c.target})
	return noContent(), nil
}

type wireBulkBan struct {
	Banned []ID `json:"banned_users"`
	Failed []ID `json:"failed_users"`
}

// bulkBan bans up to 200 users. Those who cannot be banned are named; when nobody could be, that is an error.
func bulkBan(c *call) (any, *apiError) {
	g, me, err := c.guildWith(BanMembers | ManageGuild)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var ids field[[]ID]
	var bad formErrors
	read(&bad, keys, "user_ids", &ids, asIDs)
	required(&bad, "user_ids", ids)
	if len(ids.value) > 200 {
		bad.add("BASE_TYPE_MAX_LENGTH", "Must be 200 or fewer in length.", "user_ids")
	}
	wipe := wipeSeconds(&bad, keys)
	if err := bad.err(); err != nil {
		return nil, err
	}
	w := wireBulkBan{Banned: []ID{}, Failed: []ID{}}
	for _, id := range ids.value {
		u := c.d.users[id]
		_, banned := g.bans[id]
		if u == nil || banned || !c.mayBan(g, me, u) {
			w.Failed = append(w.Failed, id)
			continue
		}
		c.ban(g, u, wipe)
		w.Banned = append(w.Banned, id)
	}
	if len(w.Banned) == 0 {
		return nil, noneBanned()
	}
	return w, nil
}
