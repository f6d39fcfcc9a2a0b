package downstream

import (
	"context"
	"time"

	"splashtail/internal/gateway"
)

// chores are looked at about once a second: silence, the stop of the process, and the
// session's record.
func (c *conn) chores() error {
	now := time.Now()
	silent := now.Sub(time.Unix(0, c.heard.Load()))
	switch {
	case silent > c.s.cfg.Heartbeat*7/4:
		return &closing{gateway.CloseUnknown, "no heartbeat came; come back and resume"}
	case !c.idle.IsZero() && now.After(c.idle):
		return &closing{gateway.CloseUnknown, "neither IDENTIFY nor RESUME came"}
	case !c.draining.IsZero() && now.After(c.draining):
		return &closing{gateway.CloseUnknown, "this server stops; come back and resume"}
	}
	if c.draining.IsZero() && c.s.stopping() {
		if c.sess == nil {
			return &closing{gateway.CloseUnknown, "this server stops; come back"}
		}
		// Several libraries need to have heard something else before a RECONNECT.
		if !c.asked && !c.sess.resuming && len(c.sess.shown) == 0 {
			c.draining = now.Add(c.s.cfg.Drain)
			return c.control(gateway.OpReconnect, nullD)
		}
	}
	if c.sess != nil && now.Sub(c.sess.kept) > c.s.cfg.Keep/4 {
		c.keep()
	}
	if c.sess != nil && c.sess.resuming {
		return c.lookBehind()
	}
	return nil
}

// keep writes the session's record anew. It lives long enough for some more tries.
func (c *conn) keep() {
	c.sess.kept = time.Now()
	if err := c.s.store(c.ctx, c.sess); err != nil {
		c.log.Warn("a bot's session was not written; it can be resumed as it was before", "session", c.sess.short(), "err", err)
	}
}

// keepLast gives a session that lost its connection the full time to come back.
func (c *conn) keepLast() {
	if c.sess == nil || c.lost.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.ctx), 5*time.Second)
	defer cancel()
	if err := c.s.store(ctx, c.sess); err != nil {
		c.log.Warn("a bot's session was not written at its end; it can be resumed for a shorter time", "session", c.sess.short(), "err", err)
	}
}

// note publishes where the session stands.
func (c *conn) note() {
	scanned, _ := c.s.tail.at()
	st := c.status.Load()
	behind := scanned - min(c.sess.cursor, scanned)
	if st != nil && st.Behind == behind && st.Number == c.sess.sent {
		return
	}
	c.status.Store(&SessionStatus{Session: c.sess.short(), Shard: c.sess.view.shard, Shards: c.sess.view.shards,
		Addr: c.addr, Since: c.sess.rec.Since, Number: c.sess.sent, Behind: behind})
}
