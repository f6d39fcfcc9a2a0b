package sandbox

import (
	"slices"
	"strings"
	"time"
)

// memberRoutes are the routes of members beyond getting, listing and patching one.
func memberRoutes() []route {
	const one = "/guilds/{guild_id}/members/{user_id}"
	patchLimit := func(l Limits) Limit { return l.MemberPatch }
	return []route{
		{method: "GET", pattern: "/guilds/{guild_id}/members/search", bucket: "member-search", limit: per(10, 10*time.Second), handle: searchMembers},
		{method: "PATCH", pattern: "/guilds/{guild_id}/members/@me", bucket: "member-patch", limit: patchLimit, handle: patchOwnMember},
		{method: "PUT", pattern: one + "/roles/{role_id}", bucket: "member-role", limit: per(10, 10*time.Second), handle: addMemberRole},
		{method: "DELETE", pattern: one + "/roles/{role_id}", bucket: "member-role", limit: per(10, 10*time.Second), handle: removeMemberRole},
	}
}

// searchMembers finds members whose user name, display name or nickname starts with the query, whatever the case.
func searchMembers(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	limit, err := c.intQuery("limit", 1, 1, 1000)
	if err != nil {
		return nil, err
	}
	query := strings.ToLower(c.query.Get("query"))
	if query == "" || len(query) > 100 {
		var bad formErrors
		bad.add("BASE_TYPE_BAD_LENGTH", "Must be between 1 and 100 in length.", "query")
		return nil, bad.err()
	}
	page := []wireMember{}
	for _, id := range sortedIDs(g.members) {
		m := g.members[id]
		names := []string{m.user.name, m.user.globalName, m.nick}
		found := slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(strings.ToLower(n), query) })
		if found && len(page) < limit {
			page = append(page, newWireMember(m))
		}
	}
	return page, nil
}

// patchOwnMember changes the caller's nickname, which needs CHANGE_NICKNAME.
func patchOwnMember(c *call) (any, *apiError) {
	g, me, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	var p memberPatch
	var bad formErrors
	read(&bad, keys, "nick", &p.nick, asString(maxNick))
	if err := bad.err(); err != nil {
		return nil, err
	}
	if err := c.mayPatch(g, me, me, p); err != nil {
		return nil, err
	}
	c.applyPatch(g, me, p)
	return newWireMember(me), nil
}

func addMemberRole(c *call) (any, *apiError)    { return c.oneRole(true) }
func removeMemberRole(c *call) (any, *apiError) { return c.oneRole(false) }

// oneRole gives or takes one role that stands below the caller's highest. What is so already is no change.
func (c *call) oneRole(give bool) (any, *apiError) {
	g, me, err := c.guildWith(ManageRoles)
	if err != nil {
		return nil, err
	}
	m, err := c.memberFor(g)
	if err != nil {
		return nil, err
	}
	r, err := c.roleFor(g)
	if err != nil {
		return nil, err
	}
	if r.id == g.id {
		return nil, invalidRole()
	}
	if r.managed || !g.isAbove(me, r) {
		return nil, missingPermissions()
	}
	wanted := slices.DeleteFunc(slices.Clone(m.roles), func(id ID) bool { return id == r.id })
	if give {
		wanted = append(wanted, r.id)
	}
	c.setRoles(g, m, wanted)
	return noContent(), nil
}
