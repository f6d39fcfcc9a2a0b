package downstream

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"splashtail/bus"
	"splashtail/internal/gateway"
)

// conn is one connection of a bot. Its goroutine (serve) owns everything in it and is the
// only one that writes; another one (read) only hands it what the bot sends.
type conn struct {
	s         *Server
	ws        *websocket.Conn
	wire      *wire
	codec     *codec
	log       *slog.Logger
	addr      string // of the bot
	version   int
	resumeURL string

	ctx    context.Context // of everything that the connection waits for
	cancel context.CancelFunc
	frames chan frame      // what the bot sent; closed when no more comes
	heard  atomic.Int64    // when the last frame came
	stop   <-chan struct{} // closed when bots are asked to leave; nil once that was noticed
	lost   atomic.Bool     // another connection serves the session, or it was given up

	sess     *session  // nil until IDENTIFY or RESUME succeeded
	asked    bool      // an IDENTIFY or RESUME waits for its first frame, which must not be an ACK
	acks     int       // that wait meanwhile
	idle     time.Time // when a connection without a session is closed; zero: never
	draining time.Time // when to close, after op 7 was sent
	burst    bool      // holds one of Server.bursts
	scratch  []byte
	outbox   chan outgoing // commands for Discord, once there was one
	answers  chan answer   // events that no stream has
	sending  sync.WaitGroup

	status atomic.Pointer[SessionStatus]
}

// idleLimit is how long a connection may stay without a session.
const (
	helloLimit   = 60 * time.Second
	refusedLimit = 30 * time.Second
)

// serve runs the connection until it ends, and closes it.
func (c *conn) serve() {
	var reading sync.WaitGroup
	reading.Go(c.read)
	err := c.run()
	cause := c.close(err)
	c.cancel()
	c.keepLast()
	reading.Wait()
	c.sending.Wait()
	c.releaseBurst()
	c.s.leave(c)
	_ = c.codec.close() // it has nothing left to write
	c.s.m.closes.WithLabelValues(cause).Inc()
	if c.sess != nil {
		c.log.Info("a bot's connection ended", "session", c.sess.short(), "cause", cause, "err", err)
	}
}

// close says goodbye in the way that err asks for, and names the cause for the metrics.
func (c *conn) close(err error) string {
	var end *closing
	switch {
	case errors.As(err, &end):
	case errors.Is(err, errForgotten):
		end = &closing{gateway.CloseUnknown, "the session was given up; begin a new one"}
	case errors.Is(err, errGone):
		_ = c.ws.CloseNow()
		return "gone"
	case c.ctx.Err() != nil:
		_ = c.ws.CloseNow()
		return "cut"
	default:
		if bus.IsCode(err, bus.CodeUnavailable) {
			end = &closing{gateway.CloseUnknown, "the bus does not answer; come back and resume"}
			break
		}
		_ = c.ws.CloseNow() // the bot did not take what was written in time, or is gone
		return "write"
	}
	// It waits for the bot's own close frame, and TCP ends behind it: some libraries do
	// not come back before.
	_ = c.ws.Close(websocket.StatusCode(end.code), end.reason)
	return strconv.Itoa(end.code)
}

// errGone says that the bot went.
var errGone = errors.New("the bot closed the connection")

// run is the life of the connection after the handshake.
func (c *conn) run() error {
	if err := c.control(gateway.OpHello, `{"heartbeat_interval":`+strconv.FormatInt(c.s.cfg.Heartbeat.Milliseconds(), 10)+`,"_trace":["splashtail"]}`); err != nil {
		return err
	}
	c.idle = time.Now().Add(helloLimit)
	tick := time.NewTicker(min(time.Second, c.s.cfg.Heartbeat/4))
	defer tick.Stop()
	for {
		if err := c.listen(); err != nil {
			return err
		}
		var news <-chan struct{}
		if c.sess != nil {
			var err error
			if news, err = c.deliverGathered(); err != nil {
				return err
			}
			if c.note(); news == nil {
				if err := c.tick(tick.C); err != nil {
					return err
				}
				continue
			}
		}
		if err := c.await(news, tick.C); err != nil {
			return err
		}
	}
}

// listen acts on what the bot has sent and on what it is answered, without waiting.
func (c *conn) listen() error {
	for {
		select {
		case f, open := <-c.frames:
			if !open {
				return errGone
			}
			if err := c.act(f); err != nil {
				return err
			}
		case a := <-c.answers:
			if err := c.answer(a); err != nil {
				return err
			}
		default:
			return c.ctx.Err()
		}
	}
}

// await waits for something to do.
func (c *conn) await(news <-chan struct{}, tick <-chan time.Time) error {
	select {
	case f, open := <-c.frames:
		if !open {
			return errGone
		}
		return c.act(f)
	case a := <-c.answers:
		return c.answer(a)
	case <-news:
		return nil
	case <-tick:
		return c.chores()
	case <-c.stop:
		c.stop = nil
		return c.chores()
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// tick does the chores if they are due.
func (c *conn) tick(tick <-chan time.Time) error {
	select {
	case <-tick:
		return c.chores()
	default:
		return nil
	}
}

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
