package sandbox

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// How an answer reaches the client.
const (
	endAnswer = iota
	endHold   // not at all: the connection stays open for delay
	endReset  // not at all: the connection is cut
)

// answer is what the client gets.
type answer struct {
	status int
	header http.Header
	value  any    // JSON
	raw    string // instead of value
	code   int    // Discord's error code, for the log
	scope  string // of a 429
	fault  FaultKind
	end    int
	delay  time.Duration // on top of the latency
}

func (a *answer) refuse(e *apiError) { a.status, a.code, a.value = e.status, e.Code, e }

// succeed answers 200 with what a handler gave, unless that is a result with another status.
func (a *answer) succeed(value any) {
	if r, ok := value.(result); ok {
		a.status, a.value = r.status, r.value
		return
	}
	a.status, a.value = http.StatusOK, value
	if b, ok := value.(blob); ok {
		a.raw = string(b.bytes())
		a.header.Set("Content-Type", b.kind)
		a.header.Set("Cache-Control", "public, max-age=31536000")
	}
}

// result is what a handler gives when 200 is not the status of success.
type result struct {
	status int
	value  any
}

func noContent() result    { return result{status: http.StatusNoContent} }
func created(v any) result { return result{http.StatusCreated, v} }

// write sends the answer. A client that is gone cannot be told, so write errors end here.
func (a *answer) write(w http.ResponseWriter) {
	if a.status == http.StatusNoContent {
		maps.Copy(w.Header(), a.header)
		w.WriteHeader(a.status)
		return
	}
	body := []byte(a.raw)
	if a.raw == "" {
		b, err := json.Marshal(a.value)
		if err != nil {
			a.status, b = http.StatusInternalServerError, []byte(`{"message":"500: Internal Server Error","code":0}`)
		}
		body = b
		a.header.Set("Content-Type", "application/json")
	}
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(a.status)
	w.Write(body)
}

// cut ends a connection without an answer; hard makes the peer see a reset instead of an end.
func cut(w http.ResponseWriter, hard bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // net/http closes the connection on it and logs nothing
	}
	if tcp, ok := conn.(*net.TCPConn); ok && hard {
		tcp.SetLinger(0)
	}
	conn.Close()
}
