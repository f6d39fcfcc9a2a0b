package sandbox

import (
	"fmt"
	"net/http"
	"time"
)

// Join takes an invite. It is refused to the banned (40007), while invites are paused, and for a code that does not work
// (10006). Roles that the invite grants are given.
func (p Person) Join(code string) error {
	d := p.d
	d.mu.Lock()
	defer d.mu.Unlock()
	u, g := d.users[p.user], d.guilds[d.codes[code]]
	now := time.Now()
	if u == nil || u.bot {
		return fmt.Errorf("sandbox: no person %s to join; nobody joined", p.user)
	}
	refuse := func(e *apiError) error {
		return &Refusal{e.status, e.Code, e.Message, string(rawJSON(e)), "join " + code}
	}
	if g == nil || g.invites[code] == nil || g.invites[code].dead(now) {
		return refuse(unknownInvite())
	}
	i := g.invites[code]
	if _, banned := g.bans[u.id]; banned {
		return refuse(fail(http.StatusForbidden, 40007, "The user is banned from this guild."))
	}
	if g.invitesPaused(now) {
		return refuse(fail(http.StatusForbidden, 30031, "Invites are currently paused for this server. Please try again later."))
	}
	if g.members[u.id] != nil {
		return nil
	}
	i.uses++
	m := newMember(u, now)
	for _, r := range i.roles {
		if g.roles[r] != nil {
			m.roles = append(m.roles, r)
		}
	}
	m.roles = sortedRoles(m.roles)
	d.putMember(g, m)
	d.changed()
	return nil
}

// AddBot invites a bot into a guild with the permissions that its link asks for; the person needs MANAGE_GUILD. The bot gets
// a managed role with its name and those permissions, at the bottom as on Discord, and the audit log says who added it.
func (p Person) AddBot(guildID, app ID, permissions Permissions) (ID, error) {
	return edit(p.d, guildID, func(g *guild) (ID, error) {
		d := p.d
		a, me := d.apps[app], g.members[p.user]
		if a == nil || me == nil {
			return 0, fmt.Errorf("sandbox: no application %s or no member %s in guild %s; no bot was added", app, p.user, guildID)
		}
		c := &call{d: d, now: time.Now(), me: me.user, reason: p.reason}
		if !g.basePermissions(me, c.now).Has(ManageGuild) {
			e := missingPermissions()
			return 0, &Refusal{e.status, e.Code, e.Message, string(rawJSON(e)), "add bot"}
		}
		if g.members[app] != nil || len(g.roles) >= maxRoles {
			return 0, fmt.Errorf("sandbox: guild %s has the bot or no room for its role; nothing was added", guildID)
		}
		r := &role{id: d.newID(), name: a.user.name, permissions: permissions, position: 1, managed: true, bot: app}
		d.putRole(g, r)
		m := newMember(a.user, c.now)
		m.roles = []ID{r.id}
		d.putMember(g, m)
		c.audit(g, AuditEntry{Action: AuditBotAdd, Target: app})
		return r.id, nil
	})
}
