package broker

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"
)

// BenchmarkIdleClients measures what clients cost that only ping, as they do between
// games: resident memory for each, and processor time for their pings. The process
// holds the embedded NATS server too, whose records of the clients are in the figure.
func BenchmarkIdleClients(b *testing.B) {
	const clients = 5000
	for _, bot := range []bool{false, true} {
		b.Run(fmt.Sprintf("clients=%d/bot=%t", clients, bot), func(b *testing.B) {
			for b.Loop() {
				measureIdle(b, clients, bot)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

func measureIdle(b *testing.B, clients int, bot bool) {
	r := newBenchRig(b)
	defer r.stop()
	warm := startLoad(b) // some who come and go first, so that pools have their size
	warm.do(loadOrder{Do: "connect", Addr: r.broker.Addr(), Clients: 200, Bot: bot})
	warm.end()
	eventually(b, "the first clients are gone", func() bool { return r.broker.gate.connections() == 0 })
	idle := r.cpuOver(b, func() { <-time.After(5 * time.Second) }) / 5
	memory, goroutines := residentMemory(b), runtime.NumGoroutine()

	load := startLoad(b)
	load.do(loadOrder{Do: "connect", Addr: r.broker.Addr(), Clients: clients, Bot: bot})
	const cadence = 20 * time.Second
	usual := r.cpuOver(b, func() { load.do(loadOrder{Do: "send", For: cadence, PingEvery: cadence}) }) / 20
	memory = residentMemory(b) - memory
	goroutines = runtime.NumGoroutine() - goroutines
	// Twenty times as many pings, to tell their cost from that of everything else.
	var rep loadReport
	const quick = 10 * time.Second
	busy := r.cpuOver(b, func() { rep = load.do(loadOrder{Do: "send", For: quick, PingEvery: time.Second}) })
	if rep.Pongs < rep.Pings*99/100 || rep.Lost > 0 {
		b.Errorf("%d of %d pings were answered, %d clients were cut", rep.Pongs, rep.Pings, rep.Lost)
	}
	b.ReportMetric(float64(memory)/float64(clients)/1024, "KiB/client")
	b.ReportMetric(float64(goroutines)/float64(clients), "goroutines/client")
	b.ReportMetric(100*idle.Seconds(), "%cpu-empty")
	b.ReportMetric(100*usual.Seconds(), "%cpu")
	b.ReportMetric(float64((busy-10*idle).Microseconds())/float64(rep.Pings), "µs/ping")
}

// cpuOver is the processor time of this process while f runs.
func (r *benchRig) cpuOver(b *testing.B, f func()) time.Duration {
	b.Helper()
	before := cpuTime()
	f()
	return cpuTime() - before
}

// residentMemory is what this process holds after the garbage collector gave back what
// it can, in bytes.
func residentMemory(b *testing.B) int {
	b.Helper()
	debug.FreeOSMemory()
	f, err := os.Open("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if kib, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(kib), " kB"))
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Fatal("/proc/self/status has no VmRSS")
	return 0
}
