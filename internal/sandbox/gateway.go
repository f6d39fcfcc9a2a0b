package sandbox

import (
	"sync"
	"time"
)

// GatewaySettings say how the gateway counts and how fast it is. Zero fields mean the defaults, negative ones switch the
// limit or wait off.
type GatewaySettings struct {
	// HeartbeatInterval is what HELLO asks for, 41.25 s by default. A connection without a heartbeat for two of them is
	// closed with 4009 and its session ends. It counts for connections that open later.
	HeartbeatInterval time.Duration
	// IdentifyEvery is how long each key (shard modulo MaxConcurrency) of a bot is blocked after an IDENTIFY, 5 s by
	// default; MaxConcurrency is 1 by default. An IDENTIFY that comes too early is answered with op 9.
	IdentifyEvery  time.Duration
	MaxConcurrency int
	// IdentifyLimit is how many IDENTIFYs a bot has in 24 hours, 1000 by default. One more ends all its sessions and its
	// token, as with Discord.
	IdentifyLimit int
	// Shards is what GET /gateway/bot recommends, 1 by default.
	Shards int
	// GuildsPerShard is how many guilds one shard may hold (4011), 2500 by default.
	GuildsPerShard int
	// KeepSession is how long a session without a connection can still be resumed, 3 minutes by default.
	KeepSession time.Duration
	// SessionLog is how many dispatches each session keeps for a RESUME, 32768 by default. A connection that falls further
	// behind than that is closed and cannot be resumed. It counts for sessions that begin later.
	SessionLog int
	// FramesPerMinute is how many frames a connection may send in any 60 s (4008), 120 by default.
	FramesPerMinute int
	// MembersEvery is how long a bot waits between two requests for all members of a guild (RATE_LIMITED), 30 s by default.
	MembersEvery time.Duration
	// ResumeURL is what READY calls resume_gateway_url; empty means the address that the client used, with the path
	// /gateway/resume.
	ResumeURL string
	// Latency is how much later than it was made a frame is sent. Gap is the least time between two dispatches of one
	// connection. Both are off by default.
	Latency, Gap time.Duration
}

// DefaultGatewaySettings are Discord's numbers where it documents them; the kept session time is what was seen, the log and
// the number of shards are our own.
func DefaultGatewaySettings() GatewaySettings {
	return GatewaySettings{
		HeartbeatInterval: 41_250 * time.Millisecond, IdentifyEvery: 5 * time.Second, MaxConcurrency: 1, IdentifyLimit: 1000,
		Shards: 1, GuildsPerShard: 2500, KeepSession: 3 * time.Minute, SessionLog: 32768, FramesPerMinute: 120,
		MembersEvery: 30 * time.Second,
	}
}

func (s GatewaySettings) withDefaults() GatewaySettings {
	def := DefaultGatewaySettings()
	fallback(&s.HeartbeatInterval, def.HeartbeatInterval)
	fallback(&s.IdentifyEvery, def.IdentifyEvery)
	fallback(&s.MaxConcurrency, def.MaxConcurrency)
	fallback(&s.IdentifyLimit, def.IdentifyLimit)
	fallback(&s.Shards, def.Shards)
	fallback(&s.GuildsPerShard, def.GuildsPerShard)
	fallback(&s.KeepSession, def.KeepSession)
	fallback(&s.SessionLog, def.SessionLog)
	fallback(&s.FramesPerMinute, def.FramesPerMinute)
	fallback(&s.MembersEvery, def.MembersEvery)
	s.HeartbeatInterval = max(s.HeartbeatInterval, 10*time.Millisecond)
	s.MaxConcurrency, s.Shards, s.SessionLog = max(s.MaxConcurrency, 1), max(s.Shards, 1), max(s.SessionLog, 1)
	return s
}

func fallback[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// Bounds of the gateway.
const (
	maxSessions    = 20_000
	maxConnections = 20_000
	gatewayRecords = 16_384
)

// gatewayState is what the sandbox knows of its gateway. The lock of Discord guards all of it but running.
type gatewayState struct {
	settings  GatewaySettings
	faults    GatewayFaults
	sessions  map[string]*gatewaySession // also those without a connection, until they expire
	conns     map[*gatewayConn]struct{}
	starts    map[ID]*starts // by application
	asked     map[membersKey]time.Time
	presences map[ID]presence // of users that are online
	outages   map[ID]bool     // guilds that are unavailable
	counts    GatewayCounts
	records   ring[GatewayRecord]
	ended     bool // Run has ended: no connection is taken any more
	running   sync.WaitGroup
}

func newGateway(s GatewaySettings) gatewayState {
	return gatewayState{
		settings: s.withDefaults(), sessions: map[string]*gatewaySession{}, conns: map[*gatewayConn]struct{}{},
		starts: map[ID]*starts{}, asked: map[membersKey]time.Time{}, presences: map[ID]presence{}, outages: map[ID]bool{}, records: newRing[GatewayRecord](gatewayRecords),
		counts: GatewayCounts{Closes: map[int]int{}},
	}
}

// SetGateway replaces the settings of the gateway; sessions and connections stay.
func (d *Discord) SetGateway(s GatewaySettings) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gateway.settings = s.withDefaults()
	for c := range d.gateway.conns {
		c.poke()
	}
	d.changed()
}

// GatewaySettings gives the settings in force.
func (d *Discord) GatewaySettings() GatewaySettings {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gateway.settings
}

// endGateway closes the gateway with its sandbox: no connection is taken any more, and those there are have said goodbye
// when it returns, or were cut after drainFor.
func (d *Discord) endGateway() {
	d.mu.Lock()
	d.gateway.ended = true
	d.mu.Unlock()
	late := time.AfterFunc(drainFor, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		for c := range d.gateway.conns {
			c.cut()
		}
	})
	defer late.Stop()
	d.gateway.running.Wait()
}
