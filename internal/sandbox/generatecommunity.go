package sandbox

import (
	"fmt"
	"time"
)

// community makes automod rules, a welcome screen, onboarding where there are channels enough, and events.
func (b *builder) community() {
	b.rules()
	g := b.g
	text := "Welcome! " + sentence(b)
	text = text[:min(len(text), 140)]
	g.welcome.description = &text
	for _, ch := range some(b, b.open(), 5) {
		emoji := pick(b, unicodeEmojis())
		g.welcome.channels = append(g.welcome.channels, wireWelcomeChannel{ChannelID: ch.id, Description: pick(b, nouns()) + " is here", EmojiName: &emoji})
	}
	g.set.features = mixTier(append(g.set.features, welcomeOn), g.tier)
	b.newcomers()
	b.events()
}

// open lists the places in which everybody may write.
func (b *builder) open() []*channel {
	var list []*channel
	for _, ch := range b.places {
		if ch.kind == TextChannel && b.g.everyoneIn(ch).Has(ViewChannel|SendMessages) {
			list = append(list, ch)
		}
	}
	return list
}

func (b *builder) rules() {
	add := func(v automodValues) {
		v.enabled, v.event = b.chance(0.8), listensTo(v.trigger)
		for _, r := range some(b, b.ranks, 2) {
			v.exemptRoles = append(v.exemptRoles, r.id)
		}
		for _, ch := range some(b, b.places, 2) {
			v.exemptChannels = append(v.exemptChannels, ch.id)
		}
		r := &automodRule{id: b.past(b.early(len(b.g.automod))), creator: b.out.Owner, automodValues: v}
		b.g.automod[r.id] = r
	}
	alert := automodAction{kind: actionAlert, channel: b.places[len(b.places)-1].id}
	for n := range 3 {
		var words []string
		for i := range 5 + b.rng.IntN(30) {
			words = append(words, fmt.Sprintf("%s%d*", pick(b, adjectives()), i))
		}
		add(automodValues{
			name: fmt.Sprintf("Words %d", n), trigger: ruleKeyword,
			meta:    automodMeta{keywords: words, regexes: []string{`(?i)free\s+nitro`}, allowed: []string{"scunthorpe"}},
			actions: []automodAction{{kind: actionBlock, text: "Please be kind."}, alert, {kind: actionTimeout, seconds: 600}},
		})
	}
	add(automodValues{name: "Spam", trigger: ruleSpam, actions: []automodAction{{kind: actionBlock}}})
	add(automodValues{name: "Lists", trigger: rulePreset, meta: automodMeta{presets: []int{1, 2, 3}, allowed: []string{"damn"}}, actions: []automodAction{{kind: actionBlock}, alert}})
	add(automodValues{name: "Mentions", trigger: ruleMention, meta: automodMeta{mentions: 10, raid: true}, actions: []automodAction{{kind: actionBlock}, {kind: actionTimeout, seconds: 3600}}})
	add(automodValues{name: "Profiles", trigger: ruleProfile, meta: automodMeta{keywords: []string{"*admin*"}}, actions: []automodAction{{kind: actionBar}}})
}

// listensTo is the event that a kind of rule listens to.
func listensTo(trigger int) int {
	if trigger == ruleProfile {
		return 2
	}
	return 1
}

// newcomers makes onboarding. It is on when the guild has the channels that it needs.
func (b *builder) newcomers() {
	o := &b.g.onboarding
	for _, ch := range some(b, b.open(), 10) {
		o.channels = append(o.channels, ch.id)
	}
	for n := range 3 {
		p := wirePrompt{ID: b.past(b.early(n)), Title: "Which " + pick(b, nouns()) + "?", Single: b.chance(0.5), Shown: true, Type: b.rng.IntN(2)}
		for i := range 2 + b.rng.IntN(5) {
			emoji := pick(b, unicodeEmojis())
			p.Options = append(p.Options, wirePromptOption{
				ID: b.past(b.early(i)), Title: titled(pick(b, nouns())), Description: pick(b, adjectives()) + " ones",
				Emoji: wirePromptEmoji{Name: &emoji}, Roles: []ID{pick(b, b.ranks).id}, Channels: []ID{pick(b, b.places).id},
			})
		}
		o.prompts = append(o.prompts, p)
	}
	o.enabled = o.enough(b.g)
}

// events makes some that are ahead.
func (b *builder) events() {
	for n := range 3 {
		description := sentence(b)
		e := &scheduledEvent{id: b.past(b.early(n)), creator: pick(b, b.people), status: eventAhead}
		start := time.Date(b.now.Year()+1, time.June, 1+n, 20, 0, 0, 0, time.UTC)
		e.scheduledValues = scheduledValues{
			name: titled(pick(b, nouns())) + " night", description: &description, place: eventExternal, location: "the " + pick(b, nouns()),
			start: start, end: start.Add(2 * time.Hour),
		}
		if b.g.set.afk != 0 && n == 1 {
			e.place, e.channel, e.location = eventVoice, b.g.set.afk, ""
		}
		b.g.scheduled[e.id] = e
	}
}
