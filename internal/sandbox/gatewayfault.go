package sandbox

import (
	"encoding/json"
	"slices"
	"time"

	"splashtail/internal/gateway"
)

// GatewayFaults are troubles of the whole gateway that last until they are set otherwise.
type GatewayFaults struct {
	// Silent: frames are accepted and nothing is sent, not even an ACK. Events are kept and come when it ends.
	Silent bool `json:"silent"`
	// NoHello: new connections are opened and not greeted.
	NoHello bool `json:"no_hello"`
	// DropAcks: heartbeats are not acknowledged; everything else works.
	DropAcks bool `json:"drop_acks"`
	// ResumeHostDown: the path /gateway/resume answers 503 while the first address works.
	ResumeHostDown bool `json:"resume_host_down"`
	// RefuseUpgrade: all of the gateway answers 503.
	RefuseUpgrade bool `json:"refuse_upgrade"`
}

// SetGatewayFaults replaces the faults of the gateway. Connections stay.
func (d *Discord) SetGatewayFaults(f GatewayFaults) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gateway.faults = f
	for c := range d.gateway.conns {
		c.poke()
	}
	d.changed()
}

// GatewayFaults gives the faults in force.
func (d *Discord) GatewayFaults() GatewayFaults {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.gateway.faults
}

// Sessions narrows what happens to the connections of the gateway; the zero value means all of them.
type Sessions struct {
	App ID `json:"app,omitempty"`
	// ID is the session's.
	ID string `json:"session,omitempty"`
	// Shards are the shard numbers; empty means all.
	Shards []int `json:"shards,omitempty"`
}

func (f Sessions) fit(s *gatewaySession) bool {
	return (f.App == 0 || f.App == s.app.user.id) && (f.ID == "" || f.ID == s.id) &&
		(len(f.Shards) == 0 || slices.Contains(f.Shards, s.shard))
}

// each runs do for every connected session that fits and counts them.
func (d *Discord) each(f Sessions, do func(*gatewaySession, *gatewayConn)) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := 0
	for _, s := range d.gateway.sessions {
		if s.conn != nil && f.fit(s) {
			n++
			do(s, s.conn)
		}
	}
	if n > 0 {
		d.changed()
	}
	return n
}

// Reconnect asks clients to resume on a new connection (op 7), and says how many. The connections stay open until the
// clients close them.
func (d *Discord) Reconnect(f Sessions) int {
	return d.each(f, func(_ *gatewaySession, c *gatewayConn) { c.push(gateway.OpReconnect, nil) })
}

// InvalidateSessions sends op 9, and says to how many. Resumable sessions can be resumed, on the same connection too; the
// others are gone.
func (d *Discord) InvalidateSessions(f Sessions, resumable bool) int {
	now := time.Now()
	return d.each(f, func(s *gatewaySession, c *gatewayConn) {
		if resumable {
			s.detach(now)
		} else {
			d.gateway.end(s, now)
		}
		c.push(gateway.OpInvalidSession, rawJSON(resumable))
	})
}

// CloseSessions closes connections with a code, and says how many. Of the codes, 4004, 4007, 4009 and 4010 to 4014 end the
// sessions too.
func (d *Discord) CloseSessions(f Sessions, code int) int {
	now := time.Now()
	return d.each(f, func(s *gatewaySession, c *gatewayConn) {
		if code == gateway.CloseAuthenticationFailed || code == gateway.CloseInvalidSeq || code >= gateway.CloseSessionTimedOut && code <= gateway.CloseDisallowedIntents {
			d.gateway.end(s, now)
		}
		c.close(code, "Scripted.")
	})
}

// CutSessions drops TCP connections without a close frame, and says how many. The sessions can be resumed.
func (d *Discord) CutSessions(f Sessions) int {
	return d.each(f, func(_ *gatewaySession, c *gatewayConn) { c.cut() })
}

// SilenceSessions makes connections accept frames and send nothing for the rest of their lives, and says how many. New
// connections of the same sessions work.
func (d *Discord) SilenceSessions(f Sessions) int {
	return d.each(f, func(_ *gatewaySession, c *gatewayConn) { c.silent = true })
}

// AskHeartbeat demands a heartbeat at once (op 1), and says of how many.
func (d *Discord) AskHeartbeat(f Sessions) int {
	return d.each(f, func(_ *gatewaySession, c *gatewayConn) { c.push(gateway.OpHeartbeat, json.RawMessage("null")) })
}
