package downstream

import (
	"context"

	"splashtail/internal/gateway"
)

// dispatch sends an event.
func (c *conn) dispatch(event string, number uint64, d []byte) error {
	if c.sess.num.fresh { // the bot must not know a number that a RESUME would not understand
		if err := c.s.store(c.ctx, c.sess); err != nil {
			return err
		}
	}
	c.scratch = appendDispatch(c.scratch[:0], event, number, d)
	if err := c.write(c.scratch); err != nil {
		return err
	}
	c.sess.sent = max(c.sess.sent, number)
	return c.answered()
}

// control sends a frame that is no event.
func (c *conn) control(op int, d string) error {
	c.scratch = appendControl(c.scratch[:0], op, d)
	return c.write(c.scratch)
}

// answered sends the ACKs that waited: after an IDENTIFY or RESUME another frame must be
// first, or some libraries wait for ever.
func (c *conn) answered() error {
	c.asked = false
	for ; c.acks > 0; c.acks-- {
		if err := c.control(gateway.OpHeartbeatACK, nullD); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) write(frame []byte) error {
	message, err := c.codec.encode(frame)
	if err != nil {
		return err
	}
	if cap(c.scratch) > maxFrameKept {
		c.scratch = nil
	}
	// The wire bounds the time, and closes when c.ctx ends.
	if err := c.ws.Write(context.Background(), c.codec.kind, message); err != nil {
		return err
	}
	c.s.m.frames.Inc()
	return nil
}
