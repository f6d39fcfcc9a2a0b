package broker

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"splashtail/internal/pause"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// channels is the one connection over which Redis tells us things. It has its own
// receive loop: the client library's would drop messages when nobody takes them, and its
// reconnection would not say that something may have been missed.
type channels struct {
	rdb *redis.Client
	log *slog.Logger
	up  func(bool)

	mu     sync.Mutex
	wanted map[string]*channel
	linked bool          // the server answers
	todo   []string      // names whose state must be told to the server; empty unless linked
	kick   chan struct{} // todo has something
}

// channel is one that somebody wants.
type channel struct {
	handle    func(payload string) // must not block
	again     func()               // after a reconnection; may be nil; must not block
	live      chan struct{}        // closed at the first confirmation
	confirmed bool
}

const (
	// quiet is how long the connection may be silent before it is asked for a sign of
	// life; twice that ends it.
	quiet = 10 * time.Second
	// maxNames bounds one SUBSCRIBE.
	maxNames = 500
)

func newChannels(rdb *redis.Client, log *slog.Logger, up func(bool)) *channels {
	return &channels{rdb: rdb, log: log, up: up, wanted: map[string]*channel{}, kick: make(chan struct{}, 1)}
}

// want subscribes and returns a channel that is closed once the server has confirmed
// it. Wanting a channel again replaces its handler.
func (c *channels) want(name string, handle func(string), again func()) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := c.wanted[name]
	if ch == nil {
		ch = &channel{live: make(chan struct{})}
		c.wanted[name] = ch
		c.tellServer(name)
	}
	ch.handle, ch.again = handle, again
	return ch.live
}

// drop ends a subscription; its handler is not called any more.
func (c *channels) drop(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wanted[name] != nil {
		delete(c.wanted, name)
		c.tellServer(name)
	}
}

// tellServer notes that a name's state has changed. The caller holds mu. While Redis is
// away nothing is noted: a new connection is told of everything that is wanted then.
func (c *channels) tellServer(name string) {
	if !c.linked {
		return
	}
	c.todo = append(c.todo, name)
	select {
	case c.kick <- struct{}{}:
	default:
	}
}

// run keeps a connection until ctx ends.
func (c *channels) run(ctx context.Context) {
	gap := 50 * time.Millisecond
	for ctx.Err() == nil {
		begin := time.Now()
		err := c.connection(ctx)
		if ctx.Err() != nil {
			return
		}
		c.up(false)
		c.log.Warn("the connection for Redis channels is lost; connecting again", "err", err)
		if time.Since(begin) > quiet {
			gap = 50 * time.Millisecond
		}
		pause.For(ctx, gap)
		gap = min(2*gap, 2*time.Second)
	}
}

// connection lives as long as one connection to Redis does.
func (c *channels) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ps := c.rdb.Subscribe(ctx)
	// A read is not interrupted by its context, only by the end of the connection.
	defer context.AfterFunc(ctx, func() { _ = ps.Close() })()
	defer ps.Close()
	if err := ps.Ping(ctx); err != nil {
		return err
	}
	c.link()
	defer c.unlink()
	var writer sync.WaitGroup
	defer writer.Wait()
	defer cancel(nil)
	writer.Go(func() {
		if err := c.subscribe(ctx, ps); err != nil {
			cancel(err)
		}
	})
	return c.receive(ctx, ps)
}

// link begins to note changes, with everything that is wanted already.
func (c *channels) link() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linked = true
	for name := range c.wanted {
		c.todo = append(c.todo, name)
	}
}

func (c *channels) unlink() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.linked, c.todo = false, nil
}

// subscribe tells the server of changes as they come.
func (c *channels) subscribe(ctx context.Context, ps *redis.PubSub) error {
	for {
		for {
			in, out := c.changes()
			if len(in)+len(out) == 0 {
				break
			}
			if len(in) > 0 {
				if err := ps.Subscribe(ctx, in...); err != nil {
					return err
				}
			}
			if len(out) > 0 {
				if err := ps.Unsubscribe(ctx, out...); err != nil {
					return err
				}
			}
		}
		select {
		case <-c.kick:
		case <-ctx.Done():
			return nil
		}
	}
}

// changes takes what the server must be told, a bounded piece at a time.
func (c *channels) changes() (in, out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := min(len(c.todo), maxNames)
	seen := map[string]bool{}
	for _, name := range c.todo[:n] {
		switch {
		case seen[name]:
		case c.wanted[name] != nil:
			in = append(in, name)
		default:
			out = append(out, name)
		}
		seen[name] = true
	}
	c.todo = c.todo[n:]
	return in, out
}

// receive hands messages on until the connection fails.
func (c *channels) receive(ctx context.Context, ps *redis.PubSub) error {
	asked := false
	for {
		msg, err := ps.ReceiveTimeout(ctx, quiet)
		var timeout net.Error
		switch {
		case err == nil:
			asked = false
			c.up(true)
			c.take(msg)
		case context.Cause(ctx) != nil:
			return context.Cause(ctx)
		case errors.As(err, &timeout) && timeout.Timeout() && !asked:
			asked = true
			if err := ps.Ping(ctx); err != nil {
				return err
			}
		default:
			return err
		}
	}
}

func (c *channels) take(msg any) {
	switch m := msg.(type) {
	case *redis.Message:
		c.mu.Lock()
		ch := c.wanted[m.Channel]
		var handle func(string)
		if ch != nil {
			handle = ch.handle
		}
		c.mu.Unlock()
		if handle != nil {
			handle(m.Payload)
		}
	case *redis.Subscription:
		if m.Kind == "subscribe" {
			c.confirm(m.Channel)
		}
	}
}

func (c *channels) confirm(name string) {
	c.mu.Lock()
	ch := c.wanted[name]
	var again func()
	if ch != nil {
		if ch.confirmed {
			again = ch.again
		} else {
			ch.confirmed = true
			close(ch.live)
		}
	}
	c.mu.Unlock()
	if again != nil {
		again()
	}
}
