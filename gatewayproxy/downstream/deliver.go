package downstream

import (
	"encoding/json"
	"errors"
	"slices"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/rawjson"
)

const (
	// stride is how many events are sent before the bot's own frames are looked at.
	stride = 32
	// pageSize is how many events a session that is behind reads at a time. With a few
	// exceptions an event has a few KiB at most.
	pageSize = 128
)

// deliverGathered is deliver with its frames sent together.
func (c *conn) deliverGathered() (<-chan struct{}, error) {
	c.wire.hold()
	news, err := c.deliver()
	return news, errors.Join(err, c.wire.release())
}

// deliver sends the next few things that are due to the bot. When nothing is, it gives a
// channel that is closed when something may be.
func (c *conn) deliver() (news <-chan struct{}, err error) {
	sess := c.sess
	switch {
	case sess.ready != nil:
		if err := c.dispatch("READY", 1, readyFor(sess, c.resumeURL)); err != nil {
			return nil, err
		}
		sess.ready = nil
		return nil, nil
	case len(sess.shown) > 0:
		return nil, c.showNext()
	}
	c.releaseBurst()
	g := c.s.tail.after(sess.cursor, c.group())
	if g.behind {
		return nil, c.deliverPage()
	}
	c.noteOrder(g.events)
	for i, e := range g.events {
		if err := c.pass(e); err != nil {
			return nil, err
		}
		if i%stride == stride-1 {
			if err := c.listen(); err != nil {
				return nil, err
			}
		}
	}
	sess.cursor = g.next
	if err := c.resumed(); err != nil {
		return nil, err
	}
	if len(g.events) > 0 {
		return nil, nil
	}
	return g.news, nil
}

// group is how many events are taken at a time: more when each group costs a write.
func (c *conn) group() int {
	if c.sess.num.spans() {
		return orderGroup
	}
	return stride
}

// showNext shows the next guild. Their numbers end at the session's burst, so that the
// first event follows.
func (c *conn) showNext() error {
	sess := c.sess
	g := sess.shown[0]
	sess.shown[0].JSON, sess.shown = nil, sess.shown[1:]
	number := sess.rec.Burst - min(uint64(len(sess.shown)), sess.rec.Burst-1)
	if sess.view.intents&gateway.IntentGuilds == 0 {
		return nil
	}
	name, d := guildFor(g, sess.view)
	return c.dispatch(name, max(number, sess.sent), d)
}

// deliverPage reads on in the stream itself: the session's place is not in memory.
func (c *conn) deliverPage() error {
	sess := c.sess
	scanned, _ := c.s.tail.at() // what is stored by now is in this page or a later one
	info, err := bus.InfoOf(c.ctx, c.s.b, bus.AllDispatches())
	if err != nil {
		return err
	}
	page, more, err := bus.ReadPage(c.ctx, c.s.b, sess.view.filter(), sess.cursor+1, pageSize)
	if err != nil {
		return err
	}
	if info.First > sess.cursor+1 && !sess.follows(page) {
		return c.forget("the stream has let go of events that the bot had not had yet")
	}
	var events []*event
	for _, m := range page {
		if m.Seq > scanned { // whether it is behind a turn is not known yet
			more = false
			break
		}
		e := newEvent(m)
		e.quiet = c.s.tail.quiet(m.Seq)
		events = append(events, e)
	}
	c.noteOrder(events)
	for i, e := range events {
		events[i], page[i].Value.Data = nil, nil
		if err := c.pass(e); err != nil {
			return err
		}
		c.s.m.replayed.Inc()
		if err := c.listen(); err != nil { // its heartbeats must not wait for the whole page
			return err
		}
	}
	if !more {
		sess.cursor = max(sess.cursor, scanned)
	}
	return c.resumed()
}

// follows says whether a page begins with the event right behind what was scanned.
func (sess *session) follows(page []bus.Delivery[bus.Dispatch]) bool {
	if len(page) == 0 || !sess.num.single {
		return false
	}
	n, known := sess.num.known(page[0].Value.Session, page[0].Value.Seq)
	return known && n <= sess.num.top()+1
}

// resumed tells the bot that it has everything from before its RESUME.
func (c *conn) resumed() error {
	sess := c.sess
	if !sess.resuming || sess.cursor < sess.target {
		return nil
	}
	sess.resuming = false
	c.s.m.begins.WithLabelValues("resume", "ok").Inc()
	return c.dispatch("RESUMED", max(sess.num.top(), sess.sent), []byte(emptyD))
}

// lookBehind finds out whether a RESUME waits for an event that has left the stream, or
// cannot be read.
func (c *conn) lookBehind() error {
	page, more, err := bus.ReadPage(c.ctx, c.s.b, c.sess.view.filter(), c.sess.cursor+1, 1)
	if err != nil {
		return err
	}
	if len(page) == 0 && !more {
		c.sess.cursor = max(c.sess.cursor, c.sess.target)
	}
	return nil
}

// pass looks at the next event of the stream and sends it if it is for the bot.
func (c *conn) pass(e *event) error {
	sess := c.sess
	sess.cursor = e.place
	if sess.crossed < e.place {
		for _, t := range c.s.tail.turnsBetween(sess.crossed, e.place) {
			sess.cross(t)
		}
	}
	if e.quiet || e.name == bus.EventShardsChanged || !sess.view.ofShard(e) {
		return nil
	}
	number := sess.num.of(e)
	if number <= sess.have || e.place <= sess.since[e.shard] || e.place > sess.num.turn.Place && e.seq <= sess.had[e.session] {
		return nil
	}
	switch e.name {
	case "READY":
		return c.rebirth(e, number)
	case "RESUMED":
		return nil
	}
	d, ok := sess.view.show(e)
	if ok {
		d, ok = c.route(e, d)
	}
	if !ok {
		return nil
	}
	if e.name == "GUILD_CREATE" && sess.reborn[e.guild] {
		delete(sess.reborn, e.guild)
		d = with(d, member{"unavailable", json.RawMessage("false")})
		if err := c.dispatch("GUILD_DELETE", max(number-1, sess.sent), goneFor(e.guild, true)); err != nil {
			return err
		}
	}
	return c.dispatch(e.name, max(number, sess.sent), d)
}

// rebirth takes in that Discord gave us a new session: it will send every guild again.
// To the bot each has an outage then, which every library takes in without believing
// that it joined a guild, and with all that changed meanwhile. Guilds that it lost in
// between are removed.
func (c *conn) rebirth(e *event, number uint64) error {
	sess := c.sess
	sess.reborn = guildsOfReady(e.d)
	for i, id := range e.gone {
		if sess.view.intents&gateway.IntentGuilds == 0 || !sess.view.ofGuild(id) {
			continue
		}
		n := number
		if i < len(e.gone)-1 {
			n-- // who has only some of them gets the rest with a RESUME
		}
		if err := c.dispatch("GUILD_DELETE", max(n, sess.sent), goneFor(id, false)); err != nil {
			return err
		}
	}
	return nil
}

// guildsOfReady gives the guilds that a READY names.
func guildsOfReady(ready []byte) map[bus.GuildID]bool {
	named := map[bus.GuildID]bool{}
	for g := range rawjson.Elements(rawjson.Get(ready, "guilds")) {
		if id, err := bus.ParseGuildID(rawjson.Text(rawjson.Get(g, "id"))); err == nil {
			named[id] = true
		}
	}
	return named
}

// goneFor is the d of a GUILD_DELETE, for an outage or for good.
func goneFor(id bus.GuildID, outage bool) []byte {
	if outage {
		return []byte(`{"id":"` + id.String() + `","unavailable":true}`)
	}
	return []byte(`{"id":"` + id.String() + `"}`)
}

// route holds back what another bot asked for, and gives answers the name that this one
// gave its question.
func (c *conn) route(e *event, d json.RawMessage) (json.RawMessage, bool) {
	sess := c.sess
	switch e.name {
	case "GUILD_MEMBERS_CHUNK":
		theirs, asked := sess.nonce(rawjson.Text(rawjson.Get(d, "nonce")))
		return with(d, member{"nonce", quoted(theirs)}), asked
	case "RATE_LIMITED":
		meta := rawjson.Get(d, "meta")
		if !has(meta, "nonce") {
			return d, true
		}
		theirs, asked := sess.nonce(rawjson.Text(rawjson.Get(meta, "nonce")))
		return with(d, member{"meta", with(meta, member{"nonce", quoted(theirs)})}), asked
	case "VOICE_SERVER_UPDATE":
		return d, slices.Contains(sess.rec.Voice, e.guild) && c.s.voice.owns(e.guild, sess.id)
	}
	return d, true
}

// quoted is a nonce as JSON; nil when there is none, which leaves it out.
func quoted(nonce string) json.RawMessage {
	if nonce == "" {
		return nil
	}
	text, _ := json.Marshal(nonce) // a string always encodes
	return text
}

// errForgotten ends a connection whose session cannot go on.
var errForgotten = errors.New("the session was given up")

// forget gives a session up: the next RESUME is refused, and the bot begins anew.
func (c *conn) forget(why string) error {
	c.log.Error("a bot must begin a new session", "session", c.sess.short(), "why", why)
	if err := c.s.records.Delete(c.ctx, c.sess.id, 0); err != nil {
		return err
	}
	c.lost.Store(true)
	return errForgotten
}
