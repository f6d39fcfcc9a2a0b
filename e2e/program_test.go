package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long anything may take before a test gives up. It is long, since machines can be slow; nothing waits for it.
const patience = 60 * time.Second

// settings is the environment of a splashtail, by variable.
type settings map[string]string

// with copies the settings and changes some.
func (s settings) with(more settings) settings {
	all := settings{}
	for _, from := range []settings{s, more} {
		for name, value := range from {
			all[name] = value
		}
	}
	return all
}

// onFreePorts are settings for a splashtail that shares this machine with others and writes its log for us. The ports stay
// the same over restarts, as they do in real life.
func onFreePorts(t testing.TB) settings {
	return settings{
		"LOG_FORMAT": "json", "LOG_LEVEL": "info",
		"OPS_ADDR": freeAddr(t), "NATS_ADDR": freeAddr(t), "NATS_STORE_DIR": filepath.Join(t.TempDir(), "nats"),
		"BROKER_BIND": "127.0.0.1", "BROKER_PORT": freePort(t),
		// Clients that share this machine with many tests may take their time for a mute.
		"ACK_TIMEOUT_MS": "20000", "TASK_TIMEOUT_MS": "20000",
		"GALACTUS_BIND": "127.0.0.1", "GALACTUS_PORT": freePort(t),
		"GATEWAYPROXY_ADDR": freeAddr(t),
		"WORKER_BOT_TOKENS": "", "REDIS_ADDR": "", "NATS_URL": "",
	}
}

// broker is the address for capture clients.
func (s settings) broker() string { return net.JoinHostPort(s["BROKER_BIND"], s["BROKER_PORT"]) }

// galactus is the address for AutoMuteUs.
func (s settings) galactus() string { return net.JoinHostPort(s["GALACTUS_BIND"], s["GALACTUS_PORT"]) }

// nats is where the bus of a process with these settings is found.
func (s settings) nats() string { return "nats://" + s["NATS_ADDR"] }

func freeAddr(t testing.TB) string { return net.JoinHostPort("127.0.0.1", freePort(t)) }

// freePort finds a port below the range from which the system takes the ports of outgoing connections: a client that tries
// again and again to reach a process that was killed must not be given its port meanwhile.
func freePort(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := fmt.Sprint(10_000 + rand.N(20_000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err == nil {
			l.Close() // only looked
			return port
		}
	}
	t.Fatal("no free port was found")
	return ""
}

// program is a running splashtail.
type program struct {
	t    testing.TB
	name string // its command
	cmd  *exec.Cmd
	log  *logTail
	end  chan struct{} // closed when it has ended
}

// start runs a command of splashtail with nothing in its environment but the settings, and returns when it is up.
func start(t testing.TB, command string, s settings, flags ...string) *program {
	t.Helper()
	p := &program{t: t, name: command, cmd: exec.Command(splashtail, append([]string{command}, flags...)...), log: newLogTail(), end: make(chan struct{})}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	for name, value := range s {
		p.cmd.Env = append(p.cmd.Env, name+"="+value)
	}
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait() // ProcessState has what it says
		close(p.end)
	}()
	t.Cleanup(func() {
		if p.ended() {
			return
		}
		if t.Failed() {
			t.Logf("the last lines of splashtail %s:\n%s", command, p.log)
		}
		p.kill()
	})
	p.await("up", func(line logLine) bool { return line.Msg == "up" })
	return p
}

// await waits until the log has a line.
func (p *program) await(what string, fits func(logLine) bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	defer cancel()
	for {
		found, more := p.log.find(fits)
		if found {
			return
		}
		select {
		case <-more:
		case <-p.end:
			if found, _ := p.log.find(fits); found {
				return
			}
			p.t.Fatalf("splashtail %s ended (%v) before it was %s:\n%s", p.name, p.cmd.ProcessState, what, p.log)
		case <-ctx.Done():
			p.t.Fatalf("splashtail %s is not %s:\n%s", p.name, what, p.log)
		}
	}
}

func (p *program) ended() bool {
	select {
	case <-p.end:
		return true
	default:
		return false
	}
}

// kill is kill -9. It fails the test if the process had ended by itself, and returns when it is gone.
func (p *program) kill() {
	p.t.Helper()
	if p.ended() {
		p.t.Fatalf("splashtail %s has ended by itself (%v):\n%s", p.name, p.cmd.ProcessState, p.log)
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	<-p.end
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		p.t.Fatalf("splashtail %s was not ended by the kill (%v):\n%s", p.name, p.cmd.ProcessState, p.log)
	}
}

// stop is the orderly end, which must succeed.
func (p *program) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("splashtail %s: %v\n%s", p.name, err, p.log)
	}
	select {
	case <-p.end:
	case <-time.After(patience):
		p.t.Fatalf("splashtail %s does not stop:\n%s", p.name, p.log)
	}
	if code := p.cmd.ProcessState.ExitCode(); code != 0 {
		p.t.Errorf("splashtail %s stopped with %d:\n%s", p.name, code, p.log)
	}
}

// keepsQuietAbout fails the test if the log shows what must not be shown.
func (p *program) keepsQuietAbout(secrets ...string) {
	p.t.Helper()
	text := p.log.String()
	for _, s := range secrets {
		if at := strings.Index(text, s); at >= 0 {
			p.t.Errorf("the log of splashtail %s shows %q: …%s", p.name, s, text[max(0, at-200):min(len(text), at+100)])
		}
	}
}

// logLine is a line of the log with the keys that are looked at.
type logLine struct {
	Level, Msg string
}

// logTail keeps what a process prints.
type logTail struct {
	mu    sync.Mutex
	text  bytes.Buffer
	lines []logLine
	rest  []byte        // the line that is not complete yet
	more  chan struct{} // closed and replaced when something came
}

func newLogTail() *logTail { return &logTail{more: make(chan struct{})} }

// Write takes a piece of output.
func (l *logTail) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(p)
	l.rest = append(l.rest, p...)
	for {
		line, rest, whole := bytes.Cut(l.rest, []byte("\n"))
		if !whole {
			break
		}
		var parsed logLine
		if json.Unmarshal(line, &parsed) == nil {
			l.lines = append(l.lines, parsed)
		}
		l.rest = rest
	}
	close(l.more)
	l.more = make(chan struct{})
	return len(p), nil
}

// find tells whether a line fits, and what is closed when there are more.
func (l *logTail) find(fits func(logLine) bool) (bool, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if fits(line) {
			return true, l.more
		}
	}
	return false, l.more
}

func (l *logTail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
