// Package jobsbench runs the same jobs through splashtail's engine and through asynq, in one process and one run: how
// long from the submission to the start when nothing else is to do, and how many jobs a second when much is.
//
// Run it with JOBS_BENCH=1; without that it does a little of everything, as a test that it still works.
package jobsbench

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/redistest"
	"splashtail/internal/seal"
	"splashtail/internal/secret"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// side is one of the two.
type side struct {
	name   string
	submit func(ctx context.Context, id string) error
	stop   func()
}

// nothing is a job that does nothing but say that it has begun.
type nothing struct {
	ID   string `json:"id"`
	tell func(id string)
}

func (n *nothing) Check() error                        { return nil }
func (n *nothing) Run(context.Context, work.Run) error { n.tell(n.ID); return nil }

func ours(t *testing.T, workers int, tell func(string)) side {
	b := bustest.New(t)
	s, err := seal.Open(secret.New(strings.Repeat("07", 32)), "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.Config{Workers: workers, Instance: "one", Sealer: s,
		Kinds: []engine.Kind{{Name: "nothing", Make: func() work.Work { return &nothing{tell: tell} }}}}, b, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	<-e.Ready()
	return side{"splashtail, synced to disk", func(ctx context.Context, id string) error {
		_, err := e.Submit(ctx, bus.JobSubmit{Kind: "nothing", Guild: 1, Args: []byte(`{"id":"` + id + `"}`)})
		return err
	}, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}}
}

type quiet struct{}

func (quiet) Debug(...any) {}
func (quiet) Info(...any)  {}
func (quiet) Warn(...any)  {}
func (quiet) Error(...any) {}
func (quiet) Fatal(...any) {}

func theirs(t *testing.T, workers int, fsync string, tell func(string)) side {
	r := redistest.Start(t, "--appendonly", "yes", "--appendfsync", fsync)
	opt := asynq.RedisClientOpt{Addr: r.Addr()}
	client := asynq.NewClient(opt)
	srv := asynq.NewServer(opt, asynq.Config{Concurrency: workers, Logger: quiet{}})
	err := srv.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error { tell(string(task.Payload())); return nil }))
	if err != nil {
		t.Fatal(err)
	}
	return side{"asynq, appendfsync " + fsync, func(ctx context.Context, id string) error {
		_, err := client.EnqueueContext(ctx, asynq.NewTask("nothing", []byte(id)))
		return err
	}, func() { srv.Shutdown(); client.Close() }}
}

func TestSideBySide(t *testing.T) {
	single, many := 5, 100
	if os.Getenv("JOBS_BENCH") != "" {
		single, many = 30, 3000
	}
	var out strings.Builder
	fmt.Fprintf(&out, "| engine | workers | submit to start p50 | p99 | jobs/s |\n|---|---|---|---|---|\n")
	for _, workers := range []int{10, 50} {
		for _, start := range []func(func(string)) side{
			func(tell func(string)) side { return ours(t, workers, tell) },
			func(tell func(string)) side { return theirs(t, workers, "always", tell) },
			func(tell func(string)) side { return theirs(t, workers, "everysec", tell) },
		} {
			measure(t, &out, workers, single, many, start)
		}
	}
	t.Logf("\n%s", out.String())
}

func measure(t *testing.T, out io.Writer, workers, single, many int, start func(func(string)) side) {
	var begun atomic.Int64
	var all sync.WaitGroup
	one := make(chan time.Time, 1)
	s := start(func(id string) {
		if strings.HasPrefix(id, "one") {
			one <- time.Now()
			return
		}
		begun.Add(1)
		all.Done()
	})
	defer s.stop()
	var waits []time.Duration
	for i := range single {
		at := time.Now()
		if err := s.submit(t.Context(), "one"+strconv.Itoa(i)); err != nil {
			t.Fatal(err)
		}
		waits = append(waits, (<-one).Sub(at))
	}
	slices.Sort(waits)
	all.Add(many)
	at := time.Now()
	var clients sync.WaitGroup
	for c := range 16 {
		clients.Go(func() {
			for i := c; i < many; i += 16 {
				if err := s.submit(t.Context(), "m"+strconv.Itoa(i)); err != nil {
					t.Error(err)
					all.Done()
				}
			}
		})
	}
	clients.Wait()
	all.Wait()
	fmt.Fprintf(out, "| %s | %d | %v | %v | %.0f |\n", s.name, workers, waits[len(waits)/2].Round(10*time.Microsecond), waits[(len(waits)*99)/100].Round(10*time.Microsecond), float64(begun.Load())/time.Since(at).Seconds())
}
