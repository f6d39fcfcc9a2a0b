package downstream

import (
	"context"
	"errors"
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

// How long a connection may stay without a session: at first, and after a session was refused.
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
