package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/coder/websocket"

	"splashtail/internal/gateway"
)

const (
	writeTimeout = 10 * time.Second
	maxSend      = 4096 // bytes of a frame to Discord, its limit
)

// wire is one WebSocket connection, read by a goroutine of its own.
type wire struct {
	ws     *websocket.Conn
	unzip  unzipper
	frames chan incoming
	quit   chan struct{} // closed: nobody takes frames any more
	once   sync.Once
	ended  sync.WaitGroup
	err    error // why frames was closed
}

// incoming is a frame, or what is wrong with one.
type incoming struct {
	frame
	err  error
	size int
	at   time.Time
}

// statusError is an answer to our handshake that was no upgrade.
type statusError struct{ status int }

func (e *statusError) Error() string {
	return fmt.Sprintf("the gateway's host answered %d %s instead of a WebSocket", e.status, http.StatusText(e.status))
}

// dialWire connects to a gateway address.
func dialWire(ctx context.Context, base, compress string) (*wire, error) {
	u, err := gatewayURL(base, compress)
	if err != nil {
		return nil, err
	}
	ws, resp, err := websocket.Dial(ctx, u, &websocket.DialOptions{CompressionMode: websocket.CompressionDisabled})
	if err != nil {
		if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
			return nil, &statusError{resp.StatusCode}
		}
		return nil, err
	}
	ws.SetReadLimit(maxFrame)
	w := &wire{ws: ws, unzip: newUnzipper(compress), frames: make(chan incoming, 256), quit: make(chan struct{})}
	w.ended.Go(w.read)
	return w, nil
}

// gatewayURL adds what we speak to the address that Discord told.
func gatewayURL(base, compress string) (string, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "ws" && u.Scheme != "wss" {
		return "", fmt.Errorf("the gateway's address %q is no ws or wss URL with a host", base)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	q := u.Query()
	q.Set("v", "10")
	q.Set("encoding", "json")
	if compress != "" {
		q.Set("compress", compress)
	}
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// read hands over frames until the connection ends or nobody takes them.
func (w *wire) read() {
	defer close(w.frames)
	defer w.unzip.close()
	for {
		kind, data, err := w.ws.Read(context.Background()) // ended by close
		if err == nil && kind == websocket.MessageBinary {
			data, err = w.unzip.inflate(data)
			if err == nil && data == nil {
				continue // a part of a message
			}
		}
		if err != nil {
			w.err = err
			return
		}
		in := incoming{size: len(data), at: time.Now()}
		in.frame, in.err = readFrame(data)
		select {
		case w.frames <- in:
		case <-w.quit:
			w.err = errors.New("we left")
			return
		}
	}
}

// send writes a frame.
func (w *wire) send(ctx context.Context, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return w.ws.Write(ctx, websocket.MessageText, data)
}

// code is the code with which Discord closed; 0 when it did not.
func (w *wire) code() int {
	var e websocket.CloseError
	if errors.As(w.err, &e) {
		return int(e.Code)
	}
	return 0
}

// leave closes with a code that keeps the session. It does not wait for Discord's
// answer: a gateway that went silent would hold up the next connection.
func (w *wire) leave() {
	w.once.Do(func() {
		close(w.quit)
		w.ended.Go(func() { _ = w.ws.Close(gateway.CloseUnknown, "") }) // bounded; it is cut then
	})
}

// gone waits until nothing of the connection is left, at most as long as its close takes.
func (w *wire) gone() { w.ended.Wait() }
