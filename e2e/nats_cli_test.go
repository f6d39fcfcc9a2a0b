package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
)

// natsPage is the page whose commands are run.
const natsPage = "../docs/nats.md"

// TestNATSPageRunsAsItStands runs every command of docs/nats.md with the stock nats CLI, in one shell and in the order of
// the page, against a splashtail whose scene is being played, and compares what is printed with what the page says.
func TestNATSPageRunsAsItStands(t *testing.T) {
	page, err := os.ReadFile(natsPage)
	if err != nil {
		t.Fatal(err)
	}
	steps := pageSteps(t, string(page))
	if len(steps) < 10 {
		t.Fatalf("only %d steps were found on the page, which promises ten things", len(steps))
	}
	cli := buildNATSCLI(t)
	s := onFreePorts(t)
	startScene(t, s)
	empty := onFreePorts(t) // where a backup is restored to
	start(t, "nats", empty)
	b := bustest.Open(t, bus.Config{URL: s.nats()})
	awaitMutes(t, b)
	parkOne(t, b)

	printed := runPage(t, steps, filepath.Dir(cli), s.nats(), empty.nats())
	for i, step := range steps {
		if i >= len(printed) {
			t.Fatalf("the shell ended before step %d (%s)", i+1, step.heading)
		}
		if missing := step.missing(printed[i]); missing != "" {
			t.Errorf("%s: the page says that this is printed:\n%s\nand this line is missing:\n%s\nin\n%s", step.heading, strings.Join(step.prints, "\n"), missing, printed[i])
		}
	}
}

// pageStep is a block of commands with what the page says they print.
type pageStep struct {
	heading  string
	commands string
	prints   []string
}

// pageSteps takes the blocks marked sh, each with the block marked text after it.
func pageSteps(t *testing.T, page string) []pageStep {
	t.Helper()
	var steps []pageStep
	heading, block, kind := "", []string(nil), ""
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case kind == "" && strings.HasPrefix(line, "## "):
			heading = strings.TrimPrefix(line, "## ")
		case kind == "" && strings.HasPrefix(line, "```"):
			kind, block = strings.TrimPrefix(line, "```"), nil
		case kind != "" && line == "```":
			switch kind {
			case "sh":
				steps = append(steps, pageStep{heading: heading, commands: strings.Join(block, "\n")})
			case "text":
				steps[len(steps)-1].prints = block
			default:
				t.Fatalf("%s: a block is marked %q, which is neither sh nor text", heading, kind)
			}
			kind = ""
		case kind != "":
			block = append(block, line)
		}
	}
	for _, step := range steps {
		if len(step.prints) == 0 {
			t.Fatalf("%s: the page does not say what its commands print", step.heading)
		}
	}
	return steps
}

// missing returns the first line of the page that is not among the printed ones; empty if all are. Each printed line counts
// once. On the page … stands for anything, and a space for any number of them.
func (p pageStep) missing(printed string) string {
	lines := strings.Split(printed, "\n")
	for i := range lines {
		lines[i] = plainSpaces(lines[i])
	}
	for _, want := range p.prints {
		parts := strings.Split(plainSpaces(want), "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		at := slices.IndexFunc(lines, regexp.MustCompile("^"+strings.Join(parts, ".*")+"$").MatchString)
		if at < 0 {
			return want
		}
		lines = slices.Delete(lines, at, at+1)
	}
	return ""
}

func plainSpaces(line string) string { return strings.Join(strings.Fields(line), " ") }

func TestPageLinesAreMatchedAsWritten(t *testing.T) {
	step := pageStep{prints: []string{`│ PARKED │ … │ 0 │`, `{"v":1,…}`, `{"v":1,…}`}}
	for printed, missing := range map[string]string{
		"{\"v\":1,\"x\":2}\n│ PARKED   │ File │ 0 │\nmore\n{\"v\":1,\"x\":2}": "",
		"│ PARKED   │ File │ 1 │\n{\"v\":1,\"x\":2}":                          step.prints[0],
		"│ PARKED │ File │ 0 │\n{\"v\":1,\"x\":2}":                            step.prints[2],
		"│ PARKED │ File │ 0 │ 5 │\n{\"v\":1,\"x\":2}":                        step.prints[0],
		"": step.prints[0],
	} {
		if got := step.missing(printed); got != missing {
			t.Errorf("in %q %q is missing, want %q", printed, got, missing)
		}
	}
}

// runPage runs the steps in one shell and returns what each printed. A command that fails ends the shell and the test.
func runPage(t *testing.T, steps []pageStep, binDir, natsURL, restored string) []string {
	t.Helper()
	const mark = "=== next step ==="
	var script strings.Builder
	script.WriteString("set -eu\nset -o pipefail\nexec 2>&1\n")
	for _, step := range steps {
		script.WriteString("echo '" + mark + "'\n" + step.commands + "\n")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", script.String())
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"PATH=" + binDir + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "NATS_URL=" + natsURL, "RESTORED=" + restored}
	out, err := cmd.CombinedOutput()
	printed := strings.Split(string(out), mark+"\n")[1:]
	if err != nil {
		last := max(len(printed), 1)
		t.Fatalf("a command of step %d (%s) failed: %v\n%s\nit printed\n%s", last, steps[last-1].heading, err, steps[last-1].commands, printed[last-1])
	}
	return printed
}

// buildNATSCLI builds the stock CLI from its own module. The compiler keeps what it has done: the first time takes a minute
// or two, later ones seconds.
func buildNATSCLI(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "nats")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-C", "natscli", "-o", path, "github.com/nats-io/natscli/nats")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the nats CLI cannot be built: %v\n%s", err, out)
	}
	return path
}

// startScene starts everything in one process, with the stand-ins and a round that plays by itself.
func startScene(t *testing.T, s settings) {
	t.Helper()
	start(t, "up", s.with(settings{"DISCORD_BOT_TOKEN": "", "DISCORD_API_URL": ""}), "--scene")
}

// awaitMutes returns when the scene has muted somebody, and so every bucket has something to show.
func awaitMutes(t *testing.T, b *bus.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	store, err := bus.OpenRecords(ctx, b, bus.VoiceRecords())
	if err != nil {
		t.Fatal(err)
	}
	muted := errors.New("somebody is muted")
	err = store.Watch(ctx, ">", func(e bus.Entry[bus.VoiceRecord], live bool) error {
		if !live && e.Value.Applied != nil {
			return muted
		}
		return nil
	})
	if !errors.Is(err, muted) {
		t.Fatalf("the scene muted nobody: %v", err)
	}
}

// parkOne has a message parked that no handler can take.
func parkOne(t *testing.T, b *bus.Bus) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	code, err := bus.ParseConnectCode("0DD0DD00")
	if err != nil {
		t.Fatal(err)
	}
	event := bus.CaptureEvent{V: 1, Code: code, Kind: bus.CaptureState, Payload: "0", At: time.Now().UTC()}
	if _, err := bus.Publish(ctx, b, bus.CaptureSubject(code, bus.CaptureState), event); err != nil {
		t.Fatal(err)
	}
	reader, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		ended <- bus.Consume(reader, b, bus.Durable{Name: "page"}, bus.CaptureOf(bus.CaptureState),
			func(d bus.Delivery[bus.CaptureEvent]) string { return d.Subject },
			func(_ context.Context, d bus.Delivery[bus.CaptureEvent]) error {
				if d.Value.Code == code {
					return bus.Errorf(bus.CodeInvalid, "no_such_game", "nobody plays under this code")
				}
				return nil
			})
	}()
	parked := errors.New("it is parked")
	err = bus.Follow(ctx, b, bus.Follower{}, bus.AllParked(), 1, func(_ context.Context, got []bus.Delivery[bus.Parked]) error {
		for _, d := range got {
			var back bus.CaptureEvent
			if d.Value.Reason == "no_such_game" && json.Unmarshal(bytes.TrimSpace(d.Value.Data), &back) == nil && back.Code == code {
				return parked
			}
		}
		return nil
	})
	stop()
	if !errors.Is(err, parked) {
		t.Fatalf("nothing was parked: %v", err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}
