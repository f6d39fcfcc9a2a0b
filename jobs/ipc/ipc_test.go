package ipc

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"splashtail/bus"
	"splashtail/internal/secret"
)

// rig is a door and, behind it, the jobs of a test.
type rig struct {
	url      string
	mu       sync.Mutex
	got      []bus.JobSubmit
	released []bus.JobRequest
	fail     error
}

// The tasks that are there: one that was created by the client bot, one that a member of a server asked for.
const (
	theID   = "01KB5Z8M3V7Q4W9XJ2N6C0RTYA"
	otherID = "01KB5Z8M3V7Q4W9XJ2N6C0RTYB"
)

func newRig(t *testing.T) *rig {
	r := &rig{}
	d := New("", map[string]secret.Value{"bot": secret.New("bot-secret-0123456789"), "api": secret.New("api-secret-0123456789")}, slog.New(slog.DiscardHandler))
	srv := httptest.NewServer(d.Handler(r))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

func (r *rig) Submit(_ context.Context, s bus.JobSubmit) (bus.Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.got = append(r.got, s)
	return bus.Job{ID: theID, Kind: s.Kind, Guild: s.Guild, Args: s.Args}, r.fail
}

func (r *rig) Find(_ context.Context, id string) (bus.Job, error) {
	switch id {
	case theID:
		return bus.Job{ID: theID, Kind: bus.JobBackupCreate, Guild: 5, Actor: "ipc client bot"}, nil
	case otherID:
		return bus.Job{ID: otherID, Kind: bus.JobBackupCreate, Guild: 5, By: 7}, nil
	}
	return bus.Job{}, bus.Errorf(bus.CodeNotFound, "no_job", "none")
}

func (r *rig) Release(_ context.Context, q bus.JobRequest) (bus.Job, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.released = append(r.released, q)
	return bus.Job{}, r.fail
}

func (r *rig) post(t *testing.T, method, path, auth, body string) (int, string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", auth)
	resp, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var b strings.Builder
	if _, err := fmt.Fprint(&b, readAll(t, resp)); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, b.String()
}

func readAll(t *testing.T, resp *http.Response) string {
	var v json.RawMessage
	if resp.StatusCode == http.StatusNoContent {
		return ""
	}
	if err := json.NewDecoder(resp.Body).Decode(&v); err != nil {
		t.Errorf("the answer is no JSON: %v", err)
	}
	return string(v)
}

const good = "bot bot-secret-0123456789"

func TestAnEarlierClientCreatesAndExecutes(t *testing.T) {
	r := newRig(t)
	status, body := r.post(t, "POST", "/ipc/create_task", good, `{"args":{"name":"guild_create_backup","data":{"ServerID":"5","Options":{"messages":10,"Encrypt":"hunter2222"},"Constraints":{"x":1}},"execute":true}}`)
	if status != 200 || !strings.Contains(body, `"tcr":{"task_id":"`+theID+`"`) || strings.Contains(body, "hunter") {
		t.Fatalf("%d %s", status, body)
	}
	s := r.got[0]
	if s.Kind != bus.JobBackupCreate || s.Guild != 5 || string(s.Args) != `{"messages":10}` || s.Secrets["password"] != "hunter2222" || s.Actor != "ipc client bot" {
		t.Errorf("submitted: %+v %s", s, s.Args)
	}
	if s.Hold != "" {
		t.Errorf("a task that is to be executed is held: %+v", s)
	}
}

// A task that is created without being executed is held, and execute_task lets it begin: as the task that it is, for the
// client that created it. J5: fields beside the id count for nothing.
func TestATaskIsExecutedLater(t *testing.T) {
	r := newRig(t)
	for _, execute := range []string{``, `,"execute":false`} {
		if status, body := r.post(t, "POST", "/ipc/create_task", good, `{"args":{"name":"guild_create_backup","data":{"ServerID":"5","Options":{"Encrypt":"hunter2222"}}`+execute+`}}`); status != 200 || !strings.Contains(body, theID) {
			t.Fatalf("%d %s", status, body)
		}
	}
	for _, s := range r.got {
		if s.Hold != "execute_task" || s.Secrets["password"] != "hunter2222" {
			t.Errorf("submitted: %+v", s)
		}
	}
	status, body := r.post(t, "POST", "/ipc/execute_task", good, `{"args":{"name":"guild_create_backup","task_id":"`+theID+`","ServerID":"6"}}`)
	if want := (bus.JobRequest{Actor: "ipc client bot", Target: theID, Guild: 5, Reason: "execute_task"}); status != 204 || body != "" || len(r.released) != 1 || r.released[0] != want {
		t.Errorf("execute: %d %s, released %+v", status, body, r.released)
	}
	if len(r.got) != 2 {
		t.Errorf("execute_task made a job: %+v", r.got)
	}
}

// Acceptance check 24, J3, J6: errors have their true status and a stable code.
func TestErrorsHaveTheirTrueStatus(t *testing.T) {
	const create = `{"args":{"name":"message_prune","data":{"ServerID":"5"}}}`
	const execute = `{"args":{"name":"guild_create_backup","task_id":"` + theID + `"}}`
	for name, c := range map[string]struct {
		method, path, auth, body string
		fail                     error
		status                   int
		code                     string
	}{
		"no secret":         {"POST", "/ipc/create_task", "", create, nil, 401, "bad_secret"},
		"a wrong secret":    {"POST", "/ipc/create_task", "bot nope", create, nil, 401, "bad_secret"},
		"another's secret":  {"POST", "/ipc/create_task", "bot api-secret-0123456789", create, nil, 401, "bad_secret"},
		"an unknown client": {"POST", "/ipc/create_task", "x ", create, nil, 401, "bad_secret"},
		"no such route":     {"POST", "/ipc/", good, create, nil, 404, "no_route"},
		"no such call":      {"POST", "/ipc/spawn", good, create, nil, 404, "no_ipc"},
		"another method":    {"GET", "/ipc/create_task", good, "", nil, 405, "bad_method"},
		"no JSON":           {"POST", "/ipc/create_task", good, "{", nil, 400, "bad_json"},
		"no args":           {"POST", "/ipc/create_task", good, "{}", nil, 400, "no_args"},
		"no guild":          {"POST", "/ipc/create_task", good, `{"args":{"name":"x","data":{}}}`, nil, 400, "bad_data"},
		"a field too many":  {"POST", "/ipc/create_task", good, `{"args":{"name":"x","data":{"ServerID":"5","Nope":1}}}`, nil, 400, "bad_data"},
		"a body too large":  {"POST", "/ipc/create_task", good, `{"args":"` + strings.Repeat("x", maxBody) + `"}`, nil, 413, "too_large"},
		"another task":      {"POST", "/ipc/execute_task", good, `{"args":{"name":"message_prune","task_id":"` + theID + `"}}`, nil, 400, "other_task"},
		"another's task":    {"POST", "/ipc/execute_task", "api api-secret-0123456789", execute, nil, 403, "other_client"},
		"nobody's task":     {"POST", "/ipc/execute_task", good, strings.Replace(execute, theID, otherID, 1), nil, 403, "other_client"},
		"an ended task":     {"POST", "/ipc/execute_task", good, execute, bus.Errorf(bus.CodeConflict, "ended", "m"), 409, "ended"},
		"a lane in use":     {"POST", "/ipc/execute_task", good, execute, &bus.Error{Code: bus.CodeConflict, Reason: "guild_busy", Message: "m"}, 409, "guild_busy"},
		"too many held":     {"POST", "/ipc/create_task", good, create, bus.Errorf(bus.CodeLimited, "too_many_held", "m"), 429, "too_many_held"},
		"nobody answers":    {"POST", "/ipc/execute_task", good, execute, &bus.Error{Code: bus.CodeUnavailable, Reason: "timeout"}, 503, "timeout"},
		"two passwords":     {"POST", "/ipc/create_task", good, `{"args":{"name":"x","data":{"ServerID":"5","Options":{"Encrypt":"a","Decrypt":"b"}}}}`, nil, 400, "bad_data"},
		"no task":           {"POST", "/ipc/execute_task", good, `{"args":{"name":"message_prune","task_id":"x"}}`, nil, 404, "no_job"},
		"busy":              {"POST", "/ipc/create_task", good, create, &bus.Error{Code: bus.CodeConflict, Reason: "guild_busy", Message: "m", Details: map[string]string{"job": theID}}, 409, "guild_busy"},
		"denied":            {"POST", "/ipc/create_task", good, create, bus.Errorf(bus.CodeDenied, "other_guild", "m"), 403, "other_guild"},
		"inside":            {"POST", "/ipc/create_task", good, create, fmt.Errorf("secret detail"), 500, "internal"},
	} {
		r := newRig(t)
		r.fail = c.fail
		status, body := r.post(t, c.method, c.path, c.auth, c.body)
		if status != c.status || !strings.Contains(body, `"code":"`+c.code+`"`) || strings.Contains(body, "secret detail") {
			t.Errorf("%s: %d %s", name, status, body)
		}
		if name == "busy" && !strings.Contains(body, theID) {
			t.Errorf("busy does not name the job: %s", body)
		}
	}
}

// J4: requests at once never see each other's fields.
func TestRequestsNeverShareFields(t *testing.T) {
	r := newRig(t)
	var all sync.WaitGroup
	for g := 1; g <= 100; g++ {
		all.Go(func() {
			options := fmt.Sprintf(`"Options":{"n":%d,"Encrypt":"password-%d"}`, g, g)
			if g%2 == 1 {
				options = `"Options":{}`
			}
			r.post(t, "POST", "/ipc/create_task", good, fmt.Sprintf(`{"args":{"name":"x","data":{"ServerID":"%d",%s}}}`, g, options))
		})
	}
	all.Wait()
	for _, s := range r.got {
		want, pw := "{}", ""
		if s.Guild%2 == 0 {
			want, pw = fmt.Sprintf(`{"n":%d}`, s.Guild), fmt.Sprintf("password-%d", s.Guild)
		}
		if string(s.Args) != want || s.Secrets["password"] != pw {
			t.Errorf("guild %d got %s", s.Guild, s.Args)
		}
	}
	if len(r.got) != 100 {
		t.Errorf("%d submissions", len(r.got))
	}
}
