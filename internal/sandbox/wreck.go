package sandbox

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
)

// Wreckage says how a guild is to be damaged. It is what a restore has to put right: some of it is gone, some is changed, and
// some is there that should not be.
type Wreckage struct {
	// Seed decides what is hit; the same guild and seed give the same damage.
	Seed uint64
	// Actor does it, and is named in the audit log; zero is the owner. What it may not do stays undone.
	Actor ID
	// Delete, Change and Add are the shares of things of each kind that are deleted, changed and added, from 0 to 1: of ten
	// channels, 0.3 deletes three.
	Delete, Change, Add float64
	// Members lets it also ban, unban and strip members of their roles.
	Members bool
	// Messages lets it also delete messages and threads.
	Messages bool
}

// TotalWreckage deletes nearly everything that can be deleted.
func TotalWreckage(seed uint64) Wreckage {
	return Wreckage{Seed: seed, Delete: 0.95, Change: 0.9, Add: 0.2, Members: true, Messages: true}
}

// Wreck damages a guild through the same routes as everybody, so that events and audit entries tell of it, and lists what was
// done, a line for each deed. Deeds that Discord refuses are skipped.
func (d *Discord) Wreck(guildID ID, w Wreckage) ([]string, error) {
	d.mu.Lock()
	g := d.guilds[guildID]
	if g == nil {
		d.mu.Unlock()
		return nil, fmt.Errorf("sandbox: no guild %s to wreck; nothing was done", guildID)
	}
	x := &wrecker{d: d, g: g.id, w: w, rng: rand.New(rand.NewPCG(w.Seed, 0xbad))}
	x.plan(g)
	d.mu.Unlock()
	p := d.As(cmp.Or(w.Actor, g.owner)).Because("wreckage")
	var done []string
	for _, deed := range x.deeds {
		if _, err := p.Do(deed.method, deed.path, deed.body); err == nil {
			done = append(done, deed.what)
		}
	}
	return done, nil
}

// wrecker collects deeds before the first one is done.
type wrecker struct {
	d     *Discord
	g     ID
	w     Wreckage
	rng   *rand.Rand
	deeds []blow
}

type blow struct {
	what, method, path string
	body               any
}

func (x *wrecker) add(what, method, path string, body any) {
	x.deeds = append(x.deeds, blow{what, method, path, body})
}

// hit picks a share of some things, in a random order.
func hit[T any](x *wrecker, list []T, share float64) []T {
	n := int(float64(len(list))*min(max(share, 0), 1) + 0.5)
	list = slices.Clone(list)
	x.rng.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:n]
}

// ordered lists the things of a map by name, and by age where names are equal, so that damage does not depend on ids.
func ordered[T any](m map[ID]T, name func(T) string) []T {
	ids := sortedIDs(m)
	slices.SortStableFunc(ids, func(a, b ID) int { return cmp.Compare(name(m[a]), name(m[b])) })
	list := make([]T, len(ids))
	for i, id := range ids {
		list[i] = m[id]
	}
	return list
}

// plan lists changes before deletions, so that nothing is changed that is not there any more.
func (x *wrecker) plan(g *guild) {
	at := func(parts ...string) string { return guildPath(g.id, parts...) }
	x.settings(g)
	x.changeChannels(g)
	x.changeRoles(g)
	for _, e := range hit(x, ordered(g.emojis, func(e *emoji) string { return e.name }), x.w.Change/2) {
		x.add("renamed emoji "+e.name, "PATCH", at("/emojis/", e.id.String()), Fields{"name": "wrecked"})
	}
	for _, r := range hit(x, ordered(g.automod, func(r *automodRule) string { return r.name }), x.w.Change) {
		x.add("switched off rule "+r.name, "PATCH", at("/auto-moderation/rules/", r.id.String()), Fields{"enabled": !r.enabled})
	}
	if x.w.Messages {
		x.messages(g)
	}
	if x.w.Members {
		x.members(g)
	}
	x.deleteThings(g, at)
	for n := range int(float64(len(g.channels)) * x.w.Add) {
		x.add("added channel", "POST", at("/channels"), Fields{"name": "raided-" + strconv.Itoa(n), "type": TextChannel})
	}
	for n := range int(float64(len(g.roles)) * x.w.Add) {
		x.add("added role", "POST", at("/roles"), Fields{"name": "raided " + strconv.Itoa(n)})
	}
}

func (x *wrecker) settings(g *guild) {
	if x.rng.Float64() < x.w.Change {
		x.add("changed the guild", "PATCH", guildPath(g.id), Fields{
			"name": "wrecked", "icon": nil, "description": "gone", "verification_level": 1, "default_message_notifications": 0,
			"system_channel_id": nil, "afk_channel_id": nil, "afk_timeout": 60,
		})
		x.add("changed the widget", "PATCH", guildPath(g.id, "/widget"), Fields{"enabled": !g.widget.Enabled})
		x.add("emptied the welcome screen", "PATCH", guildPath(g.id, "/welcome-screen"), Fields{"enabled": false, "welcome_channels": []any{}})
		x.add("emptied onboarding", "PUT", guildPath(g.id, "/onboarding"), Fields{"enabled": false, "prompts": []any{}})
	}
}

func (x *wrecker) changeChannels(g *guild) {
	for n, ch := range hit(x, ordered(g.channels, func(c *channel) string { return c.name }), x.w.Change) {
		change := Fields{"name": "wrecked-" + strconv.Itoa(n)}
		switch n % 4 {
		case 0:
			change = Fields{"permission_overwrites": []any{}}
		case 1:
			change = Fields{"permission_overwrites": []Fields{{"id": g.id, "type": 0, "allow": "0", "deny": strconv.Itoa(int(ViewChannel))}}}
		case 2:
			change["parent_id"] = nil
			if ch.kind == CategoryChannel {
				delete(change, "parent_id")
			}
		}
		if ch.kind == TextChannel && n%3 == 0 {
			change["topic"], change["rate_limit_per_user"], change["nsfw"] = "wrecked", 21600, true
		}
		x.add("changed channel "+ch.name, "PATCH", channelPath(ch.id), change)
	}
}

func (x *wrecker) changeRoles(g *guild) {
	for n, r := range hit(x, x.rolesOf(g), x.w.Change) {
		change := Fields{"permissions": strconv.FormatUint(uint64(r.permissions^Administrator), 10)}
		if n%2 == 0 {
			change = Fields{"name": "wrecked " + strconv.Itoa(n), "color": 0xff0000, "hoist": !r.hoist}
		}
		x.add("changed role "+r.name, "PATCH", guildPath(g.id, "/roles/", r.id.String()), change)
	}
	if x.rng.Float64() < x.w.Change {
		x.add("gave everyone power", "PATCH", guildPath(g.id, "/roles/", g.id.String()), Fields{"permissions": strconv.Itoa(int(ViewChannel | ManageChannels))})
	}
}

// rolesOf lists the roles that can be deleted.
func (x *wrecker) rolesOf(g *guild) []*role {
	return slices.DeleteFunc(ordered(g.roles, func(r *role) string { return r.name }), func(r *role) bool { return r.managed || r.id == g.id })
}

func (x *wrecker) members(g *guild) {
	people := slices.DeleteFunc(sortedIDs(g.members), func(id ID) bool { return id == g.owner || x.d.apps[id] != nil })
	for _, id := range hit(x, people, x.w.Change/4) {
		if len(g.members[id].roles) > 0 {
			x.add("stripped member "+id.String(), "PATCH", guildPath(g.id, "/members/", id.String()), Fields{"roles": []ID{}})
		}
	}
	for _, id := range hit(x, sortedIDs(g.bans), x.w.Delete) {
		x.add("unbanned "+id.String(), "DELETE", guildPath(g.id, "/bans/", id.String()), nil)
	}
}

func (x *wrecker) messages(g *guild) {
	for _, t := range hit(x, ordered(g.threads, func(t *channel) string { return t.name }), x.w.Delete) {
		x.add("deleted thread "+t.name, "DELETE", channelPath(t.id), nil)
	}
	for _, ch := range hit(x, ordered(g.channels, func(c *channel) string { return c.name }), x.w.Change) {
		for _, m := range hit(x, ch.messages[max(len(ch.messages)-10, 0):], 0.5) {
			x.add("deleted a message in "+ch.name, "DELETE", channelPath(ch.id, "/messages/", m.id.String()), nil)
		}
	}
}

// deleteThings deletes a share of each kind.
func (x *wrecker) deleteThings(g *guild, at func(...string) string) {
	for _, h := range hit(x, ordered(g.webhooks, func(h *webhook) string { return h.name }), x.w.Delete) {
		x.add("deleted webhook "+h.name, "DELETE", "/webhooks/"+h.id.String(), nil)
	}
	for _, e := range hit(x, ordered(g.emojis, func(e *emoji) string { return e.name }), x.w.Delete) {
		x.add("deleted emoji "+e.name, "DELETE", at("/emojis/", e.id.String()), nil)
	}
	for _, s := range hit(x, ordered(g.stickers, func(s *sticker) string { return s.name }), x.w.Delete) {
		x.add("deleted sticker "+s.name, "DELETE", at("/stickers/", s.id.String()), nil)
	}
	for _, s := range hit(x, ordered(g.sounds, func(s *sound) string { return s.name }), x.w.Delete) {
		x.add("deleted sound "+s.name, "DELETE", at("/soundboard-sounds/", s.id.String()), nil)
	}
	for _, r := range hit(x, ordered(g.automod, func(r *automodRule) string { return r.name }), x.w.Delete) {
		x.add("deleted rule "+r.name, "DELETE", at("/auto-moderation/rules/", r.id.String()), nil)
	}
	for _, e := range hit(x, ordered(g.scheduled, func(e *scheduledEvent) string { return e.name }), x.w.Delete) {
		x.add("deleted event "+e.name, "DELETE", at("/scheduled-events/", e.id.String()), nil)
	}
	for _, ch := range hit(x, ordered(g.channels, func(c *channel) string { return c.name }), x.w.Delete) {
		x.add("deleted channel "+ch.name, "DELETE", channelPath(ch.id), nil)
	}
	for _, r := range hit(x, x.rolesOf(g), x.w.Delete) {
		x.add("deleted role "+r.name, "DELETE", at("/roles/", r.id.String()), nil)
	}
}
