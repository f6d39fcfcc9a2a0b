package broker

import (
	"runtime"
	"testing"
	"time"
)

// TestTenThousandEventsOfOneClientArriveInOrder sends them as fast as they go, more than
// one client may in the long run, and pops each from Redis.
func TestTenThousandEventsOfOneClientArriveInOrder(t *testing.T) {
	r := newBenchRig(t)
	load := startLoad(t)
	load.do(loadOrder{Do: "connect", Addr: r.broker.Addr(), Clients: 1})
	rep := load.do(loadOrder{Do: "send", For: time.Second, Rate: 10_000, Redis: r.redis.Addr(), Sample: 1})
	if rep.Sent != 10_000 || rep.Seen != rep.Sent || rep.Unseen+rep.Misordered+rep.Lost != 0 {
		t.Errorf("%d events were sent, %d arrived, %d not in order, %d clients were cut", rep.Sent, rep.Seen, rep.Misordered, rep.Lost)
	}
}

// TestClientsComeAndGoWithoutATrace has 200 clients a second connect, speak and leave in
// every way they can, and wants everything back that they used.
func TestClientsComeAndGoWithoutATrace(t *testing.T) {
	comeAndGo(t, 5*time.Second)
}

// BenchmarkComeAndGo is the same for as long as it takes to see a slow leak.
func BenchmarkComeAndGo(b *testing.B) {
	for b.Loop() {
		u := comeAndGo(b, 30*time.Second)
		b.ReportMetric(float64(u.connections), "connections")
		b.ReportMetric(float64(u.goroutines), "goroutines-left")
		b.ReportMetric(float64(u.descriptors), "descriptors-left")
		b.ReportMetric(float64(u.heap)/1024/float64(u.connections), "heap-KiB/connection")
	}
}

// leftOver is what a churn did not give back.
type leftOver struct {
	resources
	connections int
	heap        int64 // bytes
}

// perConnection is how much heap a connection may leave: the ids by which the embedded
// NATS server knows its events again for two minutes. A connection itself is ten times
// as much.
const perConnection = 3 << 10

// ofPools is how many goroutines and descriptors may be there that were not before:
// connections to Redis are made when the load wants them, and kept. A leak in one of a
// hundred connections would be more.
const ofPools = 10

func comeAndGo(t testing.TB, long time.Duration) leftOver {
	r := newBenchRig(t, func(c *Config) { c.Grace = 200 * time.Millisecond })
	load := startLoad(t)
	churn := func(d time.Duration) int {
		return load.do(loadOrder{Do: "churn", Addr: r.broker.Addr(), For: d, Rate: 200}).Sent
	}
	churn(time.Second) // pools, pages and connections to Redis are made once
	r.wantNobody()
	base, heap := measure(t), liveHeap()
	u := leftOver{connections: churn(long)}
	r.wantNobody()
	eventually(t, "goroutines and descriptors are back at their base", func() bool {
		now := measure(t)
		u.resources = resources{now.goroutines - base.goroutines, now.descriptors - base.descriptors}
		return u.goroutines <= ofPools && u.descriptors <= ofPools
	})
	bound := int64(u.connections)*perConnection + 2<<20
	eventually(t, "the heap is back at its base", func() bool {
		u.heap = liveHeap() - heap
		return u.heap <= bound
	})
	return u
}

// wantNobody waits until no trace of a client is left in any table.
func (r *benchRig) wantNobody() {
	r.b.Helper()
	br := r.broker
	eventually(r.b, "every table is empty", func() bool {
		owners, err := br.hub.owners.records.All(r.b.Context(), "*")
		if err != nil {
			r.b.Fatal(err)
		}
		br.redis.channels.mu.Lock()
		heard := len(br.redis.channels.wanted)
		br.redis.channels.mu.Unlock()
		return heard == 0 && br.gate.connections() == 0 && br.hub.coded.Load() == 0 && len(br.hub.all()) == 0 && len(owners) == 0 &&
			len(br.front.all()) == 0 && br.front.eio.Clients().Len() == 0 && br.front.io.Sockets().Sockets().Len() == 0
	})
}

func liveHeap() int64 {
	runtime.GC()
	runtime.GC() // what the first one found to be finalized
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
