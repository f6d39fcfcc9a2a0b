package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"
)

// The clients of npm that capture programs of JavaScript are built on: Engine.IO 3 and 4.
const (
	npmTwo  = "socket.io-client-2"
	npmFour = "socket.io-client-4"
)

// npmClient is client.js in a process of its own.
type npmClient struct {
	t    testing.TB
	cmd  *exec.Cmd
	in   io.WriteCloser
	log  *logTail
	acks int

	mu   sync.Mutex
	said []npmLine
	more chan struct{} // closed and replaced when something was said
	over bool
}

// npmLine is what client.js says.
type npmLine struct {
	On        string
	ID        json.RawMessage // of the socket, or of what was acknowledged
	Transport string
	Name      string
	Args      []json.RawMessage
	Reason    string
}

// connectNPM runs a client and returns when it is connected. Without transports it uses the library's own choice: polling
// first, then the move to websocket.
func connectNPM(t testing.TB, library, addr string, transports ...string) *npmClient {
	t.Helper()
	options := map[string]any{"reconnection": false}
	if transports != nil {
		options["transports"] = transports
	}
	text, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	c := &npmClient{t: t, cmd: exec.Command("node", "client.js", library, "http://"+addr, string(text)), log: newLogTail(), more: make(chan struct{})}
	c.cmd.Stderr = c.log
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatalf("node cannot be started: %v; see scripts/test-deps.sh", err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		c.read(out)
	}()
	t.Cleanup(func() {
		c.in.Close()
		select {
		case <-read: // it said goodbye and ended
		case <-time.After(10 * time.Second):
			_ = c.cmd.Process.Kill()
			<-read
		}
		_ = c.cmd.Wait()
	})
	c.await("is connected", func(l npmLine) bool { return l.On == "connect" })
	return c
}

func (c *npmClient) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var l npmLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			l = npmLine{On: "garbage", Reason: lines.Text()}
		}
		c.note(func() { c.said = append(c.said, l) })
	}
	c.note(func() { c.over = true })
}

func (c *npmClient) note(change func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change()
	close(c.more)
	c.more = make(chan struct{})
}

// await waits for a line that fits and takes it away.
func (c *npmClient) await(what string, fits func(npmLine) bool) npmLine {
	c.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for {
		c.mu.Lock()
		at, more, over, said := slices.IndexFunc(c.said, fits), c.more, c.over, len(c.said)
		if at >= 0 {
			l := c.said[at]
			c.said = slices.Delete(c.said, at, at+1)
			c.mu.Unlock()
			return l
		}
		c.mu.Unlock()
		if over {
			c.t.Fatalf("the client ended before it %s: %s (have you run scripts/test-deps.sh?)", what, c.log)
		}
		select {
		case <-more:
		case <-deadline.C:
			c.t.Fatalf("waited in vain until the client %s; it said %d other things", what, said)
		}
	}
}

func (c *npmClient) tell(command map[string]any) {
	c.t.Helper()
	text, err := json.Marshal(command)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.in.Write(append(text, '\n')); err != nil {
		c.t.Fatalf("the client has ended: %v", err)
	}
}

// sends lets the client send an event without asking whether it arrived.
func (c *npmClient) sends(event string, args ...any) {
	c.t.Helper()
	c.tell(map[string]any{"do": "emit", "event": event, "args": args})
}

// emit lets the client send an event and returns when the server has acknowledged it, which it does once it is stored.
func (c *npmClient) emit(event string, args ...any) {
	c.t.Helper()
	c.acks++
	c.tell(map[string]any{"do": "emit", "event": event, "args": args, "ack": c.acks})
	c.awaitAck()
}

// burst lets the client send events back to back and returns when the last is acknowledged.
func (c *npmClient) burst(events ...[]any) {
	c.t.Helper()
	c.acks++
	c.tell(map[string]any{"do": "burst", "events": events, "ack": c.acks})
	c.awaitAck()
}

func (c *npmClient) awaitAck() {
	c.t.Helper()
	want, err := json.Marshal(c.acks)
	if err != nil {
		c.t.Fatal(err)
	}
	c.await("has its acknowledgement", func(l npmLine) bool { return l.On == "ack" && bytes.Equal(l.ID, want) })
}

// answers says how the next wishes to mute are answered.
func (c *npmClient) answers(with ...string) {
	c.t.Helper()
	c.tell(map[string]any{"do": "answer", "with": with})
	c.await("is prepared", func(l npmLine) bool { return l.On == "prepared" })
}

// event waits for an event of the server and gives its only argument.
func (c *npmClient) event(name string) string {
	c.t.Helper()
	l := c.await("has heard "+name, func(l npmLine) bool { return l.On == "event" && l.Name == name })
	if len(l.Args) != 1 {
		c.t.Fatalf("%s has %d arguments, want one", name, len(l.Args))
	}
	return string(l.Args[0])
}

// transport is what the client talks over now.
func (c *npmClient) transport() string {
	c.t.Helper()
	c.tell(map[string]any{"do": "transport"})
	return c.await("says its transport", func(l npmLine) bool { return l.On == "transport" }).Name
}

// close ends the client's connection in good order.
func (c *npmClient) close() {
	c.t.Helper()
	c.tell(map[string]any{"do": "close"})
	c.await("is disconnected", func(l npmLine) bool { return l.On == "disconnect" })
}
