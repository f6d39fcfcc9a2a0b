package bus_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

func open(t *testing.T, cfg bus.Config) (*bus.Bus, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return bus.Open(ctx, cfg, bustest.Log(t))
}

func TestStoreHasOneProcess(t *testing.T) {
	cfg := bustest.Config(t)
	bustest.Open(t, cfg)
	_, err := open(t, cfg)
	if e := bus.AsError(err); e == nil || e.Reason != "store_locked" || !strings.Contains(e.Message, fmt.Sprint(os.Getpid())) {
		t.Errorf("a second one on the same store: %v", err)
	}
}

func TestRestartKeepsWhatWasStored(t *testing.T) {
	cfg := bustest.Config(t)
	b := bustest.Open(t, cfg)
	publishN(t, b, "AAAAAAAA", 0, 10)
	before, err := bus.InfoOf(t.Context(), b, bus.AllCapture())
	if err != nil {
		t.Fatal(err)
	}
	bustest.Close(t, b)
	b = bustest.Open(t, cfg)
	if b.UncleanStart() {
		t.Error("a clean stop counts as unclean")
	}
	after, err := bus.InfoOf(t.Context(), b, bus.AllCapture())
	if err != nil || after != before || after.Last != 10 {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
}

func TestBusyPortAndBadAddressesAreSaidClearly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for addr, want := range map[string]string{
		l.Addr().String():  "address already in use",
		"127.0.0.1":        "NATS_ADDR",
		"127.0.0.1:99999":  "NATS_ADDR",
		"127.0.0.1:x":      "NATS_ADDR",
		"0.0.0.0:0":        "NATS_PASSWORD",
		":4222":            "NATS_PASSWORD",
		"192.168.1.1:4222": "NATS_PASSWORD",
	} {
		cfg := bustest.Config(t)
		cfg.Addr = addr
		b, err := open(t, cfg)
		if err == nil {
			bustest.Close(t, b)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to name %s", addr, err, want)
		}
		// The store is free again after a start that failed.
		cfg.Addr = "127.0.0.1:0"
		bustest.Close(t, bustest.Open(t, cfg))
	}
}

func TestStoreThatCannotBeWrittenIsSaidClearly(t *testing.T) {
	cfg := bustest.Config(t)
	if err := os.WriteFile(filepath.Join(filepath.Dir(cfg.StoreDir), "nats"), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, cfg); err == nil || !strings.Contains(err.Error(), "NATS_STORE_DIR") {
		t.Errorf("a file where the directory should be: %v", err)
	}
}

func TestJoinAServerByURL(t *testing.T) {
	server := bustest.New(t)
	cfg := bus.Config{URL: server.URL()}
	b := bustest.Open(t, cfg)
	if b.Embedded() {
		t.Error("a joined server counts as embedded")
	}
	publishN(t, b, "AAAAAAAA", 0, 1)
	if err := b.Ready(t.Context()); err != nil {
		t.Error(err)
	}
	if info, err := bus.InfoOf(t.Context(), server, bus.AllCapture()); err != nil || info.Last != 1 {
		t.Errorf("the server holds %+v, %v", info, err)
	}
}

func TestPasswordKeepsStrangersOut(t *testing.T) {
	cfg := bustest.Config(t)
	cfg.Auth = func() (string, string) { return "ops", "s3cret" }
	b := bustest.Open(t, cfg)
	publishN(t, b, "AAAAAAAA", 0, 1)
	if strings.Contains(fmt.Sprintf("%+v", cfg), "s3cret") {
		t.Error("a printed config shows the password")
	}
	if _, err := open(t, bus.Config{URL: b.URL()}); err == nil {
		t.Error("a stranger was let in")
	}
	bustest.Open(t, bus.Config{URL: b.URL(), Auth: cfg.Auth})
}

func TestOpenWaitsNoLongerThanItsContext(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := bus.Open(ctx, bus.Config{URL: "nats://127.0.0.1:1"}, bustest.Log(t))
	if e := bus.AsError(err); e == nil || e.Reason != "nats_unreachable" || !strings.Contains(e.Message, "NATS_URL") {
		t.Errorf("got %v", err)
	}
}
