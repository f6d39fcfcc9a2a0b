package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"splashtail/internal/pause"
)

// The scripted attacks that a protection bot is there for. Each acts as fast as its pace allows and ends when it is refused,
// when nothing is left, or when its context ends; what it achieved until then is the measure of the defence.

// Attack says who attacks what.
type Attack struct {
	Guild ID
	// Actor is the member who attacks: a stolen moderator account or a bot. A raid needs none.
	Actor ID
	// Every is the time between two acts; zero means at once.
	Every time.Duration
	// Most ends the attack after so many acts; zero means no bound but that of the guild.
	Most int
}

// Damage is what an attack achieved.
type Damage struct {
	Channels int `json:"channels"`
	Roles    int `json:"roles"`
	Bans     int `json:"bans"`
	Kicks    int `json:"kicks"`
	Webhooks int `json:"webhooks"`
	Messages int `json:"messages"`
	Joins    int `json:"joins"`

	Users     []ID          `json:"users,omitempty"`      // who joined, in a raid
	First     time.Time     `json:"first"`                // when the first act succeeded
	Last      time.Time     `json:"last"`                 // when the last one did
	StoppedBy *Refusal      `json:"stopped_by,omitempty"` // what ended it; nil when nothing did
	Took      time.Duration `json:"took_ns"`              // from the first act to the end
}

// Lost counts what is gone.
func (d Damage) Lost() int { return d.Channels + d.Roles + d.Bans + d.Kicks }

// act is one step: it says what to count, or that there is nothing left to do.
type act func() (count *int, err error)

// errNothingLeft ends an attack that has reached all of its aims.
var errNothingLeft = errors.New("sandbox: nothing is left to attack")

// Nuke deletes channels and roles, bans and kicks members in turn, like a stolen moderator account that a script drives. It
// skips what is above the actor, so it ends when the actor can do nothing any more.
func (d *Discord) Nuke(ctx context.Context, a Attack) (Damage, error) {
	var dmg Damage
	p := d.As(a.Actor)
	tried := map[ID]bool{}
	var refused *Refusal
	done := 0 // kinds in a row that had no victim
	turn := 0
	err := d.attack(ctx, a, &dmg, func() (*int, error) {
		for done < 4 {
			kind := turn % 4
			turn++
			id := d.victim(a, kind, tried)
			if id == 0 {
				done++
				continue
			}
			done, tried[id] = 0, true
			count, err := p.destroy(a.Guild, id, kind, &dmg)
			if errors.As(err, &refused) && refused.Code == 50013 && d.powerful(a) {
				continue // above the actor: the next one then
			}
			return count, err
		}
		return nil, errNothingLeft
	})
	return dmg, err
}

func (p Person) destroy(guild, id ID, kind int, dmg *Damage) (*int, error) {
	switch kind {
	case 0:
		return &dmg.Channels, p.DeleteChannel(id)
	case 1:
		return &dmg.Roles, p.DeleteRole(guild, id)
	case 2:
		return &dmg.Bans, p.Ban(guild, id, 0)
	}
	return &dmg.Kicks, p.Kick(guild, id)
}

// victim picks the next channel, role or member that was not tried.
func (d *Discord) victim(a Attack, kind int, tried map[ID]bool) ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[a.Guild]
	if g == nil {
		return 0
	}
	var ids []ID
	switch kind {
	case 0:
		ids = sortedIDs(g.channels)
	case 1:
		ids = sortedIDs(g.roles)
	default:
		ids = sortedIDs(g.members)
	}
	for _, id := range ids {
		r := g.roles[id]
		if id != a.Actor && id != g.owner && id != g.id && !tried[id] && (r == nil || !r.managed) {
			return id
		}
	}
	return 0
}

// powerful says whether the actor still has a permission to destroy something.
func (d *Discord) powerful(a Attack) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[a.Guild]
	m := g.members[a.Actor]
	return m != nil && g.basePermissions(m, time.Now())&(ManageChannels|ManageRoles|BanMembers|KickMembers) != 0
}

// WebhookFlood makes webhooks in the channels that the actor manages and lets each write a text, again and again.
func (d *Discord) WebhookFlood(ctx context.Context, a Attack, text string) (Damage, error) {
	var dmg Damage
	type hook struct {
		id    ID
		token string
	}
	var hooks []hook
	channels := d.writableChannels(a.Guild)
	next := 0
	err := d.attack(ctx, a, &dmg, func() (*int, error) {
		if len(channels) > 0 {
			ch := channels[0]
			channels = channels[1:]
			id, token, err := d.As(a.Actor).CreateWebhook(ch, "captain")
			if err != nil {
				return nil, err
			}
			hooks = append(hooks, hook{id, token})
			return &dmg.Webhooks, nil
		}
		if len(hooks) == 0 {
			return nil, errNothingLeft
		}
		h := hooks[next%len(hooks)]
		next++
		_, err := d.RunWebhook(h.id, h.token, text)
		return &dmg.Messages, err
	})
	return dmg, err
}

// writableChannels lists the channels of a guild in which webhooks can write; none of an unknown guild.
func (d *Discord) writableChannels(guild ID) []ID {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.guilds[guild]
	if g == nil {
		return nil
	}
	var ids []ID
	for _, id := range sortedIDs(g.channels) {
		if g.channels[id].holdsMessages() {
			ids = append(ids, id)
		}
	}
	return ids
}

// Raid lets new accounts join through an invite, and each write a text to a channel if one is given. It ends when joining is
// refused; Most says how many there are.
func (d *Discord) Raid(ctx context.Context, a Attack, invite string, channel ID, text string) (Damage, error) {
	var dmg Damage
	var joined ID
	if a.Most <= 0 {
		return dmg, errors.New("sandbox: a raid needs Most, the number of accounts; nobody joined")
	}
	n := 0
	writes := text != "" && channel != 0
	if writes {
		a.Most *= 2 // joining and writing are two acts
	}
	err := d.attack(ctx, a, &dmg, func() (*int, error) {
		if joined != 0 && writes {
			_, err := d.As(joined).Send(channel, text)
			joined = 0
			return &dmg.Messages, err
		}
		n++
		u, err := d.AddUser(fmt.Sprintf("raider%d", n))
		if err != nil {
			return nil, err
		}
		if err := d.As(u).Join(invite); err != nil {
			return nil, err
		}
		joined = u
		dmg.Users = append(dmg.Users, u)
		return &dmg.Joins, nil
	})
	return dmg, err
}

// attack runs acts at a pace. A refusal ends it without an error: it is what a defence is for.
func (d *Discord) attack(ctx context.Context, a Attack, dmg *Damage, next act) error {
	start := time.Now()
	defer func() { dmg.Took = time.Since(start) }()
	for n := 0; a.Most <= 0 || n < a.Most; n++ {
		if n > 0 && !pause.For(ctx, a.Every) {
			return fmt.Errorf("sandbox: the attack was called off: %w", context.Cause(ctx))
		}
		count, err := next()
		switch {
		case errors.As(err, &dmg.StoppedBy), errors.Is(err, errNothingLeft):
			return nil
		case err != nil:
			return err
		}
		*count++
		if dmg.Last = time.Now(); n == 0 {
			dmg.First = dmg.Last
		}
	}
	return nil
}
