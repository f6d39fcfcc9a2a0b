// Command gatewayclients is a bot in a library of Go, unchanged, that is pointed at another
// address than Discord's. It says on its standard output, one JSON object a line, what it
// is told: ready, resumed, and the number in each message.
//
//	gatewayclients LIBRARY URL TOKEN
//
// It is a module of its own, since splashtail itself needs none of these libraries.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// say prints what happened; events may come from several goroutines.
type say struct {
	mu  sync.Mutex
	out *bufio.Writer
}

func (s *say) line(on string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, err := json.Marshal(struct {
		On string `json:"on"`
		N  int    `json:"n,omitempty"`
	}{on, n})
	if err == nil {
		_, err = s.out.Write(append(text, '\n'))
	}
	if err == nil {
		err = s.out.Flush()
	}
	if err != nil {
		os.Exit(3) // whoever listened has gone
	}
}

// message says the number of a message of the burst.
func (s *say) message(content string) {
	if number, found := strings.CutPrefix(content, "burst "); found {
		if n, err := strconv.Atoi(number); err == nil {
			s.line("message", n)
		}
	}
}

func main() {
	libraries := map[string]func(ctx context.Context, s *say, url, token string) error{
		"discordgo": runDiscordgo, "disgo": runDisgo, "arikawa": runArikawa,
	}
	if len(os.Args) != 4 || libraries[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: gatewayclients discordgo|disgo|arikawa URL TOKEN")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &say{out: bufio.NewWriter(os.Stdout)}
	if err := libraries[os.Args[1]](ctx, s, strings.TrimRight(os.Args[2], "/")+"/", os.Args[3]); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
