package broker

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/redis/go-redis/v9"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/redistest"
)

// rig is what brokers need to work: a bus, and a real Redis, which the test reads as
// AutoMuteUs does.
type rig struct {
	t      testing.TB
	bus    *bus.Bus
	server *redistest.Server
	rdb    *redis.Client
	cfg    Config
}

func newRig(t testing.TB) *rig {
	t.Helper()
	r := &rig{t: t, bus: bustest.New(t), server: redistest.Start(t)}
	r.rdb = redis.NewClient(&redis.Options{Addr: r.server.Addr(), MaxRetries: -1})
	t.Cleanup(func() { r.rdb.Close() })
	r.cfg = Config{Addr: "127.0.0.1:0", RedisAddr: r.server.Addr(), Grace: 300 * time.Millisecond, AckTimeout: 5 * time.Second, TaskTimeout: 5 * time.Second}
	return r
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// start runs a broker on a connection of its own until the test ends or stop is called.
func (r *rig) start() (br *Broker, stop func()) {
	r.t.Helper()
	b, err := r.bus.Component(r.t.Context(), "broker")
	r.ok(err)
	br, err = New(r.cfg, b, bustest.Log(r.t))
	r.ok(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- br.Run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("the broker ended with %v", err)
		}
		bustest.Close(r.t, b)
	}
	r.t.Cleanup(stop)
	select {
	case <-br.Ready():
	case err := <-ended:
		ended <- err
		r.t.Fatalf("the broker did not start: %v", err)
	case <-time.After(patience):
		r.t.Fatal("the broker was not ready in time")
	}
	return br, stop
}

// gameCode makes a connect code of the test's.
func gameCode(t testing.TB, s string) bus.ConnectCode {
	t.Helper()
	c, err := bus.ParseConnectCode(s)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// player is a capture client of protocol 3 that asks for an acknowledgement of all it
// says, so that the test knows when it was taken.
type player struct {
	*rawClient
	said int
	told []string // frames that came besides answers and pings
}

func (r *rig) connect(br *Broker, header ...string) *player {
	r.t.Helper()
	h := map[string][]string{}
	for i := 0; i+1 < len(header); i += 2 {
		h[header[i]] = []string{header[i+1]}
	}
	ws, resp, err := websocket.DefaultDialer.Dial("ws://"+br.Addr()+"/socket.io/?EIO=3&transport=websocket", h)
	r.ok(err)
	resp.Body.Close()
	p := &player{rawClient: &rawClient{r.t, ws}}
	r.t.Cleanup(func() { ws.Close() })
	if first := p.read(); !strings.HasPrefix(first, `0{"sid":"`) {
		r.t.Fatalf("OPEN is %q", first)
	}
	p.want("40")
	return p
}

// link connects a client that names a game.
func (r *rig) link(br *Broker, code bus.ConnectCode) *player {
	r.t.Helper()
	p := r.connect(br)
	p.says("connectCode", quoted(code.String()))
	return p
}

// says sends an event with a JSON argument and returns when it was taken.
func (p *player) says(event, arg string) {
	p.t.Helper()
	p.said++
	p.send(fmt.Sprintf(`42%d[%q,%s]`, p.said, event, arg))
	answer := fmt.Sprintf("43%d[", p.said)
	p.awaits(func(frame string) bool { return strings.HasPrefix(frame, answer) })
}

// awaits reads until a frame fits, and remembers what else came.
func (p *player) awaits(fits func(frame string) bool) string {
	p.t.Helper()
	for {
		frame := p.read()
		if fits(frame) {
			return frame
		}
		p.told = append(p.told, frame)
	}
}

// hears returns once a frame has come, now or before.
func (p *player) hears(want string) {
	p.t.Helper()
	if at := slices.Index(p.told, want); at >= 0 {
		p.told = slices.Delete(p.told, at, at+1)
		return
	}
	p.awaits(func(frame string) bool { return frame == want })
}

// offers sends an event that will not be taken, and returns when it was looked at: the
// packets of one client are worked on in order.
func (p *player) offers(event, arg string) {
	p.t.Helper()
	p.send(fmt.Sprintf(`42[%q,%s]`, event, arg))
	p.send("2")
	p.awaits(func(frame string) bool { return frame == "3" })
}

// leave ends the connection without a word, as a program does that is closed.
func (p *player) leave() { p.ws.Close() }

func quoted(s string) string { return fmt.Sprintf("%q", s) }

// list gives what AutoMuteUs would pop for a game.
func (r *rig) list(code bus.ConnectCode) []string {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	all, err := r.rdb.LRange(ctx, "automuteus:jobs:"+code.String(), 0, -1).Result()
	r.ok(err)
	return all
}

// wantList waits until the list of a game is as wanted, and fails at once when it has
// something else in front.
func (r *rig) wantList(code bus.ConnectCode, want ...string) {
	r.t.Helper()
	var got []string
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for ; ; <-tick.C {
		got = r.list(code)
		if slices.Equal(got, want) {
			return
		}
		ahead := min(len(got), len(want))
		if len(got) > len(want) || !slices.Equal(got[:ahead], want[:ahead]) || time.Now().After(deadline) {
			r.t.Fatalf("the list has\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}

// Elements of the list.
const (
	linked   = `{"type":0,"payload":"true"}`
	unlinked = `{"type":0,"payload":"false"}`
)

func phase(n int) string { return fmt.Sprintf(`{"type":2,"payload":"%d"}`, n) }

// settled returns when Redis has everything that is stored until now.
func (r *rig) settled() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	info, err := bus.InfoOf(ctx, r.bus, bus.AllCapture())
	r.ok(err)
	eventually(r.t, "Redis has everything that is stored", func() bool {
		text, err := r.rdb.Get(ctx, cursorKey).Result()
		return err == nil && text == cursor{info.Epoch, info.Last}.String()
	})
}

// ear hears Redis channels.
type ear struct {
	t testing.TB
	c <-chan *redis.Message
}

func (r *rig) listen(channels ...string) *ear {
	r.t.Helper()
	ps := r.rdb.Subscribe(r.t.Context(), channels...)
	r.t.Cleanup(func() { ps.Close() })
	for range channels {
		_, err := ps.Receive(r.t.Context())
		r.ok(err)
	}
	return &ear{r.t, ps.Channel(redis.WithChannelSize(10_000))}
}

func (e *ear) wants(channel, payload string) {
	e.t.Helper()
	if m := receive(e.t, e.c); m.Channel != channel || m.Payload != payload {
		e.t.Fatalf("heard %q on %s, want %q on %s", m.Payload, m.Channel, payload, channel)
	}
}
