package sandbox

import (
	"encoding/json"
	"time"

	"splashtail/internal/gateway"
)

// resume is op 6.
type resume struct {
	Token   *string `json:"token"`
	Session *string `json:"session_id"`
	Seq     *uint64 `json:"seq"`
}

// resume gives a connection a session that is there already: everything after the client's number, then RESUMED. Unknown
// and expired sessions, those of another bot and those whose log is too short get op 9; a number from the future 4007.
func (d *Discord) resume(c *gatewayConn, data json.RawMessage, now time.Time) {
	if c.session != nil {
		c.close(gateway.CloseAlreadyAuthenticated, "Already authenticated.")
		return
	}
	var q resume
	if json.Unmarshal(data, &q) != nil || q.Token == nil || q.Session == nil || q.Seq == nil {
		c.close(gateway.CloseDecode, "Error while decoding payload.")
		return
	}
	a := d.appFor(*q.Token)
	if a == nil {
		c.close(gateway.CloseAuthenticationFailed, "Authentication failed.")
		return
	}
	g := &d.gateway
	g.sweep(now)
	s := g.sessions[*q.Session]
	switch {
	case s == nil || s.app != a || *q.Seq <= s.seq() && !s.keeps(*q.Seq):
		if s != nil && s.app == a {
			g.end(s, now)
		}
		g.counts.Unresumable++
		d.note(&gatewaySession{id: *q.Session, app: a}, GatewayRecord{Kind: GatewayUnresumable, ResumeSeq: *q.Seq, Path: c.path})
		c.push(gateway.OpInvalidSession, json.RawMessage("false"))
	case *q.Seq > s.seq():
		g.end(s, now)
		c.close(gateway.CloseInvalidSeq, "Invalid seq.")
	default:
		replayed := s.seq() - *q.Seq
		s.attach(c, *q.Seq)
		s.version = c.version
		s.resumes++
		g.counts.Resumes++
		g.counts.Replayed += replayed
		d.note(s, GatewayRecord{Kind: GatewayResumed, ResumeSeq: *q.Seq, Replayed: replayed, Path: c.path})
		s.addOnly(c, "RESUMED", rawJSON(struct {
			Trace []string `json:"_trace"`
		}{[]string{}}))
	}
}
