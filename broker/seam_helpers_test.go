package broker

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// patience bounds every wait for something outside the test's goroutine.
const patience = 30 * time.Second

// eventually waits for a condition that another process, socket or goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("after %s: still not: %s", patience, what)
		}
		<-tick.C
	}
}

// heardEvent is one event as a client of the seam was told it.
type heardEvent struct {
	name string
	args []json.RawMessage
}

func (e heardEvent) String() string {
	parts := []string{e.name}
	for _, a := range e.args {
		parts = append(parts, string(a))
	}
	return strings.Join(parts, " ")
}

// listener records what the seam tells about one connection.
type listener struct {
	conn   conn
	events chan heardEvent
	gone   chan string
	on     func(l *listener, e heardEvent) bool // nil accepts
	inside atomic.Int32
}

func (l *listener) Event(name string, args []json.RawMessage) bool {
	if l.inside.Add(1) != 1 {
		panic("two events of one connection at once")
	}
	defer l.inside.Add(-1)
	e := heardEvent{name, args}
	if l.on != nil {
		return l.on(l, e)
	}
	l.events <- e
	return true
}

func (l *listener) Gone(end string) { l.gone <- end }

// seamTest is a front on a loopback listener.
type seamTest struct {
	t      testing.TB
	front  *front
	server *httptest.Server
	opened chan *listener

	opens, ends atomic.Int64
	mu          sync.Mutex
	byEnd       map[string]int
	on          func(*listener, heardEvent) bool
}

func newSeamTest(t testing.TB, change func(*frontConfig)) *seamTest {
	t.Helper()
	st := &seamTest{t: t, opened: make(chan *listener, 1<<15), byEnd: map[string]int{}}
	cfg := frontConfig{
		pingInterval: 20 * time.Second, pingTimeout: 60 * time.Second,
		writeTimeout: 5 * time.Second, joinTimeout: 5 * time.Second,
		maxFrame: 64 << 10,
		admit:    func(string) bool { st.opens.Add(1); return true },
		open: func(c conn) client {
			l := &listener{conn: c, events: make(chan heardEvent, 1<<14), gone: make(chan string, 4), on: st.on}
			st.opened <- l
			return l
		},
		ended: func(_, end string) {
			st.ends.Add(1)
			st.mu.Lock()
			defer st.mu.Unlock()
			st.byEnd[end]++
		},
	}
	if change != nil {
		change(&cfg)
	}
	st.front = newFront(cfg)
	st.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		st.front.serve(w, r, "test")
	}))
	st.server.Config.ConnState = func(c net.Conn, s http.ConnState) {
		if tcp, ok := c.(*net.TCPConn); ok && s == http.StateNew {
			_ = tcp.SetWriteBuffer(4096) // or it takes megabytes until a client that does not read is noticed
		}
	}
	st.server.Start()
	t.Cleanup(func() {
		st.front.closeAll()
		st.server.Close()
	})
	return st
}

func (st *seamTest) wsURL(query string) string {
	return "ws" + strings.TrimPrefix(st.server.URL, "http") + "/socket.io/?" + query
}

// rawClient is a websocket whose frames the test writes and reads itself.
type rawClient struct {
	t  testing.TB
	ws *websocket.Conn
}

func (st *seamTest) dial(query string) *rawClient {
	st.t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial(st.wsURL(query), nil)
	if err != nil {
		st.t.Fatalf("dialing %s: %v", query, err)
	}
	resp.Body.Close()
	c := &rawClient{st.t, ws}
	st.t.Cleanup(func() { ws.Close() })
	return c
}

func (c *rawClient) send(frames ...string) {
	c.t.Helper()
	for _, f := range frames {
		if err := c.ws.WriteMessage(websocket.TextMessage, []byte(f)); err != nil {
			c.t.Fatalf("sending %.100q: %v", f, err)
		}
	}
}

func (c *rawClient) read() string {
	c.t.Helper()
	frame, err := c.tryRead()
	if err != nil {
		c.t.Fatalf("reading: %v", err)
	}
	return frame
}

func (c *rawClient) tryRead() (string, error) {
	_ = c.ws.SetReadDeadline(time.Now().Add(patience))
	_, data, err := c.ws.ReadMessage()
	return string(data), err
}

func (c *rawClient) want(frames ...string) {
	c.t.Helper()
	for _, want := range frames {
		if got := c.read(); got != want {
			c.t.Fatalf("got frame %q, want %q", got, want)
		}
	}
}

// closedByPeer reads until the connection ends.
func (c *rawClient) closedByPeer() {
	c.t.Helper()
	for {
		if _, err := c.tryRead(); err != nil {
			if ne, ok := err.(net.Error); ok && ne.Timeout() {
				c.t.Fatal("the connection was not closed")
			}
			return
		}
	}
}

func open3(t testing.TB, st *seamTest) (*rawClient, *listener) {
	t.Helper()
	c := st.dial("EIO=3&transport=websocket")
	if first := c.read(); !strings.HasPrefix(first, `0{"sid":"`) {
		t.Fatalf("OPEN is %q", first)
	}
	c.want("40")
	return c, receive(t, st.opened)
}

func open4(t testing.TB, st *seamTest) (*rawClient, *listener) {
	t.Helper()
	c := st.dial("EIO=4&transport=websocket")
	if first := c.read(); !strings.HasPrefix(first, `0{"sid":"`) {
		t.Fatalf("OPEN is %q", first)
	}
	c.send("40")
	if answer := c.read(); !strings.HasPrefix(answer, `40{"sid":"`) {
		t.Fatalf("CONNECT was answered with %q", answer)
	}
	return c, receive(t, st.opened)
}

func receive[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("nothing came within %s", patience)
		panic("unreachable")
	}
}

// descriptors counts this process's open files.
func descriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// resources is what a leak shows in.
type resources struct{ goroutines, descriptors int }

func measure(t testing.TB) resources {
	return resources{runtime.NumGoroutine(), descriptors(t)}
}

// wantBack waits until no more is in use than before.
func (st *seamTest) wantBack(base resources) {
	st.t.Helper()
	st.server.CloseClientConnections()
	http.DefaultClient.CloseIdleConnections()
	eventually(st.t, "goroutines, descriptors and sessions are back at their base", func() bool {
		now := measure(st.t)
		return now.goroutines <= base.goroutines && now.descriptors <= base.descriptors &&
			len(st.front.all()) == 0 && st.front.eio.Clients().Len() == 0 && st.front.io.Sockets().Sockets().Len() == 0
	})
}

func (st *seamTest) get(query string) (int, string) {
	st.t.Helper()
	resp, err := http.Get(st.server.URL + "/socket.io/?" + query)
	if err != nil {
		st.t.Fatal(err)
	}
	return answer(st.t, resp)
}

func (st *seamTest) post(query, contentType string, body io.Reader) (int, string) {
	st.t.Helper()
	resp, err := http.Post(st.server.URL+"/socket.io/?"+query, contentType, body)
	if err != nil {
		st.t.Fatal(err)
	}
	return answer(st.t, resp)
}

func answer(t testing.TB, resp *http.Response) (int, string) {
	t.Helper()
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(data)
}

// openPolling makes a polling session of protocol 3 or 4 and returns its id.
func (st *seamTest) openPolling(protocol string) string {
	st.t.Helper()
	status, body := st.get(protocol + "transport=polling")
	if protocol != "EIO=4&" {
		_, body, _ = strings.Cut(body, ":")
	}
	var open struct{ SID string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(body, "0")), &open); err != nil || status != 200 {
		st.t.Fatalf("the handshake gave %d %q", status, body)
	}
	return open.SID
}

func text3(packets ...string) string {
	var b strings.Builder
	for _, p := range packets {
		fmt.Fprintf(&b, "%d:%s", len(p), p)
	}
	return b.String()
}
