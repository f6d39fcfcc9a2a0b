package sandbox

import (
	"encoding/json"
	"time"

	"splashtail/internal/gateway"
)

// gatewayConn is one connection of a client. Its reader changes it under the lock of Discord, its writer takes from it
// under the lock and writes without.
type gatewayConn struct {
	version  int
	compress string // none, zlib-stream or zstd-stream
	host     string // that the client used
	path     string
	wake     chan struct{} // has a value when there may be something to do
	cut      func()        // drops TCP at once

	session  *gatewaySession // nil before IDENTIFY or RESUME and after op 9
	taken    uint64          // of the session's log: what the writer has got
	payload  bool            // large frames are compressed one by one
	control  []controlFrame
	closing  *closing
	silent   bool // sends nothing any more
	interval time.Duration
	beat     time.Time   // the last heartbeat, or HELLO
	frames   []time.Time // of the last 60 s
}

// controlFrame is a frame outside of the session's numbering. It goes out after the dispatches that there were before it.
type controlFrame struct {
	at      time.Time
	op      int
	data    json.RawMessage
	session *gatewaySession
	after   uint64
}

type closing struct {
	code   int
	reason string
}

// maxControl bounds the control frames that wait for a client which does not read.
const maxControl = 512

// poke wakes the writer.
func (c *gatewayConn) poke() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// push queues a control frame.
func (c *gatewayConn) push(op int, data json.RawMessage) {
	if len(c.control) >= maxControl {
		c.close(gateway.CloseUnknown, "The client does not read.")
		return
	}
	f := controlFrame{at: time.Now(), op: op, data: data, session: c.session}
	if c.session != nil {
		f.after = c.session.seq()
	}
	c.control = append(c.control, f)
	c.poke()
}

// close asks the writer to close; the first code counts.
func (c *gatewayConn) close(code int, reason string) {
	if c.closing == nil {
		c.closing = &closing{code, reason}
		c.poke()
	}
}

// overRate counts a frame and says whether it is one too many for 60 s.
func (c *gatewayConn) overRate(now time.Time, limit int) bool {
	if limit < 0 {
		return false
	}
	first := 0
	for first < len(c.frames) && now.Sub(c.frames[first]) >= time.Minute {
		first++
	}
	c.frames = append(c.frames[first:], now)
	return len(c.frames) > limit
}

// frame is what the writer sends next.
type frame struct {
	op   int
	name string // of a dispatch
	seq  uint64
	data json.RawMessage
}

// batchSize is how many dispatches the writer takes at once: few locks at full speed, little memory when a client is slow.
const batchSize = 256

// take gives the frames that are due, in the order in which they were made, and when the next one will be (zero: when
// poked).
func (c *gatewayConn) take(now time.Time, s GatewaySettings) (due []frame, next time.Time) {
	late, limit := max(s.Latency, 0), batchSize
	if s.Gap > 0 {
		limit = 1
	}
	var log []sent
	for {
		switch {
		case len(c.control) > 0 && c.control[0].next(c):
			f := c.control[0]
			if at := f.at.Add(late); at.After(now) {
				return due, at
			}
			c.control = c.control[1:]
			due = append(due, frame{op: f.op, data: f.data})
		case len(log) > 0:
			e := log[0]
			if at := e.at.Add(late); at.After(now) {
				return due, at
			}
			log, c.taken = log[1:], e.seq
			if e.only == nil || e.only == c {
				due = append(due, frame{op: gateway.OpDispatch, name: e.name, seq: e.seq, data: e.body})
				limit--
			}
		case limit > 0 && c.session != nil && c.taken < c.session.seq():
			log = c.session.log.after(c.taken, limit)
		default:
			return due, time.Time{}
		}
	}
}

// next says whether a control frame has no dispatch before it any more.
func (f controlFrame) next(c *gatewayConn) bool {
	return c.session == nil || f.session != c.session || f.after <= c.taken
}
