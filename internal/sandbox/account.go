package sandbox

import (
	"strconv"
	"strings"
	"time"
)

// accountRoutes are the routes of users and of the application itself.
func accountRoutes() []route {
	self := func(l Limits) Limit { return l.Self }
	return []route{
		{method: "GET", pattern: "/users/{user_id}", bucket: "user", limit: per(30, 30*time.Second), handle: getUser},
		{method: "GET", pattern: "/users/@me/guilds", bucket: "own-guilds", limit: per(5, 5*time.Second), handle: listOwnGuilds},
		{method: "DELETE", pattern: "/users/@me/guilds/{guild_id}", bucket: "leave", limit: per(5, 5*time.Second), handle: leaveGuild},
		{method: "POST", pattern: "/users/@me/channels", bucket: "create-dm", limit: per(10, 10*time.Second), handle: createDirect},
		{method: "GET", pattern: "/applications/@me", bucket: "self", limit: self, handle: getApplication},
		{method: "GET", pattern: "/oauth2/applications/@me", bucket: "self", limit: self, handle: getApplication},
	}
}

func getUser(c *call) (any, *apiError) {
	u := c.d.users[c.target]
	if u == nil {
		return nil, unknownUser()
	}
	return newWireUser(u), nil
}

type wireOwnGuild struct {
	ID          ID          `json:"id"`
	Name        string      `json:"name"`
	Icon        *string     `json:"icon"`
	Banner      *string     `json:"banner"`
	Owner       bool        `json:"owner"`
	Permissions Permissions `json:"permissions"`
	Features    []string    `json:"features"`
	Members     *int        `json:"approximate_member_count,omitempty"`
	Presences   *int        `json:"approximate_presence_count,omitempty"`
}

func listOwnGuilds(c *call) (any, *apiError) {
	limit, err := c.intQuery("limit", 200, 1, 200)
	if err != nil {
		return nil, err
	}
	after, err := c.snowflakeQuery("after")
	if err != nil {
		return nil, err
	}
	before, err := c.snowflakeQuery("before")
	if err != nil {
		return nil, err
	}
	counts, err := c.boolQuery("with_counts")
	if err != nil {
		return nil, err
	}
	page := []wireOwnGuild{}
	for _, id := range sortedIDs(c.d.guilds) {
		g := c.d.guilds[id]
		me := g.members[c.me.id]
		if me == nil || id <= after || before != 0 && id >= before || len(page) == limit {
			continue
		}
		w := wireOwnGuild{
			ID: id, Name: g.name, Icon: g.set.icon.wire(), Banner: g.set.banner.wire(), Owner: g.owner == c.me.id,
			Permissions: g.rolePermissions(me), Features: append([]string{}, g.set.features...),
		}
		if counts {
			n := len(g.members)
			w.Members, w.Presences = &n, &n
		}
		page = append(page, w)
	}
	return page, nil
}

func leaveGuild(c *call) (any, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	if g.owner == c.me.id {
		return nil, missingPermissions()
	}
	c.d.dropMember(g, me, c.actor())
	return noContent(), nil
}

// createDirect opens the direct channel with a person, the same one every time.
func createDirect(c *call) (any, *apiError) {
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var to field[ID]
	var bad formErrors
	read(&bad, keys, "recipient_id", &to, asID)
	required(&bad, "recipient_id", to)
	if err := bad.err(); err != nil {
		return nil, err
	}
	u := c.d.users[to.value]
	switch {
	case u == nil:
		return nil, unknownUser()
	case u.bot == c.me.bot:
		return nil, cannotMessage()
	}
	return newWireDirect(c.d.directWith(c.me, u), c.me), nil
}

// directWith gives the direct channel between a bot and a person.
func (d *Discord) directWith(a, b *user) *channel {
	if !a.bot {
		a, b = b, a
	}
	for _, ch := range d.direct {
		if ch.ends == [2]*user{a, b} {
			return ch
		}
	}
	ch := newChannel(d.newID(), 0, "", DMChannel)
	ch.ends = [2]*user{a, b}
	d.direct[ch.id] = ch
	return ch
}

type wireApplication struct {
	ID          ID       `json:"id"`
	Name        string   `json:"name"`
	Icon        *string  `json:"icon"`
	Description string   `json:"description"`
	Type        *int     `json:"type"`
	Bot         wireUser `json:"bot"`
	Public      bool     `json:"bot_public"`
	CodeGrant   bool     `json:"bot_require_code_grant"`
	VerifyKey   string   `json:"verify_key"`
	Flags       int      `json:"flags"`
	FlagsNew    string   `json:"flags_new"`
	Redirects   []string `json:"redirect_uris"`
	Endpoint    *string  `json:"interactions_endpoint_url"`
	Connections *string  `json:"role_connections_verification_url"`
	Owner       wireUser `json:"owner"`
	Guilds      int      `json:"approximate_guild_count"`
	Installs    int      `json:"approximate_user_install_count"`
	Grants      int      `json:"approximate_user_authorization_count"`
	Filter      int      `json:"explicit_content_filter"`
	Team        *string  `json:"team"`
	Scopes      []string `json:"eligible_oauth2_scopes"`
}

// getApplication shows the caller its application. Its owner is the bot's own account: nobody else made it.
func getApplication(c *call) (any, *apiError) {
	me := newWireUser(c.me)
	w := wireApplication{
		ID: c.me.id, Name: c.me.name, Bot: me, Public: true, VerifyKey: strings.Repeat(c.app.hash.short(), 8), Flags: c.app.flags(), FlagsNew: strconv.Itoa(c.app.flags()),
		Redirects: []string{}, Owner: me, Scopes: []string{},
	}
	for _, g := range c.d.guilds {
		if g.members[c.me.id] != nil {
			w.Guilds++
		}
	}
	return w, nil
}
