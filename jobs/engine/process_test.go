package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/seal"
	"splashtail/internal/secret"
	"splashtail/jobs/engine"
	"splashtail/jobs/work"
)

// workerOrTests lets the test binary be a worker process of its own, which can be killed and stopped.
func workerOrTests(m *testing.M) {
	if url := os.Getenv("JOBS_TEST_WORKER"); url != "" {
		if err := workProcess(url); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// workProcess works on jobs until its standard input ends. Its kind notes five acts; it tells of each on its output, and
// waits for a line of input before the next.
func workProcess(url string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b, err := bus.Open(ctx, bus.Config{URL: url, Plan: &bus.Plan{}}, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	lines := make(chan string)
	go func() {
		in := bufio.NewScanner(os.Stdin)
		for in.Scan() {
			lines <- in.Text()
		}
		os.Exit(0) // the test has ended
	}()
	do := func(ctx context.Context, _ act, r work.Run) error {
		for i := range 5 {
			key := fmt.Sprint("act-", i)
			if had, err := r.Noted(key, nil); err != nil || had {
				continue
			}
			fmt.Println("act", i)
			<-lines
			err := r.Note(ctx, key, os.Getpid())
			fmt.Println("noted", i, errors.Is(err, work.ErrLost))
			if err != nil {
				return err
			}
		}
		return r.Outcome(os.Getpid())
	}
	s, err := seal.Open(secret.New(strings.Repeat("07", 32)), "")
	if err != nil {
		return err
	}
	e, err := engine.New(engine.Config{Instance: fmt.Sprint("p", os.Getpid()), Sealer: s, Timing: fast(), Workers: 1,
		Kinds: []engine.Kind{{Name: kindSole, Sole: true, Lane: "guild", Queue: bus.JobsLow, Make: func() work.Work { return &act{do: do} }}}}, b, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return e.Run(ctx)
}

// process is a worker in a process of its own.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

func (r *rig) process() *process {
	r.t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOBS_TEST_WORKER="+r.b.URL())
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return &process{r.t, cmd, in, bufio.NewScanner(out)}
}

func (p *process) reads() string {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("the worker said nothing more: %v", p.out.Err())
	}
	return p.out.Text()
}

func (p *process) expect(text string) {
	p.t.Helper()
	if got := p.reads(); got != text {
		p.t.Fatalf("the worker said %q, want %q", got, text)
	}
}

func (p *process) goOn() {
	p.t.Helper()
	if _, err := fmt.Fprintln(p.in, "go on"); err != nil {
		p.t.Fatal(err)
	}
}

// Acceptance check 21, J9: a worker that is killed at any act is replaced, and what it had noted is not done again.
func TestAKilledWorkerIsReplacedBehindItsLastNote(t *testing.T) {
	r := newRig(t, nil)
	p := r.process()
	r.submitByHand(5)
	var killed time.Time
	for i := range 5 {
		p.expect(fmt.Sprint("act ", i))
		// The timings of tests are a fifth of the real ones, of which 15 s is the bound.
		if took := time.Since(killed); i > 0 && took > 3*time.Second {
			t.Errorf("it was taken over after %v", took)
		}
		if i == 3 {
			break
		}
		p.goOn()
		p.expect(fmt.Sprint("noted ", i, " false"))
		next := r.process()
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		killed, p = time.Now(), next
	}
	for i := 3; i < 5; i++ {
		p.goOn()
		p.expect(fmt.Sprint("noted ", i, " false"))
		if i < 4 {
			p.expect(fmt.Sprint("act ", i+1))
		}
	}
	list, err := r.jobs.List(t.Context(), bus.JobQuery{Guild: 5})
	if err != nil || len(list.Jobs) != 1 {
		t.Fatal(list, err)
	}
	done := r.awaitState(list.Jobs[0], bus.JobCompleted)
	if done.Takeovers != 3 || done.Attempt != 4 || done.Failures != 0 || string(done.Outcome) != fmt.Sprint(p.cmd.Process.Pid) {
		t.Errorf("%+v", done)
	}
}

// A worker that is stopped for longer than its job waits for it comes back and can write nothing.
func TestAPausedWorkerCannotWrite(t *testing.T) {
	r := newRig(t, nil)
	old := r.process()
	r.submitByHand(5)
	old.expect("act 0")
	if err := old.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	fresh := r.process()
	fresh.expect("act 0") // it took the job over
	if err := old.cmd.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	old.goOn()
	old.expect("noted 0 true") // refused, as lost
	for i := range 5 {
		fresh.goOn()
		fresh.expect(fmt.Sprint("noted ", i, " false"))
		if i < 4 {
			fresh.expect(fmt.Sprint("act ", i+1))
		}
	}
	list, err := r.jobs.List(t.Context(), bus.JobQuery{Guild: 5})
	if err != nil || len(list.Jobs) != 1 {
		t.Fatal(list, err)
	}
	done := r.awaitState(list.Jobs[0], bus.JobCompleted)
	var pids []int
	err = bus.ReadAll(t.Context(), r.b, bus.JobNotes(5, done.ID), 0, func(d bus.Delivery[bus.JobNote]) error {
		if d.Value.Key != "" {
			pids = append(pids, d.Value.Attempt)
		}
		return nil
	})
	if want := "[2 2 2 2 2]"; err != nil || fmt.Sprint(pids) != want || string(done.Outcome) != fmt.Sprint(fresh.cmd.Process.Pid) {
		t.Errorf("the notes are of the attempts %v, %v: %+v", pids, err, done)
	}
}

// submitByHand stores a job as a submission does; a process of the tests takes it.
func (r *rig) submitByHand(g bus.GuildID) bus.Job {
	r.t.Helper()
	j := r.leave(bus.Job{Kind: kindSole, Guild: g, State: bus.JobPending})
	if holder, err := bus.PlaceJob(r.t.Context(), r.b, j); err != nil || holder != nil {
		r.t.Fatal(holder, err)
	}
	return j
}
