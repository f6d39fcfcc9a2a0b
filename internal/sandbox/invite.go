package sandbox

import (
	"crypto/rand"
	"time"
)

type invite struct {
	code      string
	guild     ID
	channel   ID
	inviter   *user
	at        time.Time
	maxAge    int // seconds; 0 = for ever
	maxUses   int
	uses      int
	temporary bool
	roles     []ID
}

// maxInvites is per guild (30016).
const maxInvites = 1000

func (i *invite) expires() nullableTime {
	if i.maxAge == 0 {
		return nullableTime{}
	}
	return nullableTime{i.at.Add(time.Duration(i.maxAge) * time.Second)}
}

func (i *invite) dead(now time.Time) bool {
	e := i.expires()
	return !e.IsZero() && !now.Before(e.Time) || i.maxUses > 0 && i.uses >= i.maxUses
}

func (i *invite) auditKeys() []auditKey {
	return []auditKey{
		{"code", i.code}, {"channel_id", i.channel}, {"inviter_id", i.inviter.id}, {"uses", i.uses}, {"max_uses", i.maxUses},
		{"max_age", i.maxAge}, {"temporary", i.temporary}, {"flags", 0},
	}
}

type wireInvite struct {
	Type      int               `json:"type"`
	Code      string            `json:"code"`
	Inviter   wireUser          `json:"inviter"`
	MaxAge    int               `json:"max_age"`
	CreatedAt wireTime          `json:"created_at"`
	ExpiresAt nullableTime      `json:"expires_at"`
	Guild     wireInviteGuild   `json:"guild"`
	GuildID   ID                `json:"guild_id"`
	Channel   wireInviteChannel `json:"channel"`
	Uses      int               `json:"uses"`
	MaxUses   int               `json:"max_uses"`
	Temporary bool              `json:"temporary"`
	Members   *int              `json:"approximate_member_count,omitempty"`
	Presences *int              `json:"approximate_presence_count,omitempty"`
}

type wireInviteGuild struct {
	ID           ID       `json:"id"`
	Name         string   `json:"name"`
	Splash       *string  `json:"splash"`
	Banner       *string  `json:"banner"`
	Description  *string  `json:"description"`
	Icon         *string  `json:"icon"`
	Features     []string `json:"features"`
	Verification int      `json:"verification_level"`
	Vanity       *string  `json:"vanity_url_code"`
	NSFWLevel    int      `json:"nsfw_level"`
	NSFW         bool     `json:"nsfw"`
	Premium      int      `json:"premium_subscription_count"`
}

type wireInviteChannel struct {
	ID   ID     `json:"id"`
	Type int    `json:"type"`
	Name string `json:"name"`
}

func newWireInvite(g *guild, i *invite) wireInvite {
	ch := g.channels[i.channel]
	return wireInvite{
		Code: i.code, Inviter: newWireUser(i.inviter), MaxAge: i.maxAge, CreatedAt: wireTime(i.at), ExpiresAt: i.expires(),
		Guild: wireInviteGuild{
			ID: g.id, Name: g.name, Splash: g.set.splash.wire(), Banner: g.set.banner.wire(), Description: g.set.description, Icon: g.set.icon.wire(),
			Features: append([]string{}, g.set.features...), Verification: g.set.verification,
		},
		GuildID: g.id, Channel: wireInviteChannel{ch.id, ch.kind, ch.name}, Uses: i.uses, MaxUses: i.maxUses, Temporary: i.temporary,
	}
}

type inviteEvent struct {
	ChannelID ID           `json:"channel_id"`
	Code      string       `json:"code"`
	CreatedAt wireTime     `json:"created_at"`
	GuildID   ID           `json:"guild_id"`
	Inviter   wireUser     `json:"inviter"`
	MaxAge    int          `json:"max_age"`
	MaxUses   int          `json:"max_uses"`
	Temporary bool         `json:"temporary"`
	Uses      int          `json:"uses"`
	ExpiresAt nullableTime `json:"expires_at"`
	RoleIDs   []ID         `json:"role_ids,omitempty"`
}

// inviteRoutes are the routes of invites.
func inviteRoutes() []route {
	const code, channel = "/invites/{code}", "/channels/{channel_id}/invites"
	return []route{
		{method: "GET", pattern: "/guilds/{guild_id}/invites", bucket: "invites", limit: per(5, 5*time.Second), handle: listInvites},
		{method: "GET", pattern: channel, bucket: "channel-invites", limit: per(5, 5*time.Second), handle: listChannelInvites},
		{method: "POST", pattern: channel, bucket: "invite-create", limit: per(5, 15*time.Second), handle: createInvite},
		{method: "GET", pattern: code, bucket: "invite", limit: per(10, 10*time.Second), handle: getInvite},
		{method: "DELETE", pattern: code, bucket: "invite-delete", limit: per(5, 5*time.Second), handle: deleteInvite},
	}
}

// invitesOf lists the invites that still work, of one channel or, with zero, of all.
func (c *call) invitesOf(g *guild, channel ID) []wireInvite {
	list := []wireInvite{}
	for _, code := range sortedKeys(g.invites) {
		if i := g.invites[code]; !i.dead(c.now) && (channel == 0 || i.channel == channel) {
			list = append(list, newWireInvite(g, i))
		}
	}
	return list
}

func listInvites(c *call) (any, *apiError) {
	g, _, err := c.guildWith(ManageGuild)
	if err != nil {
		return nil, err
	}
	return c.invitesOf(g, 0), nil
}

func listChannelInvites(c *call) (any, *apiError) {
	ch, g, _, err := c.guildChannelWith(ManageChannels)
	if err != nil {
		return nil, err
	}
	return c.invitesOf(g, ch.id), nil
}

// createInvite makes an invite. Roles that it grants have to be below the caller's highest one, as if it gave them itself.
func createInvite(c *call) (any, *apiError) {
	ch, g, me, err := c.guildChannelWith(CreateInvite)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(true)
	if err != nil {
		return nil, err
	}
	wish := struct {
		age, uses         field[int]
		temporary, unique field[bool]
		roles             field[[]ID]
	}{age: field[int]{value: 86400}}
	var bad formErrors
	read(&bad, keys, "max_age", &wish.age, asRange(0, 5184000))
	read(&bad, keys, "max_uses", &wish.uses, asRange(0, 100))
	read(&bad, keys, "temporary", &wish.temporary, asBool)
	read(&bad, keys, "unique", &wish.unique, asBool)
	read(&bad, keys, "role_ids", &wish.roles, asIDs)
	if err := bad.err(); err != nil {
		return nil, err
	}
	for _, id := range wish.roles.value {
		r := g.roles[id]
		if r == nil {
			return nil, unknownRole()
		}
		if !g.basePermissions(me, c.now).Has(ManageRoles) || r.managed || !g.isAbove(me, r) {
			return nil, missingPermissions()
		}
	}
	if ch.kind == CategoryChannel || ch.thread != nil {
		return nil, wrongChannelType()
	}
	if len(g.invites) >= maxInvites {
		return nil, maximum(30016, "invites", maxInvites)
	}
	i := &invite{
		code: newInviteCode(), guild: g.id, channel: ch.id, inviter: c.me, at: c.now, maxAge: wish.age.value,
		maxUses: wish.uses.value, temporary: wish.temporary.value, roles: wish.roles.value,
	}
	g.invites[i.code], c.d.codes[i.code] = i, g.id
	c.d.emit(g.id, "INVITE_CREATE", inviteEvent{
		ch.id, i.code, wireTime(i.at), g.id, newWireUser(c.me), i.maxAge, i.maxUses, i.temporary, 0, i.expires(), i.roles,
	})
	c.audit(g, AuditEntry{Action: AuditInviteCreate, Changes: whole(i.auditKeys(), false)})
	return newWireInvite(g, i), nil
}

func newInviteCode() string { return rand.Text()[:10] }

// inviteFor finds the invite that a path names; one that has run out is unknown.
func (c *call) inviteFor() (*guild, *invite, *apiError) {
	code := c.pathText("code")
	if g := c.d.guilds[c.d.codes[code]]; g != nil {
		if i := g.invites[code]; i != nil && !i.dead(c.now) {
			return g, i, nil
		}
	}
	return nil, nil, unknownInvite()
}

func getInvite(c *call) (any, *apiError) {
	g, i, err := c.inviteFor()
	if err != nil {
		return nil, err
	}
	w := newWireInvite(g, i)
	counts, err := c.boolQuery("with_counts")
	if err == nil && counts {
		n := len(g.members)
		w.Members, w.Presences = &n, &n
	}
	return w, err
}

// deleteInvite needs MANAGE_CHANNELS in the invite's channel or MANAGE_GUILD.
func deleteInvite(c *call) (any, *apiError) {
	g, i, err := c.inviteFor()
	if err != nil {
		return nil, err
	}
	c.guild = g.id
	me := g.members[c.me.id]
	if me == nil {
		return nil, missingAccess()
	}
	ch := g.channels[i.channel]
	if !g.channelPermissions(me, ch, c.now).Has(ManageChannels) && !g.basePermissions(me, c.now).Has(ManageGuild) {
		return nil, missingPermissions()
	}
	w := newWireInvite(g, i)
	delete(g.invites, i.code)
	delete(c.d.codes, i.code)
	c.d.emit(g.id, "INVITE_DELETE", inviteGoneEvent{ch.id, g.id, i.code})
	c.audit(g, AuditEntry{Action: AuditInviteDelete, Changes: whole(i.auditKeys(), true)})
	return w, nil
}
