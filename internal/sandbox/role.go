package sandbox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"
)

type role struct {
	id          ID
	name        string
	permissions Permissions
	position    int
	managed     bool
	bot         ID // the bot that a managed role belongs to
	color       int
	secondary   *int
	tertiary    *int
	hoist       bool
	mentionable bool
	emoji       *string
	icon        picture
}

// above compares positions; at the same position the older role, the lower id, is higher.
func (r *role) above(o *role) bool {
	if r.position != o.position {
		return r.position > o.position
	}
	return r.id < o.id
}

// auditKeys are the properties of a role that the audit log shows.
func (r *role) auditKeys() []auditKey {
	return []auditKey{
		{"name", r.name}, {"permissions", r.permissions}, {"color", r.color}, {"colors", r.gradient()}, {"hoist", r.hoist},
		{"mentionable", r.mentionable}, {"icon_hash", r.icon.wire()}, {"unicode_emoji", r.emoji}, {"position", r.position},
	}
}

// gradient is the colours of a role that has more than one; nil otherwise.
func (r *role) gradient() *wireColors {
	if r.secondary == nil && r.tertiary == nil {
		return nil
	}
	return &wireColors{r.color, r.secondary, r.tertiary}
}

// ranked lists the roles of a guild from @everyone up.
func (g *guild) ranked() []*role {
	return slices.SortedFunc(maps.Values(g.roles), func(a, b *role) int {
		if byPosition := cmp.Compare(a.position, b.position); byPosition != 0 {
			return byPosition
		}
		return cmp.Compare(b.id, a.id)
	})
}

// AddRole makes a role above all roles there are and gives it to nobody.
func (d *Discord) AddRole(guildID ID, name string, p Permissions) (ID, error) {
	return edit(d, guildID, func(g *guild) (ID, error) {
		if len(g.roles) >= maxRoles {
			return 0, fmt.Errorf("sandbox: guild %s has %d roles, the most there can be; none was added", guildID, maxRoles)
		}
		top := g.ranked()[len(g.roles)-1]
		r := &role{id: d.newID(), name: name, permissions: p, position: top.position + 1}
		d.putRole(g, r)
		return r.id, nil
	})
}

// putRole adds a role to a guild and tells it.
func (d *Discord) putRole(g *guild, r *role) {
	g.roles[r.id] = r
	d.emit(g.id, "GUILD_ROLE_CREATE", roleEvent{g.id, newWireRole(r)})
}

// SetRolePermissions replaces what a role grants; the role with the guild's id is @everyone.
func (d *Discord) SetRolePermissions(guildID, roleID ID, p Permissions) error {
	_, err := edit(d, guildID, func(g *guild) (ID, error) {
		r := g.roles[roleID]
		if r == nil {
			return 0, fmt.Errorf("sandbox: no role %s in guild %s; no permission was changed", roleID, guildID)
		}
		r.permissions = p
		d.emit(g.id, "GUILD_ROLE_UPDATE", roleEvent{g.id, newWireRole(r)})
		return 0, nil
	})
	return err
}

// roleRoutes are the routes of a guild's roles.
func roleRoutes() []route {
	const list, one = "/guilds/{guild_id}/roles", "/guilds/{guild_id}/roles/{role_id}"
	createLimit := func(l Limits) Limit {
		if l.Other.Requests < 0 {
			return l.Other
		}
		return l.RoleCreate
	}
	return []route{
		{method: "GET", pattern: list, bucket: "roles", limit: per(10, 10*time.Second), handle: listRoles},
		{method: "POST", pattern: list, bucket: "role-create", limit: createLimit, body: maxPictureBody, handle: createRole},
		{method: "PATCH", pattern: list, bucket: "role-positions", limit: per(5, 5*time.Second), handle: moveRoles},
		{method: "GET", pattern: one, bucket: "roles", limit: per(10, 10*time.Second), handle: getRole},
		{method: "PATCH", pattern: one, bucket: "role-patch", limit: per(5, 5*time.Second), body: maxPictureBody, handle: patchRole},
		{method: "DELETE", pattern: one, bucket: "role-delete", limit: per(5, 5*time.Second), handle: deleteRole},
	}
}

func listRoles(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	return wireRoles(g), nil
}

// roleFor finds the role that a path names.
func (c *call) roleFor(g *guild) (*role, *apiError) {
	if r := g.roles[c.pathID("role_id")]; r != nil {
		return r, nil
	}
	return nil, unknownRole()
}

func getRole(c *call) (any, *apiError) {
	g, _, err := c.guildFor()
	if err != nil {
		return nil, err
	}
	r, err := c.roleFor(g)
	if err != nil {
		return nil, err
	}
	return newWireRole(r), nil
}

// createRole puts the new role at position 1, right above @everyone, where it may share the place with others: that is why
// the id decides between equal positions.
func createRole(c *call) (any, *apiError) {
	g, me, err := c.guildWith(ManageRoles)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(true)
	if err != nil {
		return nil, err
	}
	b, err := parseRole(keys)
	if err != nil {
		return nil, err
	}
	if len(g.roles) >= maxRoles {
		return nil, maximum(30005, "server roles", maxRoles)
	}
	if err := b.needs(g); err != nil {
		return nil, err
	}
	r := &role{id: c.d.newID(), name: "new role", permissions: g.roles[g.id].permissions, position: 1}
	b.apply(r)
	if b.permissions.set && !g.mayGrant(me, r.permissions) {
		return nil, missingPermissions()
	}
	c.d.putRole(g, r)
	c.audit(g, AuditEntry{Action: AuditRoleCreate, Target: r.id, Changes: whole(r.auditKeys(), false)})
	return newWireRole(r), nil
}

// patchRole changes a role below the caller's own highest one; it may add only permissions that the caller has.
func patchRole(c *call) (any, *apiError) {
	g, me, err := c.guildWith(ManageRoles)
	if err != nil {
		return nil, err
	}
	r, err := c.roleFor(g)
	if err != nil {
		return nil, err
	}
	keys, err := c.objectBody(false)
	if err != nil {
		return nil, err
	}
	b, err := parseRole(keys)
	if err != nil {
		return nil, err
	}
	if err := b.needs(g); err != nil {
		return nil, err
	}
	if !g.isAbove(me, r) || b.permissions.set && !g.mayGrant(me, b.permissions.value&^r.permissions) {
		return nil, missingPermissions()
	}
	before, name := r.auditKeys(), r.name
	b.apply(r)
	if r.id == g.id {
		r.name = name // @everyone keeps its name
	}
	if changes := between(before, r.auditKeys()); len(changes) > 0 {
		c.d.emit(g.id, "GUILD_ROLE_UPDATE", roleEvent{g.id, newWireRole(r)})
		c.audit(g, AuditEntry{Action: AuditRoleUpdate, Target: r.id, Changes: changes})
	}
	return newWireRole(r), nil
}

// deleteRole takes a role from everybody who has it and out of all overwrites. Discord tells only the deletion, nothing of
// the members.
func deleteRole(c *call) (any, *apiError) {
	g, me, err := c.guildWith(ManageRoles)
	if err != nil {
		return nil, err
	}
	r, err := c.roleFor(g)
	if err != nil {
		return nil, err
	}
	if r.id == g.id || r.managed {
		return nil, invalidRole()
	}
	if !g.isAbove(me, r) {
		return nil, missingPermissions()
	}
	g.dropRole(r)
	c.d.emit(g.id, "GUILD_ROLE_DELETE", roleGoneEvent{g.id, r.id})
	c.audit(g, AuditEntry{Action: AuditRoleDelete, Target: r.id, Changes: whole(r.auditKeys(), true)})
	return noContent(), nil
}

func (g *guild) dropRole(r *role) {
	delete(g.roles, r.id)
	for _, m := range g.members {
		m.roles = slices.DeleteFunc(m.roles, func(id ID) bool { return id == r.id })
	}
	for _, ch := range g.channels {
		delete(ch.overwrites, r.id)
	}
}
