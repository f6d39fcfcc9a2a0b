package jobs_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"splashtail/bus"
	"splashtail/bus/bustest"
	"splashtail/internal/sandbox"
	"splashtail/internal/secret"
	"splashtail/jobs"
)

// house is the component beside a Discord with one guild, and a channel with five messages in it.
type house struct {
	t              *testing.T
	d              *sandbox.Discord
	jobs           *bus.Jobs
	door           string
	guild, channel sandbox.ID
	owner          sandbox.ID
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, d: sandbox.New(sandbox.Config{})}
	app := must(h.d.AddApplication(sandbox.ApplicationSpec{Name: "guard", MessageContentIntent: true}))(t)
	h.owner = must(h.d.AddUser("Olga"))(t)
	h.guild = must(h.d.AddGuild("Skeld", h.owner))(t)
	role := must(h.d.AddRole(h.guild, "guard", sandbox.Administrator))(t)
	h.channel = must(h.d.AddChannel(h.guild, "general", sandbox.TextChannel))(t)
	if err := h.d.AddMember(h.guild, app.ID, role); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		must(h.d.As(h.owner).Send(h.channel, "x"))(t)
	}
	srv := httptest.NewServer(h.d)
	t.Cleanup(srv.Close)
	b := bustest.New(t)
	own := must(b.Component(t.Context(), "jobs"))(t)
	t.Cleanup(func() { bustest.Close(t, own) })
	h.jobs = must(bus.OpenJobs(t.Context(), b))(t)
	j := must(jobs.New(jobs.Config{Token: secret.New(app.Token), APIURL: srv.URL + "/api/v10", DataDir: t.TempDir(), IPCAddr: "127.0.0.1:0",
		IPCSecrets: map[string]secret.Value{"bot": secret.New("a-secret-of-the-bot"), "api": secret.New("a-secret-of-the-api")}, Instance: "one"}, own, bustest.Log(t)))(t)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-j.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("it does not get ready")
	}
	h.door = "http://" + j.Addr() + "/ipc/"
	return h
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// asks sends a request as an earlier client does.
func (h *house) asks(client, call, args string) (status int, body string) {
	h.t.Helper()
	q := must(http.NewRequestWithContext(h.t.Context(), http.MethodPost, h.door+call, strings.NewReader(`{"args":`+args+`}`)))(h.t)
	q.Header.Set("Authorization", client+" a-secret-of-the-"+client)
	resp := must(http.DefaultClient.Do(q))(h.t)
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body))(h.t))
}

// creates makes a task that prunes n messages, and gives its id.
func (h *house) creates(client string, n int, execute bool) string {
	h.t.Helper()
	status, body := h.asks(client, "create_task", fmt.Sprintf(`{"name":"message_prune","data":{"ServerID":"%v","Options":{"max_messages":%d}},"execute":%v}`, h.guild, n, execute))
	var made struct {
		TCR struct {
			ID string `json:"task_id"`
		} `json:"tcr"`
	}
	if err := json.Unmarshal([]byte(body), &made); err != nil || status != http.StatusOK || made.TCR.ID == "" {
		h.t.Fatal(status, body, err)
	}
	return made.TCR.ID
}

func (h *house) executes(client, id string) (status int, body string) {
	h.t.Helper()
	return h.asks(client, "execute_task", fmt.Sprintf(`{"name":"message_prune","task_id":%q}`, id))
}

// completes waits for a job's end.
func (h *house) completes(id string) bus.Job {
	h.t.Helper()
	var last bus.JobLine
	if err := h.jobs.Watch(h.t.Context(), bus.GuildID(h.guild), id, 0, func(l bus.JobLine) error { last = l; return nil }); err != nil || last.State != bus.JobCompleted {
		h.t.Fatalf("%v %+v", err, last)
	}
	return must(h.jobs.Find(h.t.Context(), id))(h.t)
}

func (h *house) left() int { return len(h.d.Messages(h.channel)) }

// The component from outside: a task of an earlier client is pruned by the job that bot and operators see.
func TestATaskOfAnEarlierClientBecomesAJob(t *testing.T) {
	h := newHouse(t)
	job := h.completes(h.creates("bot", 3, true))
	if n := h.left(); n != 2 {
		t.Errorf("%d messages are left", n)
	}
	if len(job.Files) != 1 || !strings.Contains(string(job.Outcome), `"total":3`) || job.Actor != "ipc client bot" {
		t.Errorf("%+v", job)
	}
}

// A task that is created without being executed does nothing until its client executes it; then it is a job like any other.
func TestATaskIsCreatedFirstAndExecutedLater(t *testing.T) {
	h := newHouse(t)
	id := h.creates("api", 4, false)
	h.completes(h.creates("api", 1, true)) // it is in nobody's way
	if job := must(h.jobs.Find(t.Context(), id))(t); job.State != bus.JobWaiting || job.Wait.Why != "waits for execute_task" || h.left() != 4 {
		t.Fatalf("it was not held: %+v; %d messages are left", job, h.left())
	}
	if status, body := h.executes("bot", id); status != http.StatusForbidden || !strings.Contains(body, "nothing was executed") || h.left() != 4 {
		t.Errorf("by another client: %d %s", status, body)
	}
	if status, body := h.executes("api", id); status != http.StatusNoContent || body != "" {
		t.Errorf("by its client: %d %s", status, body)
	}
	h.completes(id)
	if n := h.left(); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	if status, body := h.executes("api", id); status != http.StatusConflict || !strings.Contains(body, "has ended already (completed)") {
		t.Errorf("when it had ended: %d %s", status, body)
	}
}

// Moderators who prune at the same moment do not wait for each other: five jobs of one guild run side by side, the sixth is
// refused and told why. Contract 3.5.
func TestFivePrunesOfOneGuildAtATime(t *testing.T) {
	h := newHouse(t)
	submit := func() (bus.Job, error) {
		return h.jobs.Submit(t.Context(), bus.JobSubmit{Kind: bus.JobMessagePrune, Guild: bus.GuildID(h.guild), By: 7, Args: []byte(`{"max_messages":1}`)})
	}
	// Discord answers none of them.
	if err := h.d.AddFault(sandbox.Fault{Kind: sandbox.FaultTimeout, Guild: h.guild, Count: -1}); err != nil {
		t.Fatal(err)
	}
	var all []bus.Job
	for range 5 {
		all = append(all, must(submit())(t))
	}
	if _, err := submit(); !bus.IsCode(err, bus.CodeConflict) || !strings.Contains(err.Error(), "at most 5") {
		t.Errorf("the sixth: %v", err)
	}
	running := errors.New("it runs")
	for _, j := range all {
		err := h.jobs.Watch(t.Context(), j.Guild, j.ID, 0, func(l bus.JobLine) error {
			if l.State == bus.JobRunning {
				return running
			}
			return nil
		})
		if !errors.Is(err, running) {
			t.Fatal(err)
		}
	}
	for _, j := range all {
		if now := must(h.jobs.Cancel(t.Context(), bus.JobRequest{Target: j.ID}))(t); now.State != bus.JobRunning {
			t.Errorf("not all run at once: one is %s", now.State)
		}
	}
}
