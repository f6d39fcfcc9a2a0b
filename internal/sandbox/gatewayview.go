package sandbox

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// GatewayCounts are what happened on the gateway since New.
type GatewayCounts struct {
	Connections int    `json:"connections"` // that were upgraded
	Refused     int    `json:"refused"`     // upgrades, by a fault
	Identifies  int    `json:"identifies"`  // that began a session
	TooEarly    int    `json:"too_early"`   // IDENTIFYs inside the wait of their key
	Resumes     int    `json:"resumes"`     // that succeeded
	Replayed    uint64 `json:"replayed"`    // dispatches that RESUMEs had to bring again or for the first time
	Unresumable int    `json:"unresumable"` // RESUMEs answered with op 9
	Heartbeats  int    `json:"heartbeats"`
	Unheard     int    `json:"unheard"` // frames that came during silence
	// Closes counts the connections that the sandbox closed, by code.
	Closes map[int]int `json:"closes"`
}

// GatewayCounts sums up the gateway.
func (d *Discord) GatewayCounts() GatewayCounts {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.gateway.counts
	c.Closes = maps.Clone(c.Closes)
	return c
}

// Identifies is how many IDENTIFYs began a session.
func (d *Discord) Identifies() int { return d.GatewayCounts().Identifies }

// Resumes is how many RESUMEs succeeded.
func (d *Discord) Resumes() int { return d.GatewayCounts().Resumes }

// GatewaySession is a session as the gateway sees it.
type GatewaySession struct {
	ID        string  `json:"id"`
	App       ID      `json:"app"`
	Shard     int     `json:"shard"`
	Shards    int     `json:"shards"`
	Version   int     `json:"version"`
	Intents   Intents `json:"intents"`
	Seq       uint64  `json:"seq"`       // of the newest dispatch
	Taken     uint64  `json:"taken"`     // of the newest that was written to the connection
	Connected bool    `json:"connected"` // false: lost, and still resumable
	Compress  string  `json:"compress,omitempty"`
	Path      string  `json:"path,omitempty"` // that the connection used
	Resumes   int     `json:"resumes"`
	// Received counts the client's frames by opcode, over all connections of the session.
	Received map[int]int `json:"received"`
}

// Sessions lists the sessions that live or can still be resumed, by application and shard.
func (d *Discord) Sessions() []GatewaySession {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gateway.sweep(time.Now())
	list := make([]GatewaySession, 0, len(d.gateway.sessions))
	for _, s := range d.gateway.sessions {
		v := GatewaySession{
			ID: s.id, App: s.app.user.id, Shard: s.shard, Shards: s.shards, Version: s.version, Intents: s.intents,
			Seq: s.seq(), Resumes: s.resumes, Received: maps.Clone(s.received),
		}
		if c := s.conn; c != nil {
			v.Connected, v.Compress, v.Path, v.Taken = true, c.compress, c.path, c.taken
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b GatewaySession) int {
		return cmp.Or(cmp.Compare(a.App, b.App), cmp.Compare(a.Shards, b.Shards), cmp.Compare(a.Shard, b.Shard), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// What a GatewayRecord tells.
const (
	GatewayIdentified  = "identified"
	GatewayTooEarly    = "too-early"
	GatewayResumed     = "resumed"
	GatewayUnresumable = "unresumable"
	GatewayClosed      = "closed" // by the sandbox
	GatewayLost        = "lost"   // by the client or the network
)

// GatewayRecord is one event in the life of a session.
type GatewayRecord struct {
	Seq       uint64    `json:"seq"`
	At        time.Time `json:"at"`
	Kind      string    `json:"kind"`
	Session   string    `json:"session"`
	App       ID        `json:"app"`
	Shard     int       `json:"shard"`
	Shards    int       `json:"shards"`
	ResumeSeq uint64    `json:"resume_seq,omitempty"` // what the client named in RESUME
	Replayed  uint64    `json:"replayed,omitempty"`
	Code      int       `json:"code,omitempty"` // of a close; zero when TCP ended without one
	Path      string    `json:"path,omitempty"` // of the connection: where it was resumed
}

// GatewayRecords copies the kept records with a Seq above after, oldest first, at most limit (0 = all kept).
func (d *Discord) GatewayRecords(after uint64, limit int) []GatewayRecord {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gateway.records.after(after, limit)
}

// note records an event of a session.
func (d *Discord) note(s *gatewaySession, r GatewayRecord) {
	r.At, r.Session, r.App, r.Shard, r.Shards = time.Now(), s.id, s.app.user.id, s.shard, s.shards
	d.gateway.records.add(func(seq uint64) GatewayRecord { r.Seq = seq; return r })
}
