package ops_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"splashtail/internal/ops"
)

// start runs a server on a free port until the test ends and returns its base URL.
func start(t *testing.T, b *ops.Board, g prometheus.Gatherer) string {
	t.Helper()
	s, err := ops.New(ops.Config{Addr: "127.0.0.1:0", Version: "v1", Board: b, Metrics: g}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-ended:
		t.Fatalf("Run ended: %v", err)
	}
	return "http://" + s.Addr().String()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestReadinessFollowsTheConditions(t *testing.T) {
	b := ops.NewBoard()
	url := start(t, b, prometheus.NewRegistry())
	if code, body := get(t, url+"/readyz"); code != 503 {
		t.Errorf("an empty board is not ready; got %d %s", code, body)
	}
	b.Fail("redis", "127.0.0.1:6379 refused the connection")
	b.Set("bus", func(context.Context) error { return nil })
	b.Set("odd", func(context.Context) error { panic("nil map") })
	code, body := get(t, url+"/readyz")
	var rep ops.Report
	if err := json.Unmarshal([]byte(body), &rep); err != nil {
		t.Fatal(err)
	}
	want := []ops.State{{Name: "bus", OK: true}, {Name: "odd", Reason: "the check itself broke: nil map"},
		{Name: "redis", Reason: "127.0.0.1:6379 refused the connection"}}
	if code != 503 || rep.Ready || !slices.Equal(rep.Conditions, want) {
		t.Errorf("%d %s", code, body)
	}
	hold := func(context.Context) error { return nil }
	b.Set("redis", hold)
	b.Set("odd", hold)
	if code, body := get(t, url+"/readyz"); code != 200 {
		t.Errorf("%d %s", code, body)
	}
}

func TestHealthMetricsAndTheRest(t *testing.T) {
	reg := prometheus.NewRegistry()
	n := prometheus.NewCounter(prometheus.CounterOpts{Name: "splashtail_things_total", Help: "Things."})
	reg.MustRegister(n)
	n.Add(3)
	url := start(t, ops.NewBoard(), reg)
	for path, want := range map[string]string{
		"/healthz": `"version": "v1"`,
		"/metrics": "splashtail_things_total 3",
		"/":        "/readyz",
	} {
		if code, body := get(t, url+path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	if code, _ := get(t, url+"/nothing"); code != 404 {
		t.Errorf("/nothing: %d", code)
	}
	resp, err := http.Post(url+"/healthz", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 405 {
		t.Errorf("POST /healthz: %d", resp.StatusCode)
	}
}

func TestABusyAddressIsAnErrorAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s, err := ops.New(ops.Config{Addr: l.Addr().String(), Board: ops.NewBoard(), Metrics: prometheus.NewRegistry()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Run = %v", err)
	}
}

func TestASilentConditionDoesNotHoldTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := ops.NewBoard()
		b.Set("stuck", func(context.Context) error { <-time.After(time.Hour); return nil })
		b.Set("fine", func(context.Context) error { return nil })
		b.Set("asked", func(ctx context.Context) error { <-ctx.Done(); return errors.New("gave up") })
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		rep := b.Check(ctx)
		if rep.Ready || len(rep.Conditions) != 3 || !rep.Conditions[1].OK || rep.Conditions[2].Reason != "no answer in time" {
			t.Errorf("%+v", rep)
		}
		<-time.After(2 * time.Hour) // the stuck check ends inside the bubble
	})
}
