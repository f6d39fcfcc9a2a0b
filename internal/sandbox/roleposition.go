package sandbox

import (
	"encoding/json"
	"slices"
	"strconv"
)

// roleMove is one entry of PATCH /guilds/{guild_id}/roles.
type roleMove struct {
	id       field[ID]
	position field[int]
}

func parseRoleMoves(items []json.RawMessage) ([]roleMove, *apiError) {
	var bad formErrors
	moves := make([]roleMove, len(items))
	for i, raw := range items {
		bad.nest([]string{strconv.Itoa(i)}, func(bad *formErrors) {
			keys, ok := asObject(bad, raw)
			if !ok {
				return
			}
			read(bad, keys, "id", &moves[i].id, asID)
			read(bad, keys, "position", &moves[i].position, asInt)
			required(bad, "id", moves[i].id)
		})
	}
	return moves, bad.err()
}

// moveRoles sorts roles: those that were named go to their places, the others make room, and positions are counted through
// again from @everyone. Neither a role at or above the caller's own highest one may move, nor another one get there.
func moveRoles(c *call) (any, *apiError) {
	g, me, err := c.guildWith(ManageRoles)
	if err != nil {
		return nil, err
	}
	items, err := c.listBody(maxRoles)
	if err != nil {
		return nil, err
	}
	moves, err := parseRoleMoves(items)
	if err != nil {
		return nil, err
	}
	wish := map[ID]int{}
	for _, m := range moves {
		r := g.roles[m.id.value]
		switch {
		case r == nil:
			return nil, unknownRole()
		case !m.position.set || m.position.null || m.position.value == r.position || r.id == g.id:
			continue
		case !g.isAbove(me, r), me.user.id != g.owner && m.position.value >= g.topRole(me).position:
			return nil, missingPermissions()
		}
		wish[r.id] = max(m.position.value, 1)
	}
	c.sortRoles(g, wish)
	return wireRoles(g), nil
}

func (c *call) sortRoles(g *guild, wish map[ID]int) {
	if len(wish) == 0 {
		return
	}
	for at, r := range resorted(g.ranked(), wish) {
		if r.position == at {
			continue
		}
		before := r.auditKeys()
		r.position = at
		c.d.emit(g.id, "GUILD_ROLE_UPDATE", roleEvent{g.id, newWireRole(r)})
		if _, named := wish[r.id]; named {
			c.audit(g, AuditEntry{Action: AuditRoleUpdate, Target: r.id, Changes: between(before, r.auditKeys())})
		}
	}
}

// resorted gives the order that wished positions make of a ranking. Where a wish meets a role that stays, the one that moves
// up comes above it and the one that moves down below it.
func resorted(ranking []*role, wish map[ID]int) []*role {
	type place struct {
		r         *role
		at, shift int
	}
	places := make([]place, len(ranking))
	for i, r := range ranking {
		places[i] = place{r: r, at: r.position}
		if to, ok := wish[r.id]; ok {
			places[i] = place{r, to, 1}
			if to < r.position {
				places[i].shift = -1
			}
		}
	}
	slices.SortStableFunc(places, func(a, b place) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return a.shift - b.shift
	})
	out := make([]*role, len(places))
	for i, p := range places {
		out[i] = p.r
	}
	return out
}
