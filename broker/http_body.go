package broker

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// lateWriter passes an HTTP answer on until the handler has returned. The library may
// write later from another goroutine, when net/http has already given the buffers to
// the next request.
type lateWriter struct {
	mu     sync.Mutex
	w      http.ResponseWriter // nil when over
	header http.Header
}

func newLateWriter(w http.ResponseWriter) *lateWriter {
	return &lateWriter{w: w, header: http.Header{}}
}

// Header belongs to the library alone until WriteHeader.
func (l *lateWriter) Header() http.Header { return l.header }

// WriteHeader sends the header, or nothing when it is too late.
func (l *lateWriter) WriteHeader(status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w == nil {
		return
	}
	for k, v := range l.header {
		l.w.Header()[k] = v
	}
	l.w.WriteHeader(status)
}

func (l *lateWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.w == nil {
		return 0, http.ErrHandlerTimeout
	}
	return l.w.Write(b)
}

func (l *lateWriter) finish() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.w = nil
}

func readBounded(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	return io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
}

func replaceBody(r *http.Request, body []byte) {
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	r.Header.Set("Content-Type", "text/plain;charset=UTF-8")
}
