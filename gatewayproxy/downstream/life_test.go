package downstream

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/gateway"
	"splashtail/internal/guilds"
	"splashtail/internal/pause"
)

// TestAnotherProcessGoesOn: the process is gone without a word in the middle of a burst;
// bots come back to another one, which knows them from the bus alone.
func TestAnotherProcessGoesOn(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := w.serve()
	const n, bots = 3000, 5
	var all []*bot
	for range bots {
		b := connect(t, s.url)
		b.identify(gateway.IntentGuildMessages|gateway.IntentMessageContent, "")
		all = append(all, b)
	}
	stored := make(chan struct{})
	go func() {
		defer close(stored)
		w.burst(oneGuild, 1, n)
	}()
	for i, b := range all {
		inOrder(t, b.numbers(100+100*i), 1)
	}
	s.cutAll() // nothing is written for the sessions any more
	second := w.serve()
	<-stored
	for i, was := range all {
		b := connect(t, second.url)
		b.resume(was)
		inOrder(t, b.numbers(n-100-100*i), 101+100*i)
		b.until("RESUMED")
	}
}

// TestInTheMiddleOfTheGuilds: a bot that loses its connection while it is shown its guilds
// is shown them again, and nothing that happened meanwhile is missing.
func TestInTheMiddleOfTheGuilds(t *testing.T) {
	var ids []bus.GuildID
	for i := range 50 {
		ids = append(ids, bus.GuildID(i+1))
	}
	w := newWorld(t, 1, ids...)
	s := w.serve()
	b := connect(t, s.url)
	b.identify(manyBits, "")
	for range 20 {
		b.until("GUILD_CREATE")
	}
	_ = b.ws.CloseNow()
	w.burst(1, 1, 10)
	was := b
	b = connect(t, s.url)
	b.resume(was)
	for range len(ids) {
		if g := b.read(); g.event() != "GUILD_CREATE" {
			t.Fatal(g.raw)
		}
	}
	inOrder(t, b.numbers(10), 1)
	b.until("RESUMED")
}

// TestDiscordBeginsAnew: our session with Discord was replaced. To the bot each guild had
// an outage, a guild that it lost in between is removed, and one that it joined is new.
func TestDiscordBeginsAnew(t *testing.T) {
	w := newWorld(t, 1, 1, 2)
	b := connect(t, w.serve().url)
	b.identify(manyBits, "")
	b.until("GUILD_CREATE")
	b.until("GUILD_CREATE")
	w.upName = "up2"
	w.seqs = map[int]int64{}
	w.begin(2)
	w.emit(0, 3, "GUILD_CREATE", guildJSON(3))
	for _, want := range []string{`GUILD_DELETE {"id":"1"}`, `GUILD_DELETE {"id":"2","unavailable":true}`, `GUILD_CREATE {"id":"2"`, `GUILD_CREATE {"id":"3"`} {
		g := b.read()
		if got := g.event() + " " + string(g.D); !strings.HasPrefix(got, want) {
			t.Errorf("%.60s, want %s", got, want)
		}
	}
	w.burst(2, 1, 5)
	inOrder(t, b.numbers(3), 1)
	was := b
	_ = was.ws.CloseNow()
	b = connect(t, w.serve().url)
	b.resume(was)
	inOrder(t, b.numbers(2), 4)
	b.until("RESUMED")
}

func TestAnUnavailableGuild(t *testing.T) {
	w := newWorld(t, 1, 1, 2)
	w.emit(0, 2, "GUILD_DELETE", `{"id":"2","unavailable":true}`)
	for {
		if _, off := w.store.Counts(); off == 1 {
			break
		}
		pause.For(t.Context(), time.Millisecond)
	}
	b := connect(t, w.serve().url)
	b.identify(gateway.IntentGuilds, "")
	b.until("GUILD_CREATE")
	if g := b.read(); g.event() != "GUILD_DELETE" || string(g.D) != `{"id":"2","unavailable":true}` {
		t.Error(g.raw)
	}
}

// TestAColdShard: an IDENTIFY that waits too long is answered, so that the bot comes again.
func TestAColdShard(t *testing.T) {
	w := &world{t: t, b: newWorld(t, 1, 1).b, shards: 2, seqs: map[int]int64{}}
	w.store = guilds.New(guilds.Config{}, w.b, nil)
	s := w.serve(func(c *Config) { c.Cold = 20 * time.Millisecond })
	b := connect(t, s.url)
	b.send(`{"op":2,"d":{"token":"` + testToken + `","intents":0,"shard":[1,2]}}`)
	if a, c := b.read(), b.read(); a.Op != gateway.OpHeartbeat || c.Op != gateway.OpInvalidSession {
		t.Errorf("%s %s", a.raw, c.raw)
	}
}

// TestAResumeWaits: a process that has just started does not know its shards yet. A bot
// that comes to resume waits for that, and if it takes too long may come again: it does
// not lose its session.
func TestAResumeWaits(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	b := connect(t, w.serve().url)
	b.identify(gateway.IntentGuildMessages|gateway.IntentMessageContent, "")
	_ = b.ws.CloseNow()
	w.burst(oneGuild, 1, 10)
	known := w.store
	w.store = guilds.New(guilds.Config{Instance: "late"}, w.b, bustest.Log(t))
	late := w.serve(func(c *Config) { c.Cold = 20 * time.Millisecond })
	again := connect(t, late.url)
	again.resume(b)
	if code := again.closed(); code != gateway.CloseUnknown {
		t.Errorf("closed with %d", code)
	}
	patient := connect(t, w.serve().url)
	patient.resume(b)
	running(t, w.store.Run)
	inOrder(t, patient.numbers(10), 1)
	patient.until("RESUMED")
	w.store = known
}

// TestAnEarlyBotWaits: one that comes before the process serves is not turned away.
func TestAnEarlyBotWaits(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := must[*Server](t)(New(w.config(), w.b, bustest.Log(t)))
	h := httptest.NewServer(s)
	defer h.Close()
	hello := make(chan struct{})
	go func() {
		defer close(hello)
		connect(t, "ws"+strings.TrimPrefix(h.URL, "http"))
	}()
	for s.waiting.Load() == 0 {
		pause.For(t.Context(), time.Millisecond)
	}
	running(t, s.Run)
	receive(t, hello)
}

func TestSilence(t *testing.T) {
	w := newWorld(t, 1, 1)
	b := connect(t, w.serve(func(c *Config) { c.Heartbeat = 50 * time.Millisecond }).url)
	b.identify(0, "")
	if code := b.closed(); code != gateway.CloseUnknown {
		t.Errorf("closed with %d", code)
	}
}

// TestAStop: bots are told to reconnect, have time to, and are closed with a code after
// which they resume.
func TestAStop(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := w.serve(func(c *Config) { c.Drain = 200 * time.Millisecond })
	bare, b := connect(t, s.url), connect(t, s.url)
	b.identify(gateway.IntentGuildMessages|gateway.IntentMessageContent, "")
	w.burst(oneGuild, 1, 1)
	inOrder(t, b.numbers(1), 1)
	stopped := make(chan struct{})
	go func() { defer close(stopped); s.stop() }()
	for g := b.read(); g.Op != gateway.OpReconnect; g = b.read() {
		if g.Op != gateway.OpHeartbeatACK {
			t.Fatal(g.raw)
		}
	}
	w.burst(oneGuild, 2, 1) // until it goes, it gets its events
	inOrder(t, b.numbers(1), 2)
	if code := b.closed(); code != gateway.CloseUnknown {
		t.Errorf("closed with %d", code)
	}
	if code := bare.closed(); code != gateway.CloseUnknown {
		t.Errorf("one without a session is closed with %d", code)
	}
	<-stopped
	was := b
	w.burst(oneGuild, 3, 1)
	b = connect(t, w.serve().url)
	b.resume(was)
	inOrder(t, b.numbers(1), 3)
	b.until("RESUMED")
}

func TestRequestsThatAreNoConnection(t *testing.T) {
	w := newWorld(t, 1, 1)
	s := w.serve()
	h := httptest.NewServer(s)
	defer h.Close()
	for query, want := range map[string]int{"": 426, "?encoding=etf": 400, "?v=6": 400, "?v=x": 400, "?encoding=xml": 400, "?compress=lz4": 400, "?%zz": 400} {
		req := must[*http.Request](t)(http.NewRequestWithContext(t.Context(), http.MethodGet, h.URL+"/"+query, nil))
		if query != "" {
			req.Header.Set("Upgrade", "WebSocket")
			req.Header.Set("Connection", "Upgrade")
		}
		r := must[*http.Response](t)(http.DefaultClient.Do(req))
		body := must[[]byte](t)(io.ReadAll(r.Body))
		r.Body.Close()
		if r.StatusCode != want || len(body) < 20 {
			t.Errorf("%s: %d %s", query, r.StatusCode, body)
		}
	}
	full := w.serve(func(c *Config) { c.Limits.Connections = 1 })
	connect(t, full.url)
	_, r, err := websocket.Dial(t.Context(), full.url, nil)
	if err == nil || r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
		t.Errorf("one too many: %v", err)
	}
}

// TestSlowReaders take a byte now and then: others get everything meanwhile, nothing is
// kept in memory for the slow ones, they are cut in time, and what they missed waits in
// the stream.
func TestSlowReaders(t *testing.T) {
	w := newWorld(t, 1, oneGuild)
	s := w.serve(func(c *Config) {
		c.Write = 2 * time.Second
		c.Limits.WindowEvents = 100
	})
	const n, bots = 2000, 20
	for range bots {
		c := dialRaw(t, s.url, "")
		if err := c.c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		c.identify(t, gateway.IntentGuildMessages|gateway.IntentMessageContent)
		running(t, c.nibble)
	}
	slow := connectSlow(t, s.url)
	slow.identify(gateway.IntentGuildMessages|gateway.IntentMessageContent, "")
	quick := connect(t, s.url)
	quick.identify(gateway.IntentGuildMessages|gateway.IntentMessageContent, "")
	before := memory()
	big := strings.Repeat("0", 10_000) + "1" // 20 MB in all, for each bot
	go func() {
		for range n {
			w.beginEmit(0, oneGuild, "MESSAGE_CREATE", messageJSON(oneGuild, big))
		}
	}()
	quick.numbers(n)
	if used := int64(memory()) - int64(before); used > 100<<20 {
		t.Errorf("%d slow bots and %d MB of events take %d MiB", bots, n*10/1000, used>>20)
	}
	for len(s.Sessions()) > 1 { // the slow ones are cut, not kept for ever
		pause.For(t.Context(), time.Millisecond)
	}
	b := connect(t, s.url)
	b.resume(slow)
	b.numbers(n)
	b.until("RESUMED")
}

// nibble reads a byte now and then until ctx ends.
func (b *rawBot) nibble(ctx context.Context) error {
	one := make([]byte, 1)
	for ctx.Err() == nil {
		if err := b.c.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return nil
		}
		_, _ = b.c.Read(one)
		pause.For(ctx, 100*time.Millisecond)
	}
	return nil
}

// connectSlow connects with small buffers in the kernel.
func connectSlow(t *testing.T, url string) *bot {
	t.Helper()
	dialer := &net.Dialer{}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, addr)
		if tcp, ok := c.(*net.TCPConn); ok {
			err = tcp.SetReadBuffer(4096)
		}
		return c, err
	}}}
	ws, _, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	b := &bot{t: t, ws: ws, inflate: func(p []byte) []byte { return p }}
	t.Cleanup(func() { _ = ws.CloseNow() })
	if g := b.read(); g.Op != gateway.OpHello {
		t.Fatal(g.raw)
	}
	return b
}

// TestMarks: what a bot has confirmed need not be in the stream any more.
func TestMarks(t *testing.T) {
	s := &session{num: numbering{single: true, burst: 2}, sent: 2, cursor: 10}
	s.confirm(2)
	s.num.high, s.cursor = 40, 50 // none of it was for the bot
	s.confirm(1)
	if s.mark.Place != 0 {
		t.Errorf("a bot that had not even the guilds confirmed %+v", s.mark)
	}
	s.confirm(2)
	s.sent, s.cursor, s.num.high = 45, 60, 45
	s.confirm(2)
	if s.mark != (bus.DownstreamMark{Sent: 2, Number: 40, Place: 50}) {
		t.Errorf("confirmed is %+v", s.mark)
	}
}

func TestAttempts(t *testing.T) {
	a, now := newAttempts(), time.Now()
	for i := range 5 {
		late := a.turn(now, "k", 3, time.Second)
		if want := time.Duration(max(i-2, 0)) * time.Second; late != want {
			t.Errorf("attempt %d waits %s, want %s", i, late, want)
		}
	}
	if late := a.turn(now, "other", 3, time.Second); late != 0 {
		t.Errorf("another waits %s", late)
	}
	if late := a.turn(now.Add(time.Minute), "k", 3, time.Second); late != 0 {
		t.Errorf("after a rest it waits %s", late)
	}
	for i := range 3 * maxAttempts {
		a.turn(now, string(rune(i)), 1, time.Second)
	}
	if len(a.full) > maxAttempts {
		t.Errorf("%d keys are kept", len(a.full))
	}
}
