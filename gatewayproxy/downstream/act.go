package downstream

import (
	"strconv"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
)

// act does what a frame of the bot asks for.
func (c *conn) act(f frame) error {
	if f.fail != nil {
		return f.fail
	}
	switch f.op {
	case gateway.OpHeartbeat:
		return c.heartbeat(f.d)
	case gateway.OpIdentify:
		return c.identify(f.d)
	case gateway.OpResume:
		return c.resume(f.d)
	case gateway.OpPresenceUpdate, gateway.OpVoiceStateUpdate, gateway.OpRequestGuildMembers, gateway.OpRequestSoundboard, gateway.OpRequestChannelInfo:
		if c.sess == nil {
			return &closing{gateway.CloseNotAuthenticated, "send IDENTIFY or RESUME first"}
		}
		return c.command(f.op, f.d)
	}
	return &closing{gateway.CloseUnknownOpcode, "there is no opcode " + strconv.Itoa(f.op)}
}

// heartbeat acknowledges, whoever the bot is.
func (c *conn) heartbeat(d []byte) error {
	if c.sess != nil {
		if number, err := strconv.ParseUint(string(d), 10, 64); err == nil {
			mark := c.sess.mark
			if c.sess.confirm(number); c.sess.mark != mark {
				c.keep()
			}
		}
	}
	if c.asked {
		c.acks = min(c.acks+1, 8)
		return nil
	}
	return c.control(gateway.OpHeartbeatACK, nullD)
}

// identify begins a new session.
func (c *conn) identify(d []byte) error {
	if c.sess != nil {
		return &closing{gateway.CloseAlreadyAuthenticated, "this connection has a session already"}
	}
	id, refused := readIdentify(d)
	if err := c.admit(id.token); err != nil {
		return err
	}
	if refused != nil {
		c.s.m.begins.WithLabelValues("identify", strconv.Itoa(refused.code)).Inc()
		return refused
	}
	c.asked = true
	key := "identify " + strconv.Itoa(id.shard) + "/" + strconv.Itoa(id.shards)
	if err := c.s.attempts.await(c.ctx, key, c.s.cfg.Limits.Identifies, identifyEvery); err != nil {
		return err
	}
	select { // its guilds are held in memory until they are sent
	case c.s.bursts <- struct{}{}:
		c.burst = true
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
	sess, refused, failed := c.s.begin(c.ctx, id, c.version)
	switch {
	case refused != nil:
		c.s.m.begins.WithLabelValues("identify", strconv.Itoa(refused.code)).Inc()
		return refused
	case failed != nil:
		c.s.m.begins.WithLabelValues("identify", failed.result).Inc()
		c.log.Warn("a bot cannot begin a session yet; it will try again", "addr", c.addr, "shard", id.shard, "why", failed.result, "err", failed.err)
		return c.invalid()
	}
	c.s.m.begins.WithLabelValues("identify", "ok").Inc()
	c.adopt(sess)
	c.log.Info("a bot began a session", "session", sess.short(), "addr", c.addr, "shard", id.shard, "shards", id.shards,
		"intents", id.intents, "version", c.version, "guilds", len(sess.shown))
	if id.presence != nil {
		c.s.presence.set(sess.view.sources(), id.presence)
	}
	return nil
}

// resume takes a session up.
func (c *conn) resume(d []byte) error {
	if c.sess != nil {
		return &closing{gateway.CloseAlreadyAuthenticated, "this connection has a session already"}
	}
	r := readResume(d)
	if err := c.admit(r.token); err != nil {
		return err
	}
	c.asked = true
	if err := c.s.attempts.await(c.ctx, "resume "+r.session, c.s.cfg.Limits.Resumes, resumeEvery); err != nil {
		return err
	}
	c.s.displace(r.session)
	sess, err := c.s.revive(c.ctx, r)
	if bus.IsCode(err, bus.CodeUnavailable) {
		c.s.m.begins.WithLabelValues("resume", "unavailable").Inc()
		c.log.Warn("a bot cannot resume now; it will try again", "addr", c.addr, "err", err)
		return &closing{gateway.CloseUnknown, "the session cannot be taken up now; come back and resume"}
	}
	if err != nil {
		c.s.m.begins.WithLabelValues("resume", "unknown").Inc()
		c.log.Info("a bot cannot resume and must begin a new session", "addr", c.addr, "seq", r.seq, "err", err)
		return c.invalid()
	}
	c.adopt(sess)
	c.log.Info("a bot resumes", "session", sess.short(), "addr", c.addr, "shard", sess.view.shard, "seq", r.seq, "from", sess.cursor, "to", sess.target)
	return nil
}

// adopt makes the session this connection's.
func (c *conn) adopt(sess *session) {
	c.sess, c.idle = sess, time.Time{}
	sess.kept = time.Now()
	c.s.serveSession(sess.id, c)
	c.note()
}

// invalid says that there is no session to go on with. The heartbeat demand in front of
// it is for libraries that hang on INVALID_SESSION as the first frame; the socket stays
// open, for some go on with it.
func (c *conn) invalid() error {
	c.releaseBurst()
	if err := c.control(gateway.OpHeartbeat, nullD); err != nil {
		return err
	}
	if err := c.control(gateway.OpInvalidSession, invalidForGood); err != nil {
		return err
	}
	c.idle = time.Now().Add(refusedLimit)
	return c.answered()
}

// admit checks the token.
func (c *conn) admit(token string) error {
	if c.s.isToken(token) {
		return nil
	}
	c.s.m.begins.WithLabelValues("token", strconv.Itoa(gateway.CloseAuthenticationFailed)).Inc()
	c.log.Warn("a bot came with another token; this proxy serves the bot of DISCORD_BOT_TOKEN only", "addr", c.addr)
	// Some libraries try again at once, for ever; who has tried often is answered late.
	if err := c.s.attempts.await(c.ctx, "token "+c.addr, badTokens, badTokenEvery); err != nil {
		return err
	}
	return &closing{gateway.CloseAuthenticationFailed, "the token is not the one that this gateway serves"}
}

// releaseBurst lets the next bot be shown its guilds.
func (c *conn) releaseBurst() {
	if c.burst {
		c.burst = false
		<-c.s.bursts
	}
}
