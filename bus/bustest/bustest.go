// Package bustest gives tests a real bus: an embedded NATS server with JetStream in
// a directory of the test, the topology applied, on a port of its own.
package bustest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"splashtail/bus"
)

// New starts a bus that ends with the test.
func New(t testing.TB) *bus.Bus {
	t.Helper()
	return Open(t, Config(t))
}

// Config is what New starts, for tests that start it twice on one store.
func Config(t testing.TB) bus.Config {
	t.Helper()
	return bus.Config{StoreDir: filepath.Join(t.TempDir(), "nats"), Addr: "127.0.0.1:0", MaxStore: 8 << 30}
}

// Open starts a bus with a config of the test's; it ends with the test unless the
// test closed it before.
func Open(t testing.TB, cfg bus.Config) *bus.Bus {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	b, err := bus.Open(ctx, cfg, Log(t))
	if err != nil {
		t.Fatalf("opening the bus: %v", err)
	}
	t.Cleanup(func() { Close(t, b) })
	return b
}

// Close ends a bus; a second call does nothing.
func Close(t testing.TB, b *bus.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Errorf("closing the bus: %v", err)
	}
}

// Log hands log lines to the test; to a benchmark only warnings, since it prints them
// among its results.
func Log(t testing.TB) *slog.Logger {
	level := slog.LevelInfo
	if _, ok := t.(*testing.B); ok {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(writer{t}, &slog.HandlerOptions{Level: level}))
}

type writer struct{ t testing.TB }

func (w writer) Write(p []byte) (int, error) {
	// A line that comes after the test's end has nowhere to go.
	defer func() { _ = recover() }()
	w.t.Logf("%s", p)
	return len(p), nil
}
