package redistest

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
)

func ask(t *testing.T, s *Server, command string) string {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprint(c, command+"\r\n"); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func TestWhatWasConfirmedSurvivesAKill(t *testing.T) {
	s := Start(t)
	addr := s.Addr()
	if got := ask(t, s, "RPUSH l a b c"); got != ":3" {
		t.Fatalf("answered %q", got)
	}
	s.Kill()
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Fatal("it answers although it was killed")
	}
	s.Again()
	if got := ask(t, s, "LLEN l"); s.Addr() != addr || got != ":3" {
		t.Errorf("after the kill: %q at %s, before %s", got, s.Addr(), addr)
	}
	s.Kill()
	s.Wipe()
	if got := ask(t, s, "LLEN l"); got != ":0" {
		t.Errorf("after the wipe: %q", got)
	}
}

func TestAPasswordIsAsked(t *testing.T) {
	s := Start(t, "--requirepass", "hush")
	if got := ask(t, s, "GET x"); !strings.HasPrefix(got, "-NOAUTH") {
		t.Errorf("answered %q", got)
	}
}
