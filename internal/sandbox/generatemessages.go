package sandbox

import (
	"slices"
	"strings"
	"time"
)

// history writes the messages: a few channels hold most of them, threads a fifth.
func (b *builder) history() {
	left := b.spec.Messages
	threads := b.spec.Threads
	inThreads := 0
	if threads > 0 {
		inThreads = max(left/5, min(threads, left))
	}
	for at, n := range shares(left-inThreads, len(b.places), 0.9) {
		b.talk(b.places[at], n, b.now.Add(-age/2))
	}
	posts := 0
	if len(b.forums) > 0 {
		posts = threads / 2
	}
	counts := shares(inThreads, threads, 0.5)
	for n := range threads {
		if n < posts {
			b.post(pick(b, b.forums), counts[n])
		} else {
			b.thread(counts[n])
		}
	}
}

// shares divides a number so that the n-th of several gets a part that falls with n.
func shares(total, among int, falls float64) []int {
	out := make([]int, among)
	rest := total
	for n := range out {
		if n == among-1 {
			out[n] = rest
			break
		}
		// What is left is divided as if all that follow got the same, and the first one more of it.
		part := int(float64(rest) / float64(among-n) * (1 + falls*float64(among-n-1)/float64(among)))
		out[n] = min(part, rest)
		rest -= out[n]
	}
	return out
}

// talk writes n messages into a place, from a moment until an hour ago.
func (b *builder) talk(ch *channel, n int, from time.Time) {
	span := b.now.Add(-time.Hour).Sub(from)
	for i := range n {
		at := from.Add(span / time.Duration(n) * time.Duration(i))
		ch.put(b.message(ch, at))
	}
}

// message makes one message: text of people, and here and there all that a message can have.
func (b *builder) message(ch *channel, at time.Time) *chatMessage {
	m := &chatMessage{channel: ch.id, guild: b.g.id, author: pick(b, b.people), at: at}
	m.content = b.text()
	if b.chance(0.04) {
		name, size, f := b.lateFile()
		m.attachments = append(m.attachments, b.d.newAttachment(ch.id, b.past(at), name, size, "", f))
		if f.kind == "image/png" {
			m.attachments[0].Width, m.attachments[0].Height = 1, 1
		}
		b.out.Files++
		b.out.FileBytes += int64(size)
		if b.chance(0.5) {
			m.content = ""
		}
	}
	m.id = b.past(at)
	b.out.Messages++
	b.trim(ch, m)
	return m
}

// trim adds what makes a message more than its text.
func (b *builder) trim(ch *channel, m *chatMessage) {
	if b.chance(0.03) {
		color := b.rng.IntN(maxColor)
		m.embeds = []wireEmbed{{
			Type: "rich", Title: titled(pick(b, nouns())), Description: b.text(), Color: &color, Footer: &wireEmbedText{Text: "from afar"},
			Fields: []wireEmbedField{{"State", pick(b, adjectives()), true}, {"Place", pick(b, nouns()), false}},
		}}
	}
	if b.chance(0.08) && len(ch.messages) > 0 {
		m.answered = ch.messages[len(ch.messages)-1-b.rng.IntN(min(len(ch.messages), 20))]
		m.kind, m.replyTo = replyMessage, m.answered.id
	}
	if b.chance(0.05) {
		m.reactions = append(m.reactions, reaction{wireEmojiName{Name: pick(b, unicodeEmojis())}, 1 + b.rng.IntN(20)})
	}
	if b.chance(0.04) {
		m.edited = m.at.Add(time.Minute)
	}
	if b.chance(0.03) {
		u := pick(b, b.people)
		m.content = strings.TrimSpace(m.content + " <@" + u.id.String() + ">")
		m.mentions = []*user{u}
	}
	if b.chance(0.002) && ch.pins < 50 {
		m.pinned, ch.pinnedAt = m.at.Add(time.Hour), m.at.Add(time.Hour)
		ch.pins++
	}
}

// text is what somebody says: usually a phrase or two, now and then as long as can be.
func (b *builder) text() string {
	if b.chance(0.005) {
		return strings.TrimSpace(strings.Repeat(pick(b, b.said()[:8])+" ", 700)[:1900])
	}
	words := pick(b, b.said())
	if b.chance(0.4) {
		words += " " + pick(b, b.said())
	}
	if len(b.emojis) > 0 && b.chance(0.05) {
		e := pick(b, b.emojis)
		words += " <:" + e.name + ":" + e.id.String() + ">"
	}
	return words
}

// said are the phrases, made once.
func (b *builder) said() []string {
	if b.phrases == nil {
		b.phrases = phrases()
	}
	return b.phrases
}

// open makes a thread; most are archived by now.
func (b *builder) openThread(parent *channel, id ID, at time.Time, owner ID) *channel {
	ch := newChannel(id, b.g.id, titled(pick(b, adjectives()))+" "+pick(b, nouns()), PublicThread)
	if parent.kind == NewsChannel {
		ch.kind = NewsThread
	}
	ch.parent = parent.id
	ch.thread = &thread{owner: owner, created: at, changed: at, invitable: true, archive: pick(b, []int{60, 1440, 4320, 10080}), members: map[ID]time.Time{owner: at}}
	if b.chance(0.7) {
		ch.thread.archived, ch.thread.changed = true, at.Add(time.Duration(1+b.rng.IntN(200))*time.Minute)
		ch.thread.locked = b.chance(0.2)
	}
	b.g.threads[id] = ch
	return ch
}

// post makes a thread of a forum with its first message and more.
func (b *builder) post(forum *channel, n int) {
	at := b.moment()
	ch := b.openThread(forum, b.past(at), at, pick(b, b.people).id)
	for _, t := range some(b, forum.tags, b.rng.IntN(3)) {
		ch.thread.tags = append(ch.thread.tags, t.ID)
	}
	slices.Sort(ch.thread.tags)
	if b.chance(0.02) {
		ch.flags |= flagPinnedPost
	}
	forum.last = max(forum.last, ch.id)
	if n == 0 {
		return
	}
	first := b.message(ch, at)
	first.id, first.author = ch.id, b.d.users[ch.thread.owner]
	// Its files were numbered a moment after the thread; a post's own are below its id as all others.
	for i := range first.attachments {
		a := &first.attachments[i]
		*a = b.d.newAttachment(ch.id, ch.id-1-ID(i), a.Filename, a.Size, "", a.blob)
	}
	ch.put(first)
	b.reply(ch, n-1, at)
}

// thread makes a thread of some message, or a private one of none.
func (b *builder) thread(n int) {
	parent := b.texts()[b.rng.IntN(len(b.texts()))]
	if b.chance(0.15) || len(parent.messages) == 0 {
		at := b.moment()
		owner := pick(b, b.people).id
		ch := b.openThread(parent, b.past(at), at, owner)
		if parent.kind == TextChannel {
			ch.kind = PrivateThread
		}
		b.reply(ch, n, at)
		return
	}
	m := pick(b, parent.messages)
	if m.thread != nil {
		b.reply(m.thread, n, m.at)
		return
	}
	ch := b.openThread(parent, m.id, m.at, m.author.id)
	m.thread, m.flags = ch, m.flags|flagHasThread
	ch.put(&chatMessage{
		id: b.past(m.at), channel: ch.id, guild: b.g.id, author: m.author, at: m.at, kind: threadStarterMessage, refersTo: parent.id,
		replyTo: m.id, answered: m,
	})
	b.reply(ch, n, m.at)
}

// texts are the places that take threads.
func (b *builder) texts() []*channel {
	if b.threadable == nil {
		for _, ch := range b.places {
			if ch.kind == TextChannel || ch.kind == NewsChannel {
				b.threadable = append(b.threadable, ch)
			}
		}
	}
	return b.threadable
}

// reply writes n more messages into a thread, a minute apart, by people who then are in it.
func (b *builder) reply(ch *channel, n int, at time.Time) {
	if len(ch.messages) > 0 {
		at = ch.messages[len(ch.messages)-1].at
	}
	step := min(time.Minute, b.now.Add(-time.Minute).Sub(at)/time.Duration(n+1))
	for i := range n {
		m := b.message(ch, at.Add(step*time.Duration(i+1)))
		ch.put(m)
		ch.thread.members[m.author.id] = m.at
	}
}

// moment is some time in the second half of the guild's life.
func (b *builder) moment() time.Time {
	return b.now.Add(-age / 2).Add(time.Duration(b.rng.Int64N(int64(age/2 - 24*time.Hour))))
}
