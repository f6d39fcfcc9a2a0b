package broker

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/redistest"
)

// benchRig is a broker as `splashtail up` runs it: embedded NATS in this process, with a
// real redis-server beside it.
type benchRig struct {
	b      testing.TB
	redis  *redistest.Server
	rdb    *redis.Client
	broker *Broker
	stop   func()
}

// newBenchRig starts one. Redis keeps no log of writes, as in the compose file of
// AutoMuteUs: what is measured is our durability, not that of Redis.
func newBenchRig(b testing.TB, change ...func(*Config)) *benchRig {
	b.Helper()
	r := &benchRig{b: b, redis: redistest.Start(b, "--appendonly", "no")}
	r.rdb = redis.NewClient(&redis.Options{Addr: r.redis.Addr(), Protocol: 2, DisableIdentity: true})
	b.Cleanup(func() { _ = r.rdb.Close() })
	server := bustest.Open(b, bus.Config{StoreDir: filepath.Join(b.TempDir(), "nats"), Addr: "127.0.0.1:0", MaxStore: 8 << 30})
	conn, err := server.Component(b.Context(), "broker")
	if err != nil {
		b.Fatal(err)
	}
	cfg := Config{Addr: "127.0.0.1:0", RedisAddr: r.redis.Addr()}
	for _, f := range change {
		f(&cfg)
	}
	r.broker, err = New(cfg, conn, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.broker.Run(ctx) }()
	r.stop = func() {
		cancel()
		if err := <-done; err != nil {
			b.Errorf("the broker ended with %v", err)
		}
		bustest.Close(b, conn)
		done <- nil
	}
	b.Cleanup(func() { r.stop() })
	receive(b, r.broker.Ready())
	return r
}

// BenchmarkCaptureToRedis measures from the write of an event at a client's socket to the
// moment its element can be popped from Redis. In between it is stored in CAPTURE, synced
// to disk. A thousand clients send evenly; the lists of fifty of them are popped, and the
// rest is counted at the end.
func BenchmarkCaptureToRedis(b *testing.B) {
	const clients = 1000
	for _, perSecond := range []int{2000, 5000, 7500, 10_000, 12_500, 15_000, 20_000} {
		b.Run(fmt.Sprintf("clients=%d/events=%d", clients, perSecond), func(b *testing.B) {
			r := newBenchRig(b)
			load := startLoad(b)
			load.do(loadOrder{Do: "connect", Addr: r.broker.Addr(), Clients: clients})
			order := loadOrder{
				Do: "send", For: 2 * time.Second, Rate: float64(perSecond), PingEvery: 20 * time.Second,
				Redis: r.redis.Addr(), Sample: 50,
			}
			warm := load.do(order)                                  // so that every buffer has its size
			r.wantEvents(clients-order.Sample+warm.Sent, warm.Seen) // with one for each connection
			order.For = benchTime()
			r.dropLists()
			runtime.GC()
			var rep loadReport
			cpu, redisCPU := cpuTime(), r.redisCPU()
			for b.Loop() {
				rep = load.do(order)
			}
			cpu, redisCPU = cpuTime()-cpu, r.redisCPU()-redisCPU
			r.wantEvents(b.N*rep.Sent, b.N*rep.Seen)
			if rep.Unseen+rep.Misordered+rep.Lost > 0 {
				b.Errorf("%d events did not arrive, %d not in order, %d clients were cut", rep.Unseen, rep.Misordered, rep.Lost)
			}
			busy := time.Duration(b.N) * order.For
			b.ReportMetric(milli(rep.P50), "p50-ms")
			b.ReportMetric(milli(rep.P99), "p99-ms")
			b.ReportMetric(milli(rep.Max), "max-ms")
			b.ReportMetric(milli(rep.Behind), "late-ms")
			b.ReportMetric(100*cpu.Seconds()/busy.Seconds(), "%cpu")
			b.ReportMetric(100*redisCPU.Seconds()/busy.Seconds(), "%cpu-redis")
			b.ReportMetric(100*rep.CPU.Seconds()/busy.Seconds(), "%cpu-load")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func milli(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// benchTime is how long one rate is measured.
func benchTime() time.Duration { return 8 * time.Second }

const jobLists = "automuteus:jobs:*"

// dropLists empties Redis of what was sent so far.
func (r *benchRig) dropLists() {
	r.b.Helper()
	keys, err := r.rdb.Keys(r.b.Context(), jobLists).Result()
	if err == nil && len(keys) > 0 {
		err = r.rdb.Unlink(r.b.Context(), keys...).Err()
	}
	if err != nil {
		r.b.Fatal(err)
	}
}

// wantEvents checks that all that was sent is in Redis, but for what was popped.
func (r *benchRig) wantEvents(sent, popped int) {
	r.b.Helper()
	left := 0
	eventually(r.b, "every event is in Redis", func() bool {
		keys, err := r.rdb.Keys(r.b.Context(), jobLists).Result()
		if err != nil {
			r.b.Fatal(err)
		}
		left = 0
		for _, k := range keys {
			left += int(r.rdb.LLen(r.b.Context(), k).Val())
		}
		return left+popped >= sent
	})
	if left+popped != sent {
		r.b.Errorf("%d events were sent, %d arrived", sent, left+popped)
	}
}

// redisCPU is what redis-server has used so far.
func (r *benchRig) redisCPU() time.Duration {
	r.b.Helper()
	info, err := r.rdb.Info(r.b.Context(), "cpu").Result()
	if err != nil {
		r.b.Fatal(err)
	}
	var sum float64
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "used_cpu_sys" || name == "used_cpu_user" {
			s, err := strconv.ParseFloat(value, 64)
			if err != nil {
				r.b.Fatal(err)
			}
			sum += s
		}
	}
	return time.Duration(sum * float64(time.Second))
}
