// Package ipc is the HTTP door of the earlier job server, kept for its clients: POST /ipc/create_task and
// /ipc/execute_task with "Authorization: <client> <secret>" and {"args": {…}}.
//
// What comes in: those requests. What goes out: submissions of jobs, and answers in the form that the clients read, with
// the status that is true: the earlier server answered 200 to everything. A task that is created without being executed is a
// job that is held until execute_task; only the client that created a task can execute it. names.go turns old names into ours.
package ipc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"splashtail/bus"
	"splashtail/internal/secret"
)

// Bounds of the door.
const (
	maxBody     = 128 << 10
	requestTime = 120 * time.Second // the earlier server's
	stopTime    = 5 * time.Second
)

// Jobs is what the door does with jobs; *bus.Jobs is one, so that all its submissions are in the action log.
type Jobs interface {
	Submit(context.Context, bus.JobSubmit) (bus.Job, error)
	Find(ctx context.Context, id string) (bus.Job, error)
	Release(context.Context, bus.JobRequest) (bus.Job, error)
}

// Door is the HTTP server.
type Door struct {
	addr    string
	secrets map[string]secret.Value
	log     *slog.Logger
}

// New makes a door for the clients that have a secret.
func New(addr string, secrets map[string]secret.Value, log *slog.Logger) *Door {
	return &Door{addr, secrets, log}
}

// Run serves until ctx ends; it calls serves with its address once it does.
func (d *Door) Run(ctx context.Context, jobs Jobs, serves func(addr string)) error {
	l, err := net.Listen("tcp", d.addr)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: d.Handler(jobs), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second,
		WriteTimeout: requestTime + 10*time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(d.log.Handler(), slog.LevelDebug)}
	ended := make(chan error, 1)
	go func() { ended <- srv.Serve(l) }()
	serves(l.Addr().String())
	select {
	case err = <-ended:
	case <-ctx.Done():
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTime)
		defer cancel()
		if err := srv.Shutdown(stop); err != nil {
			return srv.Close()
		}
		return nil
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// Handler is the door without its listener.
func (d *Door) Handler(jobs Jobs) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ipc/{name}", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		answer, err := d.call(ctx, w, r, jobs)
		d.answer(w, answer, err)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if _, name, ok := strings.Cut(r.URL.Path, "/ipc/"); ok && name != "" && r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			writeError(w, http.StatusMethodNotAllowed, "bad_method", "this door takes POST only")
			return
		}
		writeError(w, http.StatusNotFound, "no_route", "IPC name must be provided")
	})
	return mux
}

// call carries a request out; nil as an answer means that there is nothing to say.
func (d *Door) call(ctx context.Context, w http.ResponseWriter, r *http.Request, jobs Jobs) (any, error) {
	client, err := d.identify(r.Header.Get("Authorization"))
	if err != nil {
		return nil, err
	}
	var body struct {
		Args json.RawMessage `json:"args"`
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := new(http.MaxBytesError); errors.As(err, &tooLarge) {
		return nil, bus.Errorf(bus.CodeInvalid, "too_large", "a request has at most %d bytes; nothing was done", maxBody)
	}
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil {
		return nil, bus.Errorf(bus.CodeInvalid, "bad_json", "Invalid JSON; nothing was done")
	}
	if len(body.Args) == 0 || string(body.Args) == "null" {
		return nil, bus.Errorf(bus.CodeInvalid, "no_args", "No args provided; nothing was done")
	}
	switch r.PathValue("name") {
	case "create_task":
		return d.create(ctx, client, body.Args, jobs)
	case "execute_task":
		return nil, d.execute(ctx, client, body.Args, jobs)
	}
	return nil, bus.Errorf(bus.CodeNotFound, "no_ipc", "IPC does not exist; nothing was done")
}

// identify says which client a header is from. Unknown clients take as long as wrong secrets.
func (d *Door) identify(header string) (string, error) {
	client, given, _ := strings.Cut(strings.TrimSpace(header), " ")
	want, known := d.secrets[client]
	if !want.Equal(strings.TrimSpace(given)) || !known || want.IsZero() {
		return "", bus.Errorf(bus.CodeDenied, "bad_secret", "identifyClient failed: the Authorization header names no client of this door with its secret; nothing was done")
	}
	return client, nil
}

// created is what create_task answers.
type created struct {
	TCR taskCreated `json:"tcr"`
}

type taskCreated struct {
	ID   string   `json:"task_id"`
	Info taskInfo `json:"task_info"`
}

type taskInfo struct {
	Name   string          `json:"name"`
	For    taskFor         `json:"task_for"`
	Fields json.RawMessage `json:"task_fields"` // without secrets
	Expiry int64           `json:"expiry"`
	Valid  bool            `json:"valid"`
}

type taskFor struct {
	ID   string `json:"id"`
	Type string `json:"target_type"`
}

// actorOf is what a client is called in records and in the action log.
func actorOf(client string) string { return "ipc client " + client }

// create makes a job: one that is worked on at once, or one that is held until execute_task.
func (d *Door) create(ctx context.Context, client string, args json.RawMessage, jobs Jobs) (any, error) {
	var q struct {
		Name    string          `json:"name"`
		Data    json.RawMessage `json:"data"`
		Execute bool            `json:"execute"`
	}
	if err := json.Unmarshal(args, &q); err != nil {
		return nil, bus.Errorf(bus.CodeInvalid, "bad_args", "the args cannot be read; no task was created")
	}
	s, err := submission(q.Name, q.Data)
	if err != nil {
		return nil, err
	}
	s.Actor = actorOf(client)
	if !q.Execute {
		s.Hold = "execute_task"
	}
	job, err := jobs.Submit(ctx, s)
	if err != nil {
		return nil, err
	}
	return created{taskCreated{ID: job.ID, Info: taskInfo{Name: q.Name, For: taskFor{job.Guild.String(), "Server"}, Fields: job.Args, Valid: true}}}, nil
}

// execute lets a task begin that its client has created to be executed later; one that was begun already is left as it is, so
// that a client may repeat what it got no answer to. Fields beside the task count for nothing: the task has its own.
func (d *Door) execute(ctx context.Context, client string, args json.RawMessage, jobs Jobs) error {
	var q struct {
		Name string `json:"name"`
		ID   string `json:"task_id"`
	}
	if err := json.Unmarshal(args, &q); err != nil {
		return bus.Errorf(bus.CodeInvalid, "bad_args", "the args cannot be read; nothing was executed")
	}
	job, err := jobs.Find(ctx, q.ID)
	if err != nil {
		return err
	}
	if job.Actor != actorOf(client) {
		return bus.Errorf(bus.CodeDenied, "other_client", "the task %s was not created by the client %s; nothing was executed", job.ID, client)
	}
	if kindOf(q.Name) != job.Kind {
		return bus.Errorf(bus.CodeInvalid, "other_task", "the task %s is none of the name %.64q; nothing was executed", job.ID, q.Name)
	}
	_, err = jobs.Release(ctx, bus.JobRequest{Actor: actorOf(client), Target: job.ID, Guild: job.Guild, Reason: "execute_task"})
	return err
}

// answer writes the status that is true, then the body.
func (d *Door) answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		e := bus.AsError(err)
		text := e.Message
		if e.Code == bus.CodeUnavailable && text == "" {
			text = "the jobs do not answer now; whether anything was done is not known: look before you ask again"
		}
		if e.Code == bus.CodeInternal || text == "" {
			d.log.Error("a request at the door of jobs failed", "err", err)
			text = "the request failed inside; the log of jobs has the cause"
		}
		if e.RetryAfter > 0 {
			w.Header().Set("Retry-After", fmt.Sprint(int(e.RetryAfter.Seconds()+1)))
		}
		writeError(w, status(e), e.Reason, text, e.Details)
		return
	}
	if v == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	writeJSON(w, http.StatusOK, v)
}

// status is the HTTP status of an error.
func status(e *bus.Error) int {
	switch {
	case e.Reason == "bad_secret":
		return http.StatusUnauthorized
	case e.Reason == "too_large":
		return http.StatusRequestEntityTooLarge
	}
	switch e.Code {
	case bus.CodeInvalid:
		return http.StatusBadRequest
	case bus.CodeNotFound:
		return http.StatusNotFound
	case bus.CodeConflict:
		return http.StatusConflict
	case bus.CodeDenied:
		return http.StatusForbidden
	case bus.CodeLimited:
		return http.StatusTooManyRequests
	case bus.CodeUnavailable:
		return http.StatusServiceUnavailable
	default:
		return http.StatusInternalServerError
	}
}

// failure is the body of an error.
type failure struct {
	Code    string            `json:"code"`
	Message string            `json:"message"`
	Details map[string]string `json:"details,omitempty"`
}

func writeError(w http.ResponseWriter, status int, code, text string, details ...map[string]string) {
	f := failure{Code: code, Message: text}
	if len(details) > 0 {
		f.Details = details[0]
	}
	writeJSON(w, status, f)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		status, data = http.StatusInternalServerError, []byte(`{"code":"internal"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(append(data, '\n')) // a client that left reads nothing
}
