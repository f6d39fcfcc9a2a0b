package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/ops"
)

// screen is what a process prints, with a way to wait for a text.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
	more chan struct{} // closed and replaced at each Write
}

func newScreen() *screen { return &screen{more: make(chan struct{})} }

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.more)
	s.more = make(chan struct{})
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// wait returns the submatches of the first match of pattern, once it is there.
func (s *screen) wait(t *testing.T, pattern string) []string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.After(20 * time.Second)
	for {
		s.mu.Lock()
		m, more := re.FindStringSubmatch(s.text.String()), s.more
		s.mu.Unlock()
		if m != nil {
			return m
		}
		select {
		case <-more:
		case <-deadline:
			t.Fatalf("%q was never printed; all there is:\n%s", pattern, s)
		}
	}
}

// process is a running splashtail inside the test.
type process struct {
	out     *screen // stdout and stderr
	signals chan os.Signal
	code    chan int
}

// launch runs splashtail with components of the test on free ports and a store of its own.
func launch(t *testing.T, bound time.Duration, list []component, args ...string) *process {
	t.Helper()
	clean(t)
	p := &process{out: newScreen(), signals: make(chan os.Signal, 2), code: make(chan int, 1)}
	store := t.TempDir()
	args = append([]string{args[0], "--ops-addr=127.0.0.1:0", "--nats-addr=127.0.0.1:0", "--nats-store-dir=" + store}, args[1:]...)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.code <- program{args: args, stdout: p.out, stderr: p.out, signals: p.signals, components: list, bound: bound}.run()
	}()
	t.Cleanup(func() {
		select {
		case <-ended:
		default:
			p.signals <- syscall.SIGTERM
			<-ended
		}
		awaitStoreFree(t, store)
	})
	return p
}

// awaitStoreFree waits until the bus has left its directory: after a forced end it goes on draining behind the test,
// where a real process would be gone.
func awaitStoreFree(t *testing.T, store string) {
	if _, err := os.Stat(filepath.Join(store, "splashtail.lock")); err != nil {
		return // the bus was never here
	}
	tick, deadline := time.NewTicker(5*time.Millisecond), time.After(20*time.Second)
	defer tick.Stop()
	for {
		if _, err := os.Stat(filepath.Join(store, "splashtail.clean")); err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("the bus never left its store")
		}
	}
}

func (p *process) exit(t *testing.T, want exitCode) {
	t.Helper()
	select {
	case code := <-p.code:
		if code != int(want) {
			t.Errorf("exit code %d, want %d\n%s", code, want, p.out)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("still running:\n%s", p.out)
	}
}

// fake is a component whose steps the test decides.
type fake struct {
	ready chan struct{}
	run   func(ctx context.Context) error
}

func (f *fake) Ready() <-chan struct{}        { return f.ready }
func (f *fake) Addr() string                  { return "127.0.0.1:0" }
func (f *fake) Run(ctx context.Context) error { return f.run(ctx) }

// fakeComponent is ready at once and then runs run.
func fakeComponent(name string, tier int, run func(ctx context.Context) error) component {
	return component{name: name, does: "nothing", tier: tier,
		door: door{setting: "BROKER_PORT", addr: func(*Settings) string { return "127.0.0.1:0" }, whose: "nobody"},
		make: func(house, *bus.Bus, *slog.Logger) (service, error) {
			open := make(chan struct{})
			close(open)
			return &fake{open, run}, nil
		}}
}

func untilAsked(ctx context.Context) error { <-ctx.Done(); return nil }

func TestATermSignalDrainsInOrderAndExitsWithZero(t *testing.T) {
	p := launch(t, 0, []component{fakeComponent("second", 1, untilAsked), fakeComponent("first", 0, untilAsked)}, "up")
	p.out.wait(t, `is up`)
	p.signals <- syscall.SIGTERM
	p.exit(t, exitOK)
	p.out.wait(t, `(?s)draining, for at most 15s.*stopped.*component=first.*stopping.*component=second.*stopped.*component=bus.*everything drained`)
}

func TestASecondSignalForces(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	p := launch(t, time.Minute, []component{fakeComponent("stuck", 0, func(ctx context.Context) error {
		<-ctx.Done()
		<-release
		return nil
	})}, "up")
	p.out.wait(t, `is up`)
	p.signals <- syscall.SIGTERM
	p.out.wait(t, `msg=stopping component=stuck`)
	p.signals <- syscall.SIGTERM
	p.exit(t, exitForced)
}

func TestPastTheBoundTheProcessEnds(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	p := launch(t, 50*time.Millisecond, []component{fakeComponent("stuck", 0, func(ctx context.Context) error {
		<-ctx.Done()
		<-release
		return nil
	})}, "up")
	p.out.wait(t, `is up`)
	p.signals <- os.Interrupt
	p.exit(t, exitSlow)
	p.out.wait(t, `splashtail: stuck.*: still running when the bound for stopping passed`)
}

func TestOneFailureEndsTheProcessAndIsNamed(t *testing.T) {
	broke := make(chan struct{})
	p := launch(t, 0, []component{
		fakeComponent("healthy", 0, untilAsked),
		fakeComponent("writer", 1, func(ctx context.Context) error { <-broke; return errors.New("disk full") }),
	}, "up")
	p.out.wait(t, `is up`)
	close(broke)
	p.exit(t, exitFailure)
	p.out.wait(t, `(?m)^splashtail: writer: disk full$`)
	p.out.wait(t, `stopped.*component=healthy`)
}

func TestAComponentThatCannotBeMade(t *testing.T) {
	bad := fakeComponent("odd", 0, untilAsked)
	bad.make = func(house, *bus.Bus, *slog.Logger) (service, error) { return nil, errors.New("no key") }
	p := launch(t, 0, []component{bad}, "up")
	p.exit(t, exitFailure)
	p.out.wait(t, `(?m)^splashtail: odd: no key$`)
}

func TestReadyzSaysWhichConditionFails(t *testing.T) {
	open, release := make(chan struct{}), make(chan struct{})
	slow := fakeComponent("slow", 0, nil)
	slow.make = func(house, *bus.Bus, *slog.Logger) (service, error) {
		return &fake{open, func(ctx context.Context) error { <-ctx.Done(); <-release; return nil }}, nil
	}
	p := launch(t, 0, []component{slow}, "up", "--log-level=debug")
	url := p.out.wait(t, `serves.*component=ops.*addr=(\S+)`)[1]
	p.out.wait(t, `starting.*component=slow`)
	if rep := readyz(t, url, 503); !strings.Contains(fmt.Sprint(rep), "{slow false starting}") || !strings.Contains(fmt.Sprint(rep), "{bus true }") {
		t.Errorf("while starting: %+v", rep)
	}
	close(open)
	p.out.wait(t, `is up`)
	if rep := readyz(t, url, 200); !rep.Ready || len(rep.Conditions) != 3 {
		t.Errorf("when up: %+v", rep)
	}
	p.signals <- syscall.SIGTERM
	p.out.wait(t, `msg=stopping component=slow`)
	if rep := readyz(t, url, 503); !strings.Contains(fmt.Sprint(rep), "the process is stopping") {
		t.Errorf("while stopping: %+v", rep)
	}
	close(release)
	p.exit(t, exitOK)
}

func readyz(t *testing.T, url string, code int) (rep ops.Report) {
	t.Helper()
	resp, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != code {
		t.Fatalf("%d %s %v", resp.StatusCode, body, err)
	}
	if err := json.Unmarshal(body, &rep); err != nil {
		t.Fatal(err)
	}
	return rep
}

func TestTakenPortsAreNamedAllAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	k := fakeComponent("broker", 0, untilAsked)
	k.door.addr = func(*Settings) string { return taken }
	clean(t)
	out := newScreen()
	code := program{args: []string{"up", "--ops-addr=" + taken, "--nats-addr=" + taken, "--nats-store-dir=" + t.TempDir()},
		stdout: out, stderr: out, components: []component{k}}.run()
	if code != int(exitFailure) {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"OPS_ADDR", "NATS_ADDR", "BROKER_PORT"} {
		out.wait(t, name+`: `+taken+` is in use by another process`)
	}
}

func TestAStoreInUseIsNamed(t *testing.T) {
	dir := t.TempDir()
	first := launch(t, 0, nil, "nats", "--nats-store-dir="+dir)
	first.out.wait(t, `is up`)
	second := launch(t, 0, nil, "nats", "--nats-store-dir="+dir)
	second.exit(t, exitFailure)
	second.out.wait(t, `splashtail: bus: .*`+regexp.QuoteMeta(dir))
}

func TestProcessesShareABus(t *testing.T) {
	first := launch(t, 0, nil, "nats")
	url := first.out.wait(t, `nats +(nats://\S+)`)[1]
	second := launch(t, 0, []component{fakeComponent("guest", 0, untilAsked)}, "up", "--nats-url="+url)
	second.out.wait(t, `is up`)
	second.signals <- syscall.SIGTERM
	second.exit(t, exitOK)
	first.signals <- syscall.SIGTERM
	first.exit(t, exitOK)
}

func TestStandInsAreAnnouncedOnce(t *testing.T) {
	var built house
	k := fakeComponent("probe", 0, untilAsked)
	make := k.make
	k.make = func(h house, b *bus.Bus, log *slog.Logger) (service, error) { built = h; return make(h, b, log) }
	p := launch(t, 0, []component{k}, "up")
	p.out.wait(t, `is up`)
	for _, name := range []string{"DISCORD_BOT_TOKEN replaces it", "REDIS_ADDR replaces it"} {
		if n := strings.Count(p.out.String(), name); n != 1 {
			t.Errorf("%q stands %d times in\n%s", name, n, p.out)
		}
	}
	if built.redisAddr == "" || built.primary.IsZero() || len(built.workers) != 2 || !strings.HasPrefix(built.discordAPI, "http://127.0.0.1:") {
		t.Errorf("components were built with %+v", built)
	}
	for _, token := range append(built.workers, built.primary) {
		if strings.Contains(p.out.String(), token.Reveal()) {
			t.Error("a token was printed")
		}
	}
}

func TestNoStandInWhenSet(t *testing.T) {
	p := launch(t, 0, []component{fakeComponent("probe", 0, untilAsked)}, "up", "--discord-bot-token=a.b.c", "--redis-addr=127.0.0.1:1")
	p.out.wait(t, `is up`)
	if strings.Contains(p.out.String(), "stand-in") || strings.Contains(p.out.String(), "sandbox") {
		t.Errorf("got\n%s", p.out)
	}
}
