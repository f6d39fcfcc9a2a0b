package e2e

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"splashtail/internal/sandbox"
)

// gate stands before Discord. It counts calls, and stops one of them, so that somebody can be killed in its middle.
type gate struct {
	next http.Handler

	mu    sync.Mutex
	calls int // on what belongs to guilds
	wrote int // those of them that change something
	armed *blow
}

// blow is one call that is stopped, before Discord hears of it or after it has done it.
type blow struct {
	counts  func(*http.Request) bool
	left    int
	after   bool
	call    string        // which one it was, once it is reached
	reached chan struct{} // closed when the call is stopped
	let     chan bool     // takes whether its caller is dead
}

// release lets a call that was stopped go on, unless its caller is dead.
func (b *blow) release(dead bool) { b.let <- dead }

// String tells of a call that is reached.
func (b *blow) String() string {
	when := "before Discord hears of it"
	if b.after {
		when = "after Discord has done it"
	}
	return b.call + ", " + when
}

// anyCall and writing say which calls count: not those that a process makes for itself when it starts.
func anyCall(r *http.Request) bool {
	path, api := strings.CutPrefix(r.URL.Path, "/api/v10/")
	what, _, _ := strings.Cut(path, "/")
	return api && (what == "guilds" || what == "channels" || what == "webhooks")
}

func writing(r *http.Request) bool { return anyCall(r) && r.Method != http.MethodGet }

// counted gives how many calls there were in all, and how many of them changed something.
func (g *gate) counted() (calls, wrote int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.calls, g.wrote
}

// arm stops the n-th call from now on that counts.
func (g *gate) arm(counts func(*http.Request) bool, n int, after bool) *blow {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed = &blow{counts: counts, left: n, after: after, reached: make(chan struct{}), let: make(chan bool, 1)}
	return g.armed
}

// strikes gives the blow that a call is to get, nil for most.
func (g *gate) strikes(r *http.Request) *blow {
	g.mu.Lock()
	defer g.mu.Unlock()
	if anyCall(r) {
		g.calls++
	}
	if writing(r) {
		g.wrote++
	}
	b := g.armed
	if b == nil || !b.counts(r) {
		return nil
	}
	if b.left--; b.left > 0 {
		return nil
	}
	g.armed, b.call = nil, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api/v10")
	return b
}

// ServeHTTP passes a call on, sooner or later.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b := g.strikes(r)
	if b == nil {
		g.next.ServeHTTP(w, r)
		return
	}
	answer := httptest.NewRecorder()
	if b.after {
		g.next.ServeHTTP(answer, r)
	}
	close(b.reached)
	if <-b.let {
		panic(http.ErrAbortHandler) // nobody is there to hear it
	}
	if !b.after {
		g.next.ServeHTTP(answer, r)
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()) // whoever is gone hears nothing
}

// behind puts a Discord behind a door through which all its visitors come, and gives its address. Nobody comes in before both are
// complete: the port may be one that processes of another test still call.
func behind(t testing.TB, door http.Handler, next *http.Handler, cfg sandbox.Config) (d *sandbox.Discord, url string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(door)
	cfg.CDN = "http://" + srv.Listener.Addr().String()
	d = sandbox.New(cfg)
	*next = d
	srv.Start()
	t.Cleanup(srv.Close)
	return d, cfg.CDN
}
