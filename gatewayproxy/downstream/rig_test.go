package downstream

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"compress/zlib"

	"github.com/coder/websocket"
	"github.com/klauspost/compress/zstd"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/gateway"
	"splashtail/internal/guilds"
	"splashtail/internal/secret"
)

// patience bounds every wait; the machine may be busy.
const patience = 30 * time.Second

const (
	testToken = "MTIz.abc.def"
	selfID    = "123"
	oneGuild  = bus.GuildID(81384788765712384)
	manyBits  = gateway.KnownIntents
)

// world is a bus with a bot's shards on it, and a server for bots.
type world struct {
	t      testing.TB
	b      *bus.Bus
	shards int
	store  *guilds.Store
	seqs   map[int]int64 // per shard, in the session with Discord
	upName string
}

func must[T any](t testing.TB) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// newWorld begins a session per shard, whose guilds are given.
func newWorld(t testing.TB, shards int, ids ...bus.GuildID) *world {
	t.Helper()
	w := &world{t: t, b: bustest.New(t), shards: shards, seqs: map[int]int64{}, upName: "up1"}
	w.begin(ids...)
	w.store = guilds.New(guilds.Config{Instance: "test"}, w.b, bustest.Log(t))
	running(t, w.store.Run)
	select {
	case <-w.store.Ready():
	case <-time.After(patience):
		t.Fatal("the guilds are not ready")
	}
	return w
}

// begin is what Discord sends after IDENTIFY.
func (w *world) begin(ids ...bus.GuildID) {
	w.t.Helper()
	for shard := range w.shards {
		var stubs []string
		for _, id := range ids {
			if guilds.ShardOf(id, w.shards) == shard {
				stubs = append(stubs, fmt.Sprintf(`{"id":"%s","unavailable":true}`, id))
			}
		}
		w.emit(shard, 0, "READY", fmt.Sprintf(`{"v":10,"user":{"id":"%s","username":"bot","bot":true,"discriminator":"0","avatar":null},`+
			`"guilds":[%s],"session_id":"secret-upstream","resume_gateway_url":"wss://upstream","shard":[%d,%d],`+
			`"application":{"id":"%s","flags":%d},"_trace":["x"],"of_tomorrow":{"a":1}}`, selfID, strings.Join(stubs, ","), shard, w.shards, selfID, gateway.MayMessageContent|gateway.MayMembers|gateway.MayPresences))
		for _, id := range ids {
			if guilds.ShardOf(id, w.shards) == shard {
				w.emit(shard, id, "GUILD_CREATE", guildJSON(id))
			}
		}
	}
}

func guildJSON(id bus.GuildID) string {
	return fmt.Sprintf(`{"id":"%s","name":"g","unavailable":false,"member_count":2,"members":[{"user":{"id":"%s"},"roles":[]}],`+
		`"channels":[],"roles":[],"voice_states":[],"presences":[{"user":{"id":"9"},"status":"dnd"}],"soundboard_sounds":[],"of_tomorrow":[1]}`, id, selfID)
}

// emit stores an event of Discord and gives its place.
func (w *world) emit(shard int, guild bus.GuildID, event, d string) uint64 {
	w.t.Helper()
	write := w.beginEmit(shard, guild, event, d)
	return must[uint64](w.t)(write.Wait(context.Background()))
}

func (w *world) beginEmit(shard int, guild bus.GuildID, event, d string) *bus.Write {
	w.t.Helper()
	w.seqs[shard]++
	v := bus.Dispatch{Shard: shard, Guild: guild, Event: event, Session: fmt.Sprint(w.upName, "-", shard), Seq: w.seqs[shard], Data: json.RawMessage(d)}
	s := must[bus.Subject[bus.Dispatch]](w.t)(bus.DispatchSubject(v))
	return must[*bus.Write](w.t)(bus.BeginPublish(w.b, s, v, bus.WithID(v.ID())))
}

// burst stores n messages numbered from first.
func (w *world) burst(guild bus.GuildID, first, n int) {
	w.t.Helper()
	var last *bus.Write
	for i := range n {
		last = w.beginEmit(guilds.ShardOf(guild, w.shards), guild, "MESSAGE_CREATE", messageJSON(guild, fmt.Sprint(first+i)))
	}
	must[uint64](w.t)(last.Wait(context.Background()))
}

func messageJSON(guild bus.GuildID, content string) string {
	where := ""
	if guild != 0 {
		where = fmt.Sprintf(`"guild_id":"%s",`, guild)
	}
	return fmt.Sprintf(`{%s"id":"1","channel_id":"2","author":{"id":"9","username":"x"},"content":"%s","mentions":[],"embeds":[],"attachments":[]}`, where, content)
}

func (w *world) config() Config {
	return Config{Token: secret.New(testToken), Guilds: w.store, Shards: func(context.Context) (int, error) { return w.shards, nil }}
}

// service is a server that runs until the test ends or stop.
type service struct {
	*Server
	url  string
	stop func()
}

func (w *world) serve(change ...func(*Config)) *service {
	w.t.Helper()
	cfg := w.config()
	for _, c := range change {
		c(&cfg)
	}
	s := must[*Server](w.t)(New(cfg, w.b, bustest.Log(w.t)))
	stop := running(w.t, s.Run)
	select {
	case <-s.Ready():
	case <-time.After(patience):
		w.t.Fatal("the server is not ready")
	}
	h := httptest.NewServer(s)
	w.t.Cleanup(h.Close)
	return &service{s, "ws" + strings.TrimPrefix(h.URL, "http"), stop}
}

// running runs a part until the test ends or stop is called.
func running(t testing.TB, f func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("it ended with %v", err)
			}
		case <-time.After(patience):
			t.Error("it does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

// bot is a connection that speaks the protocol by hand.
type bot struct {
	t       testing.TB
	ws      *websocket.Conn
	inflate func([]byte) []byte
	session string
	seq     uint64
}

// got is a frame as a bot reads it.
type got struct {
	Op int
	S  *uint64
	T  *string
	D  json.RawMessage
	// raw is the frame's text.
	raw string
}

func (g got) event() string {
	if g.T == nil {
		return ""
	}
	return *g.T
}

func connect(t testing.TB, url string) *bot {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ws, _, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	ws.SetReadLimit(-1)
	b := &bot{t: t, ws: ws, inflate: func(p []byte) []byte { return p }}
	t.Cleanup(func() { _ = ws.CloseNow() })
	switch {
	case strings.Contains(url, zlibStream):
		b.inflate = zlibInflater(t)
	case strings.Contains(url, zstdStream):
		b.inflate = zstdInflater(t)
	}
	hello := b.read()
	if hello.Op != gateway.OpHello {
		t.Fatalf("the first frame is %s", hello.raw)
	}
	return b
}

// zlibInflater decompresses the pieces of one stream.
func zlibInflater(t testing.TB) func([]byte) []byte {
	pr, pw := io.Pipe()
	out := make(chan []byte)
	t.Cleanup(func() { pw.Close() })
	go func() {
		z, err := zlib.NewReader(pr)
		if err != nil {
			return
		}
		dec := json.NewDecoder(z)
		for {
			var raw json.RawMessage
			if dec.Decode(&raw) != nil {
				return
			}
			out <- raw
		}
	}()
	return func(p []byte) []byte {
		if !bytes.HasSuffix(p, []byte{0, 0, 0xff, 0xff}) {
			t.Error("a zlib-stream message does not end in 00 00 ff ff")
		}
		go func() { _, _ = pw.Write(p) }()
		select {
		case raw := <-out:
			return raw
		case <-time.After(patience):
			t.Fatal("a message does not inflate to a frame")
			return nil
		}
	}
}

func zstdInflater(t testing.TB) func([]byte) []byte {
	pr, pw := io.Pipe()
	out := make(chan []byte)
	t.Cleanup(func() { pw.Close() })
	go func() {
		z, err := zstd.NewReader(pr, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return
		}
		defer z.Close()
		dec := json.NewDecoder(z)
		for {
			var raw json.RawMessage
			if dec.Decode(&raw) != nil {
				return
			}
			out <- raw
		}
	}()
	return func(p []byte) []byte {
		go func() { _, _ = pw.Write(p) }()
		select {
		case raw := <-out:
			return raw
		case <-time.After(patience):
			t.Fatal("a message does not inflate to a frame")
			return nil
		}
	}
}

// next reads a frame, or the error that ended the connection.
func (b *bot) next() (got, error) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, p, err := b.ws.Read(ctx)
	if err != nil {
		return got{}, err
	}
	p = b.inflate(p)
	var g got
	if err := json.Unmarshal(p, &g); err != nil {
		b.t.Fatalf("%s: %v", p, err)
	}
	g.raw = string(p)
	if g.Op == gateway.OpDispatch {
		if g.S == nil || *g.S < b.seq || *g.S == 0 || *g.S >= 1<<31 {
			b.t.Fatalf("after %d: %s", b.seq, g.raw[:min(len(g.raw), 200)])
		}
		b.seq = *g.S
	}
	return g, nil
}

func (b *bot) read() got {
	b.t.Helper()
	g, err := b.next()
	if err != nil {
		b.t.Fatal(err)
	}
	return g
}

// until reads until an event comes and gives it.
func (b *bot) until(event string) got {
	b.t.Helper()
	for {
		if g := b.read(); g.event() == event {
			return g
		}
	}
}

func (b *bot) send(text string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := b.ws.Write(ctx, websocket.MessageText, []byte(text)); err != nil {
		b.t.Fatal(err)
	}
}

// identify begins a session and reads READY.
func (b *bot) identify(intents uint64, more string) got {
	b.t.Helper()
	b.send(fmt.Sprintf(`{"op":2,"d":{"token":"%s","intents":%d,"properties":{"os":"x"}%s}}`, testToken, intents, more))
	g := b.read()
	if g.event() != "READY" {
		b.t.Fatalf("the first frame after IDENTIFY is %s", g.raw)
	}
	var d struct {
		SessionID string `json:"session_id"`
	}
	if err := json.Unmarshal(g.D, &d); err != nil {
		b.t.Fatal(err)
	}
	b.session = d.SessionID
	return g
}

// resume takes up the session of another connection.
func (b *bot) resume(from *bot) {
	b.t.Helper()
	b.session, b.seq = from.session, from.seq
	b.send(fmt.Sprintf(`{"op":6,"d":{"token":"Bot %s","session_id":"%s","seq":%d}}`, testToken, b.session, b.seq))
}

// closed reads until the connection ends and gives the close code.
func (b *bot) closed() int {
	b.t.Helper()
	for {
		if _, err := b.next(); err != nil {
			return int(websocket.CloseStatus(err))
		}
	}
}

// numbers reads n messages of a burst and gives their numbers.
func (b *bot) numbers(n int) []int {
	b.t.Helper()
	var all []int
	for len(all) < n {
		if g := b.read(); g.event() == "MESSAGE_CREATE" {
			all = append(all, contentNumber(b.t, g.D))
		}
	}
	return all
}

func contentNumber(t testing.TB, d []byte) int {
	var m struct {
		Content int `json:"content,string"`
	}
	if err := json.Unmarshal(d, &m); err != nil {
		t.Fatalf("%s: %v", d, err)
	}
	return m.Content
}

// inOrder says that the numbers go from first to last without a gap or repetition.
func inOrder(t testing.TB, all []int, first int) {
	t.Helper()
	for i, n := range all {
		if n != first+i {
			t.Fatalf("message %d came where %d belongs", n, first+i)
		}
	}
}
