package scene

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"splashtail/internal/secret"
)

// CaptureConfig says how a capture client connects.
type CaptureConfig struct {
	BrokerURL string // http or https with a host; a path would be a namespace in the real client and is refused
	Code      string // connect code
	// Bot mutes on the broker's wish; nil answers every wish with taskFailed, as a client without a bot does.
	Bot *CaptureBot
	// Poll is the time from a connect to resending the game; zero means 250 ms.
	Poll time.Duration
	// Sent is told every game event that went out, Task every wish that was answered. Both may be nil and must not block.
	Sent func(event, arg string)
	Task func(ok bool, took time.Duration)
}

// CaptureBot is the Discord bot inside a capture client.
type CaptureBot struct {
	ID    uint64
	Token secret.Value
	API   func() string // base of the REST interface, asked at the first use
}

// Capture is a client that behaves on the wire like the C# program beside the game: Engine.IO 3 over a WebSocket, its own
// pings, its escapes, its answer to wishes one at a time, its reconnects.
type Capture struct {
	cfg  CaptureConfig
	url  string
	http *http.Client

	mu     sync.Mutex
	line   *line         // the connection that has said its connect code; nil without one
	synced chan struct{} // closed while line has the whole game
	game   memory
}

// memory is what the client has read of the game; it is sent again after a reconnect.
type memory struct {
	running bool // no state was seen yet: nothing is sent
	phase   Phase
	lobby   *LobbyEvent
	players []PlayerEvent
}

// Poll is one look at the game's memory: what changed, sent in the fixed order exiled players, state, lobby, game over,
// other player changes.
type Poll struct {
	Exiled   []PlayerEvent
	State    *Phase
	Lobby    *LobbyEvent
	GameOver *GameOverEvent
	Players  []PlayerEvent
}

// ErrKilled says that the server told the client to exit, which a decent server never does.
var ErrKilled = errors.New("the server sent killself")

// NewCapture checks the configuration. It connects to nothing.
func NewCapture(cfg CaptureConfig) (*Capture, error) {
	u, err := url.Parse(cfg.BrokerURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Trim(u.Path, "/") != "" {
		return nil, fmt.Errorf("scene: the broker's address %q is not http(s)://host:port; a capture client cannot connect to it", cfg.BrokerURL)
	}
	if cfg.Poll <= 0 {
		cfg.Poll = 250 * time.Millisecond
	}
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	u.Path, u.RawQuery = "/socket.io/", "EIO=3&transport=websocket"
	return &Capture{
		cfg: cfg, url: u.String(), synced: make(chan struct{}),
		http: &http.Client{Timeout: patchTimeout, Transport: &http.Transport{MaxIdleConnsPerHost: 1}},
	}, nil
}

// Run stays connected until ctx ends and then says goodbye (nil). A first connect that fails is an error, as the user would
// see it; later it reconnects at once and then about every second, for ever. ErrKilled ends it too.
func (c *Capture) Run(ctx context.Context) error {
	defer c.http.CloseIdleConnections()
	for failed, first := 0, true; ; first = false {
		open, err := c.connect(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, ErrKilled), err != nil && !open && first:
			return err
		case open:
			failed = 0
			continue
		}
		failed++
		if hold(ctx, min(time.Second+time.Duration(failed)*2*time.Millisecond, 5*time.Second)) != nil {
			return nil
		}
	}
}

// connect is the life of one connection; open says that it got as far as the server's open packet.
func (c *Capture) connect(ctx context.Context) (open bool, err error) {
	dial, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(dial, c.url, &websocket.DialOptions{HTTPClient: &http.Client{}})
	if err != nil {
		return false, fmt.Errorf("cannot reach the broker: %w", err)
	}
	conn.SetReadLimit(1 << 20)
	// Not ctx: when that ends, the goodbye is still written.
	live, end := context.WithCancel(context.WithoutCancel(ctx))
	l := &line{c: c, conn: conn, ctx: live, ping: make(chan time.Duration, 1), resync: make(chan struct{}, 1)}
	var wg sync.WaitGroup
	wg.Go(l.clock)
	wg.Go(func() {
		select {
		case <-ctx.Done():
			_ = l.write("41") // the socket closes in any case
			conn.Close(websocket.StatusNormalClosure, "")
		case <-live.Done():
		}
	})
	err = l.read()
	c.lost(l)
	conn.CloseNow()
	end()
	wg.Wait()
	return l.open, err
}

// Send makes the changes of a poll and sends them; while there is no connection it waits. It gives the time at which the
// first event was written. When the connection breaks in between, the next one sends the game as a whole, as in real life
// without what is only an event: game over.
func (c *Capture) Send(ctx context.Context, p Poll) (time.Time, error) {
	for {
		c.mu.Lock()
		l, synced := c.line, c.synced
		if l == nil || !isClosed(synced) {
			c.mu.Unlock()
			if err := waitFor(ctx, synced); err != nil {
				return time.Time{}, err
			}
			continue
		}
		c.game.apply(p)
		at := time.Now()
		err := l.poll(p)
		c.mu.Unlock()
		if err == nil {
			return at, nil
		}
		c.lost(l)
		p = Poll{} // all of it is in the memory now
	}
}

func isClosed(ch <-chan struct{}) bool {
	select {
	case <-ch:
		return true
	default:
		return false
	}
}

func (m *memory) apply(p Poll) {
	if p.State != nil {
		m.running, m.phase = true, *p.State
	}
	if p.Lobby != nil {
		m.lobby = p.Lobby
	}
	for _, e := range append(append([]PlayerEvent{}, p.Exiled...), p.Players...) {
		m.put(e)
	}
}

func (m *memory) put(e PlayerEvent) {
	for i := range m.players {
		if m.players[i].Name == e.Name {
			m.players[i] = e
			return
		}
	}
	m.players = append(m.players, e)
}

// whole is the game as one poll.
func (m *memory) whole() Poll {
	phase := m.phase
	p := Poll{State: &phase, Lobby: m.lobby}
	for _, e := range m.players {
		e.Action = ForceUpdated
		p.Players = append(p.Players, e)
	}
	return p
}

// lost forgets a connection that has ended.
func (c *Capture) lost(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line == l {
		c.line = nil
		if isClosed(c.synced) {
			c.synced = make(chan struct{})
		}
	}
}

// catchUp sends the game on a new connection.
func (c *Capture) catchUp(l *line) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.line != l {
		return
	}
	if c.game.running && l.poll(c.game.whole()) != nil {
		return // the reader sees the broken connection too
	}
	if !isClosed(c.synced) {
		close(c.synced)
	}
}

// patchTimeout is how long the client waits for Discord; it is short because the game waits for the mute.
const patchTimeout = 200 * time.Millisecond

// mute does what a wish says with the client's own bot. Only 502 is worth another try; everything else is for the server to
// solve otherwise.
func (c *Capture) mute(ctx context.Context, t modifyTask) bool {
	if c.cfg.Bot == nil {
		return false
	}
	body, err := json.Marshal(t.Parameters)
	if err != nil {
		return false
	}
	target := c.cfg.Bot.API() + "/guilds/" + strconv.FormatUint(t.Guild, 10) + "/members/" + strconv.FormatUint(t.User, 10)
	for range 5 {
		req, err := http.NewRequestWithContext(ctx, http.MethodPatch, target, strings.NewReader(string(body)))
		if err != nil {
			return false
		}
		req.Header.Set("Authorization", "Bot "+c.cfg.Bot.Token.Reveal())
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("User-Agent", "DiscordBot (AmongUsCapture stand-in, 1)")
		resp, err := c.http.Do(req)
		if err != nil {
			return false
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway {
			return resp.StatusCode < 300
		}
	}
	return false
}
