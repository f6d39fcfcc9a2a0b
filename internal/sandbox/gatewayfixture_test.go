package sandbox

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/zstd"

	"splashtail/internal/gateway"
)

// patience is how long a test waits for what has to come. Only a failing test waits that long.
const patience = 30 * time.Second

// patient is a gateway without the waits that tests of other things would run into.
func patient() GatewaySettings { return GatewaySettings{IdentifyEvery: -1, FramesPerMinute: -1} }

// allIntents is what an application with every switch may ask for.
const allIntents = knownIntents

// gatewayWorld is a world with a bot that may ask for everything, and a server.
type gatewayWorld struct {
	*world
	all Application
	url string // ws://host
}

func newGatewayWorld(t *testing.T, s GatewaySettings) *gatewayWorld {
	t.Helper()
	w := &gatewayWorld{world: newWorld(t, Config{Limits: noLimits(), Gateway: s})}
	w.all = must(w.AddApplication(ApplicationSpec{Name: "watcher", MembersIntent: true, PresenceIntent: true, MessageContentIntent: true}))(t)
	w.ok(w.AddMember(w.guild, w.all.ID))
	w.url = newServer(t, w.Discord)
	return w
}

// newServer serves a sandbox and gives the address of its gateway.
func newServer(t testing.TB, d *Discord) string {
	srv := httptest.NewServer(d)
	t.Cleanup(srv.Close)
	return "ws" + strings.TrimPrefix(srv.URL, "http")
}

// gatewayClient is a client that does nothing by itself.
type gatewayClient struct {
	t    *testing.T
	ws   *websocket.Conn
	text func([]byte) ([]byte, error) // of a binary message
	seq  uint64                       // of the last dispatch read
	id   string                       // of the session, from READY
	ctx  context.Context
}

// message is a frame as it came.
type message struct {
	T *string         `json:"t"`
	S *uint64         `json:"s"`
	O int             `json:"op"`
	D json.RawMessage `json:"d"`
}

func (m message) name() string {
	if m.T == nil {
		return ""
	}
	return *m.T
}

func dialGateway(url string) (*websocket.Conn, *http.Response, context.Context, context.CancelFunc, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	ws, resp, err := websocket.Dial(ctx, url, nil)
	if err == nil {
		ws.SetReadLimit(-1)
	}
	return ws, resp, ctx, cancel, err
}

// dial connects to a path with a query and reads HELLO.
func (w *gatewayWorld) dial(path string) *gatewayClient {
	w.t.Helper()
	c := w.dialQuiet(path)
	if m := c.read(); m.O != gateway.OpHello {
		w.t.Fatalf("the first frame has op %d, not HELLO", m.O)
	}
	return c
}

func (w *gatewayWorld) dialQuiet(path string) *gatewayClient {
	w.t.Helper()
	ws, _, ctx, cancel, err := dialGateway(w.url + path)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { ws.CloseNow(); cancel() })
	c := &gatewayClient{t: w.t, ws: ws, ctx: ctx}
	switch {
	case strings.Contains(path, "zlib-stream"):
		c.text = inflater(w.t)
	case strings.Contains(path, "zstd-stream"):
		c.text = zstdReader(w.t)
	default:
		c.text = func(b []byte) ([]byte, error) {
			z, err := zlib.NewReader(bytes.NewReader(b))
			if err != nil {
				return nil, err
			}
			return io.ReadAll(z)
		}
	}
	return c
}

// inflater reads one zlib stream message by message: each ends with an empty block.
func inflater(t *testing.T) func([]byte) ([]byte, error) {
	in, feed := io.Pipe()
	t.Cleanup(func() { feed.Close() })
	var dec *json.Decoder
	return func(b []byte) ([]byte, error) {
		if !bytes.HasSuffix(b, []byte{0, 0, 0xff, 0xff}) {
			return nil, fmt.Errorf("the message ends with % x", b[max(len(b)-4, 0):])
		}
		go feed.Write(b)
		if dec == nil {
			z, err := zlib.NewReader(in)
			if err != nil {
				return nil, err
			}
			dec = json.NewDecoder(z)
		}
		var raw json.RawMessage
		return raw, dec.Decode(&raw)
	}
}

// zstdReader reads one zstd frame that never ends.
func zstdReader(t *testing.T) func([]byte) ([]byte, error) {
	in, feed := io.Pipe()
	z := must(zstd.NewReader(in, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true)))(t)
	t.Cleanup(func() { feed.Close(); z.Close() })
	dec := json.NewDecoder(z)
	return func(b []byte) ([]byte, error) {
		go feed.Write(b)
		var raw json.RawMessage
		return raw, dec.Decode(&raw)
	}
}

// next is the next frame, or the close code.
func (c *gatewayClient) next() (message, websocket.StatusCode) {
	c.t.Helper()
	typ, b, err := c.ws.Read(c.ctx)
	if err != nil {
		return message{}, websocket.CloseStatus(err)
	}
	if typ == websocket.MessageBinary {
		if b, err = c.text(b); err != nil {
			c.t.Fatal(err)
		}
	}
	var m message
	if err := json.Unmarshal(b, &m); err != nil {
		c.t.Fatalf("%v in %.200s", err, b)
	}
	if m.O == gateway.OpDispatch {
		if m.S == nil || *m.S <= c.seq {
			c.t.Fatalf("%s after %d has the number %v", m.name(), c.seq, m.S)
		}
		c.seq = *m.S
	}
	return m, 0
}

func (c *gatewayClient) read() message {
	c.t.Helper()
	m, code := c.next()
	if code != 0 {
		c.t.Fatalf("the connection ended with %d", code)
	}
	return m
}

// expect reads until a frame with that op comes.
func (c *gatewayClient) expect(op int) message {
	c.t.Helper()
	for {
		if m := c.read(); m.O == op {
			return m
		}
	}
}

// event reads until a dispatch of that name comes, and fails when another one comes that is not wanted at all.
func (c *gatewayClient) event(name string) message {
	c.t.Helper()
	for {
		if m := c.read(); m.O == gateway.OpDispatch && m.name() == name {
			return m
		}
	}
}

// closed reads until the connection ends and gives the code.
func (c *gatewayClient) closed() int {
	c.t.Helper()
	for {
		if _, code := c.next(); code != 0 {
			return int(code)
		}
	}
}

func (c *gatewayClient) send(op int, d any) {
	c.t.Helper()
	c.raw(string(rawJSON(map[string]any{"op": op, "d": d})))
}

func (c *gatewayClient) raw(text string) {
	c.t.Helper()
	if err := c.ws.Write(c.ctx, websocket.MessageText, []byte(text)); err != nil {
		c.t.Fatal(err)
	}
}

// identity is the d of an IDENTIFY that works.
func identity(a Application, intents Intents) map[string]any {
	return map[string]any{"token": a.Token, "intents": intents, "properties": map[string]string{"os": "linux"}}
}

// ready identifies and reads READY.
func (c *gatewayClient) ready(d map[string]any) ready {
	c.t.Helper()
	c.send(gateway.OpIdentify, d)
	return c.readReady()
}

func (c *gatewayClient) readReady() ready {
	c.t.Helper()
	m := c.read()
	if m.name() != "READY" || *m.S != 1 {
		c.t.Fatalf("after IDENTIFY came op %d %s", m.O, m.name())
	}
	var r ready
	if err := json.Unmarshal(m.D, &r); err != nil {
		c.t.Fatal(err)
	}
	c.id = r.SessionID
	return r
}

func (c *gatewayClient) resume(a Application, session string, seq uint64) {
	c.t.Helper()
	c.seq = seq
	c.send(gateway.OpResume, map[string]any{"token": a.Token, "session_id": session, "seq": seq})
}

// begin is a session that has its guild.
func (w *gatewayWorld) begin() *gatewayClient {
	w.t.Helper()
	c := w.dial("/?v=10")
	c.ready(identity(w.all, IntentGuilds|IntentGuildMessages))
	c.event("GUILD_CREATE")
	return c
}

// again resumes a session on a new connection.
func (w *gatewayWorld) again(c *gatewayClient) *gatewayClient {
	w.t.Helper()
	n := w.dial(gatewayResumePath + "?v=10")
	n.id = c.id
	n.resume(w.all, c.id, c.seq)
	n.event("RESUMED")
	return n
}

// sync gives everything that was made before it: the gateway sends in the order in which things were made.
func (c *gatewayClient) sync() (events []message) {
	c.t.Helper()
	c.send(gateway.OpHeartbeat, c.seq)
	for {
		m := c.read()
		if m.O == gateway.OpHeartbeatACK {
			return events
		}
		events = append(events, m)
	}
}

// say emits one message in the world's text channel.
func (w *gatewayWorld) say(n int) {
	w.t.Helper()
	w.ok(w.Burst(context.Background(), Burst{Guild: w.guild, Channel: w.text, Author: w.ana, Count: 1, First: n}))
}

// content is what a message says.
func content(t *testing.T, m message) string {
	t.Helper()
	var d struct{ Content string }
	if err := json.Unmarshal(m.D, &d); err != nil {
		t.Fatal(err)
	}
	return d.Content
}

func (w *gatewayWorld) await(what string, cond func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.Await(ctx, cond); err != nil {
		w.t.Fatalf("%s: %v", what, err)
	}
}
