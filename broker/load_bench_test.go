package broker

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// Benchmarks measure a server whose clients are another process, or the clients would be
// what they measure. That process is this test binary again: TestMain makes it a load
// process when loadEnv is set. It takes orders on its standard input and answers each on
// its standard output, one JSON object a line, and ends with its input.

const loadEnv = "SPLASHTAIL_BENCH_LOAD"

func TestMain(m *testing.M) {
	if os.Getenv(loadEnv) == "" {
		os.Exit(m.Run())
	}
	if err := serveOrders(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "load process:", err)
		os.Exit(1)
	}
}

// loadOrder is what a load process does next.
type loadOrder struct {
	Do string // connect, send, churn, close

	// connect: so many more clients, each with a connect code of its own.
	Addr    string
	Clients int
	Bot     bool // each tells the id of a Discord bot

	// send: events spread evenly over time and clients, while every client pings.
	For       time.Duration
	Rate      float64       // events per second of all clients together; 0: only pings
	PingEvery time.Duration // of one client
	Redis     string        // where Sample clients' lists are popped
	Sample    int

	// churn: so many connections per second (Rate, For) that come, say who they are, and leave.
}

// loadReport is what came of it. Times are as the load process saw them.
type loadReport struct {
	Error string

	Sent, Pings, Pongs, Lost int           // Lost: connections that the server ended
	Seen, Unseen, Misordered int           // events of the sampled clients
	P50, P99, Max            time.Duration // from an event's write to the moment its element was popped
	Behind                   time.Duration // how late the latest event was sent
	CPU                      time.Duration // of the load process
}

// loadProcess is the parent's end.
type loadProcess struct {
	b   testing.TB
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startLoad(b testing.TB) *loadProcess {
	b.Helper()
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	l := &loadProcess{b: b, cmd: exec.Command(self)}
	l.cmd.Env = append(os.Environ(), loadEnv+"=1")
	l.cmd.Stderr = os.Stderr
	out, err := l.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if l.in, err = l.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	l.out = json.NewDecoder(out)
	b.Cleanup(l.end)
	return l
}

// do gives an order and waits until it is carried out.
func (l *loadProcess) do(o loadOrder) loadReport {
	l.b.Helper()
	if err := json.NewEncoder(l.in).Encode(o); err != nil {
		l.b.Fatalf("the load process takes no orders: %v", err)
	}
	var r loadReport
	if err := l.out.Decode(&r); err != nil {
		l.b.Fatalf("the load process did not report: %v", err)
	}
	if r.Error != "" {
		l.b.Fatalf("the load process could not %s: %s", o.Do, r.Error)
	}
	return r
}

// end closes all connections of the load process by its end. A second call does nothing.
func (l *loadProcess) end() {
	if l.in.Close() == nil {
		_ = l.cmd.Wait() // how it ended changes no figure
	}
}

// serveOrders is the load process.
func serveOrders(in io.Reader, out io.Writer) error {
	var all crowd
	orders, answers := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var o loadOrder
		if err := orders.Decode(&o); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		before := cpuTime()
		r, err := all.carryOut(o)
		if err != nil {
			r.Error = err.Error()
		}
		r.CPU = cpuTime() - before
		if err := answers.Encode(r); err != nil {
			return err
		}
	}
}

// cpuTime is what this process has used so far.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
