package sandbox

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// GuildSpec says how large a made-up guild is. What a guild may have bounds every number; zero is none of it.
type GuildSpec struct {
	// Seed decides everything but ids and times: the same seed and numbers make guilds with equal snapshots.
	Seed uint64
	Name string // empty: one from the seed
	// Bot is an application that is in the guild as an administrator, its own role above all others; zero is none.
	Bot ID
	// Roles and Channels count all: @everyone, the bot's role, categories.
	Roles, Channels   int
	Members, Bans     int
	Messages, Threads int
	Emojis, Stickers  int
	Sounds, Webhooks  int
	// Community adds what only communities have: news, stages and forums, automod rules, a welcome screen, onboarding, events.
	Community bool
}

// SmallGuild is one of a few friends, MediumGuild a usual community, LargeGuild one at Discord's limits with 100,000 messages.
func SmallGuild(seed uint64) GuildSpec {
	return GuildSpec{
		Seed: seed, Roles: 8, Channels: 12, Members: 15, Bans: 2, Messages: 200, Threads: 4, Emojis: 6, Stickers: 2, Sounds: 2,
		Webhooks: 2, Community: true,
	}
}

// MediumGuild is a usual community; see SmallGuild.
func MediumGuild(seed uint64) GuildSpec {
	return GuildSpec{
		Seed: seed, Roles: 40, Channels: 80, Members: 300, Bans: 60, Messages: 5_000, Threads: 60, Emojis: 60, Stickers: 12,
		Sounds: 12, Webhooks: 12, Community: true,
	}
}

// LargeGuild is at Discord's limits; see SmallGuild.
func LargeGuild(seed uint64) GuildSpec {
	return GuildSpec{
		Seed: seed, Roles: maxRoles, Channels: maxChannels, Members: 2_000, Bans: 3_000, Messages: 100_000, Threads: 600,
		Emojis: 400, Stickers: 60, Sounds: 48, Webhooks: 60, Community: true,
	}
}

// Generated is what a generated guild consists of.
type Generated struct {
	Guild ID `json:"guild"`
	Owner ID `json:"owner"`
	// Messages, Files and FileBytes count what was written, in all channels and threads.
	Messages  int   `json:"messages"`
	Files     int   `json:"files"`
	FileBytes int64 `json:"file_bytes"`
}

// Generate makes a guild as it could be after a year or so: with history, order and disorder of people. It is made at once and
// without events; only the bot of the spec hears that it is in a new guild. A large one takes a second or two.
func (d *Discord) Generate(s GuildSpec) (Generated, error) {
	if err := s.check(); err != nil {
		return Generated{}, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.Bot != 0 && d.apps[s.Bot] == nil {
		return Generated{}, fmt.Errorf("sandbox: no application %s to be in the guild; none was made", s.Bot)
	}
	if len(d.guilds) >= maxGuilds || len(d.users)+s.Members+s.Bans > maxUsers {
		return Generated{}, fmt.Errorf("sandbox: no room for one more guild with %d users; none was made", s.Members+s.Bans)
	}
	b := &builder{d: d, spec: s, now: time.Now(), count: ID(rand.Uint64N(1 << 22))}
	b.rng = rand.New(rand.NewPCG(s.Seed, 0x5eed))
	b.begin()
	b.roles()
	b.crowd()
	b.expressions()
	b.channels()
	b.webhooks()
	b.history()
	if s.Community {
		b.community()
	}
	b.finish()
	return b.out, nil
}

func (s GuildSpec) check() error {
	for _, n := range []struct {
		what     string
		has, min int
		max      int
	}{
		{"roles", s.Roles, 2, maxRoles}, {"channels", s.Channels, 4, maxChannels}, {"members", s.Members, 1, 100_000},
		{"bans", s.Bans, 0, 100_000}, {"messages", s.Messages, 0, 1_000_000}, {"threads", s.Threads, 0, 5_000},
		{"emojis", s.Emojis, 0, 500}, {"stickers", s.Stickers, 0, 60}, {"sounds", s.Sounds, 0, 48},
		{"webhooks", s.Webhooks, 0, maxGuildWebhooks},
	} {
		if n.has < n.min || n.has > n.max {
			return fmt.Errorf("sandbox: a guild cannot be generated with %d %s, only with %d to %d; none was made", n.has, n.what, n.min, n.max)
		}
	}
	return nil
}

// builder is a guild in the making. Its parts are made in a fixed order, each with the same source of chance.
type builder struct {
	d    *Discord
	spec GuildSpec
	rng  *rand.Rand
	now  time.Time
	g    *guild
	out  Generated

	ranks  []*role    // without @everyone and the bot's, from the bottom up
	staff  []*role    // the highest of ranks
	people []*user    // members, the owner first
	places []*channel // where messages are: text, news and voice channels
	forums []*channel
	emojis []*emoji

	count      ID // of the ids that were made, from a number that differs from guild to guild
	phrases    []string
	threadable []*channel // places that take threads
}

// age is how old a generated guild is.
const age = 400 * 24 * time.Hour

// past makes an id of a moment; of one millisecond, later calls give higher ids. Where the clock stands before Discord's beginning, as
// in a test with its own time, ids are just the next ones.
func (b *builder) past(at time.Time) ID {
	if b.now.Add(-age).UnixMilli() <= discordEpoch {
		return b.d.newID()
	}
	b.count++
	return ID(at.UnixMilli()-discordEpoch)<<22 | b.count&(1<<22-1)
}

// early is the moment when the n-th thing of the structure was made.
func (b *builder) early(n int) time.Time {
	return b.now.Add(-age).Add(time.Duration(n) * time.Hour / 4)
}

// chance says yes with a likelihood.
func (b *builder) chance(p float64) bool { return b.rng.Float64() < p }

// pick takes one of a list.
func pick[T any](b *builder, list []T) T { return list[b.rng.IntN(len(list))] }

// some takes up to n of a list in the order of the list.
func some[T any](b *builder, list []T, n int) []T {
	var out []T
	for i, v := range list {
		left := len(list) - i
		if n > 0 && b.rng.IntN(left) < n {
			out = append(out, v)
			n--
		}
	}
	return out
}

func (b *builder) begin() {
	owner := b.user()
	name := b.spec.Name
	if name == "" {
		name = titled(pick(b, adjectives())) + " " + titled(pick(b, nouns()))
	}
	g := newGuild(b.past(b.early(0)), name, owner.id, b.early(0), orDefault(b.d.cfg.AuditLog, 4096))
	g.members[owner.id] = newMember(owner, b.early(0))
	b.g, b.out.Guild, b.out.Owner = g, g.id, owner.id
	g.roles[g.id] = &role{id: g.id, name: "@everyone", permissions: everyoneOfCommunity}
	switch {
	case b.spec.Emojis > 200 || b.spec.Stickers > 30 || b.spec.Sounds > 36:
		g.tier = 3
	case b.spec.Emojis > 100 || b.spec.Stickers > 15 || b.spec.Sounds > 24:
		g.tier = 2
	case b.spec.Emojis > 50 || b.spec.Stickers > 5 || b.spec.Sounds > 8:
		g.tier = 1
	}
	g.set.features = mixTier(nil, g.tier)
	description := sentence(b)
	g.set.description = &description
	g.set.verification, g.set.notifications, g.set.filter = 1+b.rng.IntN(3), 1, 2
	g.set.icon = newPicture(b.png(2000))
	if g.has("BANNER") {
		g.set.banner = newPicture(b.png(9000))
	}
	if g.has("INVITE_SPLASH") {
		g.set.splash = newPicture(b.png(9000))
	}
}

// everyoneOfCommunity is what @everyone may do in a generated guild.
const everyoneOfCommunity = EveryoneDefault&^MentionEveryone | AddReactions | SendMessagesInThreads | CreatePublicThreads

// user makes an account. Its id comes from the seed, so that guilds of one seed have the same people.
func (b *builder) user() *user {
	u := &user{id: ID(50_000_000_000+b.rng.Int64N(100_000_000_000))<<22 | ID(b.rng.Uint64()&(1<<22-1)), name: pick(b, adjectives()) + pick(b, nouns()) + fmt.Sprint(b.rng.IntN(1000))}
	if b.chance(0.6) {
		u.globalName = titled(pick(b, nouns()))
	}
	if known := b.d.users[u.id]; known != nil {
		return known
	}
	b.d.users[u.id] = u
	return u
}

// finish makes the guild known.
func (b *builder) finish() {
	g := b.g
	b.d.guilds[g.id] = g
	for id := range g.channels {
		b.d.places[id] = g.id
	}
	for id := range g.threads {
		b.d.places[id] = g.id
	}
	for id := range g.webhooks {
		b.d.places[id] = g.id
	}
	if app := b.d.apps[b.spec.Bot]; app != nil {
		b.d.joinedGuild(g, app.user)
	}
	b.d.changed()
}
