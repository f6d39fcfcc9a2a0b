package broker

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestMalformedInput sends what no capture client sends. Most of it ends its own
// connection; none of it may touch another one or the process.
func TestMalformedInput(t *testing.T) {
	deep := strings.Repeat("[", 20_000)
	const stays, ends = true, false
	cases := []struct {
		name, frame string
		stays       bool
	}{
		{"event without anything", "42", ends},
		{"binary event without attachments", "450-", ends},
		{"binary event with one to come", "451-" + `["x",{"_placeholder":true,"num":0}]`, ends},
		{"binary event with very many to come", "45999999999-", ends},
		{"binary event without dash", "45..", ends},
		{"binary ack", "460-", ends},
		{"ack that nobody asked for", "430[]", ends},
		{"ack without id", "43[]", ends},
		{"connect error", "44{}", ends},
		{"bad JSON", `42["lobby"`, ends},
		{"not an array", `42{"a":1}`, ends},
		{"empty array", `42[]`, ends},
		{"name is a number", `42[1]`, ends},
		{"name is null", `42[null]`, ends},
		{"name is an object", `42[{}]`, ends},
		{"name is an array", `42[["x"]]`, ends},
		{"two values", `42["a"]["b"]`, ends},
		{"20000 deep", `42["a",` + deep, ends},
		{"ack id without end", "42" + strings.Repeat("9", 200) + `["a"]`, ends},
		{"invalid UTF-8", "42[\"\xff\xfe\"]", ends},
		{"unknown Socket.IO type", "49", ends},
		{"nothing after message", "4", ends},
		{"unknown Engine.IO type", "9", ends},
		{"letter", "x", ends},
		{"base64", "b4AAAA", ends},
		{"empty frame", "", ends},
		{"OPEN from a client", "0{}", ends},
		{"CLOSE from a client", "1", ends},
		{"UPGRADE that was not probed", "5", ends},
		{"too large", `42["a","` + strings.Repeat("x", 70_000) + `"]`, ends},
		{"namespace of any length", "40/" + strings.Repeat("n", 500), ends},
		{"reserved event name", `42["disconnect"]`, stays},
		{"event name of a prototype", `42["__proto__",{"a":1}]`, stays},
		{"almost too large", `42["a","` + strings.Repeat("x", 60_000) + `"]`, stays},
		{"CONNECT again", "40", stays},
		{"event to an unknown namespace", `42/nope,["a"]`, stays},
		{"noop", "6", stays},
	}
	st := newSeamTest(t, nil)
	bystander, heard := open3(t, st)
	for _, protocol := range []struct {
		name string
		open func(testing.TB, *seamTest) (*rawClient, *listener)
	}{{"EIO3", open3}, {"EIO4", open4}} {
		for _, tc := range cases {
			t.Run(protocol.name+"/"+tc.name, func(t *testing.T) {
				c, l := protocol.open(t, st)
				if tc.stays {
					c.send(tc.frame)
				} else {
					// It may be cut before all of it was written.
					_ = c.ws.WriteMessage(websocket.TextMessage, []byte(tc.frame))
				}
				if !tc.stays {
					if end := receive(t, l.gone); end == endPanic || end == endShutdown {
						t.Errorf("it ended as %s", end)
					}
					c.closedByPeer()
					return
				}
				c.send(`42["still"]`)
				for receive(t, l.events).name != "still" {
				}
			})
		}
		t.Run(protocol.name+"/binary frame", func(t *testing.T) {
			c, l := protocol.open(t, st)
			if err := c.ws.WriteMessage(websocket.BinaryMessage, []byte{4, '2', '[', ']'}); err != nil {
				t.Fatal(err)
			}
			receive(t, l.gone)
		})
	}
	t.Run("ping of the other protocol", func(t *testing.T) {
		c, l := open4(t, st)
		c.send("2")
		receive(t, l.gone)
		c, l = open3(t, st)
		c.send("3")
		receive(t, l.gone)
	})
	t.Run("event before CONNECT", func(t *testing.T) {
		c := st.dial("EIO=4&transport=websocket")
		c.read()
		c.send(`42["a"]`)
		c.closedByPeer()
	})
	bystander.send(`42["alive"]`)
	if got := receive(t, heard.events); got.name != "alive" {
		t.Errorf("the bystander's event came as %s", got)
	}
}

func TestPanicEndsOnlyItsConnection(t *testing.T) {
	st := newSeamTest(t, nil)
	st.on = func(l *listener, e heardEvent) bool {
		if e.name == "boom" {
			panic("boom")
		}
		l.events <- e
		return true
	}
	c, l := open3(t, st)
	other, heard := open3(t, st)
	c.send(`42["boom"]`)
	if end := receive(t, l.gone); end != endPanic {
		t.Errorf("it ended as %s", end)
	}
	other.send(`42["ok"]`)
	receive(t, heard.events)
}

// rawHandshake upgrades by hand, so that frames can follow in the same write.
func rawHandshake(t testing.TB, addr, query string) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /socket.io/?%s HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", query)
	if err != nil {
		conn.Close()
		return nil, err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		conn.Close()
		return nil, fmt.Errorf("no upgrade: %v", err)
	}
	return conn, nil
}

// maskedFrame is a websocket frame of a client with an all-zero mask.
func maskedFrame(text string) []byte {
	return append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)
}

// TestEarlyPings hits the moment right after the 101, in which the stock library dies
// of a timer that it has not made yet.
func TestEarlyPings(t *testing.T) {
	st := newSeamTest(t, nil)
	addr := st.server.Listener.Addr().String()
	base := measure(t)
	const attempts = 800
	for _, tc := range []struct{ query, frame string }{
		{"EIO=3&transport=websocket", "2"}, {"EIO=4&transport=websocket", "3"}, {"EIO=4&transport=websocket", "2"},
	} {
		next := make(chan struct{}, attempts)
		for range attempts {
			next <- struct{}{}
		}
		close(next)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range next {
					conn, err := rawHandshake(t, addr, tc.query)
					if err != nil {
						t.Error(err)
						return
					}
					_, _ = conn.Write(maskedFrame(tc.frame)) // it may be closed already
					if tcp, ok := conn.(*net.TCPConn); ok {
						_ = tcp.SetLinger(0)
					}
					conn.Close()
				}
			})
		}
		wg.Wait()
	}
	if opens := st.opens.Load(); opens != 3*attempts {
		t.Errorf("%d connections were admitted, want %d", opens, 3*attempts)
	}
	st.wantBack(base)
	eventually(t, "every admission is given back", func() bool { return st.ends.Load() == st.opens.Load() })
}

// TestChurn opens and ends connections in every way there is and wants each one told
// exactly once and nothing left behind.
func TestChurn(t *testing.T) {
	for _, query := range []string{"EIO=3&transport=websocket", "EIO=4&transport=websocket"} {
		for _, way := range []string{"tcp", "close frame", "41 and close frame", "rst"} {
			t.Run(query[:5]+"/"+way, func(t *testing.T) {
				st := newSeamTest(t, nil)
				base := measure(t)
				var opened, told sync.Map
				var openings int
				const each, workers = 30, 8
				var wg sync.WaitGroup
				for range workers {
					wg.Go(func() {
						for i := range each {
							leave(t, st, query, way, i)
						}
					})
				}
				wg.Wait()
				eventually(t, "every connection has ended", func() bool { return st.ends.Load() == workers*each })
				close(st.opened)
				for l := range st.opened {
					openings++
					opened.Store(l, true)
					receive(t, l.gone)
					if _, twice := told.LoadOrStore(l, true); twice || len(l.gone) > 0 {
						t.Error("an end was told twice")
					}
				}
				if openings == 0 || openings > workers*each {
					t.Errorf("%d of %d were opened", openings, workers*each)
				}
				st.wantBack(base)
			})
		}
	}
}

func leave(t *testing.T, st *seamTest, query, way string, i int) {
	ws, resp, err := websocket.DefaultDialer.Dial(st.wsURL(query), nil)
	if err != nil {
		t.Error(err)
		return
	}
	resp.Body.Close()
	defer ws.Close()
	send := func(f string) { _ = ws.WriteMessage(websocket.TextMessage, []byte(f)) } // it may be gone already
	if i%3 > 0 {
		send("40")
		send(`42["state","1"]`)
	}
	if i%3 > 1 { // some leave before they were answered
		for range 2 {
			if _, _, err := ws.ReadMessage(); err != nil {
				t.Error(err)
				return
			}
		}
	}
	switch way {
	case "41 and close frame":
		send("41")
		fallthrough
	case "close frame":
		_ = ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(websocket.CloseNormalClosure, ""), time.Now().Add(time.Second))
	case "rst":
		if tcp, ok := ws.NetConn().(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
	}
}

// TestSlowReaderIsCut has a client ping and never read.
func TestSlowReaderIsCut(t *testing.T) {
	st := newSeamTest(t, func(c *frontConfig) { c.writeTimeout = 200 * time.Millisecond })
	base := measure(t)
	conn, err := rawHandshake(t, st.server.Listener.Addr().String(), "EIO=3&transport=websocket")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetReadBuffer(4096)
	}
	ping := bytes.Repeat(maskedFrame("2"+strings.Repeat("p", 100)), 1000)
	_ = conn.SetWriteDeadline(time.Now().Add(patience))
	for {
		if _, err := conn.Write(ping); err != nil {
			break
		}
	}
	l := receive(t, st.opened)
	if end := receive(t, l.gone); end != endUnread {
		t.Errorf("it ended as %s", end)
	}
	conn.Close()
	st.wantBack(base)
}

// endless is a body without a length that never ends.
type endless struct{ sent atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.sent.Add(int64(len(p))) > 300<<20 {
		return 0, io.EOF
	}
	for i := range p {
		p[i] = '1'
	}
	return len(p), nil
}

func TestChunkedPollingBomb(t *testing.T) {
	st := newSeamTest(t, nil)
	query := "EIO=3&transport=polling&sid=" + st.openPolling("EIO=3&")
	l := receive(t, st.opened)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	body := &endless{}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, st.server.URL+"/socket.io/?"+query, body)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultClient.Do(req); err == nil {
		if resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("got %d", resp.StatusCode)
		}
		resp.Body.Close()
	}
	if end := receive(t, l.gone); end != endTooLarge {
		t.Errorf("it ended as %s", end)
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 16<<20 || body.sent.Load() > 64<<20 {
		t.Errorf("%d MiB were allocated for it, %d MiB were read", grown>>20, body.sent.Load()>>20)
	}
}

// TestHostilePollingBodies has lengths that would send the library's own decoder into
// an endless loop or out of its buffer.
func TestHostilePollingBodies(t *testing.T) {
	st := newSeamTest(t, nil)
	for _, tc := range []struct{ name, contentType, body string }{
		{"endless loop", "application/octet-stream", "\x00\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\xff"},
		{"negative length", "application/octet-stream", "\x01\xfd\x05\xff4"},
		{"negative length of text", "application/octet-stream", "\x00\xfd\x05\xff4"},
		{"binary packet", "application/octet-stream", "\x01\x02\xff\x04\x01"},
		{"length past the end", "text/plain", `99:42["a"]`},
		{"negative text length", "text/plain", `-5:42["a"]`},
		{"no length", "text/plain", `42["a"]`},
		{"base64", "text/plain", `6:b4AAAA`},
		{"empty packet", "text/plain", `0:`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			query := "transport=polling&sid=" + st.openPolling("")
			l := receive(t, st.opened)
			if status, _ := st.post(query, tc.contentType, strings.NewReader(tc.body)); status != http.StatusBadRequest {
				t.Errorf("got %d", status)
			}
			if end := receive(t, l.gone); end != endBadFrame {
				t.Errorf("it ended as %s", end)
			}
		})
	}
	if status, _ := st.post("transport=polling&sid=nobody", "text/plain", strings.NewReader("2:40")); status != http.StatusBadRequest {
		t.Errorf("an unknown session got %d", status)
	}
}

// TestUpgradeRaces ends a polling session and the websocket it tries at the same
// moment, over and over: the library's own path for that can die of a nil transport.
func TestUpgradeRaces(t *testing.T) {
	st := newSeamTest(t, nil)
	base := measure(t)
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range 60 {
				status, body := st.get("transport=polling")
				_, body, _ = strings.Cut(body, ":0")
				var open struct{ SID string }
				if json.Unmarshal([]byte(body), &open) != nil || status != http.StatusOK {
					t.Errorf("the handshake gave %d %s", status, body)
					return
				}
				s := st.front.find(open.SID)
				conn, err := rawHandshake(t, st.server.Listener.Addr().String(), "transport=websocket&sid="+open.SID)
				if err != nil || s == nil {
					t.Errorf("no probe: %v", err)
					return
				}
				frames := []string{"2probe", "5", "garbage", "2probe5"}
				_, _ = conn.Write(maskedFrame(frames[(i+w)%len(frames)]))
				var race sync.WaitGroup
				race.Go(func() { conn.Close() })
				race.Go(func() { s.eng.Close(true) })
				race.Wait()
				s.close(endClosed)
			}
		})
	}
	wg.Wait()
	st.wantBack(base)
}

// TestFailedProbeLeavesPollingAlone: only the attempt ends, and another may follow.
func TestFailedProbeLeavesPollingAlone(t *testing.T) {
	st := newSeamTest(t, nil)
	query := "sid=" + st.openPolling("")
	l := receive(t, st.opened)
	st.get("transport=polling&" + query)
	for range 3 {
		c := st.dial("transport=websocket&" + query)
		c.send("2probe")
		c.want("3probe")
		second := st.dial("transport=websocket&" + query)
		second.closedByPeer() // one attempt at a time
		c.ws.Close()
		eventually(t, "the attempt is forgotten", func() bool {
			s := st.front.all()
			return len(s) == 1 && s[0].probe.Load() == nil && !s[0].eng.Upgrading()
		})
	}
	st.post("transport=polling&"+query, "text/plain", strings.NewReader(text3(`42["still"]`)))
	receive(t, l.events)
}

func FuzzParsePacket(f *testing.F) {
	for _, s := range []string{`2["a",1]`, "2", "50-", "51-", `212["a"]`, `2/nope,["a"]`, "0", "0{}", "0/a?b,", "1", `2["\ud800"]`, "2[]", "9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePacket(text)
		if err != nil {
			return
		}
		if p.namespace == "" || p.namespace[0] != '/' || len(p.ack) > maxAckDigits {
			t.Errorf("%q gave %+v", text, p)
		}
		for _, a := range p.args {
			if !json.Valid(a) {
				t.Errorf("%q gave the argument %q", text, a)
			}
		}
	})
}

func FuzzRewritePayload(f *testing.F) {
	for _, s := range []string{text3("2", `42["a"]`), bytes3("2", "4x"), "2\x1e3", "-1:4", "\x00\x09\x09\xff"} {
		f.Add([]byte(s), true)
		f.Add([]byte(s), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, binary bool) {
		once, err := rewritePayload(body, 3, binary)
		if err != nil {
			return
		}
		again, err := rewritePayload(once, 3, false)
		if err != nil || !bytes.Equal(once, again) {
			t.Errorf("%q became %q and then %q, %v", body, once, again, err)
		}
	})
}
