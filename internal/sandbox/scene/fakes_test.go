package scene

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/coder/websocket"
	"github.com/redis/go-redis/v9"

	"splashtail/internal/sandbox"
)

// fakeBroker is the other end of a capture client: it records frames and does what a test says with them.
type fakeBroker struct {
	t   *testing.T
	srv *httptest.Server
	// open is the first packet; onFrame gets every frame on the reader's goroutine, onClose every end.
	open    string
	onFrame func(conn *brokerConn, frame string)
	onClose func(conn *brokerConn, code websocket.StatusCode)
	conns   chan *brokerConn
}

type brokerConn struct {
	conn   *websocket.Conn
	ctx    context.Context
	frames chan string
}

func newFakeBroker(t *testing.T) *fakeBroker {
	b := &fakeBroker{
		t: t, open: `0{"sid":"k3","upgrades":[],"pingInterval":20000,"pingTimeout":60000}`, conns: make(chan *brokerConn, 16),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /socket.io/", b.serve)
	b.srv = httptest.NewServer(mux)
	t.Cleanup(b.srv.Close)
	return b
}

func (b *fakeBroker) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "EIO=3&transport=websocket" || r.Header.Get("Origin") != "" || r.Header.Get("Cookie") != "" {
		b.t.Errorf("handshake %s %v", r.URL, r.Header)
	}
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer conn.CloseNow()
	c := &brokerConn{conn: conn, ctx: r.Context(), frames: make(chan string, 4096)}
	defer close(c.frames)
	c.send(b.open)
	c.send("40")
	b.conns <- c
	for {
		_, data, err := conn.Read(r.Context())
		if err != nil {
			if b.onClose != nil {
				b.onClose(c, websocket.CloseStatus(err))
			}
			return
		}
		c.frames <- string(data)
		if b.onFrame != nil {
			b.onFrame(c, string(data))
		}
	}
}

func (c *brokerConn) send(frame string) {
	_ = c.conn.Write(c.ctx, websocket.MessageText, []byte(frame))
}

// next gives the next frame that is not a ping.
func (c *brokerConn) next(t *testing.T) string {
	t.Helper()
	for {
		select {
		case f, ok := <-c.frames:
			if !ok {
				t.Fatal("the client closed the connection")
			}
			if f != "2" {
				return f
			}
		case <-time.After(30 * time.Second):
			t.Fatal("no frame came")
		}
	}
}

func (b *fakeBroker) accept(t *testing.T) *brokerConn {
	t.Helper()
	select {
	case c := <-b.conns:
		return c
	case <-time.After(30 * time.Second):
		t.Fatal("nobody connected")
		return nil
	}
}

// redisBroker hands the events of a fakeBroker on through Redis as the contract says.
type redisBroker struct {
	*fakeBroker
	rdb  *redis.Client
	code string

	mu      sync.Mutex
	live    *brokerConn
	waiting map[string]chan bool // tasks
}

func newRedisBroker(t *testing.T, m *miniredis.Miniredis, code string) *redisBroker {
	b := &redisBroker{fakeBroker: newFakeBroker(t), rdb: redis.NewClient(&redis.Options{Addr: m.Addr()}), code: code, waiting: map[string]chan bool{}}
	t.Cleanup(func() { b.rdb.Close() })
	b.onFrame = b.frame
	b.onClose = func(c *brokerConn, _ websocket.StatusCode) {
		b.mu.Lock()
		b.live = nil
		b.mu.Unlock()
		b.push(0, "false")
	}
	sub := b.rdb.Subscribe(t.Context(), "automuteus:jobs:"+code+":ack")
	if _, err := sub.Receive(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sub.Close() })
	go func() {
		for range sub.Channel() {
			b.mu.Lock()
			live := b.live != nil
			b.mu.Unlock()
			if live {
				b.push(0, "true")
			}
		}
	}()
	return b
}

func (b *redisBroker) push(kind int, payload string) {
	raw, _ := json.Marshal(job{kind, payload})
	ctx := context.Background()
	b.rdb.RPush(ctx, "automuteus:jobs:"+b.code, raw)
	b.rdb.Publish(ctx, "automuteus:jobs:"+b.code+":notify", "1")
}

func (b *redisBroker) frame(c *brokerConn, f string) {
	switch {
	case f == "2":
		c.send("3")
		return
	case !strings.HasPrefix(f, "42"):
		return
	}
	event, arg, err := parseEvent(f)
	if err != nil {
		b.t.Errorf("frame %q: %v", f, err)
		return
	}
	kinds := map[string]int{eventLobby: jobLobby, eventState: jobState, eventPlayer: jobPlayer, eventGameOver: jobGameOver}
	switch event {
	case eventConnectCode:
		if argText(arg) != b.code {
			b.t.Errorf("code %s", arg)
		}
		b.mu.Lock()
		b.live = c
		b.mu.Unlock()
		b.push(0, "true")
	case eventTaskComplete, eventTaskFailed:
		b.mu.Lock()
		defer b.mu.Unlock()
		if ch := b.waiting[argText(arg)]; ch != nil {
			ch <- event == eventTaskComplete
		}
	case eventBotID:
	default:
		b.push(kinds[event], argText(arg))
	}
}

// modify has the capture client mute somebody.
func (b *redisBroker) modify(guild, user uint64, mute, deaf bool) bool {
	b.mu.Lock()
	live, id := b.live, "task"+strconv.FormatUint(user, 10)
	ch := make(chan bool, 1)
	b.waiting[id] = ch
	b.mu.Unlock()
	if live == nil {
		return false
	}
	task := fmt.Sprintf(`{"guildID":%d,"userID":%d,"parameters":{"deaf":%v,"mute":%v},"taskID":%q}`, guild, user, deaf, mute, id)
	quoted, _ := json.Marshal(task)
	live.send(`42["modify",` + string(quoted) + `]`)
	select {
	case ok := <-ch:
		return ok
	case <-time.After(time.Second):
		return false
	}
}

// fakeGalactus mutes with one bot after the other, and a member of each call through the capture client.
type fakeGalactus struct {
	t       *testing.T
	srv     *httptest.Server
	discord *httptest.Server
	tokens  []string
	capture *redisBroker // nil: never
	spoil   func(u *modifyUser) (drop bool)
	bodies  chan string
}

func newFakeGalactus(t *testing.T, d *sandbox.Discord, bots []sandbox.Application) *fakeGalactus {
	g := &fakeGalactus{t: t, discord: httptest.NewServer(d), bodies: make(chan string, 1024)}
	t.Cleanup(g.discord.Close)
	for _, b := range bots {
		g.tokens = append(g.tokens, b.Token)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	mux.HandleFunc("POST /modify/{guild}/{code}", g.modify)
	g.srv = httptest.NewServer(mux)
	t.Cleanup(g.srv.Close)
	return g
}

func (g *fakeGalactus) modify(w http.ResponseWriter, r *http.Request) {
	guild, err := strconv.ParseUint(r.PathValue("guild"), 10, 64)
	var body modifyBody
	if err != nil || json.NewDecoder(r.Body).Decode(&body) != nil || body.Premium != 5 {
		g.t.Errorf("POST %s with %+v", r.URL.Path, body)
	}
	raw, _ := json.Marshal(body)
	g.bodies <- r.PathValue("guild") + " " + string(raw)
	var counts struct {
		Worker   int `json:"worker"`
		Capture  int `json:"capture"`
		Official int `json:"official"`
	}
	for i, u := range body.Users {
		if g.spoil != nil && g.spoil(&u) {
			continue
		}
		if i == 0 && g.capture != nil && g.capture.modify(guild, u.UserID, u.Mute, u.Deaf) {
			counts.Capture++
			continue
		}
		req, _ := http.NewRequest("PATCH", fmt.Sprintf("%s/api/v10/guilds/%d/members/%d", g.discord.URL, guild, u.UserID),
			strings.NewReader(fmt.Sprintf(`{"mute":%v,"deaf":%v}`, u.Mute, u.Deaf)))
		req.Header.Set("Authorization", "Bot "+g.tokens[i%len(g.tokens)])
		req.Header.Set("Content-Type", "application/json")
		resp, err := g.discord.Client().Do(req)
		if err != nil || resp.StatusCode != 200 {
			g.t.Errorf("PATCH: %v %v", resp, err)
			continue
		}
		resp.Body.Close()
		if i%len(g.tokens) == 0 {
			counts.Official++
		} else {
			counts.Worker++
		}
	}
	json.NewEncoder(w).Encode(counts)
}
