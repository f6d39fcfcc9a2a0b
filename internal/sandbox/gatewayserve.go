package sandbox

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"splashtail/internal/gateway"
	"splashtail/internal/pause"
)

const (
	gatewayPath       = "/gateway"
	gatewayResumePath = "/gateway/resume"
	// maxFrame is the largest frame that a client may send (4002).
	maxFrame = 4096
	// writeFor is how long one batch of frames may take to be written before the connection counts as dead.
	writeFor = time.Minute
)

// isGateway says whether a request wants the gateway: an upgrade on its paths or on the root, with or without a slash.
func isGateway(r *http.Request) bool {
	if !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
		return false
	}
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "", gatewayPath, gatewayResumePath:
		return true
	}
	return false
}

// serveGateway is one connection from its upgrade to its end.
func (d *Discord) serveGateway(w http.ResponseWriter, r *http.Request) {
	c := &gatewayConn{
		host: r.Host, path: strings.TrimSuffix(r.URL.Path, "/"), compress: r.URL.Query().Get("compress"),
		wake: make(chan struct{}, 1),
	}
	if status, why := d.refusesUpgrade(c, r); status != 0 {
		http.Error(w, why, status)
		return
	}
	ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		return // the client has its answer
	}
	ws.SetReadLimit(-1) // readFrame has its own, which closes with 4002
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	defer cancel()
	c.cut = cancel
	if !d.open(c, r.URL.Query().Get("v")) {
		ws.Close(websocket.StatusTryAgainLater, "too many connections")
		return
	}
	defer d.gateway.running.Done()
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		defer cancel()
		d.writeGateway(ctx, ws, c)
	}()
	code := d.readGateway(ctx, ws, c)
	d.lost(c, code)
	cancel()
	<-wrote
	ws.CloseNow()
}

// refusesUpgrade gives the status for a client that gets no WebSocket, zero when it gets one.
func (d *Discord) refusesUpgrade(c *gatewayConn, r *http.Request) (status int, why string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := &d.gateway
	switch encoding := r.URL.Query().Get("encoding"); {
	case g.faults.RefuseUpgrade, g.faults.ResumeHostDown && c.path == gatewayResumePath:
		g.counts.Refused++
		d.changed()
		return http.StatusServiceUnavailable, "upstream connect error"
	case encoding == "etf":
		return http.StatusBadRequest, "encoding=etf is not served by the sandbox; use encoding=json"
	case encoding != "" && encoding != "json":
		return http.StatusBadRequest, "the encoding is json or etf"
	}
	if c.compress != "" && c.compress != compressZlib && c.compress != compressZstd {
		return http.StatusBadRequest, "compress is zlib-stream, zstd-stream or absent"
	}
	return 0, ""
}

// open registers a connection and greets it; false when there are too many or the sandbox ends.
func (d *Discord) open(c *gatewayConn, version string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	g := &d.gateway
	if g.ended || len(g.conns) >= maxConnections {
		return false
	}
	g.running.Add(1)
	g.conns[c] = struct{}{}
	g.counts.Connections++
	c.beat, c.interval = time.Now(), g.settings.HeartbeatInterval
	switch version {
	case "9":
		c.version = 9
	case "10":
		c.version = 10
	default:
		c.close(gateway.CloseInvalidVersion, "Invalid API version.")
	}
	if !g.faults.NoHello && !g.faults.Silent {
		c.push(gateway.OpHello, rawJSON(hello{c.interval.Milliseconds(), []string{}}))
	}
	d.changed()
	return true
}

type hello struct {
	Interval int64    `json:"heartbeat_interval"`
	Trace    []string `json:"_trace"`
}

// lost unregisters a connection. 1000 and 1001 from the client end its session, all else leaves it to be resumed.
func (d *Discord) lost(c *gatewayConn, code int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	g, now := &d.gateway, time.Now()
	delete(g.conns, c)
	if s := c.session; s != nil {
		if code == int(websocket.StatusNormalClosure) || code == int(websocket.StatusGoingAway) {
			g.end(s, now)
		} else {
			s.detach(now)
		}
		d.note(s, GatewayRecord{Kind: GatewayLost, Code: max(code, 0)})
	}
	d.changed()
}

// readGateway hands on what the client sends until the connection ends, and gives the client's close code, -1 for none.
func (d *Discord) readGateway(ctx context.Context, ws *websocket.Conn, c *gatewayConn) int {
	for {
		raw, err := readFrame(ctx, ws)
		if err != nil {
			return int(websocket.CloseStatus(err))
		}
		d.mu.Lock()
		d.received(c, raw)
		d.changed()
		d.mu.Unlock()
	}
}

// readFrame reads one frame, one byte more than allowed of a longer one.
func readFrame(ctx context.Context, ws *websocket.Conn) ([]byte, error) {
	_, r, err := ws.Reader(ctx)
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(r, maxFrame+1))
	if err == nil && len(raw) > maxFrame {
		_, err = io.Copy(io.Discard, r) // so that the close handshake finds the next frame
	}
	return raw, err
}

// writeGateway sends what is due until the connection ends.
func (d *Discord) writeGateway(ctx context.Context, ws *websocket.Conn, c *gatewayConn) {
	out, err := newFrameWriter(ws, c.compress)
	if err != nil {
		d.log.Error("a gateway connection was dropped: its compression cannot start", "error", err)
		return
	}
	defer out.release()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		w := d.nextWork(c)
		if err := out.send(ctx, w); err != nil {
			return
		}
		if w.end != nil {
			ws.Close(websocket.StatusCode(w.end.code), w.end.reason)
			return
		}
		if len(w.due) > 0 {
			if !pause.For(ctx, w.gap) {
				return
			}
			continue
		}
		timer.Reset(w.wait)
		select {
		case <-c.wake:
		case <-timer.C:
		case <-ctx.Done():
			return
		case <-d.stop:
			d.mu.Lock()
			c.close(gateway.CloseGoingAway, "The sandbox ends.")
			d.mu.Unlock()
		}
	}
}

// work is what a writer does next: send frames, close, or wait.
type work struct {
	due     []frame
	payload bool
	end     *closing
	gap     time.Duration
	wait    time.Duration
}

// nextWork decides under the lock. Heartbeats are watched here, since the writer is what wakes up in time.
func (d *Discord) nextWork(c *gatewayConn) work {
	d.mu.Lock()
	defer d.mu.Unlock()
	g, now := &d.gateway, time.Now()
	w := work{payload: c.payload, gap: g.settings.Gap, wait: time.Hour}
	if c.silent || g.faults.Silent {
		c.control = nil
		w.end = c.closing
		return w
	}
	if s := c.session; s != nil && !s.keeps(c.taken) {
		g.end(s, now)
		c.close(gateway.CloseUnknown, "The client is too slow.")
	}
	deadline := c.beat.Add(2 * c.interval)
	if !now.Before(deadline) && c.closing == nil {
		if c.session != nil {
			g.end(c.session, now)
		}
		c.close(gateway.CloseSessionTimedOut, "Session timed out.")
	}
	var next time.Time
	w.due, next = c.take(now, g.settings)
	if len(w.due) > 0 {
		d.changed()
	}
	if c.closing != nil {
		w.end = c.closing
		g.counts.Closes[w.end.code]++
		if s := c.session; s != nil {
			d.note(s, GatewayRecord{Kind: GatewayClosed, Code: w.end.code})
			s.detach(now)
		}
		d.changed()
		return w
	}
	if next.IsZero() || deadline.Before(next) {
		next = deadline
	}
	w.wait = max(next.Sub(now), 0)
	return w
}
