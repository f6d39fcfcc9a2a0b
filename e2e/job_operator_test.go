package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/internal/sandbox"
)

// yard is a guild with five messages, a worker on jobs beside it, and an operator with a command line.
type yard struct {
	cli
	d                    *sandbox.Discord
	jobs                 *bus.Jobs
	guild, channel, role sandbox.ID
	owner                sandbox.ID
	nats, worker         *program
}

func newYard(t *testing.T) *yard {
	t.Helper()
	d, _, s := startDiscord(t, sandbox.Config{Limits: boundless()})
	app := must(d.AddApplication(sandbox.ApplicationSpec{Name: "splashtail", MessageContentIntent: true}))(t)
	y := &yard{d: d, owner: must(d.AddUser("Olga"))(t)}
	y.guild = must(d.AddGuild("Skeld", y.owner))(t)
	y.role = must(d.AddRole(y.guild, "splashtail", sandbox.ViewChannel|sandbox.ReadMessageHistory|sandbox.ManageMessages))(t)
	y.channel = must(d.AddChannel(y.guild, "general", sandbox.TextChannel))(t)
	noError(t, d.AddMember(y.guild, app.ID, y.role))
	s = onFreePorts(t).with(s).with(settings{"DISCORD_BOT_TOKEN": app.Token})
	y.nats = start(t, "nats", s)
	apart := s.with(settings{"NATS_URL": s.nats(), "OPS_ADDR": freeAddr(t), "JOBS_IPC_ADDR": freeAddr(t), "JOBS_IPC_SECRETS": "api=a-secret-of-the-api-0123456789",
		"SEAL_KEY": strings.Repeat("07", 32)})
	y.worker = start(t, "jobs", apart)
	y.cli = cli{t: t, dir: t.TempDir(), env: apart}
	y.jobs = openJobs(t, s.nats())
	y.say(5)
	return y
}

func (y *yard) say(n int) {
	y.t.Helper()
	for range n {
		must(y.d.As(y.owner).Send(y.channel, "x"))(y.t)
	}
}

// prune submits a job that deletes three messages.
func (y *yard) prune(at time.Time) bus.Job {
	y.t.Helper()
	return must(y.jobs.Submit(y.t.Context(), bus.JobSubmit{Kind: bus.JobMessagePrune, Guild: bus.GuildID(y.guild), By: 7, At: at, Args: []byte(`{"max_messages":3}`)}))(y.t)
}

// reads counts how often messages were read.
func (y *yard) reads() (n int) {
	for _, r := range y.d.Requests(0, 0) {
		if r.Method == "GET" && strings.HasSuffix(r.Path, "/messages") {
			n++
		}
	}
	return n
}

// says wants a command to succeed and to say all texts.
func (y *yard) says(args []string, texts ...string) string {
	y.t.Helper()
	out := y.ok(args...)
	for _, text := range texts {
		if !strings.Contains(out, text) {
			y.t.Errorf("%v says %q, want %q in it", args, out, text)
		}
	}
	return out
}

// refuses wants a command to end with an exit code, a sentence and nothing on its output.
func (y *yard) refuses(code int, text string, args ...string) {
	y.t.Helper()
	out, errs, err := y.do(args...)
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != code || out != "" || !strings.HasPrefix(errs, "splashtail: ") || !strings.Contains(errs, text) {
		y.t.Errorf("%v ends with %v and says %q and %q, want %d and %q", args, err, out, errs, code, text)
	}
}

// A job that Discord refuses a step is parked; the operator reads where and why, mends the cause, and it goes on from that step.
func TestAParkedJobIsRetriedFromItsStep(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	noError(t, y.d.SetOverwrite(y.guild, y.channel, y.role, sandbox.Overwrite{Deny: sandbox.ManageMessages}))
	id := y.prune(time.Time{}).ID
	y.says([]string{"job", "log", id}, "running\n", "failed: in the channel "+y.channel.String())
	y.says([]string{"job", "list", "--state", "failed"}, id, "message-prune", "delete in the channel "+y.channel.String())
	var parked bus.Job
	noError(t, json.Unmarshal([]byte(y.ok("job", "show", id)), &parked))
	if parked.State != bus.JobFailed || parked.Error.Step != "delete" || parked.Attempt != 1 || len(parked.Tries) != 1 || !strings.Contains(parked.Tries[0].Result, "failed") {
		t.Errorf("show tells %+v", parked)
	}

	noError(t, y.d.SetOverwrite(y.guild, y.channel, y.role, sandbox.Overwrite{}))
	y.say(1) // what comes later was not meant
	read := y.reads()
	y.says([]string{"job", "retry", id, "--reason", "the role may delete now"}, id+" is pending\n")
	y.says([]string{"job", "log", id}, "completed\n", "deleted 3 messages")
	if all := y.d.Messages(y.channel); len(all) != 3 || y.reads() != read {
		t.Errorf("%d messages are left, want 3; they were read %d times again", len(all), y.reads()-read)
	}
	var done bus.Job
	noError(t, json.Unmarshal([]byte(y.ok("job", "show", id)), &done))
	if done.State != bus.JobCompleted || done.Attempt != 2 || done.Error != nil {
		t.Errorf("show tells %+v", done)
	}
	// Who reads on behind a line is not told it again.
	var lines []bus.JobLine
	for text := range strings.Lines(y.ok("job", "log", id, "--json")) {
		var l bus.JobLine
		noError(t, json.Unmarshal([]byte(text), &l))
		lines = append(lines, l)
	}
	if last := len(lines) - 1; last < 1 || !strings.HasPrefix(y.ok("job", "log", id, "--json", "--from", fmt.Sprint(lines[last-1].Seq)), fmt.Sprintf(`{"v":1,"seq":%d,`, lines[last].Seq)) {
		t.Errorf("the log has %d lines, and behind the last but one it does not go on with the last", last+1)
	}
	y.refuses(1, "is completed; only one that failed, was cancelled or waits can be tried again; nothing was changed", "job", "retry", id)
	y.refuses(1, "has ended already (completed); nothing was changed", "job", "cancel", id)
}

// What waits is cancelled at once, what runs is told to stop and says by whom.
func TestJobsAreCancelledFromTheCommandLine(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	later := y.prune(time.Now().Add(time.Hour)).ID
	y.says([]string{"job", "list", "--state", "waiting"}, later, "it was asked for this time")
	y.says([]string{"job", "cancel", later}, later+" is cancelled\n")
	y.refuses(1, "has ended already (cancelled); nothing was changed", "job", "cancel", later)

	noError(t, y.d.AddFault(sandbox.Fault{Kind: sandbox.FaultTimeout, Guild: y.guild, Count: -1}))
	long := y.prune(time.Time{})
	running := errors.New("it runs")
	err := y.jobs.Watch(t.Context(), long.Guild, long.ID, 0, func(l bus.JobLine) error {
		if l.State == bus.JobRunning {
			return running
		}
		return nil
	})
	if !errors.Is(err, running) {
		t.Fatal(err)
	}
	y.says([]string{"job", "cancel", long.ID, "--reason", "by mistake"}, long.ID+" was told to stop\n")
	y.says([]string{"job", "log", long.ID}, "cancelled by ", "by mistake")
	if n := len(y.d.Messages(y.channel)); n != 5 {
		t.Errorf("%d messages are left", n)
	}
	y.d.ClearFaults()
	y.says([]string{"job", "retry", long.ID}, long.ID+" is pending\n") // somebody wants it after all
	y.says([]string{"job", "log", long.ID}, "completed\n")
}

// A kind is paused for a while: its jobs wait and say why.
func TestAKindIsPausedFromTheCommandLine(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	y.says([]string{"job", "pause", "message-prune", "--reason", "Discord has an outage"}, "message-prune is paused; what runs goes on\n")
	id := y.prune(time.Time{}).ID
	waits := errors.New("it waits")
	err := y.jobs.Watch(t.Context(), bus.GuildID(y.guild), id, 0, func(l bus.JobLine) error {
		if l.State == bus.JobWaiting {
			return waits
		}
		return nil
	})
	if !errors.Is(err, waits) {
		t.Fatal(err)
	}
	y.says([]string{"job", "list", "--kind", "message-prune"}, id, "waiting", ": Discord has an outage")
	y.says([]string{"job", "resume", "message-prune"}, "message-prune goes on\n")
	y.says([]string{"job", "log", id}, "completed\n")
	y.refuses(1, "jobs of the kind message-prune are not paused; nothing was changed", "job", "resume", "message-prune")
	y.refuses(1, `there is no kind of job "prune"; nothing was changed`, "job", "pause", "prune")
}

// A task that an earlier client created to be executed later survives the kill -9 of worker and bus, with its password, which
// stands nowhere in clear; executed then, it runs once.
func TestAHeldTaskSurvivesKills(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	const password = "correct-horse-battery"
	asks := func(call, args string) (int, string) {
		q := must(http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+y.env["JOBS_IPC_ADDR"]+"/ipc/"+call, strings.NewReader(`{"args":`+args+`}`)))(t)
		q.Header.Set("Authorization", "api a-secret-of-the-api-0123456789")
		resp := must(http.DefaultClient.Do(q))(t)
		defer resp.Body.Close()
		return resp.StatusCode, string(must(io.ReadAll(resp.Body))(t))
	}
	status, body := asks("create_task", fmt.Sprintf(`{"name":"message_prune","data":{"ServerID":"%v","Options":{"max_messages":3,"password":%q}},"execute":false}`, y.guild, password))
	var made struct {
		TCR struct {
			ID string `json:"task_id"`
		} `json:"tcr"`
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusOK {
		t.Fatal(status, body, err)
	}
	id := made.TCR.ID
	y.worker.kill()
	y.nats.kill()
	y.nats = start(t, "nats", y.env.with(settings{"NATS_URL": "", "OPS_ADDR": freeAddr(t)}))
	y.worker = start(t, "jobs", y.env)
	y.says([]string{"job", "list", "--state", "waiting"}, id, "waits for execute_task")
	if shown := y.ok("job", "show", id); strings.Contains(shown, password) || !strings.Contains(shown, `"password"`) {
		t.Errorf("show tells %s", shown)
	}
	if n := len(y.d.Messages(y.channel)); n != 5 {
		t.Errorf("%d messages are left before it is executed", n)
	}
	if status, body := asks("execute_task", fmt.Sprintf(`{"name":"message_prune","task_id":%q}`, id)); status != http.StatusNoContent {
		t.Fatal(status, body)
	}
	y.says([]string{"job", "log", id}, "completed\n", "deleted 3 messages")
	if n := len(y.d.Messages(y.channel)); n != 2 {
		t.Errorf("%d messages are left", n)
	}
}

// What is not the id of a job, and the id of none, is said as that; nothing is changed.
func TestIdsThatAreNone(t *testing.T) {
	t.Parallel()
	y := newYard(t)
	none := bus.NewJobID(time.Now())
	for _, verb := range []string{"show", "log", "cancel", "retry"} {
		y.refuses(1, "there is no job "+none, "job", verb, none)
		y.refuses(1, "the id of a job has 26 digits and capital letters", "job", verb, y.guild.String()) // of a server
		y.refuses(1, "the id of a job has 26 digits and capital letters", "job", verb, "*")
		y.refuses(2, "expected \"<id>\"", "job", verb)
	}
	y.refuses(2, "--help", "job", "list", "--guild", "Skeld")
	y.refuses(2, "--state", "job", "list", "--state", "lost")
	y.says([]string{"job", "list", "--guild", "1"}, "none")
}
