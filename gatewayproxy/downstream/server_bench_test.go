package downstream

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/gateway"
	"splashtail/internal/guilds"
	"splashtail/internal/pause"
)

// BenchmarkFanOut measures the way of an event from the frame of Discord to every bot:
// stored in the stream, read, numbered, filtered and written. Flood is as fast as it
// goes; steady is 1000 events a second, for the latency that bots see in daily life. The
// bots share the machine and its cores with the server.
func BenchmarkFanOut(b *testing.B) {
	for _, clients := range []int{1, 10, 100} {
		for _, mode := range []struct {
			name string
			rest time.Duration
		}{{"flood", 0}, {"steady", time.Millisecond}} {
			b.Run(fmt.Sprintf("clients=%d/%s", clients, mode.name), func(b *testing.B) { fanOut(b, 1, clients, mode.rest) })
		}
	}
}

// BenchmarkSpanningFanOut is the same for bots over two of our shards, of whose records
// one is written before each group of events that they get.
func BenchmarkSpanningFanOut(b *testing.B) {
	for _, clients := range []int{1, 10} {
		b.Run(fmt.Sprintf("clients=%d/flood", clients), func(b *testing.B) { fanOut(b, 2, clients, 0) })
		b.Run(fmt.Sprintf("clients=%d/steady", clients), func(b *testing.B) { fanOut(b, 2, clients, time.Millisecond) })
	}
}

func fanOut(b *testing.B, shards, clients int, rest time.Duration) {
	n := max(b.N, 5000) // fewer say nothing about percentiles
	w := newWorld(b, shards, oneGuild)
	s := w.serve()
	taken := make([][]time.Duration, clients)
	var reading sync.WaitGroup
	for i := range clients {
		c := dialRaw(b, s.url, "")
		c.identify(b, gateway.IntentGuildMessages|gateway.IntentMessageContent)
		reading.Go(func() { taken[i] = c.latencies(b, n) })
	}
	b.ResetTimer()
	begin := time.Now()
	under := make(chan *bus.Write, 1024)
	var acked sync.WaitGroup
	acked.Go(func() {
		for w := range under {
			if _, err := w.Wait(context.Background()); err != nil {
				b.Error(err)
			}
		}
	})
	for i := range n {
		if rest > 0 {
			pause.For(b.Context(), time.Until(begin.Add(time.Duration(i)*rest)))
		}
		// The name is what is read back; the rest has the size of a usual message.
		d := fmt.Sprintf(`{"at":"%020d","guild_id":"%s","pad":"%s"}`, time.Now().UnixNano(), oneGuild, strings.Repeat("x", 600))
		under <- w.beginEmit(guilds.ShardOf(oneGuild, shards), oneGuild, "MESSAGE_CREATE", d)
	}
	close(under)
	reading.Wait()
	took := time.Since(begin)
	acked.Wait()
	all := slices.Concat(taken...)
	slices.Sort(all)
	at := func(q float64) float64 { return float64(all[int(float64(len(all)-1)*q)].Microseconds()) / 1000 }
	b.ReportMetric(float64(n)/took.Seconds(), "events/s")
	b.ReportMetric(at(0.5), "p50-ms")
	b.ReportMetric(at(0.99), "p99-ms")
}

// rawBot is a connection with next to nothing of its own in memory.
type rawBot struct {
	c net.Conn
	r *bufio.Reader
}

func dialRaw(t testing.TB, url, query string) *rawBot {
	t.Helper()
	addr := strings.TrimPrefix(url, "ws://")
	c := must[net.Conn](t)(net.Dial("tcp", addr))
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "GET /?v=10&%s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", query, addr)
	r := bufio.NewReaderSize(c, 4096)
	answer := must[*http.Response](t)(http.ReadResponse(r, nil))
	if answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(answer.Status)
	}
	b := &rawBot{c, r}
	b.frame(t) // HELLO
	return b
}

// frame reads a frame of the server.
func (b *rawBot) frame(t testing.TB) []byte {
	var head [2]byte
	if _, err := io.ReadFull(b.r, head[:]); err != nil {
		t.Error(err)
		return nil
	}
	n := uint64(head[1])
	size := make([]byte, map[uint64]int{126: 2, 127: 8}[n])
	if _, err := io.ReadFull(b.r, size); err != nil {
		t.Error(err)
	}
	switch len(size) {
	case 2:
		n = uint64(binary.BigEndian.Uint16(size))
	case 8:
		n = binary.BigEndian.Uint64(size)
	}
	p := make([]byte, n)
	if _, err := io.ReadFull(b.r, p); err != nil {
		t.Error(err)
	}
	return p
}

// identify begins a session and reads READY, compressed or not.
func (b *rawBot) identify(t testing.TB, intents int) {
	t.Helper()
	text := fmt.Sprintf(`{"op":2,"d":{"token":"%s","intents":%d}}`, testToken, intents)
	frame := []byte{0x81, 0x80 | byte(len(text)), 0, 0, 0, 0} // masked with zeros
	if len(text) > 125 {
		t.Fatal("the frame is too long for this bot")
	}
	if _, err := b.c.Write(append(frame, text...)); err != nil {
		t.Fatal(err)
	}
	b.frame(t)
}

// latencies reads n events and gives how old each was.
func (b *rawBot) latencies(t testing.TB, n int) []time.Duration {
	all := make([]time.Duration, 0, n)
	for len(all) < n {
		p := string(b.frame(t))
		i := strings.Index(p, `"at":"`)
		if i < 0 {
			return all
		}
		sent, err := strconv.ParseInt(p[i+6:i+26], 10, 64)
		if err != nil {
			t.Error(err)
			return all
		}
		all = append(all, time.Duration(time.Now().UnixNano()-sent))
	}
	return all
}

// memory is what is in use after everything unused was given back.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// idle connects clients that have a session and some events behind them, and gives what
// each takes in the memory of this process, its own few KiB included.
func idle(t testing.TB, w *world, clients int, compress string) float64 {
	s := w.serve()
	before := memory()
	for range clients {
		c := dialRaw(t, s.url, "compress="+compress)
		c.identify(t, gateway.IntentGuildMessages)
	}
	w.burst(oneGuild, 1, 20)
	for len(s.Sessions()) < clients || slices.ContainsFunc(s.Sessions(), func(st SessionStatus) bool { return st.Behind > 0 || st.Number == 0 }) {
		pause.For(context.Background(), time.Millisecond)
	}
	return float64(memory()-before) / float64(clients)
}

func TestIdleClientsAreSmall(t *testing.T) {
	for _, compress := range []string{plain, zlibStream, zstdStream} {
		each := idle(t, newWorld(t, 1, oneGuild), 40, compress)
		t.Logf("an idle client with %q takes %.0f KiB", compress, each/1024)
		if each > 1<<20 {
			t.Errorf("an idle client with %q takes %.0f KiB, want less than 1 MiB", compress, each/1024)
		}
	}
}

// BenchmarkIdleClients measures the memory of 1000 bots that have nothing to do.
func BenchmarkIdleClients(b *testing.B) {
	for _, compress := range []string{plain, zlibStream, zstdStream} {
		b.Run("compress="+compress, func(b *testing.B) {
			for b.Loop() {
				b.ReportMetric(idle(b, newWorld(b, 1, oneGuild), 1000, compress)/1024, "KiB/client")
			}
		})
	}
}

// BenchmarkGuilds measures the memory of guilds as READY's followers get them, each of
// some 40 KiB, and how long a bot waits for all of them.
func BenchmarkGuilds(b *testing.B) {
	const n = 1000
	for b.Loop() {
		b.StopTimer()
		before := memory()
		w := newWorld(b, 1, oneGuild)
		for i := range n {
			w.emit(0, bus.GuildID(i+1), "GUILD_CREATE", largeGuild(bus.GuildID(i+1)))
		}
		for {
			if known, _ := w.store.Counts(); known == n+1 {
				break
			}
			pause.For(context.Background(), time.Millisecond)
		}
		s := w.serve()
		b.ReportMetric(float64(memory()-before)/(1<<20), "MiB/1000-guilds")
		b.StartTimer()
		begin := time.Now()
		c := dialRaw(b, s.url, "")
		c.identify(b, gateway.IntentGuilds)
		for range n + 1 {
			c.frame(b)
		}
		b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms-to-show")
	}
}

func largeGuild(id bus.GuildID) string {
	var channels, roles []string
	for i := range 80 {
		channels = append(channels, fmt.Sprintf(`{"id":"%d","type":0,"name":"channel-%d","position":%d,"topic":"what this is about","permission_overwrites":[{"id":"%d","type":0,"allow":"1024","deny":"2048"}],"nsfw":false,"rate_limit_per_user":0,"parent_id":null,"flags":0}`, i+1000, i, i, id))
		roles = append(roles, fmt.Sprintf(`{"id":"%d","name":"role-%d","color":0,"colors":{"primary_color":0},"hoist":false,"position":%d,"permissions":"1071698660929","managed":false,"mentionable":false,"flags":0}`, i+5000, i, i))
	}
	text := guildJSON(id)
	text = strings.Replace(text, `"channels":[]`, `"channels":[`+strings.Join(channels, ",")+`]`, 1)
	return strings.Replace(text, `"roles":[],"voice`, `"roles":[`+strings.Join(roles, ",")+`],"voice`, 1)
}

var _ Guilds = (*guilds.Store)(nil)
