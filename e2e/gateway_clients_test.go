package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"
)

// library is a bot of a library that knows nothing of us.
type library struct {
	name string
	npm  bool
	// hasty libraries give a session up by themselves after ten tries, without a pause between them. While nobody listens
	// that is a moment. For them something waits in front of us, as a load balancer does, or a socket that systemd holds.
	hasty bool
}

var gatewayLibraries = []library{
	{name: "discordgo"}, {name: "disgo"}, {name: "arikawa"},
	{name: "discord.js", npm: true}, {name: "oceanic.js", npm: true, hasty: true}, {name: "eris", npm: true, hasty: true},
}

// gatewayBot is such a bot in a process of its own, which reaches us over a cable.
type gatewayBot struct {
	t     testing.TB
	name  string
	cable *cable
	log   *bytes.Buffer

	mu      sync.Mutex
	numbers []int // of the messages that it was told of
	told    map[string]int
	more    chan struct{} // closed and replaced when it said something
	over    bool
}

// startGatewayBot runs a bot that connects to the address.
func startGatewayBot(t testing.TB, l library, clients, addr, token string) *gatewayBot {
	t.Helper()
	b := &gatewayBot{t: t, name: l.name, cable: newCable(t, addr, l.hasty), log: new(bytes.Buffer), told: map[string]int{}, more: make(chan struct{})}
	cmd := exec.Command(clients, l.name, "http://"+b.cable.addr, token)
	if l.npm {
		cmd = exec.Command("node", "gateway_client.js", l.name, "http://"+b.cable.addr, token)
	}
	cmd.Stderr = b.log
	out := must(cmd.StdoutPipe())(t)
	in := must(cmd.StdinPipe())(t)
	noError(t, cmd.Start())
	read := make(chan struct{})
	go func() {
		defer close(read)
		b.read(out)
	}()
	t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s said: %v, %d messages; %s", b.name, b.told, len(b.numbers), b.log.Bytes()[max(0, b.log.Len()-3000):])
		}
	})
	return b
}

func (b *gatewayBot) read(out io.Reader) {
	note := func(change func()) {
		b.mu.Lock()
		defer b.mu.Unlock()
		change()
		close(b.more)
		b.more = make(chan struct{})
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var l struct {
			On string
			N  int
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			continue // a library that prints something of its own
		}
		note(func() {
			if l.On == "message" {
				b.numbers = append(b.numbers, l.N)
			} else {
				b.told[l.On]++
			}
		})
	}
	note(func() { b.over = true })
}

// await waits until the bot has been told of something.
func (b *gatewayBot) await(what string, fits func() bool) {
	b.t.Helper()
	deadline := time.NewTimer(3 * patience) // libraries wait longer and longer between their tries
	defer deadline.Stop()
	for {
		b.mu.Lock()
		found, over, more := fits(), b.over, b.more
		b.mu.Unlock()
		switch {
		case found:
			return
		case over:
			b.t.Fatalf("%s ended before it %s: %s", b.name, what, b.log)
		}
		select {
		case <-more:
		case <-deadline.C:
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("waited in vain until %s %s; it has %d messages and was told %v", b.name, what, len(b.numbers), b.told)
		}
	}
}

func (b *gatewayBot) awaitMessages(n int) {
	b.t.Helper()
	b.await(fmt.Sprintf("has %d messages", n), func() bool { return len(b.numbers) >= n })
}

// exactly checks that the bot has every message once and in order.
func (b *gatewayBot) exactly(n int) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.numbers) != n {
		b.t.Errorf("%s has %d messages of %d", b.name, len(b.numbers), n)
	}
	for i, number := range b.numbers {
		if number != i+1 {
			b.t.Errorf("%s was told of message %d in place %d", b.name, number, i+1)
			return
		}
	}
}

// cable is the way between a bot and us, which can be cut. It looks at what passes to the bot.
type cable struct {
	addr  string
	to    string
	waits bool // for somebody at the other end
	gone  chan struct{}

	mu      sync.Mutex
	open    map[net.Conn]bool
	resumed []int // the sequence numbers of RESUMED that passed in clear
	readies int
}

func newCable(t testing.TB, to string, waits bool) *cable {
	t.Helper()
	l := must(net.Listen("tcp", net.JoinHostPort("127.0.0.1", freePort(t))))(t)
	c := &cable{addr: l.Addr().String(), to: to, waits: waits, gone: make(chan struct{}), open: map[net.Conn]bool{}}
	var carrying sync.WaitGroup
	carrying.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { c.carry(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		close(c.gone)
		c.cut()
		carrying.Wait()
	})
	return c
}

// carry joins a bot's connection with one to us, until either ends.
func (c *cable) carry(near net.Conn) {
	defer near.Close()
	far, err := c.dial()
	if err != nil {
		return // nobody is there; the bot sees its connection end
	}
	defer far.Close()
	c.mu.Lock()
	c.open[near] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.open, near)
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer far.Close()
		defer near.Close()
		_, _ = io.Copy(far, near)
	}()
	_, _ = io.Copy(io.MultiWriter(near, &watcher{cable: c}), far)
	near.Close()
	far.Close()
	<-done
}

// dial connects to us, at once or as soon as somebody listens.
func (c *cable) dial() (net.Conn, error) {
	deadline := time.Now().Add(patience)
	for {
		far, err := net.Dial("tcp", c.to)
		if err == nil || !c.waits || time.Now().After(deadline) {
			return far, err
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-c.gone:
			return nil, err
		}
	}
}

// cut ends every connection without a word, as a cable does that is pulled.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		conn.Close()
	}
}

// awaitResumed waits until a bot was sent RESUMED so often.
func (c *cable) awaitResumed(t testing.TB, who string, n int) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(3 * patience); ; <-tick.C {
		c.mu.Lock()
		got := len(c.resumed)
		c.mu.Unlock()
		if got >= n {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s was sent RESUMED %d times, want %d", who, got, n)
		}
	}
}

// resumedOnly checks that a bot was sent one READY, and RESUMED with numbers beyond what it had at the first.
func (c *cable) resumedOnly(t testing.TB, who string, had int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.readies != 1 {
		t.Errorf("%s was sent %d READYs, want 1", who, c.readies)
	}
	for _, n := range c.resumed {
		if n < had {
			t.Errorf("%s was sent RESUMED with the sequence %d, and had %d messages before", who, n, had)
		}
	}
}

// watcher finds RESUMED among the frames that are not compressed.
type watcher struct {
	cable *cable
	rest  []byte
}

var begun = regexp.MustCompile(`"t":"(READY|RESUMED)","s":(\d+|null),`)

// Write looks at a piece of what passes.
func (w *watcher) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		at := begun.FindSubmatchIndex(w.rest)
		if at == nil {
			break
		}
		w.cable.mu.Lock()
		if n, _ := strconv.Atoi(string(w.rest[at[4]:at[5]])); string(w.rest[at[2]:at[3]]) == "RESUMED" {
			w.cable.resumed = append(w.cable.resumed, n) // null: 0
		} else {
			w.cable.readies++
		}
		w.cable.mu.Unlock()
		w.rest = w.rest[at[1]:]
	}
	w.rest = bytes.Clone(w.rest[max(0, len(w.rest)-64):])
	return len(p), nil
}

// TestUnchangedLibrariesMissNothing: bots of six libraries, changed in nothing but the address, lose their connection and
// then the whole proxy, killed with -9 in the middle of 10,000 events. Each is told of every event once and in order, none
// begins a new session with us, and we do not begin one with Discord.
func TestUnchangedLibrariesMissNothing(t *testing.T) {
	clients := filepath.Join(t.TempDir(), "gatewayclients")
	build := exec.Command("go", "build", "-o", clients, ".")
	build.Dir = "gatewayclients"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the clients in Go cannot be built: %v\n%s", err, out)
	}
	w := newGatewayWorld(t)
	s := onFreePorts(t).with(w.discord)
	proxy := start(t, "gatewayproxy", s)
	var bots []*gatewayBot
	for _, l := range gatewayLibraries {
		bots = append(bots, startGatewayBot(t, l, clients, s["GATEWAYPROXY_ADDR"], s["DISCORD_BOT_TOKEN"]))
	}
	for _, b := range bots {
		b.await("is ready", func() bool { return b.told["ready"] > 0 })
	}

	const count, first = 10_000, 5000
	written := w.write(first, 2000)
	for _, b := range bots {
		b.awaitMessages(500)
		b.cable.cut()
	}
	for _, b := range bots {
		b.awaitMessages(first)
	}
	noError(t, <-written)
	w.burst.First = first + 1
	written = w.write(count-first, 2000)
	for _, b := range bots {
		b.awaitMessages(first + 1500)
	}
	proxy.kill()
	start(t, "gatewayproxy", s)
	for _, b := range bots {
		b.awaitMessages(count)
		b.cable.awaitResumed(t, b.name, 2)
	}
	noError(t, <-written)
	for _, b := range bots {
		b.exactly(count)
		b.cable.resumedOnly(t, b.name, 500)
	}
	if n := w.d.Identifies(); n != 1 {
		t.Errorf("Discord was sent %d IDENTIFYs, want 1", n)
	}
}

// TestACompressedLibraryResumes: a bot with zlib-stream loses its connection between two bursts. Not within one: this library
// inflates behind its back, and goes on telling what it had from a connection after it has resumed on the next.
func TestACompressedLibraryResumes(t *testing.T) {
	w := newGatewayWorld(t)
	s := onFreePorts(t).with(w.discord)
	start(t, "gatewayproxy", s)
	b := startGatewayBot(t, library{name: "oceanic.js with zlib-stream", npm: true, hasty: true}, "", s["GATEWAYPROXY_ADDR"], s["DISCORD_BOT_TOKEN"])
	b.await("is ready", func() bool { return b.told["ready"] > 0 })
	noError(t, <-w.write(500, 0))
	b.awaitMessages(500)
	b.cable.cut()
	w.burst.First = 501
	noError(t, <-w.write(500, 0))
	b.awaitMessages(1000)
	b.await("has resumed", func() bool { return b.told["resumed"] > 0 })
	b.exactly(1000)
}
