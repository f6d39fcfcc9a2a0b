package broker

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestCSharpSession plays the session of C# SocketIOClient 2.x byte by byte.
func TestCSharpSession(t *testing.T) {
	st := newSeamTest(t, nil)
	c := st.dial("EIO=3&transport=websocket")
	open := c.read()
	if !regexp.MustCompile(`^0\{"sid":"[A-Za-z0-9_-]{20,}","upgrades":\[\],"pingInterval":20000,"pingTimeout":60000\}$`).MatchString(open) {
		t.Fatalf("OPEN is %s", open)
	}
	c.want("40")
	c.send("40", `42["connectCode","7F3A09C2"]`, `42["botID",987654321098765432]`,
		`42["player","{\u0022Action\u0022:0,\u0022Name\u0022:\u0022Ana\u0022}"]`, "2", "2x")
	l := receive(t, st.opened)
	for _, want := range []string{
		`connectCode "7F3A09C2"`, `botID 987654321098765432`,
		`player "{\u0022Action\u0022:0,\u0022Name\u0022:\u0022Ana\u0022}"`,
	} {
		if got := receive(t, l.events).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	c.want("3", "3x") // and no second 40 before them
	if err := l.conn.Emit("modify", `{"guildID":1}`); err != nil {
		t.Fatal(err)
	}
	c.want(`42["modify","{\"guildID\":1}"]`)
	if err := l.conn.Emit("requestdata", 7); err != nil {
		t.Fatal(err)
	}
	c.want(`42["requestdata",7]`)
	c.send("41")
	if end := receive(t, l.gone); end != endLeft {
		t.Errorf("it ended as %s", end)
	}
	c.closedByPeer()
}

func TestProtocol4Session(t *testing.T) {
	st := newSeamTest(t, func(c *frontConfig) { c.pingInterval = 50 * time.Millisecond })
	c := st.dial("EIO=4&transport=websocket")
	open := c.read()
	if !regexp.MustCompile(`^0\{"sid":"[^"]+","upgrades":\[\],"pingInterval":50,"pingTimeout":60000,"maxPayload":65536\}$`).MatchString(open) {
		t.Fatalf("OPEN is %s", open)
	}
	c.send(`40{"token":[[[[]]]]}`)
	if got := c.read(); !strings.HasPrefix(got, `40{"sid":"`) {
		t.Fatalf("CONNECT was answered with %s", got)
	}
	l := receive(t, st.opened)
	c.send(`427["state","1"]`)
	if got := receive(t, l.events).String(); got != `state "1"` {
		t.Errorf("got %s", got)
	}
	for pings, acks := 0, 0; pings < 3 || acks < 1; {
		switch got := c.read(); got {
		case "2":
			pings++
			c.send("3")
		case "437[]":
			acks++
		default:
			t.Fatalf("got frame %s", got)
		}
	}
}

func TestRefusedEventIsNotAcknowledged(t *testing.T) {
	st := newSeamTest(t, nil)
	st.on = func(_ *listener, e heardEvent) bool { return e.name == "good" }
	c, _ := open3(t, st)
	c.send(`421["bad"]`, `422["good"]`)
	c.want("432[]")
}

// TestPollingThenUpgrade is the way of capture-mock: no EIO parameter, OPEN alone, CONNECT on the second poll, events
// without waiting, then a probe and the move.
func TestPollingThenUpgrade(t *testing.T) {
	for _, tc := range []struct{ name, query, contentType string }{
		{"mock without EIO, text", "", "text/plain;charset=UTF-8"},
		{"mock without EIO, bytes", "", "application/octet-stream"},
		{"EIO 3", "EIO=3&", "text/plain;charset=UTF-8"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			st := newSeamTest(t, nil)
			status, body := st.get(tc.query + "transport=polling")
			m := regexp.MustCompile(`^(\d+):0\{"sid":"([^"]+)","upgrades":\["websocket"\],"pingInterval":20000,"pingTimeout":60000\}$`).FindStringSubmatch(body)
			if status != http.StatusOK || m == nil {
				t.Fatalf("got %d %s", status, body)
			}
			query := tc.query + "transport=polling&sid=" + m[2]
			if status, body = st.get(query); status != http.StatusOK || body != "2:40" {
				t.Fatalf("the second poll gave %d %s", status, body)
			}
			payload := text3(`42["connectCode","7F3A09C2"]`, `42["state","1"]`)
			if tc.contentType == "application/octet-stream" {
				payload = bytes3(`42["connectCode","7F3A09C2"]`, `42["state","1"]`)
			}
			if status, body = st.post(query, tc.contentType, strings.NewReader(payload)); status != http.StatusOK || body != "ok" {
				t.Fatalf("the post gave %d %s", status, body)
			}
			l := receive(t, st.opened)
			poll := make(chan string, 1)
			go func() {
				_, body := st.get(query)
				poll <- body
			}()
			c := st.dial(tc.query + "transport=websocket&sid=" + m[2])
			c.send("2probe")
			c.want("3probe")
			if got := receive(t, poll); got != "1:6" { // the poll is let go so that the client can move
				t.Fatalf("the poll under way got %q", got)
			}
			c.send("5", `42["state","2"]`, "2")
			c.want("3")
			for _, want := range []string{`connectCode "7F3A09C2"`, `state "1"`, `state "2"`} {
				if got := receive(t, l.events).String(); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
			if err := l.conn.Emit("modify", "x"); err != nil {
				t.Fatal(err)
			}
			c.want(`42["modify","x"]`)
			c.ws.Close()
			if end := receive(t, l.gone); end != endLeft {
				t.Errorf("it ended as %s", end)
			}
		})
	}
}

func bytes3(packets ...string) string {
	var b bytes.Buffer
	for _, p := range packets {
		b.WriteByte(0)
		for _, d := range fmt.Sprint(len(p)) {
			b.WriteByte(byte(d - '0'))
		}
		b.WriteByte(0xff)
		b.WriteString(p)
	}
	return b.String()
}

func TestPollingProtocol4(t *testing.T) {
	st := newSeamTest(t, nil)
	sid := st.openPolling("EIO=4&")
	query := "EIO=4&transport=polling&sid=" + sid
	if status, body := st.post(query, "text/plain", strings.NewReader("40")); status != 200 || body != "ok" {
		t.Fatalf("CONNECT gave %d %s", status, body)
	}
	if _, body := st.get(query); !strings.HasPrefix(body, `40{"sid":"`) {
		t.Fatalf("the poll gave %s", body)
	}
	st.post(query, "text/plain", strings.NewReader(`42["a","1"]`+"\x1e"+`42["b","2"]`))
	l := receive(t, st.opened)
	for _, want := range []string{`a "1"`, `b "2"`} {
		if got := receive(t, l.events).String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if err := l.conn.Emit("modify", "x"); err != nil {
		t.Fatal(err)
	}
	if _, body := st.get(query); body != `42["modify","x"]` {
		t.Errorf("the poll gave %s", body)
	}
	st.post(query, "text/plain", strings.NewReader("1"))
	if end := receive(t, l.gone); end != endLeft {
		t.Errorf("it ended as %s", end)
	}
}

// TestOrder sends bursts of six events, the way the capture client opens a game, and
// wants them in order, one at a time (the listener panics on two at once).
func TestOrder(t *testing.T) {
	st := newSeamTest(t, nil)
	st.on = func(l *listener, e heardEvent) bool {
		if e.name == "first" { // a slow one, so that the others would overtake it
			<-time.After(2 * time.Millisecond)
		}
		l.events <- e
		return true
	}
	for range 30 {
		for _, open := range []func(testing.TB, *seamTest) (*rawClient, *listener){open3, open4} {
			c, l := open(t, st)
			names := []string{"first", "b", "c", "d", "e", "f"}
			for _, n := range names {
				c.send(`42["` + n + `"]`)
			}
			for _, n := range names {
				if got := receive(t, l.events); got.name != n {
					t.Fatalf("got %s, want %s", got.name, n)
				}
			}
			c.ws.Close()
		}
	}
}

// TestFirstEventsAreKept has many clients send with their first breath, before they
// were told that they are connected.
func TestFirstEventsAreKept(t *testing.T) {
	st := newSeamTest(t, nil)
	const clients, events = 300, 13
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			query, first := "EIO=3&transport=websocket", []string{"40"}
			if i%2 == 1 {
				query = "EIO=4&transport=websocket"
			}
			ws, resp, err := websocket.DefaultDialer.Dial(st.wsURL(query), nil)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			t.Cleanup(func() { ws.Close() }) // not before everybody has heard everything
			for n := range events {
				first = append(first, fmt.Sprintf(`42["n",%d]`, n))
			}
			for _, f := range first {
				if err := ws.WriteMessage(websocket.TextMessage, []byte(f)); err != nil {
					t.Error(err)
					return
				}
			}
			l := receive(t, st.opened)
			for n := range events {
				if got, want := receive(t, l.events).String(), fmt.Sprintf("n %d", n); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		})
	}
	wg.Wait()
}

func TestManyFromOneClientArriveInOrder(t *testing.T) {
	st := newSeamTest(t, func(c *frontConfig) { c.eventRate, c.eventBurst = 50_000, 100 })
	c, l := open3(t, st)
	go func() {
		for n := range 10_000 {
			if err := c.ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `42["n",%d]`, n)); err != nil {
				t.Error(err)
				return
			}
		}
	}()
	for n := range 10_000 {
		if got, want := receive(t, l.events).String(), fmt.Sprintf("n %d", n); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestOtherNamespaceIsRefusedAndStays(t *testing.T) {
	st := newSeamTest(t, nil)
	c, l := open3(t, st)
	c.send("40/galactus?token=1,")
	c.want(`44/galactus,"Invalid namespace"`)
	c.send(`42["state","1"]`)
	receive(t, l.events)
	c4, _ := open4(t, st)
	c4.send("40/galactus,")
	c4.want(`44/galactus,{"message":"Invalid namespace"}`)
}

func TestSilentClientIsCut(t *testing.T) {
	for _, query := range []string{"EIO=3&transport=websocket", "EIO=4&transport=websocket"} {
		st := newSeamTest(t, func(c *frontConfig) { c.pingInterval, c.pingTimeout = 20*time.Millisecond, 60*time.Millisecond })
		c := st.dial(query)
		c.closedByPeer()
		eventually(t, "the end is told", func() bool { return st.ends.Load() == 1 })
		st.mu.Lock()
		if st.byEnd[endSilent] != 1 {
			t.Errorf("%s: it ended as %v", query, st.byEnd)
		}
		st.mu.Unlock()
	}
}

func TestSilentPollingClientIsSwept(t *testing.T) {
	st := newSeamTest(t, nil)
	st.openPolling("")
	l := receive(t, st.opened)
	st.front.sweep(time.Now().Add(30 * time.Second))
	select {
	case end := <-l.gone:
		t.Fatalf("it was ended too early, as %s", end)
	default:
	}
	st.front.sweep(time.Now().Add(61 * time.Second))
	if end := receive(t, l.gone); end != endSilent {
		t.Errorf("it ended as %s", end)
	}
}

func TestShutdownEndsEveryConnection(t *testing.T) {
	base := measure(t)
	st := newSeamTest(t, nil)
	c, l := open3(t, st)
	st.openPolling("EIO=3&")
	st.front.closeAll()
	if end := receive(t, l.gone); end != endShutdown {
		t.Errorf("it ended as %s", end)
	}
	c.closedByPeer()
	if status, _ := st.get("EIO=3&transport=polling"); status != http.StatusServiceUnavailable {
		t.Errorf("a new session got %d", status)
	}
	eventually(t, "both ends are told", func() bool { return st.ends.Load() == 2 })
	c.ws.Close()
	st.server.Close()
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "everything is given back", func() bool { return measure(t).goroutines <= base.goroutines })
}

func TestAdmission(t *testing.T) {
	st := newSeamTest(t, func(c *frontConfig) { c.admit = func(string) bool { return false } })
	_, resp, err := websocket.DefaultDialer.Dial(st.wsURL("EIO=3&transport=websocket"), nil)
	if err == nil || resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") == "" {
		t.Errorf("got %v, %v", err, resp)
	}
	if status, _ := st.get("EIO=3&transport=polling"); status != http.StatusTooManyRequests {
		t.Errorf("polling got %d", status)
	}
}

func TestAdmissionIsGivenBackWhenTheHandshakeFails(t *testing.T) {
	st := newSeamTest(t, nil)
	req, err := http.NewRequest(http.MethodGet, st.server.URL+"/socket.io/?EIO=3&transport=websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Connection", "Upgrade")
	req.Header.Set("Upgrade", "websocket") // and no key
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	if resp.StatusCode != http.StatusBadRequest {
		t.Errorf("got %d", resp.StatusCode)
	}
	if st.opens.Load() != 1 || st.ends.Load() != 1 {
		t.Errorf("%d admitted, %d given back", st.opens.Load(), st.ends.Load())
	}
}
