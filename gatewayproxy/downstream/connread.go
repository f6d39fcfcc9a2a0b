package downstream

import (
	"io"
	"time"

	"splashtail/internal/gateway"
)

// read hands over what the bot sends until the connection ends.
func (c *conn) read() {
	defer close(c.frames)
	var window pace
	for {
		f, err := c.readOne()
		if err != nil {
			return
		}
		now := time.Now()
		c.heard.Store(now.UnixNano())
		if !window.allow(now) && f.fail == nil {
			f.fail = &closing{gateway.CloseRateLimited, "more than 120 frames within a minute"}
		}
		select {
		case c.frames <- f:
		case <-c.ctx.Done():
			return
		}
		if f.fail != nil {
			// Only the bot's own close frame is of interest now.
			_, _, _ = c.ws.Reader(c.ctx)
			return
		}
	}
}

// readOne reads a frame. An error ends the connection; what the bot did wrong is in the
// frame.
func (c *conn) readOne() (frame, error) {
	_, r, err := c.ws.Reader(c.ctx)
	if err != nil {
		return frame{}, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxClientFrame+1))
	if err != nil {
		return frame{}, err
	}
	if len(data) > maxClientFrame {
		if _, err := io.Copy(io.Discard, r); err != nil { // or the close frame behind it is not found
			return frame{}, err
		}
		return frame{fail: &closing{gateway.CloseDecode, "a frame may have 4096 bytes"}}, nil
	}
	f, err := readFrame(data)
	if err != nil {
		return frame{fail: &closing{gateway.CloseDecode, "a frame is " + err.Error()}}, nil
	}
	return f, nil
}
