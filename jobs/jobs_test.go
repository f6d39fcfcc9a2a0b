package jobs_test

import (
	"context"
	"encoding/json"
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

// The component from outside: a task of an earlier client is pruned by the job that bot and operators see.
func TestATaskOfAnEarlierClientBecomesAJob(t *testing.T) {
	d := sandbox.New(sandbox.Config{})
	app, err := d.AddApplication(sandbox.ApplicationSpec{Name: "guard", MessageContentIntent: true})
	if err != nil {
		t.Fatal(err)
	}
	owner, err := d.AddUser("Olga")
	if err != nil {
		t.Fatal(err)
	}
	guild, err := d.AddGuild("Skeld", owner)
	if err != nil {
		t.Fatal(err)
	}
	role, err := d.AddRole(guild, "guard", sandbox.Administrator)
	if err != nil {
		t.Fatal(err)
	}
	channel, err := d.AddChannel(guild, "general", sandbox.TextChannel)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.AddMember(guild, app.ID, role); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		if _, err := d.As(owner).Send(channel, "x"); err != nil {
			t.Fatal(err)
		}
	}
	srv := httptest.NewServer(d)
	defer srv.Close()
	b := bustest.New(t)
	own, err := b.Component(t.Context(), "jobs")
	if err != nil {
		t.Fatal(err)
	}
	defer bustest.Close(t, own)
	j, err := jobs.New(jobs.Config{Token: secret.New(app.Token), APIURL: srv.URL + "/api/v10", DataDir: t.TempDir(), IPCAddr: "127.0.0.1:0",
		IPCSecrets: map[string]secret.Value{"bot": secret.New("a-secret-of-the-bot")}, Instance: "one"}, own, bustest.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- j.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-j.Ready():
	case <-time.After(30 * time.Second):
		t.Fatal("it does not get ready")
	}
	body := `{"args":{"name":"message_prune","data":{"ServerID":"` + guild.String() + `","Options":{"max_messages":3}},"execute":true}}`
	q, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+j.Addr()+"/ipc/create_task", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "bot a-secret-of-the-bot")
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var made struct {
		TCR struct {
			ID string `json:"task_id"`
		} `json:"tcr"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&made); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp.StatusCode, err)
	}
	facade, err := bus.OpenJobs(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	g, err := bus.ParseGuildID(guild.String())
	if err != nil {
		t.Fatal(err)
	}
	var last bus.JobLine
	if err := facade.Watch(t.Context(), g, made.TCR.ID, 0, func(l bus.JobLine) error { last = l; return nil }); err != nil || last.State != bus.JobCompleted {
		t.Fatalf("%v %+v", err, last)
	}
	if n := len(d.Messages(channel)); n != 2 {
		t.Errorf("%d messages are left", n)
	}
	job, err := facade.Find(t.Context(), made.TCR.ID)
	if err != nil || len(job.Files) != 1 || !strings.Contains(string(job.Outcome), `"total":3`) {
		t.Errorf("%+v %v", job, err)
	}
}
