package downstream

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"
)

// wire is the TCP connection of a bot. Between hold and release it gathers what is
// written, so that many frames cost one call of the kernel; and it gives each call a
// deadline, which is cheaper than one per frame.
type wire struct {
	net.Conn
	limit time.Duration // of one write
	pool  *sync.Pool    // of *[]byte with gathered in capacity

	mu   sync.Mutex
	held *[]byte // nil: nothing is gathered
}

// gathered is how much is gathered at most.
const gathered = 32 << 10

func newGatherPool() *sync.Pool {
	return &sync.Pool{New: func() any {
		b := make([]byte, 0, gathered)
		return &b
	}}
}

// Write gathers p or sends it.
func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == nil {
		return w.send(p)
	}
	if len(*w.held)+len(p) > gathered {
		if err := w.flush(); err != nil {
			return 0, err
		}
		if len(p) > gathered {
			return w.send(p)
		}
	}
	*w.held = append(*w.held, p...)
	return len(p), nil
}

func (w *wire) send(p []byte) (int, error) {
	if err := w.Conn.SetWriteDeadline(time.Now().Add(w.limit)); err != nil {
		return 0, err
	}
	return w.Conn.Write(p)
}

func (w *wire) flush() error {
	if len(*w.held) == 0 {
		return nil
	}
	_, err := w.send(*w.held)
	*w.held = (*w.held)[:0]
	return err
}

// hold begins to gather.
func (w *wire) hold() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == nil {
		w.held, _ = w.pool.Get().(*[]byte)
	}
}

// release sends what was gathered.
func (w *wire) release() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == nil {
		return nil
	}
	err := w.flush()
	w.pool.Put(w.held)
	w.held = nil
	return err
}

// upgrader hands the WebSocket library a wire in place of the connection.
type upgrader struct {
	http.ResponseWriter
	limit time.Duration
	pool  *sync.Pool
	wire  *wire // once it was handed over
}

// Hijack is http.Hijacker.
func (u *upgrader) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h, ok := u.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("the HTTP server does not give its connections away")
	}
	c, rw, err := h.Hijack()
	if err != nil {
		return nil, nil, err
	}
	u.wire = &wire{Conn: c, limit: u.limit, pool: u.pool}
	return u.wire, bufio.NewReadWriter(rw.Reader, bufio.NewWriterSize(u.wire, 2048)), nil
}
