package sandbox

import (
	"encoding/json"
	"fmt"
	"time"

	"splashtail/internal/gateway"
)

// identify is op 2.
type identify struct {
	Token      *string         `json:"token"`
	Properties json.RawMessage `json:"properties"`
	Intents    *int64          `json:"intents"`
	Shard      []int           `json:"shard"`
	Compress   json.RawMessage `json:"compress"` // a truth value; some clients send a word, which means no
	Large      *int            `json:"large_threshold"`
	Presence   json.RawMessage `json:"presence"`
}

// starts counts the IDENTIFYs of one application.
type starts struct {
	used  int
	reset time.Time         // when used becomes zero again
	keys  map[int]time.Time // until when a key is blocked
}

// startsOf gives the counter of an application for the running 24 hours.
func (g *gatewayState) startsOf(app ID, now time.Time) *starts {
	s := g.starts[app]
	if s == nil {
		s = &starts{keys: map[int]time.Time{}}
		g.starts[app] = s
	}
	if !now.Before(s.reset) {
		s.used, s.reset = 0, now.Add(24*time.Hour)
	}
	return s
}

// identify begins a session: the checks in the order in which they need each other, then READY and the guilds, at one
// instant with the first event that the session can get.
func (d *Discord) identify(c *gatewayConn, data json.RawMessage, now time.Time) {
	if c.session != nil {
		c.close(gateway.CloseAlreadyAuthenticated, "Already authenticated.")
		return
	}
	var q identify
	if json.Unmarshal(data, &q) != nil || !q.complete() {
		c.close(gateway.CloseDecode, "Error while decoding payload.")
		return
	}
	a := d.appFor(*q.Token)
	if a == nil {
		c.close(gateway.CloseAuthenticationFailed, "Authentication failed.")
		return
	}
	s := &gatewaySession{
		id: newSessionID(), app: a, shards: 1, version: c.version, intents: Intents(*q.Intents), large: 50,
		log: newRing[sent](d.gateway.settings.SessionLog), received: map[int]int{},
	}
	if code, why := d.fill(s, q); code != 0 {
		c.close(code, why)
		return
	}
	if !d.mayStart(c, s, now) {
		return
	}
	s.payload = string(q.Compress) == "true"
	d.gateway.sessions[s.id] = s
	s.attach(c, 0)
	d.note(s, GatewayRecord{Kind: GatewayIdentified, Path: c.path})
	d.gateway.counts.Identifies++
	d.greet(s, c, q.Shard != nil)
	if p := readPresence(q.Presence); p != nil {
		d.setPresence(a.user, *p)
	}
}

// complete says whether what Discord requires is there and in bounds.
func (q identify) complete() bool {
	return q.Token != nil && q.Intents != nil && len(q.Properties) > 0 && q.Properties[0] == '{' &&
		(q.Large == nil || *q.Large >= 50 && *q.Large <= 250)
}

// fill takes over shard, intents and threshold, or gives the code to close with.
func (d *Discord) fill(s *gatewaySession, q identify) (code int, why string) {
	if q.Large != nil {
		s.large = *q.Large
	}
	if q.Shard != nil {
		if len(q.Shard) != 2 || q.Shard[0] < 0 || q.Shard[0] >= q.Shard[1] {
			return gateway.CloseInvalidShard, "Invalid shard."
		}
		s.shard, s.shards = q.Shard[0], q.Shard[1]
	}
	if *q.Intents < 0 || *q.Intents&^int64(knownIntents) != 0 {
		return gateway.CloseInvalidIntents, "Invalid intent(s)."
	}
	if s.intents&privilegedIntents&^s.app.privileged() != 0 {
		return gateway.CloseDisallowedIntents, "Disallowed intent(s)."
	}
	if most := d.gateway.settings.GuildsPerShard; most >= 0 && len(d.guildsOf(s)) > most {
		return gateway.CloseShardingRequired, "Sharding required."
	}
	return 0, ""
}

// privileged are the privileged intents that the application may ask for.
func (a *application) privileged() Intents {
	var p Intents
	if a.membersIntent {
		p |= IntentGuildMembers
	}
	if a.presences {
		p |= IntentGuildPresences
	}
	if a.contentIntent {
		p |= IntentMessageContent
	}
	return p
}

// mayStart applies the limits of IDENTIFY. One that comes too early costs nothing but its answer, op 9; Discord does not say
// whether it counts. One over the limit of 24 hours is the catastrophe that Discord documents.
func (d *Discord) mayStart(c *gatewayConn, s *gatewaySession, now time.Time) bool {
	g := &d.gateway
	g.sweep(now)
	if len(g.sessions) >= maxSessions {
		d.log.Error("an IDENTIFY was refused: the sandbox holds too many sessions", "sessions", len(g.sessions))
		c.close(gateway.CloseUnknown, fmt.Sprintf("The sandbox holds no more than %d sessions.", maxSessions))
		return false
	}
	st, key := g.startsOf(s.app.user.id, now), s.shard%g.settings.MaxConcurrency
	if now.Before(st.keys[key]) {
		g.counts.TooEarly++
		d.note(s, GatewayRecord{Kind: GatewayTooEarly, Path: c.path})
		c.push(gateway.OpInvalidSession, json.RawMessage("false"))
		return false
	}
	if limit := g.settings.IdentifyLimit; limit >= 0 && st.used >= limit {
		s.app.revoked = true
		d.endSessions(s.app, "The token was reset: too many IDENTIFYs.")
		c.close(gateway.CloseAuthenticationFailed, "Authentication failed.")
		return false
	}
	st.used++
	if g.settings.IdentifyEvery > 0 {
		st.keys[key] = now.Add(g.settings.IdentifyEvery)
	}
	return true
}

// endSessions ends all sessions of an application whose token is void.
func (d *Discord) endSessions(a *application, why string) {
	for _, s := range d.gateway.sessions {
		if s.app != a {
			continue
		}
		c := s.conn
		d.gateway.end(s, time.Now())
		if c != nil {
			c.close(gateway.CloseAuthenticationFailed, why)
		}
	}
}
