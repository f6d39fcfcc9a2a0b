package downstream

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"splashtail/internal/gateway"
	"splashtail/internal/pause"
)

// The bots of BenchmarkConnectedClients are in a process of their own, so that what is
// measured is the server with its NATS, and not them.
const (
	botsURL   = "SPLASHTAIL_TEST_BOTS_URL"
	botsCount = "SPLASHTAIL_TEST_BOTS"
)

// TestBots is that process: it connects bots that send their heartbeats as Discord's HELLO
// asks for, and read what comes, until its input ends.
func TestBots(t *testing.T) {
	url := os.Getenv(botsURL)
	if url == "" {
		t.Skip("it is a part of BenchmarkConnectedClients")
	}
	n := must[int](t)(strconv.Atoi(os.Getenv(botsCount)))
	for i := range n {
		c := dialRaw(t, url, "compress="+zstdStream)
		c.identify(t, gateway.IntentGuildMessages)
		go func() {
			for { // ends with the process
				c.frame(t)
			}
		}()
		go func() {
			pause.For(context.Background(), interval*time.Duration(i)/time.Duration(n)) // they did not all begin at once
			for {
				c.beat(t)
				pause.For(context.Background(), interval)
			}
		}()
	}
	fmt.Println("connected")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// interval is Discord's.
const interval = 41250 * time.Millisecond

func (b *rawBot) beat(t testing.TB) {
	text := `{"op":1,"d":null}`
	if _, err := b.c.Write(append([]byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0}, text...)); err != nil {
		t.Error(err)
	}
}

// BenchmarkConnectedClients measures what 1000 bots over zstd-stream cost in processor
// time: while nothing happens for one interval of heartbeats, with 100 events a second
// that none of them asked for, and with 100 that all of them get. It takes two minutes.
func BenchmarkConnectedClients(b *testing.B) {
	const clients = 1000
	w := newWorld(b, 1, oneGuild)
	s := w.serve()
	child := exec.Command(os.Args[0], "-test.run", "^TestBots$", "-test.timeout", "10m")
	child.Env = append(os.Environ(), botsURL+"="+s.url, fmt.Sprint(botsCount, "=", clients))
	in := must[io.WriteCloser](b)(child.StdinPipe())
	out := must[io.ReadCloser](b)(child.StdoutPipe())
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = child.Wait() // it has nothing to say
	}()
	word := make([]byte, len("connected"))
	if _, err := io.ReadFull(out, word); err != nil || string(word) != "connected" {
		b.Fatalf("the bots say %q: %v", word, err)
	}
	message := func() { w.emit(0, oneGuild, "MESSAGE_CREATE", messageJSON(oneGuild, strings.Repeat("1", 400))) }
	typing := func() {
		w.emit(0, oneGuild, "TYPING_START", fmt.Sprintf(`{"guild_id":"%s","channel_id":"2","user_id":"9","timestamp":1}`, oneGuild))
	}
	for b.Loop() {
		b.ReportMetric(processor(interval, nil), "idle-cpu-s/s")
		b.ReportMetric(processor(20*time.Second, typing), "unwanted-cpu-s/s")
		b.ReportMetric(processor(20*time.Second, message), "wanted-cpu-s/s")
		behind := slices.MaxFunc(s.Sessions(), func(x, y SessionStatus) int { return cmp.Compare(x.Behind, y.Behind) }).Behind
		if n := len(s.Sessions()); n != clients || behind > 100 {
			b.Fatalf("%d of %d bots are there, and one is %d events behind", n, clients, behind)
		}
	}
}

// processor is how much processor time this process takes per second while something is
// done 100 times a second.
func processor(d time.Duration, do func()) float64 {
	used := func() time.Duration {
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // it cannot fail
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	begin, before := time.Now(), used()
	for n := time.Duration(0); time.Since(begin) < d; n++ {
		if do == nil {
			pause.For(context.Background(), d)
			break
		}
		do()
		pause.For(context.Background(), time.Until(begin.Add((n+1)*10*time.Millisecond)))
	}
	return (used() - before).Seconds() / time.Since(begin).Seconds()
}
