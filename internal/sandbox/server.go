package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// drainFor is how long Run waits for answers under way when it ends; latency is in it, requests held by a fault are not.
const drainFor = 5 * time.Second

// Run listens on Config.Addr and serves until ctx ends, then lets answers under way finish for up to 5 s. It fails at once
// on an address that is not loopback: whoever reaches the control surface can do anything here. Call it once.
func (d *Discord) Run(ctx context.Context) error {
	err := errors.New("sandbox: Run was called before; make a new sandbox")
	d.runOnce.Do(func() { err = d.run(ctx) })
	return err
}

func (d *Discord) run(ctx context.Context) error {
	if err := loopback(d.cfg.Addr); err != nil {
		return err
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", d.cfg.Addr)
	if err != nil {
		return fmt.Errorf("sandbox: cannot listen on %s: %w; choose another address", d.cfg.Addr, err)
	}
	srv := &http.Server{
		Handler:           d,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	d.addr = ln.Addr().String()
	d.mu.Lock()
	d.cdn.learn(d.addr)
	d.mu.Unlock()
	close(d.ready)
	d.log.Info("sandbox stands in for Discord", "addr", d.addr)

	select {
	case err = <-served:
		close(d.stop)
		return fmt.Errorf("sandbox: serving on %s ended: %w", d.addr, err)
	case <-ctx.Done():
	}
	close(d.stop)
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainFor)
	defer cancel()
	if srv.Shutdown(drain) != nil {
		srv.Close()
	}
	<-served
	d.endGateway()
	return nil
}

// Ready closes when Run listens. Then Addr and URL are valid.
func (d *Discord) Ready() <-chan struct{} { return d.ready }

// Addr is host:port of the listener. Call it after Ready.
func (d *Discord) Addr() string { return d.addr }

// URL is the base to put into DISCORD_API_URL. Call it after Ready.
func (d *Discord) URL() string { return "http://" + d.addr + "/api/v10" }

// loopback refuses an address that others can reach.
func loopback(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("sandbox: address %q is not host:port: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("sandbox: %q is not a loopback address; it did not start, use 127.0.0.1:port", addr)
	}
	return nil
}
