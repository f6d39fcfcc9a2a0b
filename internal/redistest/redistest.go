// Package redistest gives tests a real redis-server: in a directory of the test, on a
// port of its own, with every write on disk before it is confirmed, so that a test may
// kill it and find afterwards what Redis had said yes to.
//
// There is no stand-in for it: without redis-server in PATH a test fails, and
// scripts/test-deps.sh installs it.
package redistest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Server is one redis-server. Its address stays the same over Kill and Start.
type Server struct {
	t    testing.TB
	addr string
	dir  string

	mu   sync.Mutex
	cmd  *exec.Cmd     // nil while it is down
	gone chan struct{} // closed when cmd has ended
}

// patience bounds the start on a machine that does other things too.
const patience = 20 * time.Second

// Start starts a server that ends with the test. Further settings are arguments as
// redis-server takes them ("--requirepass", "x").
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s := &Server{t: t, dir: t.TempDir()}
	t.Cleanup(s.Kill)
	// Between the look for a free port and its use another process may take it.
	var err error
	for range 20 {
		if s.addr, err = freeAddr(); err != nil {
			continue
		}
		if err = s.start(settings); err == nil {
			return s
		}
	}
	t.Fatalf("redis-server, which this test needs, did not start: %v", err)
	return nil
}

// Addr is where it listens, host:port.
func (s *Server) Addr() string { return s.addr }

// Kill ends the server as a loss of power of its process would: with SIGKILL. What it
// confirmed is on disk. A server that is down stays down.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // an error says that it is gone already
	<-s.gone
	s.cmd = nil
}

// Again starts the server after Kill, on the same address and with the data it had.
func (s *Server) Again(settings ...string) {
	s.t.Helper()
	var err error
	for range 5 {
		if err = s.start(settings); err == nil {
			return
		}
	}
	s.t.Fatalf("redis-server did not start again: %v", err)
}

// Wipe is Again with nothing left of the data, as after a loss of its disk.
func (s *Server) Wipe(settings ...string) {
	s.t.Helper()
	s.dir = s.t.TempDir()
	s.Again(settings...)
}

// freeAddr finds a port below the range from which systems take the ports of outgoing
// connections: while the server is down, its clients try to reach it again and again, and
// none of them may be given its port.
func freeAddr() (string, error) {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(10_000+rand.N(20_000))))
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func (s *Server) start(settings []string) error {
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	args := append([]string{"--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no",
		"--appendonly", "yes", "--appendfsync", "always", "--save", ""}, settings...)
	s.mu.Lock()
	defer s.mu.Unlock()
	var out bytes.Buffer
	cmd, gone := exec.Command("redis-server", args...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() {
		defer close(gone)
		_ = cmd.Wait() // how it ended is for await and Kill to judge
	}()
	if err := await(s.addr, cmd.Process.Pid, gone); err != nil {
		_ = cmd.Process.Kill() // an error says that it is gone already
		<-gone
		return fmt.Errorf("%w\n%s", err, out.String())
	}
	s.cmd, s.gone = cmd, gone
	return nil
}

// await returns when the process answers at the address.
func await(addr string, pid int, gone <-chan struct{}) error {
	deadline, tick := time.After(patience), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	for {
		if answers(addr, pid) {
			return nil
		}
		select {
		case <-gone:
			return errors.New("it ended by itself")
		case <-deadline:
			return fmt.Errorf("it did not answer within %s", patience)
		case <-tick.C:
		}
	}
}

// answers says whether the process answers and has loaded its data. Whoever else may
// sit at the address is not meant; with a password set, any answer has to do.
func answers(addr string, pid int) bool {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(time.Second)) // a failure shows at the next line
	if _, err := fmt.Fprint(c, "INFO server\r\nPING\r\n"); err != nil {
		return false
	}
	ours := false
	for lines := bufio.NewScanner(c); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "-NOAUTH"):
			return true
		case line == fmt.Sprintf("process_id:%d", pid):
			ours = true
		case line == "+PONG":
			return ours
		case strings.HasPrefix(line, "-"):
			return false
		}
	}
	return false
}
