package upstream

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"splashtail/bus"
	"splashtail/internal/rawjson"
)

// scout takes the events of a new session while the old ones still serve. It stores
// nothing: it finds out which of them the old ones have stored already. Both get the same
// events of a guild in the same order, only not at the same moment, so that what one is
// ahead of the other is a queue per guild: ahead when the new session is, owed when the
// old one is.
type scout struct {
	place *place

	mu      sync.Mutex
	session *session
	ready   json.RawMessage
	waiting map[bus.GuildID]bool // named by READY, and not shown yet
	guilds  map[bus.GuildID]bool // that the bot is in, as this session knows
	lanes   map[bus.GuildID]*lane
	done    []doneEvent // in order of seq: what is not to be stored again
	last    int64
	over    bool // too much is in done
}

// lane is where two sessions are in the events of one guild. One of its queues is empty,
// but for what a session alone was told.
type lane struct {
	met   bool // both have had the same event
	ahead []aheadEvent
	owed  []owedEvent
}

type eventKey [16]byte

type aheadEvent struct {
	key eventKey
	seq int64
}

type owedEvent struct {
	key   eventKey
	place uint64
	at    time.Time // when it was heard of
}

// doneEvent has a double in the stream; place 0: it needs none.
type doneEvent struct {
	seq   int64
	place uint64
	at    time.Time
}

const (
	maxDone = 1 << 15
	// maxUnmet bounds what is kept of a guild of which both sessions have not had the same event yet.
	maxUnmet = 1 << 12
	// lossWindow is how much of the newest of the stream a crash may take back.
	lossWindow = 2 * time.Second
)

func newScout(p *place) *scout {
	return &scout{place: p, lanes: map[bus.GuildID]*lane{}}
}

var errTooMuch = errors.New("too many events came at once to be told apart")

func (c *scout) run(ctx context.Context)      { <-ctx.Done() }
func (c *scout) settle(context.Context) error { return nil }
func (c *scout) confirm(_ context.Context, done chan<- error) error {
	done <- nil // publish has taken in what came before
	return nil
}
func (c *scout) failed() <-chan error { return nil }

// publish takes an event of the new session.
func (c *scout) publish(_ context.Context, d bus.Dispatch, s *session, at time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := underway{seq: d.Seq, at: at}
	switch {
	case d.Event == eventReady:
		u.session, u.ready = s, d.Data
		c.begin(d, s)
	case d.Event == eventResumed:
		c.finish(d.Seq, 0, at)
	default:
		c.take(d, at)
	}
	c.last = d.Seq
	c.place.advance(u, 0)
	c.prune(at)
	return nil
}

func (c *scout) begin(d bus.Dispatch, s *session) {
	c.session, c.ready, c.done, c.last = s, d.Data, nil, 0
	c.waiting, c.guilds = map[bus.GuildID]bool{}, map[bus.GuildID]bool{}
	// What the old sessions have stored lately may be behind what this one will show: it is slow to be heard, not to begin.
	for _, l := range c.lanes {
		l.met, l.ahead = false, nil
	}
	for g := range rawjson.Elements(rawjson.Get(d.Data, "guilds")) {
		if id, err := bus.ParseGuildID(rawjson.Text(rawjson.Get(g, "id"))); err == nil {
			c.waiting[id], c.guilds[id] = true, true
		}
	}
}

func (c *scout) finish(seq int64, place uint64, at time.Time) {
	c.done = append(c.done, doneEvent{seq, place, at})
}

// take compares an event of the new session with what the old ones are owed.
func (c *scout) take(d bus.Dispatch, at time.Time) {
	if c.waiting[d.Guild] && (d.Event == "GUILD_CREATE" || d.Event == "GUILD_DELETE") {
		delete(c.waiting, d.Guild) // as it is now: everybody knows the guild
		c.finish(d.Seq, 0, at)
		return
	}
	l := c.lanes[d.Guild]
	if l == nil {
		l = &lane{}
		c.lanes[d.Guild] = l
	}
	switch d.Event {
	case "GUILD_CREATE":
		c.guilds[d.Guild] = true
	case "GUILD_DELETE":
		if string(rawjson.Get(d.Data, "unavailable")) != "true" {
			delete(c.guilds, d.Guild)
		}
	}
	key := keyOf(d)
	for i, o := range l.owed {
		if o.key == key {
			l.owed, l.met = l.owed[i+1:], true
			c.finish(d.Seq, o.place, at)
			return
		}
	}
	if !l.met {
		l.owed = nil // they are from before this session, which shows their outcome
	}
	l.ahead = append(l.ahead, aheadEvent{key, d.Seq})
}

// stored takes an event of an old session, at a place of the stream.
func (c *scout) stored(d bus.Dispatch, place uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, shows := c.lanes[d.Guild], d.Event == "GUILD_CREATE"
	switch {
	case answers(d.Event), shows && c.session == nil, shows && c.guilds[d.Guild] && (l == nil || len(l.ahead) == 0):
		return
	case l == nil:
		l = &lane{met: shows && !c.waiting[d.Guild]} // met at once: a guild that the bot joins
		c.lanes[d.Guild] = l
	}
	key := keyOf(d)
	for i, a := range l.ahead {
		if a.key == key {
			if !l.met && d.Guild != 0 {
				l.owed = nil // they came before what this session was told first, and it shows their outcome
			}
			l.ahead, l.met = slices.Delete(l.ahead, i, i+1), true
			c.insert(doneEvent{a.seq, place, time.Now()})
			return
		}
	}
	l.owed = append(l.owed, owedEvent{key, place, time.Now()})
	if !l.met && len(l.owed) > maxUnmet {
		l.owed = slices.Delete(l.owed, 0, 1)
	}
}

func (c *scout) insert(e doneEvent) {
	i, _ := slices.BinarySearchFunc(c.done, e.seq, func(d doneEvent, seq int64) int { return int(d.seq - seq) })
	c.done = slices.Insert(c.done, i, e)
}

// prune lets go of what no RESUME will bring again.
func (c *scout) prune(now time.Time) {
	if len(c.done) < maxDone/2 {
		return
	}
	first := c.firstAhead()
	n := 0
	for n < len(c.done) && c.done[n].seq < first && now.Sub(c.done[n].at) > lossWindow {
		n++
	}
	c.done = slices.Delete(c.done, 0, n)
	c.over = c.over || len(c.done) > maxDone
}

// firstAhead is the first event that the old sessions have not stored.
func (c *scout) firstAhead() int64 {
	first := c.last + 1
	for _, l := range c.lanes {
		if len(l.ahead) > 0 {
			first = min(first, l.ahead[0].seq)
		}
	}
	return first
}

// forget lets go of what the old sessions have stored up to a place and this one, which is
// past that, has not brought: it is from before this one showed the guild.
func (c *scout) forget(through uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.lanes {
		l.owed = slices.DeleteFunc(l.owed, func(o owedEvent) bool { return o.place <= through })
	}
}

// showing is the session that has shown every guild; empty while there is none.
func (c *scout) showing() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.session == nil || len(c.waiting) > 0 {
		return ""
	}
	return c.session.id
}

// state says whether every guild was shown, and how many events of the old sessions the
// new one has still to bring.
func (c *scout) state() (shown bool, owed int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for _, l := range c.lanes {
		for _, o := range l.owed {
			// What was stored before the new session showed the guild it will never bring.
			if l.met || now.Sub(o.at) < drainPatience {
				owed++
			}
		}
	}
	if c.over {
		err = errTooMuch
	}
	return c.session != nil && len(c.waiting) == 0, owed, err
}

// takeover is the session as the shard goes on with it: from before the first event that
// is not stored, and from before what a crash may take back.
func (c *scout) takeover(now time.Time) bus.UpstreamSession {
	c.mu.Lock()
	defer c.mu.Unlock()
	from := c.firstAhead() - 1
	for _, e := range c.done {
		if now.Sub(e.at) <= lossWindow && e.place > 0 {
			from = min(from, e.seq-1)
			break
		}
	}
	taken := &bus.UpstreamTaken{From: from, At: now.UTC()}
	for _, e := range c.done {
		if e.seq > from {
			taken.Skip = append(taken.Skip, bus.Skipped{uint64(e.seq), e.place})
		}
	}
	return bus.UpstreamSession{V: 1, Session: c.session.id, ResumeURL: c.session.url, Seq: from, At: now.UTC(), Taken: taken}
}

// readyNow is READY with the guilds of now.
func (c *scout) readyNow() (json.RawMessage, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var ids []bus.GuildID
	for id := range c.guilds {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return withGuilds(c.ready, ids)
}

// answers says whether an event comes only to the session that asked for it.
func answers(event string) bool {
	switch event {
	case "GUILD_MEMBERS_CHUNK", "RATE_LIMITED", "SOUNDBOARD_SOUNDS", "CHANNEL_INFO", "VOICE_SERVER_UPDATE", eventReady, eventResumed:
		return true
	}
	return false
}

// keyOf is the same for an event whichever session brings it: Discord numbers them by
// session, and the order of members in an object is nobody's promise.
func keyOf(d bus.Dispatch) eventKey {
	text := []byte(d.Data)
	id := rawjson.Text(rawjson.Get(d.Data, "id"))
	switch {
	case d.Event == "GUILD_CREATE":
		text = []byte(d.Guild.String()) // what it shows depends on the moment
	case d.Event == "INTERACTION_CREATE" && id != "":
		text = []byte(id) // secrets in it are sealed by each session anew
	default:
		var v any
		dec := json.NewDecoder(bytes.NewReader(d.Data))
		dec.UseNumber()
		if dec.Decode(&v) == nil {
			text, _ = json.Marshal(v) // it was decoded from JSON
		}
	}
	sum := sha256.Sum256(append([]byte(d.Event+" "), text...))
	return eventKey(sum[:16])
}
