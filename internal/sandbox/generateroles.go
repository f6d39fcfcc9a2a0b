package sandbox

import (
	"fmt"
	"slices"
)

// roles makes a hierarchy: staff at the top with power, then levels, colours and topics that anybody can have.
func (b *builder) roles() {
	g, n := b.g, b.spec.Roles-1
	if b.spec.Bot != 0 {
		n--
	}
	for at := range n {
		r := &role{id: b.past(b.early(at)), position: at + 1, permissions: 0}
		fromTop := n - 1 - at
		if staff := []string{"Founder", "Admin", "Head Moderator", "Moderator", "Helper"}; fromTop < len(staff) && n > 6 {
			r.name, r.hoist, r.permissions = staff[fromTop], true, staffPower(fromTop)
			b.staff = append(b.staff, r)
		} else {
			r.name = fmt.Sprintf("%s %s", titled(pick(b, adjectives())), pick(b, []string{"Crew", "Fan", "Level " + fmt.Sprint(at), "Pings", "Player", "Team"}))
		}
		if b.chance(0.7) {
			r.color = b.rng.IntN(maxColor)
		}
		if g.tier == 3 && b.chance(0.05) {
			second := b.rng.IntN(maxColor)
			r.secondary = &second
		}
		r.mentionable = b.chance(0.2)
		if g.has("ROLE_ICONS") && b.chance(0.1) {
			if b.chance(0.5) {
				emoji := pick(b, unicodeEmojis())
				r.emoji = &emoji
			} else {
				r.icon = newPicture(b.png(700))
			}
		}
		b.ranks = append(b.ranks, r)
		g.roles[r.id] = r
	}
	if u := b.botUser(); u != nil {
		r := &role{id: b.past(b.early(n)), name: u.name, position: n + 1, managed: true, bot: u.id, permissions: Administrator}
		g.roles[r.id] = r
		m := newMember(u, b.early(n))
		m.roles = []ID{r.id}
		g.members[u.id] = m
	}
}

func (b *builder) botUser() *user {
	if app := b.d.apps[b.spec.Bot]; app != nil {
		return app.user
	}
	return nil
}

// staffPower is what the staff may do, from the top down.
func staffPower(fromTop int) Permissions {
	helper := ManageMessages | MuteMembers | ManageThreads | ModerateMembers
	mod := helper | KickMembers | BanMembers | MoveMembers | DeafenMembers | ManageNicknames | ViewAuditLog | PinMessages
	return []Permissions{
		Administrator, mod | ManageGuild | ManageRoles | ManageChannels | ManageWebhooks | ManageExpressions, mod | ManageChannels,
		mod, helper,
	}[fromTop]
}

// crowd makes members with roles and nicknames, and the banned.
func (b *builder) crowd() {
	g := b.g
	b.people = append(b.people, b.d.users[b.out.Owner])
	for n := range b.spec.Members - 1 {
		u := b.user()
		u.bot = b.chance(0.02)
		m := newMember(u, b.early(n))
		for range b.rng.IntN(6) {
			m.roles = append(m.roles, pick(b, b.ranks[:max(len(b.ranks)-len(b.staff), 1)]).id)
		}
		if len(b.staff) > 0 && b.chance(0.03) {
			m.roles = append(m.roles, pick(b, b.staff).id)
		}
		m.roles = sortedRoles(m.roles)
		if b.chance(0.2) {
			m.nick = titled(pick(b, adjectives())) + " " + titled(pick(b, nouns()))
		}
		m.seen = b.now
		g.members[u.id] = m
		b.people = append(b.people, u)
	}
	for range b.spec.Bans {
		u := b.user()
		reason := ""
		if b.chance(0.8) {
			reason = pick(b, []string{"spam", "raid", "scam links", "harassment", "alt of a banned user", sentence(b)})
		}
		g.bans[u.id] = ban{u, reason, b.early(b.rng.IntN(1000))}
	}
}

// expressions makes emojis, a fifth of them moving, stickers and sounds.
func (b *builder) expressions() {
	g := b.g
	moving := max(b.spec.Emojis/5, b.spec.Emojis-g.maxEmojis())
	for n := range b.spec.Emojis {
		e := &emoji{id: b.past(b.early(n)), name: fmt.Sprintf("%s_%d", pick(b, nouns()), n), creator: pick(b, b.people), blob: b.png(400 + b.rng.IntN(3000))}
		if n < moving {
			e.animated, e.blob = true, b.gif(800+b.rng.IntN(4000))
		}
		if b.chance(0.05) {
			e.roles = []ID{pick(b, b.ranks).id}
		}
		g.emojis[e.id] = e
		b.emojis = append(b.emojis, e)
	}
	for n := range b.spec.Stickers {
		s := &sticker{id: b.past(b.early(n)), name: fmt.Sprintf("%s %d", pick(b, nouns()), n), tags: pick(b, unicodeEmojis()), creator: pick(b, b.people), blob: b.png(2000 + b.rng.IntN(9000))}
		if b.chance(0.7) {
			s.description = sentence(b)
			s.description = s.description[:min(len(s.description), 100)]
		}
		g.stickers[s.id] = s
	}
	for n := range b.spec.Sounds {
		s := &sound{id: b.past(b.early(n)), name: fmt.Sprintf("%s %d", pick(b, nouns()), n), volume: float64(1+b.rng.IntN(10)) / 10, creator: pick(b, b.people), blob: b.ogg(3000 + b.rng.IntN(9000))}
		switch {
		case b.chance(0.4):
			emoji := pick(b, unicodeEmojis())
			s.emojiName = &emoji
		case len(b.emojis) > 0:
			s.emoji = pick(b, b.emojis).id
		}
		g.sounds[s.id] = s
	}
}

// webhooks spreads webhooks over the channels, at most what each takes.
func (b *builder) webhooks() {
	used := map[ID]int{}
	where := slices.Concat(b.places, b.forums)
	for n := range b.spec.Webhooks {
		ch := pick(b, where)
		if used[ch.id] >= maxWebhooks {
			continue
		}
		used[ch.id]++
		h := &webhook{
			id: b.past(b.early(n)), guild: b.g.id, channel: ch.id, name: titled(pick(b, nouns())) + " feed", token: newWebhookToken(),
			creator: pick(b, b.people),
		}
		if b.chance(0.5) {
			h.avatar = newPicture(b.png(900))
		}
		b.g.webhooks[h.id] = h
	}
}
