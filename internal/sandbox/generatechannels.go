package sandbox

import (
	"fmt"
	"maps"
)

// childrenOf is how many channels a generated category has on average.
const childrenOf = 18

// channels makes categories, each with its own idea of who may do what there, and fills them. The last one is for the staff.
func (b *builder) channels() {
	categories := max(b.spec.Channels/(childrenOf+1), 1)
	var parents []*channel
	for n := range categories {
		c := b.channel(categoryName(b, n, categories), CategoryChannel, nil)
		if n == categories-1 && len(b.staff) > 0 {
			c.overwrites[b.g.id] = Overwrite{Deny: ViewChannel}
			for _, r := range b.staff {
				c.overwrites[r.id] = Overwrite{Allow: ViewChannel | SendMessages}
			}
		} else {
			b.overwrite(c, 0.6)
		}
		parents = append(parents, c)
	}
	for n := range b.spec.Channels - categories {
		var parent *channel // a few channels are in none
		if n >= 2 {
			parent = parents[(n-2)%categories]
		}
		b.fill(n, parent)
	}
	b.settings()
}

// fill makes one channel: mostly text, the first ones always, and of each other kind some.
func (b *builder) fill(n int, parent *channel) {
	kind := TextChannel
	if n >= 3 {
		kinds := []int{TextChannel, TextChannel, TextChannel, TextChannel, TextChannel, VoiceChannel, VoiceChannel}
		if b.spec.Community {
			kinds = append(kinds, NewsChannel, ForumChannel, StageChannel)
		}
		kind = pick(b, kinds)
	}
	if n == 3 && b.spec.Community {
		kind = ForumChannel
	}
	ch := b.channel(fmt.Sprintf("%s %s", pick(b, adjectives()), pick(b, nouns())), kind, parent)
	if parent != nil {
		ch.overwrites = maps.Clone(parent.overwrites)
	}
	b.overwrite(ch, 0.3)
	if !ch.voice() && b.chance(0.6) {
		topic := sentence(b)
		ch.topic = &topic
	}
	switch {
	case ch.voice():
		ch.bitrate = pick(b, []int{32_000, 64_000})
		if kind == VoiceChannel {
			ch.userLimit = pick(b, []int{0, 0, 5, 10, 99})
			ch.quality = 1 + b.rng.IntN(2)
		}
		if b.chance(0.2) {
			region := pick(b, []string{"rotterdam", "us-east", "japan"})
			ch.region = &region
		}
	case b.chance(0.2):
		ch.slowmode = pick(b, []int{5, 10, 60, 3600})
	}
	ch.nsfw = b.chance(0.03)
	if b.chance(0.2) && !ch.voice() {
		ch.archive = pick(b, []int{60, 1440, 10080})
	}
	if kind == ForumChannel {
		b.forum(ch)
		b.forums = append(b.forums, ch)
	} else if ch.holdsMessages() && kind != StageChannel {
		b.places = append(b.places, ch)
	}
}

func (b *builder) channel(name string, kind int, parent *channel) *channel {
	at := len(b.g.channels)
	ch := newChannel(b.past(b.early(at)), b.g.id, channelName(name, kind), kind)
	ch.position = at
	if parent != nil {
		ch.parent = parent.id
	}
	b.g.channels[ch.id] = ch
	return ch
}

// overwrite lets a few roles or members do more or less in a channel.
func (b *builder) overwrite(ch *channel, likely float64) {
	if !b.chance(likely) {
		return
	}
	bits := []Permissions{SendMessages, AttachFiles, EmbedLinks, AddReactions, MentionEveryone, Connect, Speak, CreatePublicThreads, SendMessagesInThreads}
	for range 1 + b.rng.IntN(4) {
		id := pick(b, b.ranks).id
		if b.chance(0.15) {
			id = pick(b, b.people).id
		}
		o := Overwrite{Allow: pick(b, bits), Deny: pick(b, bits)}
		o.Deny &^= o.Allow
		ch.overwrites[id] = o
	}
	if b.chance(0.2) {
		ch.overwrites[b.g.id] = Overwrite{Deny: pick(b, bits)}
	}
}

func (b *builder) forum(ch *channel) {
	for n := range b.rng.IntN(12) + 1 {
		t := wireTag{ID: b.past(b.early(n)), Name: fmt.Sprintf("%s %d", pick(b, nouns()), n), Moderated: b.chance(0.2)}
		t.Name = t.Name[:min(len(t.Name), 20)]
		if len(b.emojis) > 0 && b.chance(0.3) {
			t.EmojiID = nullableID(pick(b, b.emojis).id)
		} else if b.chance(0.7) {
			emoji := pick(b, unicodeEmojis())
			t.EmojiName = &emoji
		}
		ch.tags = append(ch.tags, t)
	}
	ch.layout = b.rng.IntN(3)
	if b.chance(0.5) {
		order := b.rng.IntN(2)
		ch.sortOrder = &order
	}
	if b.chance(0.6) {
		emoji := pick(b, unicodeEmojis())
		ch.reaction = &wireReaction{EmojiName: &emoji}
	}
	if b.chance(0.3) {
		ch.flags |= flagRequireTag
	}
	if b.chance(0.3) {
		ch.threadSlow = pick(b, []int{5, 30, 600})
	}
}

// settings names channels for what the guild needs one for.
func (b *builder) settings() {
	s := &b.g.set
	s.system = b.places[0].id
	s.systemFlags = b.rng.IntN(4)
	for _, id := range sortedIDs(b.g.channels) {
		if ch := b.g.channels[id]; ch.kind == VoiceChannel {
			s.afk, s.afkTimeout = id, 900
			break
		}
	}
	if b.spec.Community {
		s.rules, s.updates, s.safety = b.places[0].id, b.places[1].id, b.places[1].id
		s.features = append(s.features, "COMMUNITY")
		s.features = mixFeatures(s.features, []string{"COMMUNITY"})
	}
	b.g.widget = wireWidget{Enabled: b.chance(0.5), Channel: nullableID(b.places[0].id)}
}
