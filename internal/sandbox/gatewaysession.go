package sandbox

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"splashtail/internal/gateway"
)

// gatewaySession is one identified session. Its log is both what the connection still has to send and what a RESUME replays,
// so nothing can be in one and not in the other.
type gatewaySession struct {
	id       string
	app      *application
	shard    int
	shards   int
	version  int // of the API: 9 or 10
	intents  Intents
	payload  bool // IDENTIFY asked for compressed payloads
	large    int  // from how many members on GUILD_CREATE leaves out those that are offline
	log      ring[sent]
	conn     *gatewayConn // nil: nobody is connected
	lost     time.Time    // since when nobody is
	resumes  int
	received map[int]int // client frames by op, over all connections
}

// sent is one dispatch in a session's log.
type sent struct {
	seq  uint64
	at   time.Time
	name string
	body json.RawMessage
	only *gatewayConn // not nil: for this connection, never replayed to another
}

func newSessionID() string {
	b := make([]byte, 16)
	rand.Read(b) // never fails since Go 1.24
	return hex.EncodeToString(b)
}

// serves says whether a guild's events belong to this session's shard; those of no guild belong to shard 0.
func (s *gatewaySession) serves(guildID ID) bool {
	return int(uint64(guildID)>>22%uint64(s.shards)) == s.shard
}

// readsContent says whether the session sees what messages say. Version 9 does not ask for the intent.
func (s *gatewaySession) readsContent() bool {
	return s.intents&IntentMessageContent != 0 || s.version == 9 && s.app.contentIntent
}

// add appends a dispatch and wakes the connection.
func (s *gatewaySession) add(name string, body json.RawMessage) { s.addOnly(nil, name, body) }

func (s *gatewaySession) addOnly(c *gatewayConn, name string, body json.RawMessage) {
	s.log.add(func(seq uint64) sent { return sent{seq: seq, at: time.Now(), name: name, body: body, only: c} })
	if s.conn != nil {
		s.conn.poke()
	}
}

// seq is the number of the newest dispatch.
func (s *gatewaySession) seq() uint64 { return s.log.next }

// keeps says whether everything after seq is still in the log.
func (s *gatewaySession) keeps(seq uint64) bool { return s.log.next-seq <= uint64(len(s.log.vals)) }

// attach gives the session to a connection that has all up to seq. A connection that held it is closed, since only one can.
func (s *gatewaySession) attach(c *gatewayConn, seq uint64) {
	if old := s.conn; old != nil && old != c {
		s.detach(time.Now())
		old.close(gateway.CloseUnknown, "The session was resumed on another connection.")
	}
	s.conn, c.session, c.taken = c, s, seq
	c.payload = s.payload && c.compress == "" // a stream wins
	c.poke()
}

// detach leaves the session without a connection.
func (s *gatewaySession) detach(now time.Time) {
	if s.conn != nil {
		s.conn.session = nil
		s.conn, s.lost = nil, now
	}
}

// expired says that nobody came back in time.
func (s *gatewaySession) expired(now time.Time, keep time.Duration) bool {
	return s.conn == nil && keep >= 0 && now.Sub(s.lost) > keep
}

// end forgets a session; the bot has to IDENTIFY again.
func (g *gatewayState) end(s *gatewaySession, now time.Time) {
	s.detach(now)
	delete(g.sessions, s.id)
}

// sweep forgets the sessions that nobody resumed in time.
func (g *gatewayState) sweep(now time.Time) {
	for _, s := range g.sessions {
		if s.expired(now, g.settings.KeepSession) {
			g.end(s, now)
		}
	}
}
